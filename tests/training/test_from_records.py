"""Data sets from run records that the real graph wrote: rows, yields, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import f1_sft
import navigator_sft
import pytest
import step_dpo

from reasonflux_agent.errors import InputError, RecordError
from reasonflux_agent.jobs.evaluation.benchmarks import load
from reasonflux_agent.prompts.direct import DIRECT
from reasonflux_agent.prompts.plan import PLAN
from reasonflux_agent.prompts.program import PROGRAM
from reasonflux_agent.prompts.propose import PROPOSE
from reasonflux_agent.runs.feedback import mark
from reasonflux_agent.runs.record import read_record
from reasonflux_agent.testing import mathematician
from reasonflux_agent.verify.programs import run_program

from .conftest import CHECKOUT, assert_golden, left, read, write_lines

Solve = Callable[..., Path]
SEVEN, FIFTEEN, ODD = "What is 3 plus 4?", "What is 10 plus 5?", "What is 20 plus 1?"


def corrected(prompt: str) -> str:
    """Gets the first try wrong, has it turned down, and gets the second one right."""
    if "reviewer of the solution" in prompt:
        return "REDO the sum is wrong" if "\\boxed{1}" in prompt else "ACCEPT"
    if "Please reason" in prompt and "rejected" not in prompt:
        return "It must be $\\boxed{1}$."
    return mathematician(prompt)


def by_steps(prompt: str) -> str:
    """Carries steps out one by one; the first one is turned down once."""
    if "reviewer of the work" in prompt:
        return "REDO list both" if "only one" in prompt else "ACCEPT"
    if "carry out step 1" in prompt:
        return "The numbers are 10 and 5." if "rejected" in prompt else "There is only one number."
    return mathematician(prompt)


def test_navigator_rows(solve: Solve, gold: Path, tmp_path: Path) -> None:
    records = solve(SEVEN, SEVEN, FIFTEEN, ODD, "What is 1 plus 1?", effort="medium", templates=1)
    out = tmp_path / "data" / "navigator_sft.json"
    navigator_sft.main([str(records), "--gold", str(gold), "--out", str(out)])
    rows = read(out)
    assert_golden("navigator_sft.json", rows)
    asked = PLAN.render(FIFTEEN)
    assert rows[0]["instruction"] == asked[-1]["content"]
    assert [text for pair in rows[0]["history"] for text in pair] == [message["content"] for message in asked[:-1]]
    thought, _, trajectory = rows[0]["output"].partition("</think>")
    assert thought.startswith("<think>")
    assert [step.purpose for step in PLAN.parse(trajectory).steps] == ["Collect the numbers", "Add them"]
    manifest = read(out.with_suffix(".manifest.json"))
    assert manifest["stages"] == {
        "records": 5,
        "records: answer wrong": 1,
        "records: kept": 3,
        "records: no gold answer": 1,
        "records: kept, but too long": 0,
        "problems": 2,
    }
    assert manifest["rows"] == 2
    assert manifest["projection"]["rows"] == 15_000
    assert read(out.parent / "dataset_info.json")["navigator_sft"] == {
        "file_name": "navigator_sft.json",
        "columns": {"prompt": "instruction", "query": "input", "response": "output", "history": "history"},
    }


def test_a_thought_of_its_own_is_kept(solve: Solve, gold: Path, tmp_path: Path) -> None:
    def thinking(prompt: str) -> str:
        said = mathematician(prompt)
        return f"<think>Both are integers.</think>{said}" if said.startswith("Kind") else said

    out = tmp_path / "rows.json"
    navigator_sft.main([str(solve(SEVEN, respond=thinking)), "--gold", str(gold), "--out", str(out)])
    assert read(out)[0]["output"].startswith("<think>\nBoth are integers.\n</think>\n\nKind: addition\n1. ")


def test_a_plan_that_the_graph_would_cut_gives_no_row(solve: Solve, gold: Path, tmp_path: Path) -> None:
    def wordy(prompt: str) -> str:
        said = mathematician(prompt)
        return said.replace("Add them", "Add " + "them and " * 60) if said.startswith("Kind") and SEVEN in prompt else said

    def built(*more: str) -> dict[str, int]:
        out = tmp_path / "rows.json"
        navigator_sft.main([str(records), "--gold", str(gold), "--out", str(out), *more])
        return dict(read(out.with_suffix(".manifest.json"))["stages"])

    records = solve(SEVEN, FIFTEEN, respond=wordy)
    stages = built()
    assert (stages["records: kept"], stages["records: kept, but too long"], stages["problems"]) == (2, 1, 1)
    assert built("--no-thought")["records: kept, but too long"] == 0  # the thought made it too long


@pytest.mark.parametrize("option", ["--prompt", "--exchange"])  # and its former name
def test_rows_without_thought_and_for_the_proposer(option: str, solve: Solve, gold: Path, tmp_path: Path) -> None:
    def proposing(prompt: str) -> str:
        form = "Kind: addition\nConditions: two integers\n1. Add them"
        return form if "solved in general" in prompt else mathematician(prompt)

    out = tmp_path / "rows.json"
    flux_records = solve(SEVEN, respond=proposing, strategy="propose")
    navigator_sft.main([str(flux_records), "--gold", str(gold), "--out", str(out), option, "propose", "--no-thought"])
    (row,) = read(out)
    assert row["instruction"] == PROPOSE.render(SEVEN)[0]["content"]
    assert row["output"] == "Kind: addition\nConditions: two integers\n1. Add them"
    assert "history" not in row


def test_a_trajectory_that_cannot_be_read_back_gives_no_row(solve: Solve, gold: Path, tmp_path: Path) -> None:
    def planning(prompt: str) -> str:
        said = mathematician(prompt)
        return "Kind: sum\n1. Collect\n2. Say it" if said.startswith("Kind") else said

    records = solve(SEVEN, respond=planning)
    for record in (path for path in records.rglob("*") if path.is_file()) if records.is_dir() else [records]:
        record.write_text(record.read_text().replace('"purpose": "Collect"', '"purpose": "Collect\\n1. and add"'))
    with pytest.raises(InputError, match=r"No row is left.*records: trajectory unreadable 1"):
        navigator_sft.main([str(records), "--gold", str(gold), "--out", str(tmp_path / "out" / "rows.json")])


def test_f1_rows(solve: Solve, gold: Path, library: Path, tmp_path: Path) -> None:
    solve(SEVEN, templates=1)
    records = solve(FIFTEEN, ODD, respond=corrected, templates=1, reviews=2, llm_review=True)
    out = tmp_path / "f1_sft.json"
    f1_sft.main([str(records), "--gold", str(gold), "--library", str(library), "--out", str(out)])
    rows = read(out)
    assert_golden("f1_sft.json", rows)
    assert rows[0]["instruction"] == DIRECT.render(FIFTEEN)[0]["content"]
    thought = rows[0]["output"]
    assert thought.index("\\boxed{1}") < thought.index("the sum is wrong") < thought.index("\\boxed{15}")
    assert all(row["output"].endswith("$.") and "</think>\n\nThe answer is $\\boxed{" in row["output"] for row in rows)
    assert read(out.with_suffix(".manifest.json"))["stages"]["records: answer wrong"] == 1


def test_a_chain_holds_the_tries_of_its_own_attempt_alone(solve: Solve, gold: Path, tmp_path: Path) -> None:
    drawn = count()

    def several(prompt: str) -> str:
        """The work of every try is told apart; the first of an attempt is turned down, in the same words."""
        if "reviewer of the solution" in prompt:
            return "REDO the sum is wrong" if "\\boxed{1}" in prompt else "ACCEPT"
        if "Please reason" in prompt:
            said = "It must be $\\boxed{1}$." if "rejected" not in prompt else mathematician(prompt)
            return f"Work {next(drawn)}. {said}"
        return mathematician(prompt)

    def chains(respond: Callable[[str], str], **context: Any) -> list[str]:
        (record,) = set(solve(SEVEN, respond=respond, effort="high", direct_samples=0, templates=0, **context).iterdir()) - seen
        seen.add(record)
        out = tmp_path / f"{record.stem}.json"
        f1_sft.main([str(record), "--gold", str(gold), "--out", str(out)])
        attempts = sum(line["type"] == "plan" for line in map(json.loads, record.read_text().splitlines()))
        assert attempts > 1  # else this would show nothing
        return [row["output"] for row in read(out)]

    seen: set[Path] = set()
    (chain,) = chains(several, reviews=2, llm_review=True)
    assert chain.count("Work ") == 2
    assert chain.count("Wait, something is wrong: the sum is wrong") == 1
    # what was accepted is not shown as an error: all attempts were, with the same words
    (chain,) = chains(lambda prompt: several(prompt) if "Please" not in prompt else f"{mathematician(prompt)} {next(drawn)}")
    assert "Wait" not in chain
    assert chain.count("boxed{7}") == 2  # the work, and the answer


def test_a_chain_of_thought_runs_no_programs(solve: Solve, gold: Path, tmp_path: Path) -> None:
    def programming(prompt: str) -> str:
        if "The program printed" in prompt:
            return "So it is $\\boxed{7}$."
        return "```python\nprint(7)\n```" if "Please reason" in prompt else mathematician(prompt)

    with pytest.raises(InputError, match=r"No row is left, and nothing was written.*by a program 1"):
        f1_sft.main([str(solve(SEVEN, respond=programming)), "--gold", str(gold), "--out", str(tmp_path / "out" / "f1.json")])
    assert left(tmp_path / "out") == {"f1.work.jsonl"}


def test_program_rows(solve: Solve, gold: Path, tmp_path: Path) -> None:
    """A program is a row if its own output is right, and it computes that from the problem's numbers."""
    written = {
        SEVEN: "```python\nprint(3 + 4)\n```",
        FIFTEEN: "```python\nprint(15)\n```",  # states its answer
        ODD: "```python\nprint(20 + 1)\n```",  # graded wrong
    }
    solve(*written, respond=lambda prompt: next(text for ask, text in written.items() if ask in prompt), strategy="program")
    records = solve("What is 1 plus 1?", SEVEN, respond=lambda _: "So it is $\\boxed{7}$.", strategy="direct")
    out = tmp_path / "f1_programs.json"
    f1_sft.main([str(records), "--programs", "--gold", str(gold), "--out", str(out)])
    (row,) = read(out)
    assert row == {"instruction": PROGRAM.render(SEVEN)[0]["content"], "input": "", "output": written[SEVEN]}
    stages = read(out.with_suffix(".manifest.json"))["stages"]
    assert {name.removeprefix("records: "): count for name, count in stages.items() if ":" in name} == {
        "kept": 1,
        "hard-coded": 1,
        "answer wrong": 1,
        "no gold answer": 1,
        "without a program": 1,
    }


@pytest.mark.parametrize(
    ("code", "answer", "printed"),
    [
        ("print([3, 59])", "3 × 59", "3 × 59"),
        ("x = (269, 856)\nprint(x)", r"$\dfrac{269}{856}$", r"\dfrac{269}{856}"),
        ("print(1)\nprint(2, -3)", "(2, -3)", "1\n(2, -3)"),  # the last print; its values are not in one list
        ("print([3, 59])", "59", None),  # one number has no form
        ("print([3, 59, 60])", "3:59;60", None),  # two forms
        ("def f():\n    print(3, 59)\nf()", "3 × 59", None),  # no print of its own
        ("print(3, 59, sep=',')", "3 × 59", None),
        ("print(", "3 × 59", None),
    ],
)
def test_the_form_of_an_answer(code: str, answer: str, printed: str | None) -> None:
    written = f1_sft._in_form(code, answer)
    assert (run_program(written).output if written else None) == printed


def test_gold_answers_may_be_those_of_a_benchmark(solve: Solve, tmp_path: Path) -> None:
    first, second = load("gym:leg_counting:0-1"), load("gym:word_sorting:0-1")
    given = {item.problem: item.answer for item in (*first, *second)}
    answer = lambda prompt: next(f"\\boxed{{{given[text]}}}" for text in given if text in prompt)  # noqa: E731
    records = solve(*given, respond=answer, strategy="direct")
    out = tmp_path / "f1_sft.json"
    gold = ["gym:leg_counting:0-1", "gym:word_sorting:0-1"]
    with pytest.raises(InputError, match="records: without a program 2"):
        f1_sft.main([str(records), "--programs", "--gold", *gold, "--out", str(out)])


def test_step_pairs(solve: Solve, gold: Path, tmp_path: Path) -> None:
    solve(SEVEN, respond=corrected, reviews=2, llm_review=True, templates=0)
    records = solve(FIFTEEN, respond=by_steps, reviews=2, granularity="step", templates=0)
    out = tmp_path / "step_dpo.json"
    step_dpo.main([str(records), "--gold", str(gold), "--out", str(out)])
    rows = sorted(read(out), key=str)
    assert_golden("step_dpo.json", rows)
    texts = {(row["chosen"]["value"], row["rejected"]["value"]) for row in rows}
    assert texts == {
        ("Adding the numbers gives $\\boxed{7}$.", "It must be $\\boxed{1}$."),
        ("The numbers are 10 and 5.", "There is only one number."),
    }
    assert not any("rejected" in turn["value"] for row in rows for turn in row["conversations"])
    entry = read(tmp_path / "dataset_info.json")["step_dpo"]
    assert entry["ranking"] is True
    assert entry["columns"] == {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}


def test_a_step_that_ran_a_program_makes_no_pair(solve: Solve, gold: Path, tmp_path: Path) -> None:
    def programming(prompt: str) -> str:
        if "The program printed" in prompt:
            return "So it is $\\boxed{1}$."
        said = corrected(prompt)
        return "```python\nprint(1)\n```" if said.startswith("It must be") else said

    out = tmp_path / "pairs.json"
    solve(SEVEN, respond=programming, reviews=2, llm_review=True, templates=0)
    records = solve(FIFTEEN, respond=corrected, reviews=2, llm_review=True, templates=0)
    step_dpo.main([str(records), "--gold", str(gold), "--out", str(out)])
    assert "```" not in out.read_text()
    stages = read(out.with_suffix(".manifest.json"))["stages"]
    assert (stages["redos: by a program"], stages["redos: kept"]) == (1, 1)


def test_a_pair_holds_the_thoughts_of_both_replies(solve: Solve, gold: Path, tmp_path: Path) -> None:
    def thinking(prompt: str) -> str:
        said = corrected(prompt)
        return f"<think>So {said[:2]}</think>{said}" if "boxed" in said else said

    out = tmp_path / "pairs.json"
    records = solve(SEVEN, respond=thinking, reviews=2, llm_review=True, templates=0)
    step_dpo.main([str(records), "--gold", str(gold), "--out", str(out)])
    (row,) = read(out)
    assert row["chosen"]["value"] == "<think>\nSo Ad\n</think>\n\nAdding the numbers gives $\\boxed{7}$."
    assert row["rejected"]["value"] == "<think>\nSo It\n</think>\n\nIt must be $\\boxed{1}$."


def test_attempts_that_ran_at_once_are_kept_apart(solve: Solve, gold: Path, tmp_path: Path) -> None:
    records = solve(SEVEN, respond=corrected, effort="high", direct_samples=0, reviews=2, templates=0)
    out = tmp_path / "pairs.json"
    step_dpo.main([str(records), "--gold", str(gold), "--out", str(out)])
    stages = read(out.with_suffix(".manifest.json"))["stages"]
    assert stages["redos: kept"] >= 2
    assert stages["redos: the first was right as well"] == 0
    assert len(read(out)) == 1  # all attempts say the same
    assert stages["rows: said before"] == stages["redos: kept"] - 1


@pytest.mark.parametrize("builder", [navigator_sft, f1_sft, step_dpo])
@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ("not json\n", "is no run record"),
        ('{"format": "reasonflux-record", "version": 99}\n', "has version 99"),
        ('{"format": "reasonflux-record", "version": 1}\n', "is damaged: KeyError: 'problem'"),
        (
            json.dumps({"format": "reasonflux-record", "version": 1, "problem": SEVEN, "type": "begin"})
            + '\n{"type": "solution", "solution": {"answer": 7}}\n',
            "is damaged: ValidationError",
        ),
    ],
)
def test_a_malformed_record_is_refused(
    builder: object, damage: str, text: str, solve: Solve, gold: Path, tmp_path: Path
) -> None:
    records = solve(SEVEN)
    (records / "broken.jsonl").write_text(damage)
    out = tmp_path / "out" / "rows.json"
    with pytest.raises(RecordError, match=text) as raised:
        builder.main([str(records), "--gold", str(gold), "--out", str(out)])  # type: ignore[attr-defined]
    assert "broken.jsonl" in str(raised.value)
    assert left(out.parent, "rows.work.jsonl") == set()


def test_a_killed_run_is_counted_and_not_refused(solve: Solve, gold: Path, tmp_path: Path) -> None:
    records = solve(SEVEN)
    (record,) = records.iterdir()
    lines = record.read_text().splitlines(keepends=True)
    (records / "killed.jsonl").write_text("".join(lines[:-1]) + lines[-1][:50])
    out = tmp_path / "rows.json"
    navigator_sft.main([str(records), "--gold", str(gold), "--out", str(out)])
    assert read(out.with_suffix(".manifest.json"))["stages"]["records: unfinished"] == 1


def test_a_benchmarks_problem_is_dropped_and_counted(solve: Solve, gold: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "benchmarks" / "dev.jsonl", [{"problem": "what is 3   plus 4", "answer": "7"}])
    out = tmp_path / "rows.json"
    records = solve(SEVEN, FIFTEEN)
    navigator_sft.main([str(records), "--gold", str(gold), "--out", str(out), "--benchmarks", str(tmp_path / "benchmarks")])
    manifest = read(out.with_suffix(".manifest.json"))
    assert manifest["stages"]["rows: in a benchmark"] == 1
    assert manifest["benchmarks"]["dev.jsonl"]["problems"] == 1
    assert "3 plus 4" not in out.read_text()


SCRIPTS = sorted(
    path for path in (CHECKOUT / "training" / "data").glob("*.py") if "__main__" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_help_is_the_docstring(script: Path) -> None:
    done = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, timeout=120, check=True)
    assert f"python training/data/{script.name}" in done.stdout
    if script.stem not in {"gym_rows", "compare_rewards"}:  # what makes no data set
        assert "--benchmarks DIR" in done.stdout
    assert "--exchange" not in done.stdout


def test_an_error_is_one_line_without_a_traceback(tmp_path: Path) -> None:
    script = CHECKOUT / "training" / "data" / "navigator_sft.py"
    command = [sys.executable, str(script), str(tmp_path), "--gold", "nowhere.jsonl", "--out", str(tmp_path / "x.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: There is no record in")
    assert done.stderr.count("\n") == 1


def test_a_mark_is_the_grade_of_a_record_without_a_gold_answer(solve: Solve, gold: Path, tmp_path: Path) -> None:
    """The rows are those that gold answers give; --gold comes first, and a mark without a right answer grades nothing."""
    flux_records = solve(SEVEN, FIFTEEN, ODD, "What is 1 plus 1?", effort="medium", templates=1)
    out = tmp_path / "data" / "navigator_sft.json"
    with pytest.raises(InputError, match=r"No row is left.*records: no gold answer 4"):
        navigator_sft.main([str(flux_records), "--out", str(tmp_path / "none" / "rows.json")])
    marks: dict[str, dict[str, Any]] = {
        SEVEN: {"correct": True},
        FIFTEEN: {"correct": False, "answer": "16"},
        ODD: {"correct": False},
    }
    for path in flux_records.iterdir():
        if (problem := read_record(path).begin.problem) in marks:
            mark(path, **marks[problem])
    navigator_sft.main([str(flux_records), "--out", str(out)])
    (row,) = read(out)
    assert row["instruction"] == PLAN.render(SEVEN)[-1]["content"]
    stages = read(out.with_suffix(".manifest.json"))["stages"]
    assert stages["records: no gold answer"] == 2
    both = tmp_path / "both" / "navigator_sft.json"
    navigator_sft.main([str(flux_records), "--gold", str(gold), "--out", str(both)])
    assert len(read(both)) == 2  # the benchmark's answer to FIFTEEN is 15
