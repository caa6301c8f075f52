"""Attempts that run at once must not wait for each other's threads, whatever the limit on them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

from reasonflux_agent import ReasonFlux
from tests.graph.fakes import Scripted, Shelf

PROGRAM = """
import asyncio
from reasonflux_agent import ReasonFlux
from tests.graph.fakes import Scripted, Shelf

flux = ReasonFlux(Scripted(), retriever=Shelf(), effort="high", reviews=0)
one = {"max_concurrency": 1}
print(flux.solve("1 + 1", config=one).status)
print(asyncio.run(flux.asolve("1 + 1", config=one)).status)
print(*(s.status for s in flux.batch(["1 + 1"] * 2, max_concurrency=1)))
print([e.type for e in flux.stream("1 + 1", config={"max_concurrency": 2})][-1])
"""


def test_a_run_never_waits_for_threads_that_it_holds_itself() -> None:
    # in a process of its own: a deadlock in this one would stop all tests
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["answered"] * 4 + ["solution"]


class Slow(Scripted):
    """A model that takes its time to be described, as one that must be loaded first."""

    @property
    def spec(self) -> str:
        time.sleep(0.8)
        return "slow"


async def test_an_asynchronous_run_never_holds_the_event_loop() -> None:
    longest, last = 0.0, time.monotonic()

    async def watch() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.005)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()

    await ReasonFlux(Scripted(), retriever=Shelf()).asolve("What is 3 + 4?")  # imports and the like
    watcher, last = asyncio.create_task(watch()), time.monotonic()
    assert (await ReasonFlux(Slow(delay=0.8), retriever=Shelf(), effort="low").asolve("3 + 4?")).status == "answered"
    watcher.cancel()
    assert longest < 0.6
