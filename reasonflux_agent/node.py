"""Turns an `async def body(state, run)` into a graph node, sync and async from one definition; and routers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, get_args, get_type_hints

from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.config import get_config
from langgraph.graph import END, START, StateGraph

from reasonflux_agent.calls import OutOfBudget, drive
from reasonflux_agent.context import Context
from reasonflux_agent.events import PREFIX, AnyEvent, Labels, Token, labels_of, streamed_event
from reasonflux_agent.parts import Parts
from reasonflux_agent.run import NodeBody, Run
from reasonflux_agent.schema import Usage, Value
from reasonflux_agent.state import Attempt, Attempted, Trajectory


class Node(Runnable[Any, Any]):
    """A body as a Runnable with both `invoke` and `ainvoke`; its name is the function's unless one is given.

    The update that the body returns may hold values of `schema`; the state gets them JSON-plain.
    """

    def __init__(self, parts: Parts, body: NodeBody, name: str = "") -> None:
        self.parts, self.body = parts, body
        self.name: str = name or body.__name__

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        return drive(self._run(input, config, blocking=True))

    async def ainvoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        return await self._run(input, config, blocking=False)

    async def _run(self, state: dict[str, Any], config: RunnableConfig | None, blocking: bool) -> dict[str, Any]:
        before = Usage(**(state.get("spent") or {}))
        attempt, unit = state.get("attempt") or "", str(get_config()["configurable"].get("checkpoint_ns", ""))
        run = Run(
            context=self.parts.context(),
            parts=self.parts,
            labels=Labels(run=state.get("run", ""), attempt=attempt, node=self.name, unit=unit.rpartition(":")[2]),
            spent=sum((Usage.of(row) for row in state.get("usage") or ()), before),
            before=before,
            share=state.get("share") or 1,
            sample=state.get("sample") or 0,
            config=config,
            blocking=blocking,
            system=state.get("system") or "",
        )
        try:
            update = await self.body(state, run)
        except OutOfBudget as error:
            update = {"exhausted": str(error)}
        update = {name: _plain(value) for name, value in update.items()}
        if rows := update.get("candidates"):
            update["candidates"] = [{**row, "attempt": attempt} for row in rows]
        if run.usage and update.get("usage", ()) is not None:
            return {**update, "usage": run.usage, "elapsed": run.spent.seconds}
        return update


def _plain(value: Any) -> Any:
    """The value as the state holds it: JSON-plain, without classes of ours."""
    if isinstance(value, Value):
        return value.model_dump(mode="json")
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def sequence(parts: Parts, *bodies: NodeBody) -> StateGraph[Any, Any, Any, Any]:
    """Return the graph of an attempt whose nodes, named like their functions, run one after another.

    Each node sees what an attempt is given and what it hands back (`state.Attempt`, `state.Attempted`) and its trajectory
    (`state.Trajectory`).
    """
    graph = StateGraph(Trajectory, context_schema=Context, input_schema=Attempt, output_schema=Attempted)
    nodes = [Node(parts, body) for body in bodies]
    for node in nodes:
        graph.add_node(node.name, node, input_schema=Trajectory)
    for source, target in pairwise((START, *(node.name for node in nodes), END)):
        graph.add_edge(source, target)
    return graph


class Router(Runnable[Any, Any]):
    """A router that the event loop runs itself: LangGraph hands a plain function to a thread, and waits for it.

    It reads the state alone: when a person edits the state of a thread there is no run, and so no context.
    """

    def __init__(self, route: Callable[[Any], Any], labels: Mapping[str, str]) -> None:
        self.route, self.labels = route, labels
        self.name: str = route.__name__

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        chosen = self.route(input)
        return self.labels[chosen] if isinstance(chosen, str) else chosen

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self.invoke(input)


def add_router(
    graph: StateGraph[Any, Any, Any, Any],
    source: str,
    route: Callable[[Any], Any],
    targets: Mapping[str, str] | Sequence[str] | None = None,
) -> None:
    """Add conditional edges from `source` to the nodes that `route` returns.

    targets: node -> the label of its edge in drawings, each label once; or the nodes alone. The default are the nodes of the
    Literal that `route` returns.
    """
    named = targets or get_args(get_type_hints(route)["return"])
    labels = named if isinstance(named, Mapping) else {node: node for node in named}
    graph.add_conditional_edges(source, Router(route, labels), {label: node for node, label in labels.items()})


def stream_event(part: tuple[Any, str, Any]) -> AnyEvent | None:
    """Return the event in a part of LangGraph's stream (modes `custom` and `messages`, subgraphs on), if it is one of ours."""
    _, mode, data = part
    if mode == "custom":
        return streamed_event(data)
    chunk, metadata = data
    labels = labels_of(metadata)
    if not labels or not isinstance(chunk, AIMessageChunk):
        return None
    text, thought = str(chunk.text), str(chunk.additional_kwargs.get("reasoning_content") or "")
    if not text and not thought:
        return None
    about = {**labels.model_dump(), "role": metadata.get(f"{PREFIX}role", ""), "time": round(time.time(), 3)}
    return Token(**about, text=text, thought=thought)
