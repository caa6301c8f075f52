"""Work on many items at once, on threads or on an event loop, and what to do about a server that fails them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import ContextVar
from operator import itemgetter
from typing import Any, TypeVar

from reasonflux_agent.errors import ModelError
from reasonflux_agent.runs.journal import STDOUT, Journal, Row

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K", bound=Hashable)
GIVE_UP = 5
"""A job ends when the server has failed this many items one after another."""
PLACES: ContextVar[asyncio.Semaphore | None] = ContextVar("reasonflux_places", default=None)
"""The places of `arun_all`. The work of one item holds one; while it waits it may release it, for another item."""


class Watcher:
    """Is told how a job goes, and counts. Subclasses show it."""

    before = new = 0
    """Rows of earlier calls, and rows of this one."""
    total: int | None = None
    """Rows of the finished job; None where that is not known."""
    begun = 0.0

    def begin(self, journal: Journal[Any], before: int, total: int | None) -> None:
        """The job begins, or goes on; `before` of its rows are in the journal."""
        self.before, self.total, self.begun = before, total, time.monotonic()

    def row(self, row: Row) -> None:
        """A row was added to the journal. A total that was too low an estimate grows with it."""
        self.new += 1
        if self.total is not None:
            self.total = max(self.total, self.before + self.new)

    def note(self, text: str) -> None:
        """A message about the job."""

    @property
    def left(self) -> float | None:
        """Seconds until the job is done, at the mean speed of this call; None where that is not known."""
        if not self.total or not self.new:
            return None
        return (time.monotonic() - self.begun) / self.new * max(0, self.total - self.before - self.new)


def run_all(
    items: Mapping[K, T], work: Callable[[K, T], Row], journal: Journal[K], watcher: Watcher | None = None, at_once: int = 1
) -> None:
    """Adds the rows of all items whose keys the journal lacks; `at_once` threads call `work(key, item)`.

    The first error ends the job: what is under way is finished and added, nothing else is begun. Ctrl-C does the same.
    """
    watcher, telling = watcher or Watcher(), threading.Lock()
    missing = journal.missing(items)
    watcher.begin(journal, len(items) - len(missing), len(items))

    def do(key: K) -> None:
        row = work(key, items[key])
        journal.add(row)
        with telling:
            watcher.row(row)

    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(do, key) for key in missing]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


async def arun_all(
    items: AsyncIterator[T], work: Callable[[T], Awaitable[R]], at_once: int
) -> AsyncGenerator[tuple[T, R], None]:
    """Yields each item with its result as it ends; takes an item when one of the `at_once` places is free.

    Raises what `work` or `items` raises. To close the generator (`aclosing`) cancels all work that is under way.
    """
    ended: asyncio.Queue[tuple[T, R] | Exception | None] = asyncio.Queue(at_once)
    places, under_way = asyncio.Semaphore(at_once), set[asyncio.Task[None]]()

    async def do(item: T) -> None:
        PLACES.set(places)
        try:
            await ended.put((item, await work(item)))
        except Exception as error:
            await ended.put(error)
        finally:
            places.release()

    async def feed() -> None:
        try:
            while await places.acquire() and (item := await anext(items, None)) is not None:
                task = asyncio.create_task(do(item))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            while under_way:
                await asyncio.wait(under_way)
            await ended.put(None)
        except Exception as error:
            await ended.put(error)

    feeder = asyncio.create_task(feed())
    try:
        while result := await ended.get():
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        tasks = {feeder, *under_way}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Filing:
    """Adds the rows of a job to its journal. Rows that failed wait until it is known whose fault that was.

    If a success follows, the server is there, and these rows failed on their own account: they are added. If GIVE_UP
    different items fail one after another, the server is gone: the job ends, and a later call does these items again.
    """

    def __init__(self, job: str, journal: Journal[Any], watcher: Watcher, *, at_once: int = 0) -> None:
        """`job`: its name in errors. `at_once`: items that one event can fail: a job that worked ends after so many more."""
        self.job, self.journal, self.watcher, self.at_once = job, journal, watcher, at_once
        self.item: Callable[[Row], Hashable] = itemgetter("id")
        self.failed: list[Row] = []
        """Failures since the last success."""
        self.succeeded = False
        """Whether any row of the journal shows that the server works."""

    def keep(self, row: Row, *, suspect: bool, proof: bool = True) -> None:
        """Takes a row. `suspect`: it may have failed through the server. `proof`: if it succeeded, the server is there.

        Raises ModelError when the server is gone.
        """
        if suspect:
            self.failed.append(row)
            if len(set(map(self.item, self.failed))) >= GIVE_UP + self.at_once * self.succeeded:
                raise self.gone()
            return
        if not row["error"]:
            self.succeeded = True
            if proof:
                self.flush()
        self.add(row)

    def flush(self) -> None:
        """Adds the rows that wait."""
        for row in self.failed:
            self.add(row)
        self.failed = []

    def add(self, row: Row) -> None:
        self.journal.add(row)
        self.watcher.row(row)

    def gone(self) -> ModelError:
        name = self.journal.name
        return ModelError(
            f"The {self.job} was stopped: its last {len(self.failed)} row(s) failed one after another, which are not written. "
            f"The last one: {self.failed[-1]['error']} {len(self.journal.rows)} row(s) are in {name}"
            + ("." if name == STDOUT else "; the same command goes on from there.")
        )
