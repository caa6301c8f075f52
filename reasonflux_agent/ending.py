"""Runs that end before their time: in their best answer so far (`Ending`), or at once and as a whole, when they are cancelled.

LangGraph cancels the branches of a run in a task that it waits for. An anyio cancel scope (of MCP, Starlette, or the caller's
`move_on_after`) cancels that task too, before it has begun, and the branches go on, with all their model calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

import anyio
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

T = TypeVar("T")


class Ending:
    """Ends runs on an event loop before their time, in their best answer so far: see `calls.Session`."""

    reason = ""
    """Why, once they are to end."""

    def __init__(self) -> None:
        self._clocks: set[asyncio.Timeout] = set()

    def end(self, reason: str) -> None:
        """Ends the model calls under way; no other one begins."""
        self.reason = reason
        for clock in self._clocks:
            if not clock.expired():
                clock.reschedule(0)

    @asynccontextmanager
    async def bounds(self, seconds: float | None) -> AsyncIterator[None]:
        """Raises TimeoutError after so many seconds, or at the end."""
        async with asyncio.timeout(seconds) as clock:
            self._clocks.add(clock)
            try:
                yield
            finally:
                self._clocks.discard(clock)


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


async def whole(work: Coroutine[Any, Any, T], *, unless: Coroutine[Any, Any, Any] | None = None) -> T | None:
    """The result of `work`, done in a task of its own; None if `unless` is done first, and then `work` is cancelled.

    A caller who is cancelled waits until it has ended.
    """
    task = asyncio.create_task(work)
    other = [asyncio.create_task(unless)] if unless else []
    try:
        await asyncio.wait({task, *other}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, *other):
            await _ended(each)


async def _ended(task: asyncio.Task[Any]) -> None:
    """Cancels a task that goes on, and waits for its end, whatever cancels the caller meanwhile."""
    task.cancel()
    again = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait({task})  # not `gather`: that would cancel the task a second time, in the middle of its end
            except asyncio.CancelledError as error:
                again = error
    if not task.cancelled():
        task.exception()  # it is known, or nobody is left to hear of it
    if again:
        raise again
