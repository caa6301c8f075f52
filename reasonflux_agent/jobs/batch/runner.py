"""Many problems: a JSON-lines file in, a JSON-lines file out, of any size; a later call does the rows that are missing.

A row of the output: `id`, `answer`, `status` (answered, exhausted, unanswered, or failed), `votes` (0 to 1), `tokens` (prompt
and completion, all calls), `seconds` (on the clock), `text` (the whole solution), `run` (id of its record), `error` (why there
is no solution; null), `fault` (whose an error is: the `server`'s or the `problem`'s; null), `settings` (what it was solved
with), and `row`: the input's row as it was given. A later call needs nothing but the output.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.batch.rows import Index, Job, asked, count_lines, read_jobs, refused, settings_of
from reasonflux_agent.jobs.running import Filing, Watcher
from reasonflux_agent.models.failures import fault
from reasonflux_agent.runs.journal import Journal, Row, refuse_other

Engine = Callable[[AsyncIterator[Job]], AsyncGenerator[tuple[Job, Row], None]]
"""Solves rows: takes them as it has room for them, yields each with its outcome (`failure` shows the fields), in any order.
It yields every row that it takes. To close what it returned ends all that is under way."""
UNSOLVED: Row = {"answer": None, "status": "failed", "votes": 0.0, "tokens": 0, "seconds": 0.0, "text": "", "run": ""}
UNSOLVED |= {"error": None, "fault": None}
AHEAD = 1024
"""Rows taken and not yet written at most, beyond those under way: what an ordered output keeps in memory."""


class Output(Journal[str]):
    """The output of a batch for an input, new or taken up again; a context manager. `-` is standard output.

    `retry_failed` removes the rows that failed, so that they are done again, and come last. `settings` are what rows are
    solved with, where they set nothing themselves. Raises InputError: the output is the input, or it holds rows of other
    settings; and what a Journal raises.
    """

    def __init__(self, out: str | Path, source: BinaryIO, *, retry_failed: bool = False, settings: Row | None = None) -> None:
        self.done = Index()
        super().__init__(out, _id_of, rows=self.done, drop=self._is_dropped)
        self.settings, self.retry_failed = settings or {}, retry_failed
        self.failed = 0
        """Rows of earlier calls that have an error."""
        if str(out) == "-":
            if retry_failed:
                raise InputError("Standard output holds no rows that could have failed. Next: leave out --retry-failed.")
        elif self.path.exists() and os.path.samestat(os.fstat(source.fileno()), self.path.stat()):
            raise InputError(f"{out} is the input. Next: name another output.")

    def _is_dropped(self, row: Row) -> bool:
        before = row.get("settings")
        if before and self.settings:  # else the row is of an earlier version, or the settings are not known here
            refuse_other(self.name, before, self.settings | settings_of(row["row"]), f", row {row['id']!r} for one")
        failed = row["error"] is not None
        self.failed += failed and not self.retry_failed
        return failed and self.retry_failed


async def run_batch(
    source: BinaryIO,
    output: Output,
    engine: Engine,
    *,
    concurrency: int = 8,
    ordered: bool = False,
    watcher: Watcher | None = None,
) -> None:
    """Solves the rows of `source` that `output` lacks, and adds each as it ends; `ordered`: in the order of the input.

    `source` is a JSON-lines file or a pipe, open in binary mode: a row has a `problem`, perhaps an `id` (else the number of its
    line), perhaps `settings` (fields of the Context for this row alone), and other fields, which are carried through.
    `concurrency` is what the engine was made with. A row that fails, or cannot be read, is a row with an `error`.

    Raises InputError (an input of no use, an output of another input), and ModelError when rows fail one after another: those
    are not written, and a later call goes on from there.
    """
    watcher = watcher or Watcher()
    watcher.begin(output, len(output.done), count_lines(source))
    batch = _Batch(output, watcher, ordered, concurrency)
    async with aclosing(engine(batch.due(source))) as results:
        async for job, outcome in results:
            batch.take(job, outcome)
    if batch.failed and not batch.succeeded:
        raise batch.gone()
    batch.flush()


class _Batch(Filing):
    """Holds the rows under way, between the input, the engine and the output."""

    def __init__(self, output: Output, watcher: Watcher, ordered: bool, concurrency: int) -> None:
        super().__init__("batch", output, watcher, at_once=concurrency)
        self.output, self.ordered = output, ordered
        self.succeeded = len(output.done) > 0
        self.seen = Index()
        self.room = asyncio.Semaphore(AHEAD + concurrency)
        self.order: deque[int] = deque()
        self.waiting: dict[int, tuple[Job, Row]] = {}

    async def due(self, source: BinaryIO) -> AsyncIterator[Job]:
        """The rows that are to be solved. Those that cannot be solved are filed at once."""
        async for job in read_jobs(source):
            if not job.error and job.id in self.seen:
                job = refused(job, f"the id {job.id!r} is an earlier row's too")
            self.seen.add(job.id, job.row)
            done = self.output.done.get(job.id)
            if done is None:
                await self.room.acquire()
                if self.ordered:
                    self.order.append(job.number)
                if job.error:
                    self.take(job, failure(InputError(job.error)))
                else:
                    yield job
            elif done != asked(job.row) and not job.error:
                raise InputError(
                    f"The output {self.output.name} is of another input: the problem of its row {job.id!r} is not that of the "
                    f"input's line {job.number}. Next: name another output."
                )

    def take(self, job: Job, outcome: Row) -> None:
        """Takes the outcome of a row, and files the rows whose turn it is."""
        if not self.ordered:
            self.settle(job, outcome)
            return
        self.waiting[job.number] = job, outcome
        while self.order and self.order[0] in self.waiting:
            self.settle(*self.waiting.pop(self.order.popleft()))

    def settle(self, job: Job, outcome: Row) -> None:
        # a server that has refused every row so far may refuse all of them
        suspect = outcome["fault"] == "server" or bool(outcome["fault"] and outcome["run"] and not self.succeeded)
        row = {"id": job.id, **outcome, "settings": self.output.settings | job.settings, "row": job.row}
        self.keep(row, suspect=suspect)

    def add(self, row: Row) -> None:
        super().add(row)
        self.room.release()


def failure(error: Exception) -> Row:
    """The outcome of a row that has no solution."""
    text = " ".join(str(error).split())
    return UNSOLVED | {"error": f"{type(error).__name__}: {text}"[:2000], "fault": fault(error)}


def _id_of(row: Row) -> str:
    if not isinstance(row["id"], str) or not isinstance(row["row"], dict):
        raise TypeError("no row of a batch")
    _ = row["error"]
    return row["id"]
