"""`reasonflux feedback`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from reasonflux_agent import ReasonFlux
from reasonflux_agent.cli import app
from reasonflux_agent.errors import RecordError
from reasonflux_agent.runs.record import read_record
from reasonflux_agent.testing import FakeModel


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["feedback", *map(str, args)], catch_exceptions=False)


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A record in the folder that the command looks into by default."""
    monkeypatch.chdir(tmp_path)
    flux = ReasonFlux(FakeModel(), record="reasonflux-runs", effort="low")
    return Path("reasonflux-runs") / f"{flux.solve('What is 3 + 4?').run}.jsonl"


def test_a_record_or_a_run_is_marked(record: Path) -> None:
    assert run(record.stem, "--wrong", "--answer", "-8").output == f"Marked as wrong. The right answer: -8. Record: {record}\n"
    assert run(record, "--right", "--comment", "checked").output == f"Marked as right. The right answer: 7. Record: {record}\n"
    moved = record.rename(Path("elsewhere.jsonl"))
    assert run(moved, "--wrong").output == "Marked as wrong. Record: elsewhere.jsonl\n"
    marks = [event for event in read_record(moved).events if event.type == "feedback"]
    assert [(mark.correct, mark.answer, mark.comment) for mark in marks] == [
        (False, "-8", ""),
        (True, "7", "checked"),
        (False, None, ""),
    ]


def test_a_run_is_looked_for_in_the_named_folder(record: Path) -> None:
    record.parent.rename("other")
    with pytest.raises(RecordError, match=r"neither .* nor reasonflux-runs/.*jsonl is a file. Next"):
        run(record.stem, "--right")
    assert run(record.stem, "--right", "--records", "other").exit_code == 0


def test_it_must_be_said_whether_the_answer_is_right(record: Path) -> None:
    done = run(record)
    assert done.exit_code == 2
    assert "--right" in done.output
    assert read_record(record).feedback is None
