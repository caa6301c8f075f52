"""The run record: one JSON-lines file a run, written line by line as things happen, so that a killed run leaves a readable one.

Line 1 is the header (`format`, `version`, the run's configuration and problem); then come model calls (`"type": "call"`)
and the graph's events in order; the last line of a finished run is its `solution`. Training reads nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from reasonflux_agent import __version__
from reasonflux_agent.errors import InputError, ReasonFluxError, RecordError, redacted
from reasonflux_agent.schema import Solution

FORMAT = "reasonflux-record"
VERSION = 1
JSON = dict[str, Any]


class Recorder(BaseCallbackHandler):
    """A callback handler that writes DIR/<run>.jsonl; pass it in `config={"callbacks": [Recorder(DIR)]}`.

    It works just as well when the graph is a part of another graph: callbacks are inherited, and calls that are not of a
    ReasonFlux run are not recorded. One recorder serves any number of runs, threads and event loops at once.
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
        self._open: dict[UUID, JSON] = {}

    def path(self, run: str) -> Path:
        """Where the record of a run lies. Raises RecordError for what is no id, but perhaps a way out of the folder."""
        if not re.fullmatch(r"\w[\w.-]{0,99}", run):
            raise RecordError(f"{run!r} is no id of a run.")
        return self.directory / f"{run}.jsonl"

    def on_custom_event(self, name: str, data: Any, *, metadata: JSON | None = None, **_: Any) -> None:
        """An event of the graph; `begin` opens the record."""
        if not name.startswith("reasonflux_") or not data.get("run"):
            return
        line = {key: value for key, value in data.items() if key != "run"}
        if line["type"] == "begin":
            line = {"format": FORMAT, "version": VERSION, "package": __version__, "run": data["run"], **line}
        self._write(data["run"], {**line, "task": _task(metadata)})

    def on_chat_model_start(
        self, serialized: JSON, messages: list[list[BaseMessage]], *, run_id: UUID, metadata: JSON | None = None, **_: Any
    ) -> None:
        """A model call begins; it is written when it ends."""
        if metadata and metadata.get("reasonflux_run"):
            call = {
                "type": "call",
                "node": metadata["reasonflux_node"],
                "role": metadata["reasonflux_role"],
                "model": metadata.get("ls_model_name", ""),
                "task": _task(metadata),
                "messages": [{"role": _ROLES.get(m.type, m.type), "content": m.text} for m in messages[0]],
            }
            with self._lock:
                self._open[run_id] = {"run": metadata["reasonflux_run"], "call": call, "started": time.monotonic()}
            with suppress(RuntimeError):  # outside an event loop nothing is cancelled
                if work := asyncio.current_task():  # of a call that is cancelled LangChain says nothing more
                    work.add_done_callback(lambda _: self._close(run_id, {"error": "CancelledError: the call was given up"}))

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """A model call ended: its reply, thought and usage are written."""
        from reasonflux_agent.models import read_reply

        generation = response.generations[0][0]
        message = generation.message if isinstance(generation, ChatGeneration) else AIMessage(generation.text)
        if isinstance(message, AIMessage):
            self._close(run_id, {"reply": vars(read_reply(message)).copy()})

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A model call failed: that is written too."""
        self._close(run_id, {"error": redacted(f"{type(error).__name__}: {error}")[:2000]})

    def _close(self, run_id: UUID, outcome: JSON) -> None:
        with self._lock:
            opened = self._open.pop(run_id, None)
        if opened:
            seconds = round(time.monotonic() - opened["started"], 3)
            self._write(opened["run"], {**opened["call"], **outcome, "seconds": seconds})

    def _write(self, run: str, line: JSON) -> None:
        text = json.dumps({**line, "time": round(time.time(), 3)}, ensure_ascii=False, default=str)
        # one write of one line in append mode: readers and a kill see whole lines, or a last one that is cut
        with self._lock, self.path(run).open("ab+") as file:
            _drop_cut_line(file)
            # half of a surrogate pair, which a reply can hold, becomes its JSON escape
            file.write(text.encode(errors="backslashreplace") + b"\n")


def _task(metadata: JSON | None) -> str:
    """The unit of work that a line comes from; it has the same name when a resumed run does it again."""
    return str((metadata or {}).get("langgraph_checkpoint_ns", ""))


def _drop_cut_line(file: BinaryIO) -> None:
    """A kill may have cut the last line of a run that goes on now."""
    if file.tell() and (file.seek(-1, os.SEEK_CUR), file.read(1))[1] != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


_ROLES = {"human": "user", "ai": "assistant"}


@dataclass(frozen=True)
class Record:
    """A record as read back."""

    header: JSON
    """Format, version, run, problem, context, parts."""
    lines: list[JSON] = field(repr=False)
    """All lines after the header, in order."""

    @property
    def calls(self) -> list[JSON]:
        """The model calls: node, role, model, messages, reply (or error), seconds."""
        return [line for line in self.lines if line["type"] == "call"]

    @property
    def solution(self) -> Solution | None:
        """The Solution; None if the run was cut short."""
        last = next((line for line in reversed(self.lines) if line["type"] == "solution"), None)
        return Solution.model_validate(last["solution"]) if last else None


def read_record(path: str | Path) -> Record:
    """Reads a record, also one whose last line was cut by a kill. Raises RecordError for what is no record."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RecordError(f"The record {path} cannot be read: {error}.") from None
    rows = list(_rows(text.removesuffix("\n").split("\n"), path))  # not splitlines: what a model wrote may hold other line ends
    if not rows or rows[0].get("format") != FORMAT:
        raise RecordError(f"{path} is no run record: its first line is not a header with format {FORMAT!r}.")
    if rows[0].get("version") != VERSION:
        raise RecordError(
            f"The record {path} has version {rows[0].get('version')}; this package reads version {VERSION}. "
            "Next: use the package version that wrote it."
        )
    with reading(path):
        record = Record(rows[0], _once(rows[1:]))
        _ = record.header["problem"], record.solution, record.header["run"], record.header["time"]
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


def _once(lines: list[JSON]) -> list[JSON]:
    """The lines without those that a resumed run wrote again, having done the work again whose result a kill took: the
    later line counts. A call that failed and the one that was made in its stead are both kept. A run that went on past its
    limit told everything again: of what it told before, its calls count."""
    last = {key: index for index, line in enumerate(lines) if (key := _identity(line))}
    lines = [line for index, line in enumerate(lines) if last.get(_identity(line), index) == index]
    ends = [index for index, line in enumerate(lines) if line["type"] == "solution"]
    since = ends[-2] + 1 if len(ends) > 1 else 0
    return [line for line in lines[:since] if line["type"] == "call"] + lines[since:]


def _identity(line: JSON) -> tuple[Any, ...]:
    """What is the same for the same work; empty for a line that stands for itself."""
    failed = line["type"] == "call" and "error" in line
    return (line["task"], line["type"], line.get("number")) if line.get("task") and not failed else ()


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
