"""Runs that end early: with their best answer so far (`Ending`), or at once and with all their branches, when cancelled.

LangGraph runs the branches of a run in a task that it awaits. An anyio cancel scope (of MCP, Starlette, or the caller's
`move_on_after`) may cancel that task before it has begun; the branches then go on, and so do their model calls. Hence a run
gets a task of its own here (`_own_task`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import Any, TypeVar

import anyio
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

T = TypeVar("T")


class Ending:
    """Ends runs on an event loop early, with their best answer so far: see `calls.Session`."""

    reason = ""
    """Why the runs end; empty until they do."""

    def __init__(self) -> None:
        self._clocks: set[asyncio.Timeout] = set()

    def end(self, reason: str) -> None:
        """End the model calls under way; no other one begins."""
        self.reason = reason
        for clock in self._clocks:
            if not clock.expired():
                clock.reschedule(0)

    @asynccontextmanager
    async def bounds(self, seconds: float | None) -> AsyncIterator[None]:
        """Raise TimeoutError after so many seconds, or when the runs end."""
        async with asyncio.timeout(seconds) as clock:
            self._clocks.add(clock)
            try:
                yield
            finally:
                self._clocks.discard(clock)


class WholeGraph(StateGraph[Any, Any, Any, Any]):
    """A graph that, once compiled, ends with all its branches when it is cancelled."""

    def compile(self, *args: Any, **kwargs: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Compile the graph as StateGraph does."""
        compiled = super().compile(*args, **kwargs)
        compiled.__class__ = _Whole  # no wrapper: LangGraph looks for its own class, and copies keep this one
        return compiled


class _Whole(CompiledStateGraph[Any, Any, Any, Any]):
    def astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Stream as CompiledStateGraph does. `ainvoke` and the streams of events call this method too."""
        return relayed(super().astream(*args, **kwargs))


async def relayed(parts: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """Yield the same parts, made in a task of their own. A consumer that stops early waits until the task has ended."""
    send, receive = anyio.create_memory_object_stream[T]()

    async def make() -> None:
        async with send, aclosing(parts):  # type: ignore[type-var]
            async for part in parts:
                await send.send(part)

    async with _own_task(make()) as task, receive:
        async for part in receive:
            yield part
    task.result()


async def whole(work: Coroutine[Any, Any, T], *, unless: Coroutine[Any, Any, Any] | None = None) -> T | None:
    """Return the result of `work`, done in a task of its own; or None if `unless` is done first, which cancels `work`.

    A caller that is cancelled waits until the task has ended.
    """
    async with _own_task(work) as task, _own_task(unless) if unless else nullcontext() as other:
        await asyncio.wait({task, other} if other else {task}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None


@asynccontextmanager
async def _own_task(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Run `work` in a task. The block cancels the task when it ends, and waits for its end, even if cancelled itself."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        cancelled = None
        with anyio.CancelScope(shield=True):
            while not task.done():
                try:
                    await asyncio.wait({task})  # not `gather`, which would cancel the task again, while it cleans up
                except asyncio.CancelledError as error:
                    cancelled = error
        if not task.cancelled():
            task.exception()  # marks it as retrieved: the caller has it, or has gone
        if cancelled:
            raise cancelled
