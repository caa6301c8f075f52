"""direct: one long chain of thought, the way ReasonFlux-F1 is used; with several samples it is self-consistency."""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph

from reasonflux_agent.candidates import candidate
from reasonflux_agent.effects import Body, Emit, Run
from reasonflux_agent.nodes import Parts, single
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.direct import DIRECT


def direct(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """The graph of one direct attempt: a single node."""
    return single(parts, reason, "reason")


def reason(state: Any, run: Run) -> Body[dict[str, Any]]:
    """Solver: the whole problem in one reply."""
    run.sample += run.context.setting.drafts  # they ask the same: another greedy call, or one of their seeds, would repeat them
    try:
        text, reply = yield from run.ask(DIRECT, sampled=run.sample > 0, logprobs=True, problem=state["problem"])
    except ParseError:
        return {"candidates": []}
    made = yield from candidate("direct", state["problem"], text, reply=reply)
    yield Emit("candidate", {"source": made.source, "answer": made.answer, "checks": made.checks})
    return {"candidates": [made.model_dump(mode="json")]}
