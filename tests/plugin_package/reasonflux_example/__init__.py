"""A plugin that adds a library of two templates, a strategy and a check. Copy it to begin your own.

Each hook below is called with `register`, and calls `register(name, value)` as often as it likes. A name that another
plugin has taken is an error that names both. What a hook needs is imported inside it: loading a plugin must stay cheap.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasonflux_agent.hookspecs import Register, hookimpl

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

    from reasonflux_agent.node import Parts
    from reasonflux_agent.run import Body, Run


@hookimpl
def register_libraries(register: Register) -> None:
    """`ReasonFlux(library="example")`: the templates of templates.json, in the format that `TemplateLibrary.load` reads."""
    from reasonflux_agent.templates import TemplateLibrary

    path = Path(__file__).with_name("templates.json")
    register("example", lambda: TemplateLibrary.load(path))  # called when the library is first asked for


@hookimpl
def register_strategies(register: Register) -> None:
    """`ReasonFlux(strategy="double_check")`."""
    register("double_check", double_check)


def double_check(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """The graph of one attempt: a solution in words, and one by a program. The run's vote compares the two."""
    from langgraph.graph import END, START, StateGraph

    from reasonflux_agent.candidates import programmed
    from reasonflux_agent.context import Context
    from reasonflux_agent.state import Attempt, Attempted
    from reasonflux_agent.strategies.direct import reason  # a node of the strategy `direct`, used as it is

    class DoubleCheck(Attempt, Attempted):
        """What the nodes see: what an attempt is given, and what it hands back."""

    def compute(state: Any, run: Run) -> Body[dict[str, Any]]:
        # A node is a generator: it yields what it wants done (here by `programmed`) and returns an update of the state.
        made = yield from programmed(run, state["problem"], sampled=state["sample"] > 0)
        return {"candidates": [made.model_dump(mode="json")]}

    graph = StateGraph(DoubleCheck, context_schema=Context, input_schema=Attempt, output_schema=Attempted)
    graph.add_node("reason", parts.node(reason), input_schema=DoubleCheck)
    graph.add_node("compute", parts.node(compute), input_schema=DoubleCheck)
    graph.add_edge(START, "reason")
    graph.add_edge("reason", "compute")
    graph.add_edge("compute", END)
    return graph


@hookimpl
def register_checks(register: Register) -> None:
    """Every candidate of every run is checked by it; one that fails keeps half its vote."""
    register("no_apology", no_apology)


def no_apology(problem: str, text: str, answer: str | None) -> bool | None:
    """The solution does not say that it is sorry."""
    return None if "sorry" in problem else "sorry" not in text.lower()
