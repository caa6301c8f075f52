"""When each of many runs on one event loop begins.

The loop gives all tasks a little time in turn. If hundreds of runs began together, all would be ready for their first model
call at the same moment: the server would wait, then get all calls at once, and the runs would stay in step. If a few begin at
a time, each sends its first call as soon as it can.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

AT_ONCE = 8
"""Runs that prepare their first call at a time. With fewer, a run that waits for a thread leaves the processor idle."""
PATIENCE = 1.0
"""Seconds after which the next run begins anyway: this one may be downloading its model, or may never call one."""


@dataclass
class _Places:
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    users: int = 0


class Turns:
    """Turns to begin, on any number of event loops; a turn ends by itself after `patience` seconds."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._loops: dict[asyncio.AbstractEventLoop, _Places] = {}
        """Only loops with runs in `one`: a reference would keep a closed loop alive."""

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Callable[[], None]]:
        """Wait for a turn; give the function that ends it, which may be called more than once."""
        loop = asyncio.get_running_loop()
        places = self._loops.setdefault(loop, _Places())
        places.users += 1
        try:
            await places.room.acquire()
            held = [places.room]

            def end() -> None:
                if held:
                    held.pop().release()

            timer = loop.call_later(self._patience, end)
            try:
                yield end
            finally:
                timer.cancel()
                end()
        finally:
            places.users -= 1
            if not places.users:
                del self._loops[loop]
