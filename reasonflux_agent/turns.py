"""Who begins when, of many runs on one event loop.

The loop gives every task a little time in turn. Of hundreds of runs that begin together, all would be ready for their first
model call when the last one is: until then the server waits, and then gets them all at once. As it answers them all at once,
they go on in step. A few at a time, each sends its first call as soon as it can.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

AT_ONCE = 8
"""Runs that prepare their first call. With fewer a run that waits for a thread leaves the processor idle."""
PATIENCE = 1.0
"""Seconds after which the next run begins all the same: this one may download its model, or never call one through us."""


@dataclass
class _Places:
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    users: int = 0


class Turns:
    """Turns to begin, on any number of event loops; a turn ends by itself after `patience` seconds."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._loops: dict[asyncio.AbstractEventLoop, _Places] = {}
        """Of loops that have a run between `one` and its end; a closed one must not be kept."""

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Callable[[], None]]:
        """Waits for a turn; gives what ends it, which may be called any number of times."""
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
