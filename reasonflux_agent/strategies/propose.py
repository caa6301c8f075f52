"""propose: ReasonFlux v2's division of labour: a proposer's abstraction and steps, then one solve, no library."""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph

from reasonflux_agent.candidates import candidate, solve
from reasonflux_agent.context import Context
from reasonflux_agent.effects import Body, Emit, Run
from reasonflux_agent.nodes import Parts
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.propose import PROPOSE
from reasonflux_agent.prompts.solve import WHOLE
from reasonflux_agent.schema import Plan
from reasonflux_agent.state import Attempt, Attempted, Trajectory


def propose(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """The graph of one proposed attempt: two calls."""
    graph = StateGraph(Trajectory, context_schema=Context, input_schema=Attempt, output_schema=Attempted)
    graph.add_node("abstract", parts.node(abstract), input_schema=Trajectory)
    graph.add_node("reason", parts.node(reason), input_schema=Trajectory)
    graph.add_edge(START, "abstract")
    graph.add_edge("abstract", "reason")
    graph.add_edge("reason", END)
    return graph


def abstract(state: Trajectory, run: Run) -> Body[dict[str, Any]]:
    """Navigator: abstraction, conditions and steps."""
    try:
        drawn, _ = yield from run.ask(PROPOSE, sampled=state["sample"] > 0, problem=state["problem"])
    except ParseError:
        drawn = Plan()
    drawn = drawn.model_copy(update={"steps": drawn.steps[: run.context.max_steps]})
    yield Emit("plan", {"plan": drawn.model_dump(mode="json")})
    return {"plan": drawn.model_dump(mode="json")}


def reason(state: Trajectory, run: Run) -> Body[dict[str, Any]]:
    """Solver: the whole problem along these steps."""
    drawn = Plan(**state.get("plan", {}))
    text, reply = yield from solve(run, WHOLE, sampled=state["sample"] > 0, problem=state["problem"], plan=drawn)
    made = yield from candidate("propose", state["problem"], text, reply=reply, plan=drawn)
    yield Emit("candidate", {"source": made.source, "answer": made.answer, "checks": made.checks})
    return {"candidates": [made.model_dump(mode="json")]}
