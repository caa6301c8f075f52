"""propose: ReasonFlux v2's division of labour: a proposer's abstraction and steps, then one solve, no library."""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph

from reasonflux_agent.events import PlanDrawn
from reasonflux_agent.node import sequence
from reasonflux_agent.parts import Parts
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.propose import PROPOSE
from reasonflux_agent.prompts.solve import SOLVE
from reasonflux_agent.run import Run
from reasonflux_agent.schema import Plan
from reasonflux_agent.state import Trajectory
from reasonflux_agent.strategies.candidates import candidate, solve


def propose(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """Return the graph of one attempt: two calls."""
    return sequence(parts, abstract, reason)


async def abstract(state: Trajectory, run: Run) -> dict[str, Any]:
    """Navigator: abstraction, conditions and steps."""
    try:
        drawn, _ = await run.ask(PROPOSE, sampled=state["sample"] > 0, problem=state["problem"])
    except ParseError:
        drawn = Plan()
    drawn = drawn.cut(run.context.max_steps)
    await run.emit(PlanDrawn, plan=drawn)
    return {"plan": drawn}


async def reason(state: Trajectory, run: Run) -> dict[str, Any]:
    """Solver: the whole problem along these steps."""
    drawn = Plan(**state.get("plan", {}))
    text, reply = await solve(run, SOLVE, sampled=state["sample"] > 0, problem=state["problem"], plan=drawn)
    return {"candidates": [await candidate(run, "propose", state["problem"], text, reply=reply, plan=drawn)]}
