"""Marks: one more line in a record, which several processes can write, and which older readers pass over."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent import ReasonFlux, Solution
from reasonflux_agent.errors import InputError, RecordError
from reasonflux_agent.runs import record as records
from reasonflux_agent.runs.feedback import LONGEST, mark
from reasonflux_agent.runs.record import FORMAT, read_record
from reasonflux_agent.testing import FakeModel
from reasonflux_agent.wording import describe
from tests.graph.fakes import Scripted

PROBLEM = "What is 3 + 4?"
VERSION1 = sorted((Path(__file__).parent / "version1").glob("*.jsonl"))


@pytest.fixture
def flux(tmp_path: Path) -> ReasonFlux:
    return ReasonFlux(FakeModel(), record=tmp_path / "records", effort="low")


def only(directory: Path) -> Path:
    (path,) = directory.glob("*.jsonl")
    return path


async def test_a_solution_knows_its_run(flux: ReasonFlux, tmp_path: Path) -> None:
    *_, last = flux.stream(PROBLEM)
    found = [flux.solve(PROBLEM), await flux.asolve(PROBLEM), *flux.batch([PROBLEM]), last.solution]  # type: ignore[union-attr]
    runs = {solution.run for solution in found if isinstance(solution, Solution)}
    assert runs == {path.stem for path in (tmp_path / "records").iterdir()}
    assert len(runs) == 4
    for path in (tmp_path / "records").iterdir():
        solution = read_record(path).solution
        assert solution
        assert solution.run == path.stem
        assert "run" not in solution.model_dump()  # an older version reads this JSON, and refuses what it does not know


def test_a_solution_is_marked_and_the_last_mark_counts(flux: ReasonFlux, tmp_path: Path) -> None:
    solution = flux.solve(PROBLEM)
    path = only(tmp_path / "records")
    before = path.read_bytes()
    assert read_record(path).feedback is None
    flux.feedback(solution, correct=False)
    flux.feedback(solution.run, correct=False, answer=" 8 ", comment="too small")
    found = read_record(path).feedback
    assert found
    assert (found.correct, found.answer, found.comment, found.run) == (False, "8", "too small", solution.run)
    assert describe(found) == "Marked as wrong. The right answer: 8\ntoo small"
    made = flux.feedback(path, correct=True)
    assert read_record(path).feedback == made
    assert (made.correct, made.answer) == (True, "7")  # the run's own
    assert path.read_bytes().startswith(before)
    assert path.read_bytes().count(b"\n") == before.count(b"\n") + 3
    assert read_record(path).solution == solution
    assert list(read_record(path).attempts) == ["attempt 0"]


def test_a_right_run_may_have_its_answer_in_another_form(flux: ReasonFlux) -> None:
    assert flux.feedback(flux.solve(PROBLEM), correct=True, answer="seven").answer == "seven"


def test_what_cannot_be_marked(flux: ReasonFlux, tmp_path: Path) -> None:
    solution = flux.solve(PROBLEM)
    path = only(tmp_path / "records")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"'7': that is its own answer.*Next: mark it as right"):
        flux.feedback(solution, correct=False, answer="7")
    with pytest.raises(InputError, match=f"at most {LONGEST:,} characters.*Next"):
        flux.feedback(solution, correct=False, answer="9" * (LONGEST + 1))
    with pytest.raises(InputError, match=r"read from JSON.*Next: give the id"):
        flux.feedback(Solution.model_validate_json(solution.model_dump_json()), correct=True)
    with pytest.raises(InputError, match=r"no records are kept here.*Next: give a folder"):
        ReasonFlux(FakeModel()).feedback(solution, correct=True)
    with pytest.raises(RecordError, match=r"There is no run 'nosuch' in .*Next"):
        flux.feedback("nosuch", correct=True)
    for outside in ("../records/x", str(path), ".hidden", "a/b"):  # a text is an id: what a client sends names no file
        with pytest.raises(RecordError, match="is no id of a run"):
            flux.feedback(outside, correct=True)
    with pytest.raises(RecordError, match="cannot be read"):
        flux.feedback(tmp_path / "nosuch.jsonl", correct=True)
    assert path.read_bytes() == before


def test_a_run_without_an_answer_is_not_right(tmp_path: Path) -> None:
    flux = ReasonFlux(Scripted({"reason": "A poem."}), strategy="direct", record=tmp_path)
    solution = flux.solve(PROBLEM)
    assert solution.answer is None
    with pytest.raises(InputError, match=r"states no answer. Next: mark it as wrong"):
        flux.feedback(solution, correct=True, answer="7")
    assert flux.feedback(solution, correct=False, answer="7").answer == "7"


def test_a_run_that_has_not_ended_is_not_marked(flux: ReasonFlux, tmp_path: Path) -> None:
    flux.solve(PROBLEM)
    path = only(tmp_path / "records")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match=r"has not ended. Next"):
        flux.feedback(path.stem, correct=True)


def test_a_mark_takes_the_place_of_a_line_that_a_kill_cut(flux: ReasonFlux, tmp_path: Path) -> None:
    solution = flux.solve(PROBLEM)
    path = only(tmp_path / "records")
    with path.open("ab") as file:
        file.write(b'{"run": "cut')
    flux.feedback(solution, correct=True)
    assert [event.type for event in read_record(path).events[-2:]] == ["solution", "feedback"]


@pytest.mark.parametrize("path", VERSION1, ids=lambda path: path.stem)
def test_a_record_of_version_1_is_marked(path: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(path, tmp_path))
    mark(copy, correct=True)
    marked, before = read_record(copy), read_record(path)
    assert marked.feedback
    assert (marked.feedback.answer, marked.feedback.attempt) == ("7", "")
    assert marked.attempts == before.attempts
    assert marked.solution == before.solution


def test_an_older_version_reads_a_marked_record(flux: ReasonFlux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not know the type, as the versions before."""
    solution = flux.solve(PROBLEM)
    flux.feedback(solution, correct=False, answer="8")
    monkeypatch.setattr(records, "TYPES", records.TYPES - {"feedback"})
    record = read_record(only(tmp_path / "records"))
    assert record.solution == solution
    assert record.events[-1].type == "note"
    assert json.loads(only(tmp_path / "records").read_text().splitlines()[0])["version"] == 2


def test_a_mark_is_of_the_solution_before_it(flux: ReasonFlux, tmp_path: Path) -> None:
    """A run that goes on past its limit tells a new Solution, which nobody has marked."""
    solution = flux.solve(PROBLEM)
    flux.feedback(solution, correct=False)
    path = only(tmp_path / "records")
    lines = path.read_text().splitlines()
    again = json.dumps({**json.loads(lines[-2]), "unit": "another pass"})
    path.write_text("\n".join([*lines, again, ""]))
    assert read_record(path).feedback is None
    assert flux.feedback(solution, correct=True) == read_record(path).feedback


WRITER = """
import sys
from pathlib import Path
from reasonflux_agent.runs.feedback import mark
for n in range(30):
    mark(Path(sys.argv[1]), correct=False, answer=f"{sys.argv[2]}-{n}", comment="x" * 9000)
"""


def test_several_processes_mark_at_once(flux: ReasonFlux, tmp_path: Path) -> None:
    flux.solve(PROBLEM)
    path = only(tmp_path / "records")
    before = path.read_bytes()
    given: dict[str, Any] = {"cwd": Path(__file__).parents[2]}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n)], **given) for n in range(4)]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    assert path.read_bytes().startswith(before)
    marks = [event.answer for event in read_record(path).events if event.type == "feedback"]
    assert sorted(marks) == sorted(f"{n}-{i}" for n in range(4) for i in range(30))


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_header_keeps_the_group(flux: ReasonFlux, tmp_path: Path, asynchronous: bool) -> None:
    config: Any = {"metadata": {"reasonflux_group": "sums"}}
    _ = await flux.asolve(PROBLEM, config=config) if asynchronous else flux.solve(PROBLEM, config=config)
    header = read_record(only(tmp_path / "records")).header
    assert (header["group"], header["format"]) == ("sums", FORMAT)


def test_without_a_group_the_header_has_none(flux: ReasonFlux, tmp_path: Path) -> None:
    flux.solve(PROBLEM)
    assert "group" not in read_record(only(tmp_path / "records")).header
