"""Runs that end as a whole when their caller is cancelled.

LangGraph cancels the branches of a run in a task that it waits for. An anyio cancel scope (of MCP, Starlette, or the caller's
`move_on_after`) cancels that task too, before it has begun, and the branches go on, with all their model calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import anyio
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

T = TypeVar("T")


class WholeGraph(StateGraph[Any, Any, Any, Any]):
    """A graph whose compiled form ends as a whole."""

    def compile(self, *args: Any, **kwargs: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
        """As of StateGraph."""
        compiled = super().compile(*args, **kwargs)
        compiled.__class__ = _Whole  # not a wrapper around it: LangGraph looks for its own class, and copies keep it
        return compiled


class _Whole(CompiledStateGraph[Any, Any, Any, Any]):
    def astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """As of CompiledStateGraph; `ainvoke` and the streams of events go through it, too."""
        return relayed(super().astream(*args, **kwargs))


async def relayed(parts: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """The same parts, made in a task of their own; whoever stops taking them waits until it has ended."""
    send, receive = anyio.create_memory_object_stream[T]()

    async def make() -> None:
        async with send, aclosing(parts):  # type: ignore[type-var]
            async for part in parts:
                await send.send(part)

    task = asyncio.create_task(make())
    try:
        async with receive:
            async for part in receive:
                yield part
    finally:
        await _ended(task)
    task.result()


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, done in a task of its own; a caller who is cancelled waits until it has ended."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
    finally:
        await _ended(task)
    return task.result()


async def _ended(task: asyncio.Task[Any]) -> None:
    """Cancels a task that goes on, and waits for its end, whatever cancels the caller meanwhile."""
    task.cancel()
    with anyio.CancelScope(shield=True):
        await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # it is known, or nobody is left to hear of it
