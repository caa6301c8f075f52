"""Data sets that models are asked for: rewards, pairs, extracted templates, and going on after a stop."""

from __future__ import annotations

import json
from itertools import count, cycle
from pathlib import Path
from typing import Any

import compare_rewards
import extract_templates
import pytest
import trajectory_dpo
from structure import SHOWN, read, write

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.plan import PLAN
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.testing import FakeModel, mathematician, serve_fake

from . import conftest

PROBLEMS = [
    {"id": str(n), "problem": f"What is {n} plus {n + 1}?", "answer": str(2 * n + 1), "solution": f"Add: {n} + {n + 1}."}
    for n in range(1, 11)
]
GOOD, BAD = "Kind: addition\n1. Add them | find: sum", "Kind: guess\n1. Guess | find: luck"


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    return conftest.write_lines(tmp_path / "train.jsonl", PROBLEMS)


def planning(prompt: str) -> str:
    """Writes a good and a bad trajectory by turns; of an even problem only good ones; and once one that cannot be read."""
    problem = prompt.split("Problem:\n")[-1]
    if int(problem.split()[2]) % 2 == 0:
        return GOOD
    turn = next(planning.turns)  # type: ignore[attr-defined]
    return "no plan" if turn == 2 else BAD if turn % 2 else GOOD


def solving(prompt: str) -> str:
    return "I guess $\\boxed{0}$." if "Guess" in prompt else mathematician(prompt)


def pairs(problems: Path, out: Path, *more: str, solver: FakeModel | None = None, navigator: FakeModel | None = None) -> Path:
    planning.turns = count()  # type: ignore[attr-defined]
    models = {
        "navigator": navigator or FakeModel(respond=planning, calls=[]),
        "solver": solver or FakeModel(respond=solving, calls=[]),
    }
    options = ["--problems", str(problems), "--out", str(out), "--jobs", "1", "--templates", "0", *more]
    trajectory_dpo.main(options, models)
    return out


def test_trajectory_pairs(problems: Path, tmp_path: Path) -> None:
    solver = FakeModel(respond=solving, calls=[])
    out = pairs(problems, tmp_path / "pairs.json", "--limit", "3", solver=solver)
    rows = conftest.read(out)
    conftest.assert_golden("trajectory_dpo.json", rows)
    shown = [{"human": "user", "gpt": "assistant"}[turn["from"]] for turn in rows[0]["conversations"]]
    assert [
        {"role": role, "content": turn["value"]} for role, turn in zip(shown, rows[0]["conversations"], strict=True)
    ] == PLAN.render(PROBLEMS[0]["problem"])
    assert {(row["chosen"]["value"], row["rejected"]["value"]) for row in rows} == {(GOOD, BAD)}
    manifest = conftest.read(out.with_suffix(".manifest.json"))
    assert manifest["stages"] == {
        "training set": 10,
        "training set: in a benchmark": 0,
        "problems": 3,
        "problems: fewer than two trajectories": 1,
        "problems: rewarded": 2,
        "pairs: kept": 2,
        "pairs: tie": 0,
        "pairs: below the margin": 0,
    }
    assert manifest["projection"]["rows"] == 10_000
    rewards = [json.loads(line) for line in out.with_suffix(".rewards.jsonl").read_text().splitlines()]
    first = rewards[0]
    assert first["unreadable"] == 1
    assert {t["reply"]: t["reward"] for t in first["trajectories"]} == {GOOD: 1.0, BAD: 0.0}
    assert all(len(t["graded"]) == 3 for t in first["trajectories"])
    assert "1" not in {row["id"] for t in first["trajectories"] for row in t["graded"]}  # never the problem itself
    assert all("Plan:\n1. " in prompt for prompt in solver.calls)


def test_a_pair_holds_the_navigators_thoughts(problems: Path, tmp_path: Path) -> None:
    navigator = FakeModel(respond=lambda prompt: f"<think>Hm.</think>{planning(prompt)}", calls=[])
    out = pairs(problems, tmp_path / "pairs.json", "--limit", "1", navigator=navigator)
    (row,) = conftest.read(out)
    thought = "<think>\nHm.\n</think>\n\n"
    assert (row["chosen"]["value"], row["rejected"]["value"]) == (thought + GOOD, thought + BAD)


def test_models_are_asked_over_http_by_their_specs(problems: Path, tmp_path: Path) -> None:
    def both(prompt: str) -> str:
        return planning(prompt) if "Please reason" not in prompt else solving(prompt)

    planning.turns = count()  # type: ignore[attr-defined]
    out = tmp_path / "pairs.json"
    with serve_fake(both) as url:
        spec = f"vllm:fake@{url}"
        options = ["--problems", str(problems), "--out", str(out), "--navigator", spec, "--limit", "2", "--templates", "0"]
        trajectory_dpo.main([*options, "--jobs", "4"])
        assert conftest.read(out.with_suffix(".manifest.json"))["solver"] == spec
    (row,) = conftest.read(out)
    assert (row["chosen"]["value"], row["rejected"]["value"]) == (GOOD, BAD)


def test_ties_are_discarded_and_counted(problems: Path, tmp_path: Path) -> None:
    solver = FakeModel(respond=mathematician, calls=[])
    with pytest.raises(InputError, match=r"No row is left.*pairs: tie 2"):
        pairs(problems, tmp_path / "out" / "pairs.json", "--limit", "3", solver=solver)
    assert conftest.left(tmp_path / "out") == {"pairs.work.jsonl", "pairs.rewards.jsonl"}


def test_a_navigator_is_measured_on_problems_that_were_held_out(
    problems: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A problem counts with a single trajectory too, and a trajectory as often as it was drawn; nothing becomes a pair."""
    before = pairs(problems, tmp_path / "out" / "before.json", "--measure")
    better = FakeModel(respond=lambda prompt: GOOD, calls=[])
    after = pairs(problems, tmp_path / "out" / "after.json", "--measure", navigator=better)
    names = [path.with_suffix(".rewards.jsonl") for path in (before, after)]
    works = {path.with_suffix(".work.jsonl").name for path in (before, after)}
    assert conftest.left(tmp_path / "out") == {*(path.name for path in names), *works}
    rows = [json.loads(line) for line in names[0].read_text().splitlines()]
    assert len(rows) == 10
    assert min(len(row["trajectories"]) for row in rows) == 1

    compare_rewards.main([*map(str, names), "--out", str(tmp_path / "compared.json")])
    found = conftest.read(tmp_path / "compared.json")
    drawn = [t for row in rows for t in row["trajectories"]]
    assert {t["reward"] for t in drawn} == {0.0, 1.0}
    means = [
        sum(t["reward"] * t["times"] for t in row["trajectories"]) / sum(t["times"] for t in row["trajectories"])
        for row in rows
    ]
    assert found["all"]["before"] == pytest.approx(sum(means) / 10)
    assert (found["all"]["after"], found["all"]["problems"], found["unreadable"]) == (1.0, 10, [1, 0])
    low, high = found["all"]["interval"]
    assert found["all"]["difference"] == pytest.approx(1 - sum(means) / 10)
    assert 0 < low < 1 - sum(means) / 10 < high < 1
    assert "all: 0." in (said := capsys.readouterr().out)
    assert "over 10 problems" in said
    assert "no plan: 1 -> 0 of 40" in said


def test_a_navigator_is_measured_with_the_default_settings(problems: Path, tmp_path: Path) -> None:
    """The built-in library is searched, as the graph does."""
    models = {
        role: FakeModel(respond=respond, calls=[]) for role, respond in (("navigator", lambda _: GOOD), ("solver", solving))
    }
    trajectory_dpo.main(["--measure", "--problems", str(problems), "--out", str(tmp_path / "x.json")], models)
    rows = [json.loads(line) for line in (tmp_path / "x.rewards.jsonl").read_text().splitlines()]
    assert [[(t["reward"], t["times"]) for t in row["trajectories"]] for row in rows] == [[(1.0, 4)]] * 10


def test_a_navigator_that_lost_the_form_is_called_so(
    problems: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Preference training broke a real one so: its few plans had a mean, which said nothing."""
    before = pairs(problems, tmp_path / "before.json", "--measure").with_suffix(".rewards.jsonl")
    broken = FakeModel(respond=lambda prompt: GOOD if PROBLEMS[0]["problem"] in prompt else "Kind: addition", calls=[])
    after = pairs(problems, tmp_path / "after.json", "--measure", navigator=broken).with_suffix(".rewards.jsonl")
    compare_rewards.main([str(before), str(after)])
    said = capsys.readouterr()
    assert "no plan: 1 -> 36 of 40" in said.out
    assert "over 1 problems" in said.out
    assert "most replies were no plan" in said.err
    assert "pref_ftx=1.0" in said.err


def test_rewards_of_other_problems_are_not_compared(problems: Path, tmp_path: Path) -> None:
    one = pairs(problems, tmp_path / "one.json", "--measure", "--limit", "2").with_suffix(".rewards.jsonl")
    two = pairs(problems, tmp_path / "two.json", "--measure", "--limit", "3").with_suffix(".rewards.jsonl")
    with pytest.raises(InputError, match=r"other problems \(2 and 3\).*same --problems"):
        compare_rewards.main([str(one), str(two)])
    with pytest.raises(InputError, match=r"holds no rewards.*--measure"):
        compare_rewards.main([str(one), str(problems)])


def test_templates_go_with_a_trajectory(problems: Path, library: Path, tmp_path: Path) -> None:
    solver = FakeModel(respond=solving, calls=[])
    out = pairs(problems, tmp_path / "p.json", "--limit", "1", "--templates", "1", "--library", str(library), solver=solver)
    assert any("Method: Adding up." in prompt for prompt in solver.calls)  # its worked example, as an earlier turn
    record = json.loads(out.with_suffix(".rewards.jsonl").read_text())
    assert {"arithmetic/sums/adding-up"} in [set(t["templates"]) for t in record["trajectories"]]


def test_where_a_worked_example_takes_the_place_of_all_trajectories_they_are_a_tie(
    problems: Path, library: Path, tmp_path: Path
) -> None:
    replies = cycle((GOOD, "Kind: addition\n1. Guess the sum | find: sum"))
    options = ["--limit", "1", "--templates", "1", "--library", str(library)]

    def built(name: str, *more: str) -> list[Any]:
        navigator = FakeModel(respond=lambda _: next(replies), calls=[])
        rows: list[Any] = conftest.read(pairs(problems, tmp_path / name, *options, *more, navigator=navigator))
        return rows

    with pytest.raises(InputError, match=r"No row is left.*pairs: tie 1"):
        built("tied.json")
    assert built("informed.json", "--informed") == built("alone.json", "--templates", "0") != []


def test_a_stopped_build_goes_on_where_it_ended(problems: Path, tmp_path: Path) -> None:
    out, calls = tmp_path / "pairs.json", count()

    def dying(prompt: str) -> str:
        if next(calls) == 8:
            raise RuntimeError("the server is gone")
        return solving(prompt)

    with pytest.raises(ModelError, match="the server is gone"):
        pairs(problems, out, "--limit", "3", solver=FakeModel(respond=dying, calls=[]))
    assert conftest.left(tmp_path, "train.jsonl") == {"pairs.work.jsonl"}
    with (tmp_path / "pairs.work.jsonl").open("a") as journal:
        journal.write('{"unit": "cut by a ki')
    navigator = FakeModel(respond=planning, calls=[])
    pairs(problems, out, "--limit", "3", navigator=navigator)
    assert len(navigator.calls) == 4  # samples of the third problem alone: two were done
    assert len(conftest.read(out)) >= 1
    with pytest.raises(InputError, match=r"other settings: settings\.similar was 3, is 2\. .*name another"):
        pairs(problems, out, "--limit", "3", "--similar", "2")
    pairs(problems, out, "--limit", "3", "--margin", "1", navigator=navigator)
    assert len(navigator.calls) == 4  # another margin asks nothing anew


def test_a_journal_of_earlier_builders_is_not_gone_on_with(problems: Path, tmp_path: Path) -> None:
    out, journal = pairs(problems, tmp_path / "pairs.json", "--limit", "1"), tmp_path / "pairs.work.jsonl"
    journal.write_text(journal.read_text().replace('"version": 2', '"version": 1', 1))
    with pytest.raises(InputError, match="version was 1, is 2"):
        pairs(problems, out, "--limit", "1")


def test_rewards_under_another_library_are_not_gone_on_with(problems: Path, library: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "pairs.json", ("--limit", "1", "--templates", "1", "--library", str(library))
    pairs(problems, out, *options)
    library.write_text(library.read_text().replace("Collect the integers", "Write the integers down"))
    with pytest.raises(InputError, match=r"other settings: settings\.templates of the library was .*name another"):
        pairs(problems, out, *options)


@pytest.mark.parametrize("option", [["--samples", "1"], ["--margin", "0"], ["--jobs", "0"], ["--similar", "0"]])
def test_options_of_no_use_are_refused_before_any_call(option: list[str], problems: Path, tmp_path: Path) -> None:
    navigator = FakeModel(respond=planning, calls=[])
    with pytest.raises(InputError, match="2 or more"):
        pairs(problems, tmp_path / "pairs.json", *option, navigator=navigator)
    assert navigator.calls == []


def test_a_training_problem_in_a_benchmark_is_never_used(problems: Path, tmp_path: Path) -> None:
    conftest.write_lines(tmp_path / "benchmarks" / "b.jsonl", PROBLEMS[1:4])
    out = pairs(problems, tmp_path / "pairs.json", "--limit", "1", "--benchmarks", str(tmp_path / "benchmarks"))
    assert conftest.read(out.with_suffix(".manifest.json"))["stages"]["training set: in a benchmark"] == 3
    (line,) = out.with_suffix(".rewards.jsonl").read_text().splitlines()
    used = {row["id"] for t in json.loads(line)["trajectories"] for row in t["graded"]}
    assert used.isdisjoint({"2", "3", "4"})


def writing(prompt: str) -> str:
    """A template that helps for small numbers, one that does not for 5 and 6, a form of its own for the others."""
    number = int(prompt.split("Problem:\n")[-1].split()[2])
    name = "Adding up" if number < 5 else "Staring" if number < 7 else ""
    text = f"Name: {name}\nTags: sums\nDescription: {name} two integers.\nScope:\n- sums\nFlow:\n1. {name} the first\n2. Go on"
    return text if name else "I would rather not."


def shown_only(prompt: str) -> str:
    return mathematician(prompt) if "Method: Adding up" in prompt else "I guess $\\boxed{0}$."


def extract(problems: Path, out: Path, *more: str) -> Path:
    models = {"writer": FakeModel(respond=writing, calls=[]), "solver": FakeModel(respond=shown_only, calls=[])}
    extract_templates.main(["--problems", str(problems), "--out", str(out), "--jobs", "1", "--effect", "2", *more], models)
    return out


def test_extracted_templates_are_a_library_whose_effect_is_measured(problems: Path, tmp_path: Path) -> None:
    out = extract(problems, tmp_path / "extracted.json")
    library = TemplateLibrary.load(str(out))
    assert [template.name for template in library] == ["Adding up"]
    conftest.assert_golden("extracted.json", conftest.read(out))
    manifest = conftest.read(out.with_suffix(".manifest.json"))
    assert manifest["effect"] == {"templates": 1, "problems": 2, "with": 2, "without": 0}
    stages = manifest["stages"]
    assert stages["solutions"] == stages["solutions: written"] + stages["solutions: unreadable"] == 8
    assert stages["templates"] == 2
    assert stages["templates: kept"] == stages["templates: no help"] == 1
    assert stages["solutions: template said before"] == stages["solutions: written"] - 2


def test_solved_problems_in_a_benchmark_are_dropped_and_counted(problems: Path, tmp_path: Path) -> None:
    told = "a farmer has twelve cows and sells one third of them before the winter comes"
    rows = [{**PROBLEMS[0], "solution": f"Add, as in: {told}."}, *PROBLEMS[1:]]
    path = conftest.write_lines(tmp_path / "told.jsonl", rows)
    conftest.write_lines(tmp_path / "benchmarks" / "b.jsonl", [{"problem": f"{told}?", "answer": "8"}, PROBLEMS[1]])
    out = extract(path, tmp_path / "extracted.json", "--benchmarks", str(tmp_path / "benchmarks"))
    stages = conftest.read(out.with_suffix(".manifest.json"))["stages"]
    assert (stages["training set"], stages["training set: in a benchmark"]) == (10, 2)
    assert "farmer" not in out.with_suffix(".work.jsonl").read_text()


def test_what_measures_the_effect_neither_wrote_nor_chose(problems: Path, tmp_path: Path) -> None:
    writer, solver = FakeModel(respond=writing, calls=[]), FakeModel(respond=shown_only, calls=[])
    options = ["--problems", str(problems), "--out", str(tmp_path / "e.json"), "--jobs", "1", "--effect", "2"]
    extract_templates.main(options, {"writer": writer, "solver": solver})

    def asked(prompt: str) -> str:
        return prompt.split("Problem:\n")[-1].split("?")[0]

    read_ = {asked(prompt) for prompt in writer.calls}
    # the last two problems that the solver was shown the template for are those set aside
    measured = {asked(prompt) for prompt in solver.calls if "Method: Adding up" in prompt} - read_
    assert len(read_) == 8
    assert len(measured) == 2


def test_a_known_template_is_not_written_again(problems: Path, library: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No template helped, and nothing was written"):
        extract(problems, tmp_path / "out" / "extracted.json", "--known", str(library))
    assert conftest.left(tmp_path / "out") == {"extracted.work.jsonl"}


def test_solved_problems_are_needed(tmp_path: Path) -> None:
    path = conftest.write_lines(tmp_path / "p.jsonl", [{k: v for k, v in row.items() if k != "solution"} for row in PROBLEMS])
    with pytest.raises(InputError, match="no row has a `solution`"):
        extract(path, tmp_path / "extracted.json")


def test_a_template_written_is_read_back() -> None:
    text = f"**Name:** {SHOWN.name}\nTags: {', '.join(SHOWN.tags)}\n{write(SHOWN)}"
    assert read(text) == SHOWN.model_copy(update={"id": "open", "example": None})
    assert read(text.replace("**Name:**", "Method:")) == read(text)


def test_a_reply_that_cannot_be_read_is_sent_back_once(problems: Path, tmp_path: Path) -> None:
    def learns(prompt: str) -> str:
        return writing(prompt) if "does not have the form" in prompt else "I would rather not."

    models = {"writer": FakeModel(respond=learns, calls=[]), "solver": FakeModel(respond=shown_only, calls=[])}
    out = tmp_path / "e.json"
    extract_templates.main(["--problems", str(problems), "--out", str(out), "--jobs", "1", "--effect", "2"], models)
    assert len(models["writer"].calls) == 16
    assert [template.name for template in TemplateLibrary.load(str(out))] == ["Adding up"]
    kept = [json.loads(line) for line in out.with_suffix(".work.jsonl").read_text().splitlines()[1:]]
    assert "I would rather not." in {row["result"].get("reply") for row in kept}


@pytest.mark.parametrize("reply", ["", "Name: x", "Flow:\n1. go", "Name:\nFlow:\n"])
def test_a_reply_without_name_or_flow_is_refused(reply: str) -> None:
    with pytest.raises(ParseError, match="no line `Name"):
        read(reply)


def test_shared_helpers_take_no_part_of_a_prompt_for_a_leak(data: Path) -> None:
    """What all prompts show holds no run of words of any benchmark; else every row would be dropped."""
    from rows import Leaks
    from structure import render_extract

    leaks = Leaks(data / "benchmarks")
    messages: list[dict[str, Any]] = [*PLAN.render("x"), *render_extract("x", "y")]
    assert not any(leaks.found("x", message["content"]) for message in messages)
