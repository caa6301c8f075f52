"""direct: one long chain of thought, the way ReasonFlux-F1 is used; with several samples it is self-consistency."""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph

from reasonflux_agent.node import sequence
from reasonflux_agent.parts import Parts
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.direct import DIRECT
from reasonflux_agent.run import Run
from reasonflux_agent.strategies.candidates import candidate


def direct(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """Return the graph of one attempt: one node."""
    return sequence(parts, reason)


async def reason(state: Any, run: Run) -> dict[str, Any]:
    """Solver: the whole problem in one reply."""
    # the direct samples ask the same: another greedy call, or one of their seeds, would repeat them
    run.sample += run.context.setting.direct_samples
    try:
        text, reply = await run.ask(DIRECT, sampled=run.sample > 0, logprobs=True, problem=state["problem"])
    except ParseError:
        return {"candidates": []}
    return {"candidates": [await candidate(run, "direct", state["problem"], text, reply=reply)]}
