"""One problem, solved by one method and graded: its row.

A row of `results.jsonl`, one for every benchmark, method, repeat and problem: `benchmark`, `method`, `repeat`, `id`,
`sha` (of the problem), `subject`, `level`, `gold`, `answer`, `correct`, `status`, `reason`, `truncated` (whether the token
limit cut a candidate), `ungraded` (the grading worker failed over it, which counts as wrong), `error` (why there is no
answer; null), `fault` (whose an error is: the `server`'s or the `problem`'s; null), `calls`, `prompt_tokens`, `cached_tokens`,
`completion_tokens`, `seconds` (summed over model calls), `wall` (seconds), `templates` (ids), `votes` (0 to 1), `candidates`
(`source`, `answer`, `correct`, `checks`, `logprob` of each), `reviews` (verdicts), `escalated` (effort auto: drafts, and
then attempts were made), `run` (id of the record).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.errors import ReasonFluxError
from reasonflux_agent.jobs.evaluation.benchmarks import Item, digest
from reasonflux_agent.jobs.evaluation.folder import Row
from reasonflux_agent.jobs.evaluation.methods import Rule, select
from reasonflux_agent.models.failures import fault
from reasonflux_agent.runs.record import Recorder
from reasonflux_agent.schema import Solution, Usage
from reasonflux_agent.verify.grading import verdict


class _Heard(BaseCallbackHandler):
    """Hears the id of a run."""

    run: str = ""

    def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
        if name == "reasonflux_begin":
            self.run = data["run"]


async def solve(flux: ReasonFlux, item: Item, rule: Rule, recorder: Recorder, **context: Any) -> Row:
    """The row of one problem, but for benchmark, method and repeat; a failure is a row too, with its `error`."""
    begun, heard = time.monotonic(), _Heard()
    row: Row = {"id": item.id, "sha": digest([item.problem, item.answer, item.unit])[:16]}
    row |= {"subject": item.subject, "level": item.level, "gold": item.answer, **_outcome(None)}
    try:
        solution = await flux.asolve(item.problem, config={"callbacks": [recorder, heard]}, **context)
        chosen = await select(rule, solution)
        right = await judged(chosen.answer, item)
        candidates = [
            {**c.model_dump(include={"source", "answer", "checks", "logprob"}), "correct": bool(await judged(c.answer, item))}
            for c in solution.candidates
        ]
        escalated = flux.context.effort == "auto" and "draft" in solution.usage and len(solution.usage) > 1
        row |= {**_outcome(chosen), "correct": bool(right), "ungraded": right is None}
        row |= {"candidates": candidates, "escalated": escalated}
    except ReasonFluxError as error:
        row |= {"error": str(error), "fault": fault(error)}
    return {**row, "wall": round(time.monotonic() - begun, 3), "run": heard.run}


async def judged(answer: str | None, item: Item) -> bool | None:
    """Whether an answer is the gold one, with its unit or without; None where the grading worker failed over it."""
    return await asyncio.to_thread(verdict, answer, item.answer, item.unit, problem=item.problem)


def _outcome(solution: Solution | None) -> Row:
    """The fields of a row that a solution decides alone; those of a failure without one."""
    if solution is None:
        return {
            "answer": None, "correct": False, "status": "failed", "reason": "", "truncated": False,
            "ungraded": False, "error": None, "fault": None,
            **Usage().model_dump(), "templates": [], "votes": 0.0, "candidates": [], "reviews": [], "escalated": False,
        }  # fmt: skip
    return {
        **solution.model_dump(include={"answer", "status", "reason", "votes"}),
        **solution.total.model_dump(),
        "truncated": any(c.truncated for c in solution.candidates),
        "templates": list(solution.templates),
        "reviews": [review.verdict for review in solution.reviews],
    }
