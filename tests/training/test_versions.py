"""Records of version 1, as the former version wrote them, and of this version: all builders read both.

version1/ holds what it wrote: `attempts` (three attempts at once, each redone, whose models think aloud) and `steps` (step by
step, one redone). golden/version1.json holds the rows that its own builders made of them, but for one thought: they took the
first attempt's, where the candidate is of the second.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import f1_sft
import navigator_sft
import pytest
import step_dpo
from langgraph.checkpoint.memory import InMemorySaver

from reasonflux_agent import ReasonFlux
from reasonflux_agent.runs.record import read_record
from reasonflux_agent.testing import FakeModel

from . import conftest
from .test_from_records import SEVEN, Solve, corrected

HERE = Path(__file__).parent
OLD = sorted((HERE / "version1").glob("*.jsonl"))
OLDER = [*sorted((HERE.parent / "record" / "version1").glob("*.jsonl")), conftest.CHECKOUT / "docs/records/replacement.jsonl"]
"""Other records of version 1; the last one does not say where its lines come from."""
BUILDERS = {"navigator_sft": navigator_sft, "f1_sft": f1_sft, "step_dpo": step_dpo}


def built(name: str, out: Path, gold: Path, *records: Path, library: Path | None = None) -> tuple[list[Any], dict[str, int]]:
    """The rows that a builder makes of records, and what became of these."""
    more = ["--library", str(library)] if library and name == "f1_sft" else []
    out = out / f"{name}.json"
    BUILDERS[name].main([*map(str, records), "--gold", str(gold), "--out", str(out), *more])
    return conftest.read(out), conftest.read(out.with_suffix(".manifest.json"))["stages"]


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_rows_of_version_1_are_those_of_its_own_builders(
    name: str, path: Path, gold: Path, library: Path, tmp_path: Path
) -> None:
    rows, _ = built(name, tmp_path, gold, path, library=library)
    assert rows == conftest.read(HERE / "golden" / "version1.json")[path.stem][name]


@pytest.mark.parametrize("name", BUILDERS)
def test_both_versions_are_read_beside_each_other(name: str, solve: Solve, library: Path, tmp_path: Path) -> None:
    new = solve(SEVEN, respond=corrected, reviews=2, llm_review=True, templates=0)
    of = {record.begin.problem: record.solution for record in map(read_record, OLDER)}
    older = [{"problem": problem, "answer": solution.answer} for problem, solution in of.items() if solution]
    gold = conftest.write_lines(tmp_path / "all.jsonl", [*conftest.GOLD, *older])
    found, stages = built(name, tmp_path, gold, *OLD, *OLDER, new, library=library)
    assert stages["records"] == len(OLD) + len(OLDER) + 1
    if name == "step_dpo":
        assert (stages["records: with redos"], stages["records: without a redo"]) == (5, 2)
        assert stages["redos: kept"] == len(found) == 3 + 1 + 2 + 1  # attempts, steps, replacement, new
    else:
        assert stages["records: kept"] == stages["records"]
        assert len(found) == stages["problems"] == 2 + len(of)


def test_a_run_that_went_on_past_its_limit_keeps_its_thoughts_and_prompts(gold: Path, library: Path, tmp_path: Path) -> None:
    """It tells its work again without a call: the calls stand before it, under other names."""

    def thinking(prompt: str) -> str:
        said = corrected(prompt)
        return f"<think>About {said[:4]}</think>{said}" if "boxed" in said or said.startswith("Kind") else said

    def solved(folder: Path, budget: int | None) -> int:
        """How many steps are told twice of a run that met its budget and went on."""
        model = FakeModel(respond=thinking, calls=[])
        flux = ReasonFlux(model, record=folder, checkpointer=InMemorySaver(), direct_samples=0, templates=0, max_tokens=16)
        config: Any = {"configurable": {"thread_id": "x"}}
        flux.solve(SEVEN, config=config, reviews=2, llm_review=True, token_budget=budget)
        flux.resume("x", token_budget=100_000)
        (path,) = folder.iterdir()
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return sum(line["type"] == "step" for line in lines) - sum(event.type == "step" for event in read_record(path).events)

    assert solved(tmp_path / "whole", None) == 0
    names = ("navigator_sft", "step_dpo")
    expected = [built(name, tmp_path / "of whole", gold, tmp_path / "whole")[0] for name in names]
    twice = set()
    for budget in range(240, 440, 20):
        folder = tmp_path / f"within {budget}"
        twice.add(solved(folder, budget))
        assert [built(name, tmp_path / f"of {budget}", gold, folder)[0] for name in names] == expected
    assert twice >= {1, 2}
