"""The run record: one JSON-lines file a run, written line by line as things happen, so that a killed run leaves a readable one.

Line 1 is the header: `format`, `version`, `package` and the `Begin` event. Each further line is one event (events.py). The
`Concluded` ends a finished run; marks (`Feedback`) may follow it. docs/record.md describes the format. Training reads nothing
else.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from langchain_core.callbacks import BaseCallbackHandler

from reasonflux_agent import __version__
from reasonflux_agent.errors import InputError, ReasonFluxError, RecordError
from reasonflux_agent.events import PREFIX, TYPES, AnyEvent, Begin, CallEnded, Concluded, Feedback, read_event
from reasonflux_agent.files import lock
from reasonflux_agent.runs.journal import to_line
from reasonflux_agent.schema import Solution

FORMAT = "reasonflux-record"
VERSION = 2
GROUP = f"{PREFIX}group"
"""Key of the callback metadata in which a caller may name the kind of problem; the header of the record keeps it as `group`."""
FOLLOWS = f"{PREFIX}follows"
"""Key of the callback metadata that names the run before this one in a conversation; the header keeps it as `follows`."""
OF_THE_RUN = ("begin", "solution", "feedback")
"""Types of the events that belong to no attempt."""
JSON = dict[str, Any]


class Recorder(BaseCallbackHandler):
    """A callback handler that writes DIR/<run>.jsonl; pass it in `config={"callbacks": [Recorder(DIR)]}`.

    It works just as well when the graph is a part of another graph, because callbacks are inherited. One recorder serves any
    number of runs, threads and event loops at once. Raises InputError for a folder that cannot be written.
    """

    run_inline = True  # in order, also under asyncio

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        did = "made"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            did = "written"
            with tempfile.TemporaryFile(dir=self.directory):
                pass
        except OSError as error:
            why = error.strerror or error
            raise InputError(f"The folder for records, {directory}, cannot be {did}: {why}. Next: name another.") from None
        self._lock = threading.Lock()

    def path(self, run: str) -> Path:
        """Return the path of a run's record. Raises RecordError for what is no id, but perhaps a way out of the folder."""
        if not re.fullmatch(r"\w[\w.-]{0,99}", run):
            raise RecordError(f"{run!r} is no id of a run.")
        return self.directory / f"{run}.jsonl"

    def on_custom_event(self, name: str, data: Any, *, metadata: JSON | None = None, **_: Any) -> None:
        """Write an event of the graph; `begin` opens the record."""
        if not name.startswith(PREFIX) or not data.get("run"):
            return
        header: JSON = {"format": FORMAT, "version": VERSION, "package": __version__} if data["type"] == "begin" else {}
        for key in (GROUP, FOLLOWS) if header else ():
            if said := (metadata or {}).get(key):
                header[key.removeprefix(PREFIX)] = str(said)
        with self._lock:
            append_line(self.path(data["run"]), to_line({**header, **data}, default=str))


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a record, which other processes may append to at the same time. Raises OSError."""
    # one write of one line in append mode: readers and a kill see whole lines, or a last one that is cut
    with path.open("ab+") as file:
        lock(file, wait=True)  # a line that another process has half written must not be taken for a cut one
        _drop_cut_line(file)
        file.write(line)


def _drop_cut_line(file: BinaryIO) -> None:
    """Remove the last line if a kill cut it."""
    if file.tell() and (file.seek(-1, os.SEEK_CUR), file.read(1))[1] != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


@dataclass(frozen=True)
class Record:
    """A record as read back; one of version 1 is read as if it were of this version."""

    header: JSON
    """The first line: format, version, package, and the fields of the `Begin` event."""
    events: tuple[AnyEvent, ...] = field(repr=False)
    """All events in order, the `Begin` event first."""

    @property
    def begin(self) -> Begin:
        """How the run began: its problem, context and parts."""
        first = self.events[0]
        assert isinstance(first, Begin)
        return first

    @property
    def calls(self) -> list[CallEnded]:
        """The model calls, those that failed too."""
        return [event for event in self.events if isinstance(event, CallEnded)]

    @property
    def attempts(self) -> dict[str, list[AnyEvent]]:
        """The events of each attempt and draft, by its name: in a record, events of attempts that run at once are mixed."""
        found: dict[str, list[AnyEvent]] = {}
        for event in self.events:
            if event.attempt:
                found.setdefault(event.attempt, []).append(event)
        return found

    @property
    def solution(self) -> Solution | None:
        """The Solution; None if the run was cut short."""
        return next((event.solution for event in reversed(self.events) if isinstance(event, Concluded)), None)

    @property
    def feedback(self) -> Feedback | None:
        """The last mark of the Solution as right or wrong; None if it has none. A mark before it was of an earlier Solution."""
        last = next((event for event in reversed(self.events) if isinstance(event, Feedback | Concluded)), None)
        return last if isinstance(last, Feedback) else None


def read_record(path: str | Path) -> Record:
    """Read a record, also one whose last line was cut by a kill. Raises RecordError for what is no record."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RecordError(f"The record {path} cannot be read: {error}.") from None
    rows = list(_rows(text.removesuffix("\n").split("\n"), path))  # not splitlines: what a model wrote may hold other line ends
    if not rows or rows[0].get("format") != FORMAT:
        raise RecordError(f"{path} is no run record: its first line is not a header with format {FORMAT!r}.")
    version = rows[0].get("version")
    if version not in (1, VERSION):
        raise RecordError(
            f"The record {path} has version {version}; this package reads the versions 1 and {VERSION}. "
            "Next: use the package version that wrote it."
        )
    with reading(path):
        header = {**rows[0], "type": "begin"}
        _ = header["problem"]
        lines = [row for row in rows[1:] if row["type"] != "begin"]
        rows = list(_upgraded([header, *lines]) if version == 1 else [header, *lines])
        begin, *events = (read_event(row if row["type"] in TYPES else _note(row, str(header.get("run", "")))) for row in rows)
        record = Record(header, (begin, *_once(events)))
        _ = record.begin, record.header["time"]
        return record


_MISSHAPEN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What code meets in a value of another shape; pydantic's error is a ValueError."""


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """What goes wrong inside over the shape of a record is the record's fault: a RecordError."""
    try:
        yield
    except ReasonFluxError:
        raise
    except _MISSHAPEN as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise RecordError(f"The record {path} is damaged: {why}. Next: take it out, or solve its problem again.") from None


def _note(row: JSON, run: str) -> JSON:
    """A line of an unknown type: a plugin's, or a later version's."""
    return {"run": run, "type": "note", "title": row["type"], "data": row, "time": row.get("time", 0.0)}


def _once(events: Sequence[AnyEvent]) -> list[AnyEvent]:
    """Drop the events that a resumed run wrote again, after it had repeated work whose result a kill took. The later counts.

    A failed call and the call that replaced it are both kept. A run that went on past its limit told everything again; of what
    it had told before, its calls count.
    """
    last = {key: index for index, event in enumerate(events) if (key := _identity(event))}
    events = [event for index, event in enumerate(events) if last.get(_identity(event), index) == index]
    ends = [index for index, event in enumerate(events) if isinstance(event, Concluded)]
    since = ends[-2] + 1 if len(ends) > 1 else 0
    return [event for event in events[:since] if isinstance(event, CallEnded)] + events[since:]


def _identity(event: AnyEvent) -> tuple[object, ...]:
    """What is the same for the same work; empty for an event that stands for itself."""
    if not event.unit or (isinstance(event, CallEnded) and event.error is not None):
        return ()
    return event.unit, event.type, event.call if isinstance(event, CallEnded) else event.number


def _upgraded(rows: Sequence[JSON]) -> Iterator[JSON]:
    """Yield the lines of a record of version 1 as those of version 2.

    Version 1 told where a line comes from by LangGraph's namespace (`task`: `attempt:ID|plan:ID|model_call:ID`), and older
    records by the node alone. What a line follows from is the last call of its unit before it.
    """
    names: dict[str, str] = {}
    calls: dict[str, str] = {}
    for number, row in enumerate(rows):
        task = str(row.get("task") or "")
        branch, *parts = (part for part in task.split("|") if not part.startswith("model_call:"))
        if not task:
            branch = "draft:" if row.get("node") == "draft" else "" if row["type"] in OF_THE_RUN else "attempt:"
        kind = branch.partition(":")[0]
        if kind in ("attempt", "draft") and branch not in names:
            names[branch] = f"{kind} {sum(name.startswith(kind) for name in names.values())}"
        unit = (parts or [branch])[-1].rpartition(":")[2]
        if row["type"] == "call":
            calls[unit] = task.rpartition("|")[2].rpartition(":")[2] or f"call {number}"
        labels = {"attempt": names.get(branch, ""), "unit": unit, "call": calls.get(unit, "")}
        line = {"node": "", "number": 0, **row, **labels, "run": rows[0].get("run")}
        if row["type"] == "unparsed":
            line["prompt"] = row["exchange"]
        yield line


def _rows(lines: list[str], path: str | Path) -> Iterator[JSON]:
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or (number > 1 and "type" not in row):
                raise ValueError("not an object with a type")
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                return  # the line that a kill cut
            raise RecordError(f"The record {path} is damaged in line {number}: {error}.") from None
        yield row
