"""Whoever cancels a run hangs up on all of its model calls: drafts and attempts at once, however it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from reasonflux_agent import ReasonFlux, create_reasonflux
from reasonflux_agent.errors import ModelError
from reasonflux_agent.toolkit import reason_tool
from tests.graph.fakes import Caller, Shelf
from tests.models.watcher import Watcher, watching

PROBLEM = "What is 3 + 4?"
GIVEN: Any = {"problem": PROBLEM}
AT_ONCE = {"medium": 3, "high": 4, "auto": 2, "low": 1}
"""Model calls with which a run of an effort begins."""


async def taken(parts: AsyncIterator[Any]) -> None:
    async for _ in parts:
        pass


def bare(spec: str, **context: Any) -> Any:
    return create_reasonflux(navigator=spec, retriever=Shelf()).compile().with_config({"configurable": {"reasonflux": context}})


def flux(spec: str, **context: Any) -> ReasonFlux:
    return ReasonFlux(spec, retriever=Shelf(), **context)


async def resumed(spec: str, **context: Any) -> None:
    kept, thread = InMemorySaver(), {"configurable": {"thread_id": "one"}}
    gone = ReasonFlux("vllm:m@http://127.0.0.1:9/v1", retriever=Shelf(), checkpointer=kept, **context)
    with pytest.raises(ModelError):
        await gone.asolve(PROBLEM, config=thread)
    await ReasonFlux(spec, retriever=Shelf(), checkpointer=kept, **context).aresume("one")


def agent(spec: str, **context: Any) -> Any:
    return create_agent(Caller(script=[("reason", GIVEN)]), [reason_tool(flux(spec, **context))])


def chat(spec: str, **context: Any) -> Any:
    outer = StateGraph(MessagesState)
    outer.add_node("solve", bare(spec, **context))
    outer.add_edge(START, "solve")
    return outer.compile()


SAID: Any = {"messages": [HumanMessage(PROBLEM)]}
WAYS: dict[str, Callable[..., Awaitable[Any]]] = {
    "asolve": lambda spec, **c: flux(spec, **c).asolve(PROBLEM),
    "astream": lambda spec, **c: taken(flux(spec, **c).astream(PROBLEM)),
    "abatch": lambda spec, **c: flux(spec, **c).abatch([PROBLEM]),
    "aresume": resumed,
    "tool": lambda spec, **c: reason_tool(flux(spec, **c)).ainvoke(GIVEN),
    "graph.ainvoke": lambda spec, **c: bare(spec, **c).ainvoke(GIVEN),
    "graph.astream": lambda spec, **c: taken(
        bare(spec, **c).astream(GIVEN, stream_mode=["messages", "custom"], subgraphs=True)
    ),
    "graph.abatch": lambda spec, **c: bare(spec, **c).abatch([GIVEN]),
    "graph.astream_events": lambda spec, **c: taken(bare(spec, **c).astream_events(GIVEN, version="v2")),
    "chat.ainvoke": lambda spec, **c: chat(spec, **c).ainvoke(SAID),
    "agent.ainvoke": lambda spec, **c: agent(spec, **c).ainvoke(SAID),
}


async def by_task(work: Awaitable[Any], begun: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(work)
    await begun()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def by_scope(work: Awaitable[Any], begun: Callable[[], Awaitable[None]]) -> None:
    with anyio.move_on_after(60) as scope:
        async with anyio.create_task_group() as group:

            async def stop() -> None:
                await begun()
                scope.cancel()

            group.start_soon(stop)
            await work
    assert scope.cancelled_caught


async def by_timeout(work: Awaitable[Any], begun: Callable[[], Awaitable[None]]) -> None:
    limit = asyncio.timeout(60)

    async def stop() -> None:
        await begun()
        limit.reschedule(0)

    async def limited() -> None:
        async with limit:
            await work

    stopper = asyncio.create_task(stop())
    with pytest.raises(TimeoutError):
        await limited()
    await stopper


async def twice(work: Awaitable[Any], begun: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(work)
    await begun()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture
def upstream() -> Iterator[Watcher]:
    with watching(Watcher(does="hangs")) as (watcher,):
        yield watcher


async def _hung_up(way: str, how: Any, upstream: Watcher, calls: int, **context: Any) -> None:
    async def begun() -> None:
        async with asyncio.timeout(60):
            while upstream.requests < calls:
                await asyncio.sleep(0.01)

    before = asyncio.all_tasks()
    await how(WAYS[way](f"vllm:m@{upstream.url}", **context), begun)
    await asyncio.to_thread(upstream.sees, "given_up", calls)
    assert upstream.requests == calls
    async with asyncio.timeout(5):
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", [by_scope, by_task, by_timeout, twice])
@pytest.mark.parametrize("way", WAYS)
async def test_all_calls_are_hung_up_on_at_the_default_effort(way: str, how: Any, upstream: Watcher) -> None:
    await _hung_up(way, how, upstream, AT_ONCE["medium"])


@pytest.mark.parametrize("how", [by_scope, by_task])
@pytest.mark.parametrize("effort", AT_ONCE)
@pytest.mark.parametrize("way", ["asolve", "astream", "graph.ainvoke"])
async def test_all_calls_are_hung_up_on_at_every_effort(way: str, effort: str, how: Any, upstream: Watcher) -> None:
    await _hung_up(way, how, upstream, AT_ONCE[effort], effort=effort)


async def test_a_stream_that_is_left_hangs_up(upstream: Watcher) -> None:
    parts = flux(f"vllm:m@{upstream.url}").astream(PROBLEM)
    assert (await anext(parts)).type == "begin"
    await parts.aclose()  # type: ignore[attr-defined]
    graph = bare(f"vllm:m@{upstream.url}").astream(GIVEN, stream_mode="custom", subgraphs=True)
    await anext(graph)
    await asyncio.sleep(1)
    await graph.aclose()
    async with asyncio.timeout(10):  # the server's threads notice it when they next look
        while upstream.given_up != upstream.requests:
            await asyncio.sleep(0.05)


async def test_many_at_once_are_hung_up_on(upstream: Watcher) -> None:
    async def begun() -> None:
        async with asyncio.timeout(60):
            while upstream.requests < 12:
                await asyncio.sleep(0.01)

    await by_scope(flux(f"vllm:m@{upstream.url}").abatch([PROBLEM] * 6, max_concurrency=4), begun)
    await asyncio.to_thread(upstream.sees, "given_up", 12)
    assert upstream.requests == 12
