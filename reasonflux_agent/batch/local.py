"""The engine of one process: so many rows at once on one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.batch.pace import Listener, Pace
from reasonflux_agent.batch.rows import Job
from reasonflux_agent.batch.runner import Engine, failure
from reasonflux_agent.jsonl import Row
from reasonflux_agent.schema import Solution

TRIES = 3
"""Runs of a row at most, where the server was overloaded or gone."""
Solve = Callable[[Job], Awaitable[Row]]
"""One row's outcome; a failure is an outcome too."""


def local_engine(solve: Solve, concurrency: int) -> Engine:
    """Solves `concurrency` rows at once; gives them in the order in which they end."""

    async def engine(jobs: AsyncIterator[Job]) -> AsyncGenerator[tuple[Job, Row], None]:
        ended: asyncio.Queue[tuple[Job, Row] | Exception | None] = asyncio.Queue(concurrency)
        turn = asyncio.Lock()

        async def work() -> None:
            try:
                while True:
                    async with turn:
                        job = await anext(jobs, None)
                    if job is None:
                        break
                    await ended.put((job, await solve(job)))
                await ended.put(None)
            except Exception as error:  # of the input, or a bug
                await ended.put(error)

        workers = [asyncio.create_task(work()) for _ in range(concurrency)]
        try:
            left = concurrency
            while left:
                result = await ended.get()
                if isinstance(result, Exception):
                    raise result
                if result is None:
                    left -= 1
                else:
                    yield result
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    return engine


def solver(flux: ReasonFlux, pace: Pace | None = None, **context: Any) -> Solve:
    """Solves rows with `flux`; all their calls keep one pace. `context` are fields of the Context for all of them."""
    pace = pace or Pace()

    async def solve(job: Job) -> Row:
        begun = time.monotonic()
        for last in [False] * (TRIES - 1) + [True]:
            heard = Listener(pace)
            try:
                solution = await flux.asolve(job.problem, config={"callbacks": [heard]}, **context)
            except Exception as error:  # a bug that one row meets must not end the others
                cause = error.__cause__  # of a ModelError: what the client raised
                if last or cause is None or not pace.worth_waiting(cause):
                    return {**failure(error), "seconds": _since(begun), "run": heard.run}
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
