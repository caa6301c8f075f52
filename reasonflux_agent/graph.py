"""The run's graph: direct samples (`draft`) and planned attempts, each a candidate, until the vote is settled.

START → begin → (restate →) draft × n ──────→ verify → END
                          → attempt × wave ↗    │
                          ↘ recall ────────↗    │
                               ↑________________│   (not settled, and attempts are left)

`restate` writes the last turn of a conversation as a problem of its own, where it may refer to the turns before it.

`attempt` is the strategy's own graph; for the navigator: plan → retrieve → refine → solve_step ⇄ review → answer.
`recall` is what the navigator does first where a learned template stands out for the problem: no plan, one or two calls. The
other attempts follow only if its solution fails a verifier; at effort high they are made at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from reasonflux_agent.context import Context
from reasonflux_agent.conversation import needs_context
from reasonflux_agent.ending import WholeGraph
from reasonflux_agent.errors import SpecError
from reasonflux_agent.models import check_spec
from reasonflux_agent.node import Node, add_router, sequence
from reasonflux_agent.parts import Parts, resolve_models
from reasonflux_agent.plugins import registered
from reasonflux_agent.problem import is_unread
from reasonflux_agent.stages import PLANNING, attempt_of, begin, conversation, draft, restate, verify
from reasonflux_agent.state import Attempt, InputState, OutputState, State
from reasonflux_agent.strategies.recall import recall
from reasonflux_agent.templates import TemplateLibrary

STEPS_OF_ATTEMPT = 10_000
"""LangGraph's recursion limit inside an attempt. The limits of the Context end an attempt long before it."""

ANOTHER = "another problem was put in"
"""Label of an edge back to `begin`."""


def create_reasonflux(
    *,
    strategy: str | Callable[[Parts], StateGraph[Any, Any, Any, Any]] = "navigator",
    navigator: BaseChatModel | str | None = None,
    solver: BaseChatModel | str | None = None,
    library: TemplateLibrary | str | None = None,
    retriever: BaseRetriever | None = None,
    context: Context | None = None,
) -> StateGraph[Any, Any, Any, Any]:
    """Return the uncompiled graph; the caller chooses checkpointer, store and interrupts.

    Input: `{"problem": ...}` or `{"messages": [...]}`. Output: `{"solution": ..., "messages": [..., AIMessage]}`.

    `navigator` and `solver` are chat models or specs. A missing role uses the other model; if both are missing, DEFAULT_MODEL.
    `library` (a TemplateLibrary, a name or a path) is what the default retriever searches; `retriever` replaces it.
    `context` holds the defaults of runs; a run's own `context=` is laid over it. `strategy` is a registered name, or a function
    that builds the graph of one attempt (strategies/__init__.py).

    Raises SpecError for an unknown strategy and for a spec that names no model, and LibraryError.
    """
    if isinstance(strategy, str):
        strategies = registered("strategies")
        if strategy not in strategies:
            raise SpecError(f"No strategy {strategy!r} is registered. There are: {', '.join(strategies)}.")
        name, build = strategy, strategies[strategy][1]
    else:
        name, build = getattr(strategy, "__name__", "strategy"), strategy
    own = getattr(retriever, "library", None)  # a TemplateRetriever finds the templates of its own library
    library = library or (own if isinstance(own, TemplateLibrary) else "builtin")
    loaded = library if isinstance(library, TemplateLibrary) else TemplateLibrary.load(library)
    navigator, solver = resolve_models(navigator, solver)
    for spec in (navigator, solver, *((context.navigator, context.solver) if context else ())):
        if isinstance(spec, str):
            check_spec(spec)
        elif spec is not None and not isinstance(spec, Runnable):
            raise SpecError(f"A model is a spec, as 'vllm:NAME', or a chat model of LangChain; given: {spec!r}.")
    parts = Parts(
        navigator=navigator,
        solver=solver,
        retriever=retriever,
        library=loaded,
        defaults=context or Context(),
        strategy=name,
    )
    attempt = build(parts).compile(name=name).with_config(recursion_limit=STEPS_OF_ATTEMPT)

    def launched(state: State) -> list[Send]:
        samples = range(state["sampled"] - state["wave"], state["sampled"])
        due = [("draft", sample) for sample in range(state["direct_samples"])]
        due += [("attempt", sample) for sample in samples]
        due += [("recall", 0)] if state.get("recalling") else []
        return [Send(kind, attempt_of(state, kind, sample, len(due))) for kind, sample in due]

    def after_begin(state: State) -> list[Send] | str:
        is_follow_up = not is_unread(state) and needs_context(conversation(state))
        return "restate" if is_follow_up else launch(state)

    def launch(state: State) -> list[Send] | str:
        if is_unread(state):
            return "begin"
        return "verify" if state.get("exhausted") else launched(state) or "verify"

    def after_verify(state: State) -> list[Send] | str:
        return "begin" if is_unread(state) else launched(state) or END

    graph = WholeGraph(State, context_schema=Context, input_schema=InputState, output_schema=OutputState)
    graph.add_node("begin", Node(parts, begin), input_schema=State)
    graph.add_node("restate", Node(parts, restate), input_schema=State)
    # A subgraph, though it has one node: nodes that run at the same time in one graph can hold all threads of its pool
    # (`max_concurrency`, or cores + 4), and their model calls would never get a thread. A subgraph has its own pool.
    graph.add_node("draft", sequence(parts, draft).compile(name="draft"), input_schema=Attempt)
    graph.add_node("attempt", attempt, input_schema=Attempt)
    graph.add_node("verify", Node(parts, partial(verify, strategy=name), "verify"), input_schema=State)
    graph.add_edge(START, "begin")
    sends = {"draft": "direct samples", "attempt": "planned attempts"}
    if name == PLANNING:
        graph.add_node("recall", recall(parts).compile(name="recall"), input_schema=Attempt)
        graph.add_edge("recall", "verify")
        sends["recall"] = "a learned template"
    first = {"begin": ANOTHER, **sends, "verify": "nothing to sample"}
    add_router(graph, "begin", after_begin, {"restate": "may refer to earlier turns", **first})
    add_router(graph, "restate", launch, first)
    graph.add_edge("draft", "verify")
    graph.add_edge("attempt", "verify")
    more = {kind: "vote is open" for kind in sends if kind != "recall"}
    add_router(graph, "verify", after_verify, {"begin": ANOTHER, **more, END: "vote is settled"})
    return graph
