"""One problem, solved by one method and graded: its row of `results.jsonl` (`results.Result` says what its fields mean)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.errors import ReasonFluxError
from reasonflux_agent.jobs.evaluation.benchmarks import Item, digest
from reasonflux_agent.jobs.evaluation.methods import Rule, select
from reasonflux_agent.jobs.evaluation.results import Result
from reasonflux_agent.models.failures import fault
from reasonflux_agent.runs.journal import Row
from reasonflux_agent.runs.record import Recorder
from reasonflux_agent.schema import Solution
from reasonflux_agent.session import Replies, with_session

_KEY = {"benchmark", "method", "repeat", "id"}
_FAILED = Result(benchmark="", method="", id="", status="failed").model_dump(mode="json", exclude=_KEY)
"""The fields of a row without a solution."""


class _RunId(BaseCallbackHandler):
    run: str = ""

    def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
        if name == "reasonflux_begin":
            self.run = data["run"]


async def solve(
    flux: ReasonFlux,
    item: Item,
    rule: Rule,
    recorder: Recorder,
    cache: Replies | None = None,
    scorer: str | None = None,
    **context: Any,
) -> Row:
    """The row of one problem, without benchmark, method and repeat. A failure is a row too, with its `error`."""
    begun, heard = time.monotonic(), _RunId()
    row: Row = {"id": item.id, **_FAILED, "sha": digest([item.problem, item.answer, item.unit])[:16]}
    row |= {"subject": item.subject, "level": item.level, "gold": item.answer}
    try:
        solution = await flux.asolve(
            item.problem, config=with_session({"callbacks": [recorder, heard]}, cache=cache), **context
        )
        chosen = await select(rule, solution)
        right = await judged(chosen.answer, item, scorer)
        told = {"source", "answer", "checks", "logprob"}
        candidates = [
            {**c.model_dump(include=told), "correct": bool(await judged(c.answer, item, scorer))} for c in solution.candidates
        ]
        escalated = flux.context.effort == "auto" and "draft" in solution.usage and len(solution.usage) > 1
        row |= {**_outcome(chosen), "correct": bool(right), "ungraded": right is None}
        row |= {"candidates": candidates, "escalated": escalated}
    except ReasonFluxError as error:
        row |= {"error": str(error), "fault": fault(error)}
    return {**row, "wall": round(time.monotonic() - begun, 3), "run": heard.run}


async def judged(answer: str | None, item: Item, scorer: str | None = None) -> bool | None:
    """Whether an answer is right, by the given scorer, the row's own or the grader; None where that could not be decided."""
    return await asyncio.to_thread(item.score, answer, scorer)


def _outcome(solution: Solution) -> Row:
    """The fields of a row that a solution alone decides."""
    return {
        **solution.model_dump(include={"answer", "status", "reason", "votes"}),
        **solution.total.model_dump(),
        "truncated": any(c.truncated for c in solution.candidates),
        "templates": list(solution.templates),
        "reviews": [review.verdict for review in solution.reviews],
    }
