"""Many problems: a JSON-lines file in, a JSON-lines file out, whatever its size; resumable to the row.

A row of the output: `id`, `answer`, `status` (answered, exhausted, unanswered, or failed), `votes` (0 to 1), `tokens` (prompt
and completion, all calls), `seconds` (on the clock), `text` (the whole solution), `run` (id of its record), `error` (why there
is no solution; null), `fault` (whose an error is: the `server`'s or the `problem`'s; null), `settings` (what it was solved
with), and `row`: the input's row as it was given. The output is all that a later call needs to go on.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.jobs.batch.rows import Index, Job, asked, count_lines, read_jobs, refused, settings_of
from reasonflux_agent.models.failures import fault
from reasonflux_agent.runs.jsonl import Row, lock, read_rows, to_line

Engine = Callable[[AsyncIterator[Job]], AsyncGenerator[tuple[Job, Row], None]]
"""How rows are solved: takes them as it has room for them, gives each back with its outcome (see `failure` for the fields), in
any order. It never gives up a row in silence, and closing what it returned ends all that is under way."""
STDOUT = "standard output"
GIVE_UP = 5
"""Rows that fail one after another before the run ends; later as many more as are under way, which one event can fail."""
AHEAD = 1024
"""Rows taken and not yet written at most, beyond those under way: what an ordered output keeps in memory."""


class Watcher:
    """Is told how a batch goes; here nothing is made of it."""

    def begin(self, done: int, total: int | None) -> None:
        """`done` rows are in the output; the input has about `total`, None if that cannot be known."""

    def row(self, row: Row) -> None:
        """A row was written."""


@dataclass(frozen=True)
class Output:
    """An output that this process holds."""

    name: str
    file: IO[bytes]
    done: Index = field(default_factory=Index)
    """Its rows."""
    failed: int = 0
    """Those of them that have an error."""
    settings: Row = field(default_factory=dict)
    """What its rows are solved with, where they set nothing themselves."""


async def run_batch(
    source: BinaryIO,
    output: Output,
    engine: Engine,
    *,
    concurrency: int = 8,
    ordered: bool = False,
    watcher: Watcher | None = None,
) -> None:
    """Solves the rows of `source` that `output` does not hold, and appends each as it ends; `ordered`: as the input has them.

    `source` is a JSON-lines file or a pipe, open in binary mode: a row has a `problem`, perhaps an `id` (else the number of its
    line), perhaps `settings` (fields of the Context for this row alone), and whatever else, which is carried through.
    `concurrency` is what the engine was made with. A row that fails, or cannot be read, is a row with an `error`.

    Raises InputError (an input of no use, an output of another one), and ModelError when rows fail one after another: those
    are not written, and a later call goes on from there.
    """
    watcher = watcher or Watcher()
    watcher.begin(len(output.done), count_lines(source))
    batch = _Batch(output, watcher, ordered, concurrency)
    async with aclosing(engine(batch.due(source))) as results:
        async for job, outcome in results:
            batch.keep(job, outcome)
    batch.end()


class _Batch:
    """What is between input, engine and output: nothing but the rows under way."""

    def __init__(self, output: Output, watcher: Watcher, ordered: bool, concurrency: int) -> None:
        self.out, self.done, self.watcher, self.ordered = output, output.done, watcher, ordered
        self.seen = Index()
        self.room = asyncio.Semaphore(AHEAD + concurrency)
        self.order: deque[int] = deque()
        self.waiting: dict[int, tuple[Job, Row]] = {}
        self.failed: list[tuple[Job, Row]] = []
        """Failures since the last success: the rows' own if a success follows, else the server's."""
        self.give_up = concurrency + GIVE_UP
        self.succeeded, self.written = len(self.done) > 0, 0

    async def due(self, source: BinaryIO) -> AsyncIterator[Job]:
        """The rows that are to be solved; those that cannot be are filed."""
        async for job in read_jobs(source):
            if not job.error and self.seen.get(job.id) is not None:
                job = refused(job, f"the id {job.id!r} is an earlier row's too")
            self.seen.add(job.id, job.row)
            problem = self.done.get(job.id)
            if problem is None:
                await self.room.acquire()
                if self.ordered:
                    self.order.append(job.number)
                if job.error:
                    self.keep(job, failure(InputError(job.error)))
                else:
                    yield job
            elif problem != asked(job.row) and not job.error:
                raise InputError(
                    f"The output {self.out.name} is of another input: the problem of its row {job.id!r} is not that of the "
                    f"input's line {job.number}. Next: name another output."
                )

    def keep(self, job: Job, outcome: Row) -> None:
        """Takes a row's outcome, and files those whose turn it is."""
        self.waiting[job.number] = job, outcome
        if not self.ordered:
            self.settle(*self.waiting.pop(job.number))
            return
        while self.order and self.order[0] in self.waiting:
            self.settle(*self.waiting.pop(self.order.popleft()))

    def settle(self, job: Job, outcome: Row) -> None:
        """Files a row; one that failed only once it is known that this was not the server's doing."""
        # a server that has refused every row so far may refuse all of them
        if outcome["fault"] == "server" or (outcome["fault"] and outcome["run"] and not self.succeeded):
            self.failed.append((job, outcome))
            if len(self.failed) >= (self.give_up if self.succeeded else GIVE_UP):
                raise self.gone()
            return
        if not outcome["error"]:
            self.succeeded = True
            self.flush()
        self.write(job, outcome)

    def end(self) -> None:
        """Files what is left. Raises ModelError if nothing ever succeeded."""
        if self.failed and not self.succeeded:
            raise self.gone()
        self.flush()

    def flush(self) -> None:
        """Files the failures."""
        for job, outcome in self.failed:
            self.write(job, outcome)
        self.failed = []

    def write(self, job: Job, outcome: Row) -> None:
        row = {"id": job.id, **outcome, "settings": self.out.settings | job.settings, "row": job.row}
        self.out.file.write(to_line(row))
        self.out.file.flush()
        self.written += 1
        self.room.release()
        self.watcher.row(row)

    def gone(self) -> ModelError:
        """What the run ends with when only failures follow one another."""
        return ModelError(
            f"The batch was stopped: its last {len(self.failed)} row(s) failed one after another, which are not written. "
            f"The last one: {self.failed[-1][1]['error']} {len(self.done) + self.written} row(s) are in {self.out.name}"
            + ("." if self.out.name == STDOUT else "; the same command goes on from there.")
        )


def failure(error: Exception) -> Row:
    """The outcome of a row that has no solution."""
    text = " ".join(str(error).split())
    return {
        "answer": None,
        "status": "failed",
        "votes": 0.0,
        "tokens": 0,
        "seconds": 0.0,
        "text": "",
        "run": "",
        "error": f"{type(error).__name__}: {text}"[:2000],
        "fault": fault(error),
    }


@contextmanager
def hold(out: str | Path, source: BinaryIO, *, retry_failed: bool = False, settings: Row | None = None) -> Iterator[Output]:
    """The output for an input, new or taken up again, while no other process writes it; `-` is standard output, which is new
    each time. `retry_failed` removes the rows that failed, so that they are done again, and come last. `settings` are what rows
    are solved with. Raises InputError: in use, not writable, the input itself, no output, rows of other settings.
    """
    if str(out) == "-":
        if retry_failed:
            raise InputError("Standard output holds no rows that could have failed. Next: leave out --retry-failed.")
        yield Output(STDOUT, sys.stdout.buffer, settings=settings or {})
        return
    path = Path(out)
    if path.exists() and os.path.samestat(os.fstat(source.fileno()), path.stat()):
        raise InputError(f"{out} is the input. Next: name another output.")
    with ExitStack() as open_:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file: IO[bytes] = open_.enter_context(path.open("ab"))
        except OSError as error:
            raise InputError(f"The output {out} cannot be written: {error}. Next: name another.") from None
        if not lock(file):
            raise InputError(f"Another process is writing {out}. Next: wait for it, stop it, or name another output.")
        done, failed = Index(), 0
        for row in read_rows(path, _check) if path.is_file() else ():  # not of a device or a pipe
            _check_same(path, row, settings or {})
            failed += row["error"] is not None
            if not (retry_failed and row["error"]):
                done.add(row["id"], row["row"])
        if retry_failed and failed:
            file, failed = open_.enter_context(_without_failures(path)), 0
        yield Output(str(path), file, done, failed, settings or {})


def _check_same(path: Path, row: Row, settings: Row) -> None:
    """Raises InputError for a row that was solved with other settings: the file would be a mixture."""
    before, now = row.get("settings"), settings | settings_of(row["row"])
    if not before or not settings:  # of an earlier version, or not known here
        return
    if differs := [name for name in sorted(before | now) if before.get(name) != now.get(name)]:
        shown = "; ".join(f"{name} was {before.get(name)!r}, is {now.get(name)!r}" for name in differs)
        raise InputError(
            f"The output {path} holds rows that were solved with other settings, row {row['id']!r} for one: {shown}. "
            "Next: give the same options, or name another output with --out."
        )


def _check(row: Row) -> None:
    if not isinstance(row["id"], str) or not isinstance(row["row"], dict):
        raise TypeError("no row of a batch")
    _ = row["error"]


def _without_failures(out: Path) -> IO[bytes]:
    """The output anew, row by row, without those that failed; locked before it takes the old one's place."""
    handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    file = os.fdopen(handle, "ab")
    try:
        lock(file)
        for row in read_rows(out, _check):
            if not row["error"]:
                file.write(to_line(row))
        file.flush()
        os.chmod(temporary, out.stat().st_mode)
        os.replace(temporary, out)
    except BaseException:
        file.close()
        os.unlink(temporary)
        raise
    return file
