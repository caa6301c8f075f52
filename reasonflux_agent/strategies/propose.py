"""propose: ReasonFlux v2's division of labour: a proposer's abstraction and steps, then one solve, no library."""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph

from reasonflux_agent.candidates import candidate, solve
from reasonflux_agent.context import Context
from reasonflux_agent.events import PlanDrawn
from reasonflux_agent.node import Node
from reasonflux_agent.parts import Parts
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.propose import PROPOSE
from reasonflux_agent.prompts.solve import SOLVE
from reasonflux_agent.run import Run
from reasonflux_agent.schema import Plan
from reasonflux_agent.state import Attempt, Attempted, Trajectory


def propose(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """The graph of one proposed attempt: two calls."""
    graph = StateGraph(Trajectory, context_schema=Context, input_schema=Attempt, output_schema=Attempted)
    graph.add_node("abstract", Node(parts, abstract), input_schema=Trajectory)
    graph.add_node("reason", Node(parts, reason), input_schema=Trajectory)
    graph.add_edge(START, "abstract")
    graph.add_edge("abstract", "reason")
    graph.add_edge("reason", END)
    return graph


async def abstract(state: Trajectory, run: Run) -> dict[str, Any]:
    """Navigator: abstraction, conditions and steps."""
    try:
        drawn, _ = await run.ask(PROPOSE, sampled=state["sample"] > 0, problem=state["problem"])
    except ParseError:
        drawn = Plan()
    drawn = drawn.model_copy(update={"steps": drawn.steps[: run.context.max_steps]})
    await run.emit(PlanDrawn, plan=drawn)
    return {"plan": drawn.model_dump(mode="json")}


async def reason(state: Trajectory, run: Run) -> dict[str, Any]:
    """Solver: the whole problem along these steps."""
    drawn = Plan(**state.get("plan", {}))
    text, reply = await solve(run, SOLVE, sampled=state["sample"] > 0, problem=state["problem"], plan=drawn)
    made = await candidate(run, "propose", state["problem"], text, reply=reply, plan=drawn)
    return {"candidates": [made.model_dump(mode="json")]}
