"""A plugin that adds a library of two templates, a strategy and a verifier. Copy it to begin your own.

Each hook below is called with `register`, and calls `register(name, value)` as often as it likes. A name that another
plugin has taken is an error that names both. What a hook needs is imported inside it: loading a plugin must stay cheap.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasonflux_agent.hookspecs import Register, hookimpl

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

    from reasonflux_agent.strategies import Parts, Run


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
    """Return the graph of one attempt: a solution in words, and one by a program. The run's vote compares the two."""
    from reasonflux_agent.prompts.solve import SOLVE
    from reasonflux_agent.strategies import candidate, programmed, sequence, solve

    # A node is an async function: it awaits what it needs, and returns an update of the state.
    async def reason(state: Any, run: Run) -> dict[str, Any]:
        text, reply = await solve(run, SOLVE, sampled=state["sample"] > 0, problem=state["problem"])
        return {"candidates": [await candidate(run, "double_check", state["problem"], text, reply=reply)]}

    async def compute(state: Any, run: Run) -> dict[str, Any]:
        return {"candidates": [await programmed(run, state["problem"], sampled=state["sample"] > 0)]}

    return sequence(parts, reason, compute)


@hookimpl
def register_verifiers(register: Register) -> None:
    """Every candidate of every run goes through it; one that fails keeps half its vote."""
    register("no_apology", no_apology)


def no_apology(problem: str, text: str, answer: str | None) -> bool | None:
    """The solution does not say that it is sorry."""
    return None if "sorry" in problem else "sorry" not in text.lower()
