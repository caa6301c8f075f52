"""The engine of one process: so many rows at once on one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.jobs.batch.pace import PLACES, Listener, Pace, retry_after
from reasonflux_agent.jobs.batch.rows import Job
from reasonflux_agent.jobs.batch.runner import Engine, failure
from reasonflux_agent.models.retries import TRIES
from reasonflux_agent.runs.jsonl import Row
from reasonflux_agent.schema import Solution

Solve = Callable[[Job], Awaitable[Row]]
"""One row's outcome; a failure is an outcome too."""


def local_engine(solve: Solve, concurrency: int) -> Engine:
    """Solves `concurrency` rows at once, besides those that wait for as long as a server asked; gives them as they end."""

    async def engine(jobs: AsyncIterator[Job]) -> AsyncGenerator[tuple[Job, Row], None]:
        ended: asyncio.Queue[tuple[Job, Row] | Exception | None] = asyncio.Queue(concurrency)
        places, at_work = asyncio.Semaphore(concurrency), set[asyncio.Task[None]]()

        async def work(job: Job) -> None:
            PLACES.set(places)
            try:
                await ended.put((job, await solve(job)))
            except Exception as error:  # a bug
                await ended.put(error)
            finally:
                places.release()

        async def feed() -> None:
            try:
                while await places.acquire() and (job := await anext(jobs, None)):
                    task = asyncio.create_task(work(job))
                    at_work.add(task)
                    task.add_done_callback(at_work.discard)
                while at_work:
                    await asyncio.wait(at_work)
                await ended.put(None)
            except Exception as error:  # of the input
                await ended.put(error)

        feeder = asyncio.create_task(feed())
        try:
            while result := await ended.get():
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            under_way = {feeder, *at_work}
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    return engine


def solver(flux: ReasonFlux, pace: Pace | None = None, **context: Any) -> Solve:
    """Solves rows with `flux`; all their calls keep one pace. `context` are fields of the Context for all of them, and a row's
    own settings are laid over them."""
    pace = pace or Pace()

    async def solve(job: Job) -> Row:
        begun = time.monotonic()
        for last in [False] * (TRIES - 1) + [True]:
            heard = Listener(pace)
            try:
                solution = await flux.asolve(job.problem, config={"callbacks": [heard]}, **context | job.settings)
            except Exception as error:  # a bug that one row meets must not end the others
                cause = error.__cause__  # of a ModelError: what the client raised
                if last or cause is None or not pace.worth_waiting(cause):
                    return {**failure(error), "seconds": _since(begun), "run": heard.run}
                await heard.wait(retry_after(cause) or 0.0)
            else:
                return {**_outcome(solution), "seconds": _since(begun), "run": heard.run}
        raise AssertionError("unreachable")

    return solve


def _outcome(solution: Solution) -> Row:
    return {
        "answer": solution.answer,
        "status": solution.status,
        "votes": round(solution.votes, 3),
        "tokens": solution.total.tokens,
        "text": solution.text,
        "error": None,
        "fault": None,
    }


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)
