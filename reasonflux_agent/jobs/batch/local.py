"""The engine of one process: many rows at once on one event loop."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.jobs.batch.pace import Listener, Pace, retry_after
from reasonflux_agent.jobs.batch.rows import Job
from reasonflux_agent.jobs.batch.runner import UNSOLVED, Engine, failure
from reasonflux_agent.jobs.running import arun_all
from reasonflux_agent.models.retries import TRIES
from reasonflux_agent.runs.journal import Row

Solve = Callable[[Job], Awaitable[Row]]
"""Solves one row. A failure is an outcome too."""


def local_engine(solve: Solve, concurrency: int) -> Engine:
    """Solves `concurrency` rows at once, besides those that wait as long as a server asked; yields them as they end."""
    return lambda jobs: arun_all(jobs, solve, concurrency)


def solver(flux: ReasonFlux, pace: Pace | None = None, **context: Any) -> Solve:
    """Solves rows with `flux`, all their calls at one pace. `context`: fields of the Context, where a row sets no others."""
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
                    return {**failure(error), **_about(heard, begun)}
                await heard.wait(retry_after(cause) or 0.0)
            else:
                said = solution.model_dump(include={"answer", "status", "text"})
                counted = {"votes": round(solution.votes, 3), "tokens": solution.total.tokens}
                return {**UNSOLVED, **said, **counted, **_about(heard, begun)}
        raise AssertionError("unreachable")

    return solve


def _about(heard: Listener, begun: float) -> Row:
    return {"seconds": round(time.monotonic() - begun, 3), "run": heard.run}
