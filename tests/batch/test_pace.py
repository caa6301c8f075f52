"""Back-pressure: what an overloaded server asks for holds for the whole batch, and a server that is gone ends it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import httpx
import openai
import pytest

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.errors import ModelError
from reasonflux_agent.jobs.batch.local import solver
from reasonflux_agent.jobs.batch.pace import FEW, Pace, retry_after
from reasonflux_agent.testing import FakeModel
from tests.batch.servers import Busy, serving
from tests.batch.test_runner import batch, rows_of, sums, written


def refusal(status: int, **headers: str) -> openai.APIStatusError:
    response = httpx.Response(status, headers=headers, request=httpx.Request("POST", "http://127.0.0.1/"))
    return openai.APIStatusError("no", response=response, body=None)


@pytest.mark.parametrize("status", [429, 503])
async def test_an_overloaded_server_slows_the_whole_batch_and_costs_no_row(tmp_path: Path, status: int) -> None:
    pace = Pace()
    with serving(Busy(3, status=status)) as busy:
        flux = ReasonFlux(f"vllm:fake@{busy.url}", strategy="direct")
        await batch(written(tmp_path / "p", sums(60)), tmp_path / "o", solver(flux, pace), 24)
    rows = rows_of(tmp_path / "o")
    assert len(rows) == 60
    assert [row["error"] for row in rows] == [None] * 60
    assert {row["answer"] for row in rows} == {str(n + 3) for n in range(60)}
    assert pace.pauses > 0
    # each row finding out for itself would be refused hundreds of times
    assert busy.refused < 60


@pytest.mark.parametrize("seconds", ["1", None])
async def test_a_few_refusals_hold_only_those_calls_back_that_were_refused(tmp_path: Path, seconds: str | None) -> None:
    """One call in 25 is told to wait for a second (or not for how long): the others go on, and others take their places."""

    async def solved(busy: Busy, pace: Pace) -> None:
        flux = ReasonFlux(f"vllm:fake@{busy.url}", strategy="direct")
        problems = written(tmp_path / f"p{busy.every}", sums(100))
        await batch(problems, tmp_path / f"o{busy.every}", solver(flux, pace), 4)

    paces = Pace(), Pace()
    begun = time.monotonic()
    with serving(Busy(64, delay=0.4)) as even, serving(Busy(64, delay=0.4, seconds=seconds, every=25)) as odd:
        await asyncio.gather(*map(solved, (even, odd), paces))  # side by side, so that a busy machine slows both
    assert odd.refused >= 4
    assert [row["error"] for row in rows_of(tmp_path / "o25")] == [None] * 100
    # the pace until most rows are done: the last ones wait for themselves
    undisturbed, disturbed = (sorted(busy.answered)[80] - begun for busy in (even, odd))
    print(f"{80 / undisturbed:.1f} rows/s without refusals, {80 / disturbed:.1f} with")
    assert undisturbed / disturbed >= 0.8
    assert [pace.pauses for pace in paces] == [0, 0]


async def test_what_a_server_asked_of_one_call_no_other_waits_for(tmp_path: Path) -> None:
    """The very first call is refused for longer than all the others take."""
    busy = Busy(64, seconds="3", first=1)
    with serving(busy):
        flux = ReasonFlux(f"vllm:fake@{busy.url}", strategy="direct")
        await batch(written(tmp_path / "p", sums(24)), tmp_path / "o", solver(flux), 4)
    rows = rows_of(tmp_path / "o")
    assert busy.refused == 1
    assert [row["id"] for row in rows if row["seconds"] >= 3] == [rows[-1]["id"]]
    assert [row["error"] for row in rows] == [None] * 24


async def test_the_pace_recovers(tmp_path: Path) -> None:
    pace, calls = Pace(), [uuid.uuid4() for _ in range(40)]
    for call in calls[:8]:
        await pace.enter(call)
    begun, entered = time.monotonic(), []
    for call in calls[:8]:
        pace.leave(call, refusal(429, **{"Retry-After": "0.1"}))
    assert pace.pauses == 1  # of one event

    async def enter(call: uuid.UUID) -> None:
        await pace.enter(call)
        entered.append(time.monotonic() - begun)

    admitted = [asyncio.create_task(enter(call)) for call in calls[8:]]
    await asyncio.wait(admitted, return_when=asyncio.FIRST_COMPLETED)
    assert min(entered) >= 0.1
    sent = [call for call, task in zip(calls[8:], admitted, strict=True) if task.done()]
    # a call is over with its task at the latest, as one that a deadline cancels: nothing is held for ever
    await asyncio.wait_for(asyncio.gather(*admitted), 5)
    for call in sent:
        pace.leave(call)
    assert pace.answered


async def test_calls_at_once_are_halved_and_grow_again() -> None:
    pace, most, inside = Pace(), 0, 0

    async def call(error: Exception | None = None) -> None:
        nonlocal most, inside
        id = uuid.uuid4()
        await pace.enter(id)
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.01)
        inside -= 1
        pace.leave(id, error)

    await asyncio.gather(*(call(refusal(503, **{"retry-after": "0"})) for _ in range(16)))
    assert most == 16
    most = 0
    await asyncio.gather(*(call() for _ in range(16)))
    assert 1 <= most <= 9
    for _ in range(12):
        await asyncio.gather(*(call() for _ in range(40)))
    assert most > 16


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (refusal(429), True),
        (refusal(503), True),
        (refusal(529), True),
        (refusal(500), False),
        (refusal(400), False),
        (openai.APIConnectionError(request=httpx.Request("POST", "http://127.0.0.1/")), True),
        (openai.APITimeoutError(request=httpx.Request("POST", "http://127.0.0.1/")), False),
        (ValueError("x"), False),
    ],
)
async def test_only_the_servers_own_trouble_is_waited_for(error: Exception, waits: bool) -> None:
    pace = Pace()
    pace.leave(uuid.uuid4())  # it did answer
    assert pace.worth_waiting(error) is waits
    for _ in range(FEW + 1):
        assert pace.pauses == 0
        pace.leave(uuid.uuid4(), error)
    assert pace.pauses == waits


async def test_a_server_that_stays_away_is_not_waited_for_for_ever() -> None:
    pace = Pace(patience=0.1)
    pace.leave(uuid.uuid4(), refusal(429, **{"retry-after": "0"}))
    assert pace.worth_waiting(refusal(429))
    await asyncio.sleep(0.15)
    assert not pace.worth_waiting(refusal(429))
    pace.leave(uuid.uuid4())
    assert pace.worth_waiting(refusal(429))


async def test_a_server_that_never_answered_ends_the_batch_at_once(tmp_path: Path) -> None:
    flux = ReasonFlux("vllm:fake@http://127.0.0.1:9/v1", strategy="direct")
    begun = time.monotonic()
    with pytest.raises(ModelError, match=r"stopped: its last 5 row\(s\) failed one after another.*could not be reached"):
        await batch(written(tmp_path / "p", sums(100)), tmp_path / "o", solver(flux))
    assert time.monotonic() - begun < 20
    assert (tmp_path / "o").read_text() == ""


@pytest.mark.parametrize(("first", "ends"), [(0, True), (1, False)])
async def test_rows_that_the_server_refuses_end_a_batch_only_if_none_was_solved(tmp_path: Path, first: int, ends: bool) -> None:
    """Twenty problems that the context does not hold, one after another."""

    def respond(prompt: str) -> str:
        if any(f"Add {n} " in prompt for n in range(first, 20)):
            raise refusal(400)
        return "So \\boxed{7}."

    problems, flux = written(tmp_path / "p", sums(21)), ReasonFlux(FakeModel(respond=respond), strategy="direct")
    go_on = pytest.raises(ModelError, match=r"stopped: its last 5 row\(s\)") if ends else nullcontext()
    with go_on:
        await batch(problems, tmp_path / "o", solver(flux), concurrency=1)
    assert Counter(row["fault"] for row in rows_of(tmp_path / "o")) == ({} if ends else {"problem": 19, None: 2})


async def test_a_server_that_refuses_all_ends_the_batch(tmp_path: Path) -> None:
    with serving(Busy(0, seconds="0")) as busy:
        flux = ReasonFlux(f"vllm:fake@{busy.url}", strategy="direct")
        with pytest.raises(ModelError, match="failed with HTTP 429"):
            await batch(written(tmp_path / "p", sums(100)), tmp_path / "o", solver(flux, Pace(patience=0.5)), 2)
    assert (tmp_path / "o").read_text() == ""


async def test_a_server_that_is_gone_for_a_while_costs_no_row(tmp_path: Path) -> None:
    pace, busy = Pace(), Busy(64, status=503, seconds=None, delay=0.02)
    with serving(busy):
        flux = ReasonFlux(f"vllm:fake@{busy.url}", strategy="direct")
        run = asyncio.create_task(batch(written(tmp_path / "p", sums(120)), tmp_path / "o", solver(flux, pace), 4))
        while not pace.answered:
            await asyncio.sleep(0.01)
        busy.room = 0
        await asyncio.sleep(2)
        busy.room = 64
        await asyncio.wait_for(run, 60)
    assert [row["error"] for row in rows_of(tmp_path / "o")] == [None] * 120
    assert pace.pauses > 0


def test_retry_after_is_read_where_it_is_seconds() -> None:
    assert retry_after(refusal(429, **{"Retry-After": "1.5"})) == 1.5
    assert retry_after(refusal(429, **{"Retry-After": "-3"})) == 0
    assert retry_after(refusal(429, **{"Retry-After": "9e99"})) == 3600
    for header in ("Wed, 21 Oct 2026 07:28:00 GMT", ""):
        assert retry_after(refusal(429, **{"Retry-After": header})) is None
    assert retry_after(refusal(429)) is None
    assert retry_after(OSError()) is None
