"""Marked records as rows to learn from."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reasonflux_agent import ReasonFlux, learn
from reasonflux_agent.cli import app
from reasonflux_agent.errors import InputError, RecordError
from reasonflux_agent.learning.records import rows_of_records, with_records
from reasonflux_agent.learning.rows import read_rows
from reasonflux_agent.testing import FakeModel, serve_fake
from tests.learning.tasks import respond, rows, write


def solved(folder: Path, count: int, *, group: bool = True) -> ReasonFlux:
    """Solve the first problems of the synthetic task, and mark each run, as a person who knows the answer would."""
    flux = ReasonFlux(FakeModel(respond=respond), strategy="direct", record=folder)
    for row in rows(count):
        config = {"metadata": {"reasonflux_group": row["group"]}} if group else {}
        solution = flux.solve(row["problem"], config=config)  # type: ignore[arg-type]
        right = solution.answer == row["answer"]
        flux.feedback(solution, correct=right, answer=None if right else row["answer"])
    return flux


def test_marked_records_give_the_rows(tmp_path: Path) -> None:
    solved(tmp_path, 8)
    found = rows_of_records(tmp_path)
    assert found == rows(8)  # in the order of the marks
    assert rows_of_records([*tmp_path.iterdir()]) == found
    assert read_rows(with_records((), tmp_path)) == read_rows(rows(8))


def test_without_a_group_a_row_has_none(tmp_path: Path) -> None:
    solved(tmp_path, 2, group=False)
    assert [set(row) for row in rows_of_records(tmp_path)] == [{"problem", "answer"}] * 2


def test_what_is_left_out_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    flux = solved(tmp_path, 3)
    flux.solve("What is 1 + 1?")
    flux.feedback(flux.solve("What is 2 + 2?"), correct=False)
    (tmp_path / "torn.jsonl").write_bytes(b'{"format": "reasonf')
    (tmp_path / "foreign.jsonl").write_text('{"type": "feedback"}\n')
    with caplog.at_level(logging.WARNING):
        assert rows_of_records(tmp_path) == rows(3)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("Of the records, 3 give a row; left out: ")
    assert {"2 not marked", "1 not readable", "1 marked wrong without a right answer"} == set(
        said.removesuffix(".").partition("left out: ")[2].split(", ")
    )


def test_the_last_mark_of_a_problem_counts(tmp_path: Path) -> None:
    flux = ReasonFlux(FakeModel(), record=tmp_path, effort="low")
    one, other = flux.solve("What is 3 + 4?"), flux.solve("What is 3 + 4?")
    flux.feedback(one, correct=False, answer="8")
    flux.feedback(other, correct=True)
    assert rows_of_records(tmp_path) == [{"problem": "What is 3 + 4?", "answer": "7"}]
    flux.feedback(one, correct=False, answer="9")
    assert rows_of_records(tmp_path) == [{"problem": "What is 3 + 4?", "answer": "9"}]
    flux.feedback(other, correct=True)
    flux.feedback(one, correct=False)  # its answer, which the other mark calls right
    with pytest.raises(InputError, match="There is no row"):
        rows_of_records(tmp_path)


def test_a_wrong_answer_leaves_the_right_one_of_another_run(tmp_path: Path) -> None:
    answers = iter(["It is \\boxed{7}.", "It is \\boxed{9}."])
    flux = ReasonFlux(FakeModel(respond=lambda _: next(answers)), strategy="direct", record=tmp_path)
    flux.feedback(flux.solve("What is 3 + 4?"), correct=True)
    flux.feedback(flux.solve("What is 3 + 4?"), correct=False)
    assert [row["answer"] for row in rows_of_records(tmp_path)] == ["7"]


def test_what_is_refused(tmp_path: Path) -> None:
    flux = ReasonFlux(FakeModel(), record=tmp_path, effort="low")
    flux.solve("What is 3 + 4?")
    with pytest.raises(InputError, match=r"no row to learn from in .*records: 1 not marked. Next: mark runs"):
        rows_of_records(tmp_path)
    with pytest.raises(RecordError, match="cannot be read"):
        rows_of_records(tmp_path / "nosuch.jsonl")
    write(tmp_path / "rows.jsonl", rows(2))
    with pytest.raises(RecordError, match="is no run record"):  # a file that is named must be one
        rows_of_records([tmp_path / "rows.jsonl"])
    with pytest.raises(InputError, match="There is nothing to learn from"):
        CliRunner().invoke(app, ["learn"], catch_exceptions=False)


def test_rows_of_a_file_and_of_records_are_learned_together(tmp_path: Path) -> None:
    solved(tmp_path / "records", 5)
    examples = write(tmp_path / "examples.jsonl", rows(10)[4:])  # one is in both
    assert read_rows(with_records(examples, tmp_path / "records")) == read_rows(rows(10))
    told = CliRunner().invoke(app, ["learn", str(examples), "--records", str(tmp_path / "records"), "--dry-run"])
    assert told.output.startswith("10 rows in 1 group(s)")


def test_a_deployment_learns_from_its_own_traffic(tmp_path: Path) -> None:
    solved(tmp_path / "records", 24)
    with serve_fake(respond) as url:
        learned = learn(records=tmp_path / "records", out=tmp_path / "mine.json", model=f"vllm:fake@{url}")
    assert learned.proven
    assert learned.claim.rows == 24


def test_the_block_of_the_page_marks_runs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "feedback.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    with serve_fake() as url:
        environment = {**os.environ, "REASONFLUX_MODEL": f"vllm:fake@{url}"}
        subprocess.run([sys.executable, "-c", block], cwd=tmp_path, env=environment, timeout=120, check=True)
    assert rows_of_records(tmp_path / "runs") == [
        {"problem": "What is 3 + 4?", "answer": "7", "group": "sums"},
        {"problem": "What is 8 + 9?", "answer": "17", "group": "sums"},
    ]


def test_a_turn_of_a_conversation_is_learned_as_a_problem_of_its_own(tmp_path: Path) -> None:
    flux = ReasonFlux(FakeModel(), record=tmp_path, effort="low")
    path = tmp_path / f"{flux.solve('What is 3 + 4?').run}.jsonl"
    path.write_text(path.read_text().replace('"problem": "What is 3 + 4?"', '"problem": "And of 4?"', 1))  # the header's
    flux.feedback(path, correct=True)
    assert rows_of_records(tmp_path) == [{"problem": "What is 3 + 4?", "answer": "7"}]
