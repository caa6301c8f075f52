"""Turns a generator of effects (effects.py) into a graph node, sync and async from one definition."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_type_hints

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.config import get_config, get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import get_runtime
from langgraph.types import interrupt

from reasonflux_agent import models
from reasonflux_agent.calls import acall, call
from reasonflux_agent.context import Context
from reasonflux_agent.effects import (
    AskPerson,
    Body,
    Call,
    Compute,
    Effect,
    Emit,
    Load,
    NodeBody,
    OutOfBudget,
    Run,
    RunProgram,
    Same,
    Search,
)
from reasonflux_agent.errors import InputError, searching
from reasonflux_agent.prompts import Role
from reasonflux_agent.schema import Usage
from reasonflux_agent.state import Attempt, Attempted
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.verify.grading import aequivalent, equivalent
from reasonflux_agent.verify.programs import arun_program, run_program

DEPTH = 8
"""Templates that the default retriever finds for a query: more than are used, so that a replacement finds others."""

_BUILDING = threading.Lock()


@dataclass(frozen=True)
class Parts:
    """What a strategy is built from; `node` makes a graph node of a generator function `body(state, run)`."""

    navigator: BaseChatModel | str
    solver: BaseChatModel | str
    retriever: BaseRetriever | None = None
    """None: the default one for `library`, made at first use."""
    library: TemplateLibrary = field(default_factory=TemplateLibrary.builtin)
    defaults: Context = field(default_factory=Context)
    search: Literal["hybrid", "hierarchical"] = "hybrid"
    """How the default retriever searches."""
    strategy: str = "navigator"
    """Its name."""

    def node(self, body: NodeBody, name: str = "") -> Runnable[Any, Any]:
        """A node, named like the function unless a name is given."""
        return Node(self, body, name or body.__name__)

    def context(self) -> Context:
        """The context of the run that is under way: what it was given, laid over the graph's. For nodes: routers have none."""
        # inside a host's graph the context is the host's, so ours has a place of its own in the config
        own = get_config().get("configurable", {}).get("reasonflux")
        if not isinstance(own, Context | dict | None):
            kind = type(own).__name__
            raise InputError(f"The context in configurable['reasonflux'] is a {kind}. Next: give an object of its fields.")
        own = Context.of(**own) if isinstance(own, dict) else own
        return self.defaults.overlaid(own).overlaid(get_runtime(Context).context).of_strategy(self.strategy)

    def model(self, role: Role, context: Context) -> BaseChatModel:
        """The model of a role in this run; equal specs share one loaded model."""
        return models.load_model(self.spec(role, context))

    async def amodel(self, role: Role, context: Context) -> BaseChatModel:
        """As `model`, on the event loop."""
        return await models.aload_model(self.spec(role, context))

    def spec(self, role: Role, context: Context) -> BaseChatModel | str:
        """What plays a role in this run."""
        spec: BaseChatModel | str = getattr(context, role) or getattr(self, role)
        return spec

    def names(self, context: Context) -> dict[str, str]:
        """What the run is made of, for its record; its models are loaded for it, so that an unknown one is refused early."""
        described = {role: models.describe(self.model(role, context)) for role in ("navigator", "solver")}
        return {**described, "library": self.library.name}

    @property
    def searcher(self) -> BaseRetriever:
        """The retriever of this graph; runs that begin together wait for the one that builds it."""
        if self.retriever is not None:
            return self.retriever
        with _BUILDING:
            if "built" not in vars(self):
                from reasonflux_agent.templates import TemplateRetriever

                vars(self)["built"] = TemplateRetriever.from_library(self.library, k=DEPTH, mode=self.search)
        built: BaseRetriever = vars(self)["built"]
        return built


class Node(Runnable[dict[str, Any], dict[str, Any]]):
    """A generator of effects as a Runnable with both `invoke` and `ainvoke`."""

    def __init__(self, parts: Parts, body: NodeBody, name: str) -> None:
        self.parts, self.body = parts, body
        self.name: str = name

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        run, steps = self._begin(input)
        result: Any = None
        try:
            while True:
                result = self._do(steps.send(result), run, config)
        except StopIteration as end:
            return self._end(run, end.value)
        except OutOfBudget as error:
            return self._end(run, {"exhausted": str(error)})

    async def ainvoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        run, steps = self._begin(input)
        result: Any = None
        try:
            while True:
                result = await self._ado(steps.send(result), run, config)
        except StopIteration as end:
            return self._end(run, end.value)
        except OutOfBudget as error:
            return self._end(run, {"exhausted": str(error)})

    def _begin(self, state: dict[str, Any]) -> tuple[Run, Body[dict[str, Any]]]:
        context = self.parts.context()
        before = Usage(**(state.get("spent") or {}))
        spent = sum((_usage(row) for row in state.get("usage") or ()), before)
        run = Run(context, self.name, state.get("run", ""), spent, before, state.get("share") or 1, self.parts)
        run.sample, run.attempt = state.get("sample") or 0, state.get("attempt") or ""
        return run, self.body(state, run)

    def _end(self, run: Run, update: dict[str, Any]) -> dict[str, Any]:
        if rows := update.get("candidates"):
            update = {**update, "candidates": [{**row, "attempt": run.attempt} for row in rows]}
        if run.usage and update.get("usage", ()) is not None:
            return {**update, "usage": run.usage, "elapsed": run.spent.seconds}
        return update

    def _do(self, effect: Effect, run: Run, config: RunnableConfig | None) -> Any:
        match effect:
            case Call():
                return call(self.parts.model(effect.role, run.context), effect, run, config)
            case Search(query):
                with searching(retriever := self.parts.searcher, query):
                    return retriever.invoke(query, config)
            case Load():
                return self.parts.names(run.context)
            case Compute(function):
                return function()
            case RunProgram(code):
                return run_program(code)
            case Same(a, b, problem):
                return equivalent(a, b, problem=problem)
            case AskPerson(question, schema):
                return interrupt(question, response_schema=schema)
            case Emit(name, data):
                event = _event(run, name, data)
                get_stream_writer()(event)
                dispatch_custom_event(f"reasonflux_{name}", event, config=config)
        return None

    async def _ado(self, effect: Effect, run: Run, config: RunnableConfig | None) -> Any:
        match effect:
            case Call():
                return await acall(await self.parts.amodel(effect.role, run.context), effect, run, config)
            case Search(query):
                if self.parts.retriever is None and "built" not in vars(self.parts):
                    await asyncio.to_thread(lambda: self.parts.searcher)  # the first use builds its index
                with searching(retriever := self.parts.searcher, query):
                    return await retriever.ainvoke(query, config)
            case Load():
                return await asyncio.to_thread(self.parts.names, run.context)
            case Compute(function):
                return await asyncio.to_thread(function)
            case RunProgram(code):
                return await arun_program(code)
            case Same(a, b, problem):
                return await aequivalent(a, b, problem=problem)
            case AskPerson(question, schema):
                return interrupt(question, response_schema=schema)
            case Emit(name, data):
                event = _event(run, name, data)
                get_stream_writer()(event)
                await adispatch_custom_event(f"reasonflux_{name}", event, config=config)
        return None


def single(parts: Parts, body: NodeBody, name: str) -> StateGraph[Any, Any, Any, Any]:
    """The graph of an attempt that is one node."""

    class Single(Attempt, Attempted):
        pass

    graph = StateGraph(Single, context_schema=Context, input_schema=Attempt, output_schema=Attempted)
    graph.add_node(name, parts.node(body, name), input_schema=Single)
    graph.add_edge(START, name)
    graph.add_edge(name, END)
    return graph


class Router(Runnable[Any, Any]):
    """A router that the event loop runs itself: LangGraph hands a plain function to a thread, and waits for it.

    It goes by the state alone: where a person edits the state of a thread there is no run, and so no context.
    """

    def __init__(self, route: Callable[[Any], Any]) -> None:
        self.route = route
        self.name: str = route.__name__

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self.route(input)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self.route(input)


def add_router(
    graph: StateGraph[Any, Any, Any, Any], source: str, route: Callable[[Any], Any], targets: Sequence[str] | None = None
) -> None:
    """Adds conditional edges; `targets` are those of the Literal that `route` returns, where they are not given."""
    graph.add_conditional_edges(source, Router(route), list(targets or get_args(get_type_hints(route)["return"])))


def _usage(row: dict[str, Any]) -> Usage:
    return Usage(**{name: row[name] for name in Usage.model_fields})


def _event(run: Run, name: str, data: dict[str, Any]) -> dict[str, Any]:
    run.emitted += 1
    return {"type": name, "run": run.id, "node": run.node, "number": run.emitted, **data}


Event = dict[str, Any]
"""{"type": ..., "run": ..., "node": ..., ...}; the types are listed at `ReasonFlux.stream`."""


def event_of(part: tuple[Any, str, Any]) -> Event | None:
    """The event that a part of LangGraph's stream is, if it is one of ours."""
    _, mode, data = part
    if mode == "custom":
        return data if isinstance(data, dict) and "run" in data and "type" in data else None
    chunk, labels = data
    if not isinstance(chunk, AIMessageChunk) or not chunk.text or "reasonflux_run" not in labels:
        return None
    about = {name: labels[f"reasonflux_{name}"] for name in ("run", "node", "role")}
    return {"type": "token", **about, "call": chunk.id, "text": chunk.text}
