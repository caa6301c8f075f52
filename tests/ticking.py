"""How often the event loop comes round while something else goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class Loop:
    ticks: int = 0


@asynccontextmanager
async def ticking(seconds: float) -> AsyncIterator[Loop]:
    """Counts the loop's ticks, at most one in so many seconds, until the block ends."""
    loop = Loop()

    async def tick() -> None:
        while True:
            await asyncio.sleep(seconds)
            loop.ticks += 1

    task = asyncio.create_task(tick())
    try:
        yield loop
    finally:
        task.cancel()
