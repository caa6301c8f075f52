"""Of many runs on one event loop a few begin at once, and none waits for one that is stuck."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

from reasonflux_agent import ReasonFlux, turns
from reasonflux_agent.errors import ModelError
from reasonflux_agent.testing import FakeModel


class Waiting(FakeModel):
    """Answers on the event loop, after `delay` seconds."""

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        await asyncio.sleep(self.delay)
        return super().model_copy(update={"delay": 0.0})._generate(messages, stop)


class Watch(AsyncCallbackHandler):
    """How many runs had begun when the first model call went out."""

    def __init__(self) -> None:
        self.begun, self.before = 0, 0

    async def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
        self.begun += name == "reasonflux_begin"

    async def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.before = self.before or self.begun


async def test_the_first_call_waits_for_few_other_runs_to_begin() -> None:
    watch, flux = Watch(), ReasonFlux(Waiting(delay=0.5), templates=0, effort="low")
    solved = await asyncio.gather(*(flux.asolve("What is 3 + 4?", config={"callbacks": [watch]}) for _ in range(40)))
    assert [solution.answer for solution in solved] == ["7"] * 40
    assert watch.begun == 40
    assert 1 <= watch.before <= turns.AT_ONCE


def test_runs_that_fail_or_are_given_up_leave_their_turns_to_others() -> None:
    def broken(prompt: str) -> str:
        raise RuntimeError("no")

    flux, stuck = ReasonFlux(Waiting(respond=broken), templates=0), ReasonFlux(Waiting(delay=3600), templates=0)
    flux._turns, stuck._turns = turns.Turns(patience=3600), turns.Turns(patience=3600)

    async def failures() -> None:
        failed = await asyncio.gather(*(flux.asolve("1 + 1") for _ in range(20)), return_exceptions=True)
        assert [type(error) for error in failed] == [ModelError] * 20
        work = [asyncio.create_task(stuck.asolve("1 + 1")) for _ in range(20)]
        await asyncio.sleep(0.2)
        for one in work:
            one.cancel()
        assert all(isinstance(error, asyncio.CancelledError) for error in await asyncio.gather(*work, return_exceptions=True))
        turn = stuck._turns
        async with asyncio.timeout(5), turn.one(), turn.one():
            pass

    asyncio.run(failures())
    asyncio.run(failures())  # on another loop
    assert flux._turns._loops == stuck._turns._loops == {}  # which would be kept alive


async def test_a_stream_that_is_broken_off_has_ended_when_it_is_closed() -> None:
    running = asyncio.all_tasks()
    async with aclosing(ReasonFlux(Waiting(delay=3600), templates=0, effort="low").astream("1 + 1")) as events:
        async for _ in events:
            break
        assert asyncio.all_tasks() > running
    assert asyncio.all_tasks() == running


async def test_who_calls_no_model_holds_nobody_up_for_long() -> None:
    begun = 0
    all_begun = asyncio.Event()
    given = turns.Turns(patience=0.05)

    async def idle() -> None:
        nonlocal begun
        async with given.one():
            begun += 1
            if begun == 3 * turns.AT_ONCE:
                all_begun.set()
            await all_begun.wait()

    async with asyncio.timeout(20):
        await asyncio.gather(*(idle() for _ in range(3 * turns.AT_ONCE)))
