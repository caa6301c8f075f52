"""Tasks with many right answers: scorers, and reasoning-gym's families with theirs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.evaluation import gym
from reasonflux_agent.jobs.evaluation.benchmarks import digest, load, title
from reasonflux_agent.jobs.evaluation.runner import evaluate
from reasonflux_agent.testing import ScriptedModel
from reasonflux_agent.verify.scoring import load_scorer, score

FAMILIES = [
    "base_conversion",
    "calendar_arithmetic",
    "time_intervals",
    "letter_counting",
    "word_sorting",
    "number_sorting",
    "prime_factorization",
    "fraction_simplification",
    "family_relationships",
    "knights_knaves",
]


def even(row: Mapping[str, Any], answer: str) -> float:
    return 1.0 if int(answer) % 2 == 0 and int(answer) > int(row["above"]) else 0.5


EVEN = f"{__name__}:even"
ROW = {"problem": "Name an even number above 3.", "answer": "4", "above": 3}


def test_an_answer_is_right_only_at_one() -> None:
    assert score(ROW, "6", EVEN) is True
    assert score(ROW, "2", EVEN) is False
    assert score(ROW, None, EVEN) is False
    assert score(ROW, "many", EVEN) is None  # the scorer raised: undecided, not wrong
    assert score(ROW, "6") is False  # without it the grader compares with the row's answer


@pytest.mark.parametrize("name", ["even", "no.such.module:f", "json:nothing", f"{__name__}:FAMILIES"])
def test_a_scorer_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(InputError, match=f"There is no scorer '{name}'.*Registered are: gym"):
        load_scorer(name)


def test_a_row_may_name_a_registered_scorer_and_no_code(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**ROW, "scorer": EVEN}))
    with pytest.raises(InputError, match=r"line 1: field 'scorer'.*is not registered; there are gym"):
        load(str(path))


async def test_an_evaluation_counts_by_the_scorer(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(ROW) + "\n")
    right = {}
    for name, scorer in (("plain", None), ("scored", EVEN)):
        model = ScriptedModel(script={"reason": "It is \\boxed{8}."})
        path = await evaluate([str(rows)], ["direct"], out=tmp_path / name, model=model, scorer=scorer)
        (line,) = [json.loads(line) for line in (path / "results.jsonl").read_text().splitlines() if '"correct"' in line]
        right[name] = line["correct"]
    assert right == {"plain": False, "scored": True}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_accepts_its_own_answers_and_no_others(family: str) -> None:
    items = load(f"gym:{family}:0-12")
    assert title(f"gym:{family}:0-12") == family
    assert [item.id for item in items][:1] == [f"gym/{family}/0"]
    assert [item.score(item.answer) for item in items] == [True] * len(items)
    others = [item.score("17 purple") for item in items]
    assert others == [False] * len(items)


def test_ranges_are_parts_of_one_sequence_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    some, all_of = load("gym:base_conversion:5-9"), load("gym:base_conversion:0-9")
    assert some == all_of[5:9]
    assert load("gym:base_conversion", limit=3) == all_of[:3]
    assert len(load("gym:base_conversion")) == gym.ROWS
    texts = [item.problem for item in load("gym:letter_counting:0-500")]
    assert len(texts) == len(set(texts))
    path = tmp_path / "rows.jsonl"  # a row in a file is scored as it was
    path.write_text("".join(json.dumps(dict(item.row)) + "\n" for item in some))
    assert digest(load(str(path))) == digest(some)
    assert load(str(path))[0].score(some[0].answer) is True


def test_partial_credit_is_wrong() -> None:
    (item,) = load("gym:time_intervals:3-4")
    near = item.answer[:-1] + str((int(item.answer[-1]) + 1) % 10) if item.answer[-1].isdigit() else "1 days"
    assert 0 < gym.score(item.row, near) < 1
    assert item.score(near) is False


@pytest.mark.parametrize(
    ("family", "typeset"),
    [
        ("prime_factorization", lambda answer: answer.replace("×", "\\times")),
        ("knights_knaves", lambda answer: f"\\text{{{answer}}}"),
        ("calendar_arithmetic", lambda answer: f"\\textbf{{{answer}}}"),
        ("word_sorting", lambda answer: answer.replace(", ", ",\\ ")),
    ],
)
def test_an_answer_in_latex_is_the_same_answer(family: str, typeset: Callable[[str], str]) -> None:
    for item in load(f"gym:{family}:0-12"):
        assert item.score(item.answer)
        assert item.score(typeset(item.answer))
        assert not item.score(typeset("7" + item.answer[1:]))


@pytest.mark.parametrize(
    ("family", "why"),
    [("countdown", "run the model's answer as Python"), ("rush_hour", "cannot tell right"), ("nothing", "no such family")],
)
def test_a_family_that_cannot_be_used_says_why(family: str, why: str) -> None:
    with pytest.raises(InputError, match=f"gym:{family} cannot be used.*{why}.*base_conversion"):
        load(f"gym:{family}")


def test_every_family_has_rows_and_needs_little_memory() -> None:
    """A family that makes all of 2**31 rows at once ended the process; here it ends a process of its own."""
    code = """
import resource
from reasoning_gym.factory import DATASETS
from reasonflux_agent.jobs.evaluation import gym
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for name in sorted(set(DATASETS) - gym.EVALUATING - gym.UNSCORED - gym.NO_FAMILY):
    print(name, len(list(gym.rows(name, 9_000, 9_002))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr[-2000:]
    rows = dict(line.split() for line in done.stdout.splitlines())
    assert len(rows) > 80
    assert "0" not in rows.values()
    with pytest.raises(InputError, match="gym:acre has the rows 0 to 10000; 9999-10001 was asked for"):
        load("gym:acre:9999-10001")


def test_every_family_that_would_run_an_answer_is_known() -> None:
    """Reads the installed generators: a module whose scorer calls eval or SymPy's parser is named in EVALUATING."""
    import reasoning_gym
    from reasoning_gym.factory import DATASETS

    running = {"eval", "exec", "parse_expr", "sympify"}
    root = Path(reasoning_gym.__file__).parent
    modules = {name: Path(*kind.__module__.split(".")[1:]) for name, (kind, _) in DATASETS.items()}
    found = set()
    for name, module in modules.items():
        tree = ast.parse((root / module).with_suffix(".py").read_text(encoding="utf-8"))
        scorers = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and "score" in node.name]
        calls = [node.func for scorer in scorers for node in ast.walk(scorer) if isinstance(node, ast.Call)]
        names = {getattr(call, "id", getattr(call, "attr", "")) for call in calls}
        if names & running:
            found.add(name)
    # number_sorting evaluates the row's own answer alone; codeio runs the row's code
    assert found - {"number_sorting"} <= gym.EVALUATING
    assert gym.EVALUATING - {"codeio"} <= found
