"""Processes that may die, and the rows that they solve.

Ray finds room for the processes (actors), starts them, and says when one has died. The rows that were in it are solved again:
once among other rows, then alone in a process, so that a row that kills its process is told from those beside it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.jobs.batch.rows import Job
from reasonflux_agent.jobs.batch.runner import failure
from reasonflux_agent.models.retries import TRIES
from reasonflux_agent.runs.journal import Row


@dataclass
class Health:
    """How the processes of a batch fared."""

    most: int = 0
    """The most processes that were there at once."""
    lost: int = 0
    """Processes that died after they had begun."""


class Processes:
    """The processes of one batch, of `rows` rows each, and the rows that wait for one.

    `start()` returns an actor with two methods: `begin() -> str` says why it cannot do the work (empty if it can), and
    `solve(problem, settings) -> Row` returns a row's outcome. `patience`: seconds in which a cluster must find room for the
    first.
    """

    def __init__(self, ray: Any, start: Callable[[], Any], rows: int, health: Health, patience: float) -> None:
        self.ray, self.start, self.rows, self.health, self.patience = ray, start, rows, health, patience
        self.waiting: asyncio.Queue[_Task] = asyncio.Queue()
        self.tasks: set[_Task] = set()
        self.running = self.places = 0
        self.broken: Exception | None = None

    @asynccontextmanager
    async def opened(self, places: int) -> AsyncGenerator[None, None]:
        """Keeps so many processes, and replaces each that dies."""
        self.places = places
        keepers = [asyncio.create_task(self._keep()) for _ in range(places)]
        try:
            yield
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    async def solve(self, job: Job) -> Row:
        """The outcome of a row. Raises InputError or ModelError when no process can solve any."""
        if self.broken:
            raise self.broken
        task = _Task(job.problem, job.settings)
        self.tasks.add(task)
        self.waiting.put_nowait(task)
        try:
            return await task.outcome
        finally:
            self.tasks.remove(task)

    async def _keep(self) -> None:
        """Keeps a process in one place; gives the place up when `TRIES` of them die there before they have begun."""
        try:
            failed: list[Exception] = []
            while len(failed) < TRIES:
                await asyncio.sleep(len(failed))
                try:
                    await self._run()
                    failed = []
                except self.ray.exceptions.RayError as error:
                    failed.append(error)
            self.places -= 1
            if not self.places:
                raise ModelError(
                    f"No process of the batch begins on the Ray cluster, {TRIES} were tried in each place: {line(failed[-1])} "
                    "Next: see that reasonflux-agent is installed on every machine, and read Ray's logs there."
                )
        except Exception as error:
            self.broken = error
            for task in self.tasks:
                task.settle(error)

    async def _run(self) -> None:
        """The life of one process. Raises RayError if it dies before it has begun, and InputError if it cannot do the work."""
        actor = self.start()
        try:
            await self._placed(actor)
            self.running += 1
            self.health.most = max(self.health.most, self.running)
            try:
                if wrong := await actor.begin.remote():
                    raise InputError(f"A process of the Ray cluster cannot do the work. {wrong}")
                await self._serve(_Process(actor, self.rows))
                self.health.lost += 1
            finally:
                self.running -= 1
        finally:
            self.ray.kill(actor)

    async def _placed(self, actor: Any) -> None:
        """Waits until the cluster has found room for a process. Raises ModelError if it has none for any."""
        while True:
            try:
                async with asyncio.timeout(self.patience):
                    await actor.__ray_ready__.remote()
                    return
            except TimeoutError:
                if not self.running:
                    has = self.ray.cluster_resources()
                    raise ModelError(
                        f"The Ray cluster found no room for a process in {self.patience:.0f} s. In all it has "
                        f"{has.get('CPU', 0):g} CPU(s) and {has.get('GPU', 0):g} GPU(s). Next: ray status shows who holds "
                        "them; add machines."
                    ) from None

    async def _serve(self, process: _Process) -> None:
        """Gives rows to a process until it dies."""
        slots = [asyncio.create_task(self._work(process)) for _ in range(self.rows)]
        try:
            ended, _ = await asyncio.wait(slots, return_when=asyncio.FIRST_COMPLETED)
            for slot in ended:
                slot.result()  # raises what is a bug
        finally:
            for slot in slots:
                slot.cancel()
            await asyncio.gather(*slots, return_exceptions=True)

    async def _work(self, process: _Process) -> None:
        """One row after the other; ends with the process."""
        errors = self.ray.exceptions
        while True:
            task = await self.waiting.get()
            begun = False
            try:
                async with process.room(alone=task.deaths == TRIES - 1):
                    if process.dead:  # of the row that was in it before: this one has no part in that
                        self.waiting.put_nowait(task)
                        return
                    begun = True
                    try:
                        outcome = await process.actor.solve.remote(task.problem, task.settings)
                    except errors.RayError as error:
                        process.dead = not isinstance(error, errors.RayTaskError)
                        raise
            except errors.RayTaskError as error:  # the process lives: a bug that one row meets
                task.settle(failure(error.cause))
            except (errors.RayError, asyncio.CancelledError) as error:
                task.deaths += begun
                if task.deaths < TRIES:
                    self.waiting.put_nowait(task)
                else:
                    task.settle(failure(_deadly(error)))
                if isinstance(error, asyncio.CancelledError):
                    raise
                return
            else:
                task.settle(outcome)


@dataclass(eq=False)
class _Task:
    """A row under way."""

    problem: str
    settings: Row
    outcome: asyncio.Future[Row] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    deaths: int = 0
    """Processes that died with it."""

    def settle(self, outcome: Row | Exception) -> None:
        """Ends it, if it is still waited for."""
        if self.outcome.done():
            return
        if isinstance(outcome, Exception):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)


class _Process:
    """An actor that has begun, and its room for rows."""

    def __init__(self, actor: Any, rows: int) -> None:
        self.actor, self._rows = actor, rows
        self.dead = False
        self._gate, self._room = asyncio.Lock(), asyncio.Semaphore(rows)

    @asynccontextmanager
    async def room(self, *, alone: bool) -> AsyncGenerator[None, None]:
        """Room for one row; `alone`: waits until all others have ended, and lets none in beside it."""
        share = self._rows if alone else 1
        async with self._gate:
            for _ in range(share):
                await self._room.acquire()
        try:
            yield
        finally:
            for _ in range(share):
                self._room.release()


def _deadly(error: BaseException) -> ModelError:
    return ModelError(
        f"{TRIES} processes died while they solved this row, the last one with no other row in it: {line(error)} "
        "Next: read Ray's logs on its machine; dmesg there, if its memory may have run out."
    )


def line(error: Any) -> str:
    """The text of an error on one line; of a long one, its two ends."""
    text = " ".join(re.sub(r"\x1b\[\d+m", "", str(getattr(error, "cause", error))).split())
    return text if len(text) <= 600 else f"{text[:300]} ... {text[-300:]}"
