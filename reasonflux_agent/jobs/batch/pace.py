"""How fast a batch may send its calls: at once, until the server says that this is too much."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler

from reasonflux_agent.jobs.running import PLACES
from reasonflux_agent.models.retries import LONGEST, OVERLOADED, transient

BUSY = 4
"""A server that turns away more than one call in four is overloaded."""
FEW = 2
"""So few refusals say nothing yet."""
RECENT = 64
"""The share is taken over this many calls; over more where more are under way."""


class Pace:
    """How fast the calls of a batch may be sent.

    A call that the server turns away waits as long as the server asks (Retry-After), and no other call does. If it turns away
    more than one call in `BUSY`, it is overloaded or gone, and all calls wait: as long as it asks, else 1 s, 2 s, 4 s ... until
    a call succeeds. That also halves how many calls may be under way, which then grows by one each time that so many
    succeed. Such waiting counts towards a deadline of the Context.

    `patience`: seconds without a success after which no call waits any more, so that the rows fail and the batch ends.
    """

    def __init__(self, patience: float = 600.0) -> None:
        self.patience = patience
        self.pauses = 0
        """Pauses of all calls so far."""
        self.answered = False
        """Whether any call has succeeded."""
        self._failing: float | None = None
        self._until = self._pause = 0.0
        self._limit = float("inf")
        self._under_way: set[UUID] = set()
        self._sent = self._refused = 0
        self._left = asyncio.Event()

    async def enter(self, call: UUID) -> None:
        """Returns when the current task may send a call. `leave`, or the end of the task, must follow."""
        while (wait := self._until - time.monotonic()) > 0 or len(self._under_way) >= self._limit:
            if wait > 0:
                await asyncio.sleep(wait + random.uniform(0, self._pause / 4))  # not all at once
            else:
                await self._left.wait()
        self._under_way.add(call)
        self._sent += 1
        if self._sent > max(RECENT, 2 * len(self._under_way)):  # what was long ago says less
            self._sent, self._refused = self._sent // 2, self._refused // 2
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _: self._forget(call))  # of a call that is cancelled nothing more is heard

    def leave(self, call: UUID, error: BaseException | None = None) -> None:
        """A call has ended, with `error` if it failed."""
        if error is None:
            self.answered, self._pause, self._failing = True, 0.0, None
            self._limit += 1 / self._limit
        elif self.worth_waiting(error):
            self._failing = self._failing or time.monotonic()
            self._refused += 1
            # counted by the calls that were sent, not by those that ended: a refusal comes at once, an answer late
            if self._refused > max(FEW, self._sent / BUSY):
                self._slow_down(retry_after(error))
        self._forget(call)

    def worth_waiting(self, error: BaseException) -> bool:
        """Whether a failure is the server's, for now. A server that never answered, or is gone too long, is not waited for."""
        hopeless = self._failing is not None and time.monotonic() - self._failing > self.patience
        return overloaded(error) and not hopeless and (self.answered or hasattr(error, "status_code"))

    def _slow_down(self, asked: float | None) -> None:
        now = time.monotonic()
        if now >= self._until:  # else the call was sent before the pause that is on
            self.pauses += 1
            self._pause = min(LONGEST, max(1.0, 2 * self._pause)) if asked is None else asked
            self._limit = max(1.0, min(self._limit, len(self._under_way)) / 2)
        self._until = max(self._until, now + (self._pause if asked is None else asked))

    def _forget(self, call: UUID) -> None:
        self._under_way.discard(call)
        self._left.set()
        self._left = asyncio.Event()


class Listener(AsyncCallbackHandler):
    """Hears the calls of one row: holds them to the pace, and keeps the id of the run."""

    run_inline = True
    ignore_chain = True
    ignore_retriever = True

    def __init__(self, pace: Pace) -> None:
        self.pace, self.run = pace, ""
        self._waiting = 0
        self._units: dict[UUID, str] = {}
        """Call under way -> the unit of work that it is a try of."""
        self._asked: dict[str, float] = {}
        """Unit -> until when its next try is to wait, in time.monotonic()."""

    async def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, metadata: dict[str, Any] | None = None, **_: Any
    ) -> None:
        unit = self._units[run_id] = str((metadata or {}).get("langgraph_checkpoint_ns", ""))
        await self.wait(self._asked.pop(unit, 0.0) - time.monotonic())
        await self.pace.enter(run_id)

    async def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        self._units.pop(run_id, None)
        self.pace.leave(run_id)

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        unit = self._units.pop(run_id, "")
        if self.pace.worth_waiting(error) and (seconds := retry_after(error)):
            self._asked[unit] = time.monotonic() + seconds
        self.pace.leave(run_id, error)

    async def on_custom_event(self, name: str, data: Any, run_id: UUID, **_: Any) -> None:
        """The first event of a run names it."""
        self.run = self.run or (data["run"] if name == "reasonflux_begin" else "")

    async def wait(self, seconds: float) -> None:
        """Waits as long as the server asked; meanwhile another row has the place of this one."""
        if seconds <= 0:
            return
        places = PLACES.get()
        self._waiting += 1
        if places and self._waiting == 1:
            places.release()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._waiting -= 1
            if places and not self._waiting:
                await places.acquire()


def overloaded(error: BaseException) -> bool:
    """Whether the server is overloaded or gone for now; a 500 concerns only the one call."""
    status = getattr(error, "status_code", None)
    return isinstance(error, Exception) and (transient(error) if status is None else status in OVERLOADED)


def retry_after(error: BaseException) -> float | None:
    """Seconds that a server asks to wait; None if it says nothing (or a date: servers of models send seconds)."""
    try:
        return max(0.0, min(3600.0, float(error.response.headers["retry-after"])))  # type: ignore[attr-defined]
    except (AttributeError, KeyError, ValueError):
        return None
