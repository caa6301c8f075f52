"""Each fault by itself, through each way to solve: what docs/faults.md says of it is what happens."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reasonflux_agent import ReasonFlux
from reasonflux_agent.errors import ModelError
from reasonflux_agent.runs.record import read_record
from reasonflux_agent.schema import Solution
from tests.faults.server import FAULTS, serving

pytestmark = pytest.mark.faults

TABLE = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.splitlines() if line.startswith("| `")]
SAID = {
    name: (whole, whole if streamed == "the same" else streamed)
    for names, _, whole, streamed in ROWS
    for name in re.findall(r"`([a-z-]+)`", names)
}
"""Fault -> the cells for a whole reply and for a streamed one."""
WAYS = {"solve": 0, "asolve": 0, "stream": 1, "astream": 1}
"""Way to solve -> which of the two cells is about it."""
DEADLINES: dict[str, dict[str, Any]] = {name: {"deadline": 1.5} for name in ("stall", "stall-midway", "drip", "slow-error")}


class Outcome(NamedTuple):
    result: Solution | Exception
    requests: int
    """At the server."""
    calls: int
    """In the run's record."""


def problem(fault: str, way: str) -> str:
    return f"Add 4 and 3, {way} with {fault}."


def solve(flux: ReasonFlux, fault: str, way: str) -> Solution:
    given, limits = problem(fault, way), DEADLINES.get(fault, {})
    if way == "solve":
        return flux.solve(given, **limits)
    *_, last = flux.stream(given, **limits)
    return last.solution


async def asolve(flux: ReasonFlux, fault: str, way: str) -> Solution:
    given, limits = problem(fault, way), DEADLINES.get(fault, {})
    if way == "asolve":
        return await flux.asolve(given, **limits)
    last: Any = None
    async for event in flux.astream(given, **limits):
        last = event
    return last.solution


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Outcome]:
    """(fault, way) -> what came of it; many at once, since most of their time is waiting."""
    folder = tmp_path_factory.mktemp("records")
    busy, slow = ["endless"], list(DEADLINES)  # those by themselves: one keeps the processor busy, the others look at the clock
    groups = [[name for name in SAID if name not in (*busy, *slow)], slow, busy]
    results: dict[tuple[str, str], Any] = {}

    def plan(prompt: str) -> str:
        (fault,) = set(re.findall(r"with ([a-z-]+)\.", prompt))
        return str(fault)

    with serving(plan) as server, ThreadPoolExecutor(2 * len(SAID)) as threads:
        there = ReasonFlux(f"vllm:fake@{server.url}", strategy="direct", record=folder)
        gone = ReasonFlux("vllm:fake@http://127.0.0.1:9/v1", strategy="direct", record=folder)
        of = {name: gone if name == "refuse" else there for name in SAID}

        async def together(keys: list[tuple[str, str]]) -> list[Any]:
            return await asyncio.gather(*(asolve(of[key[0]], *key) for key in keys), return_exceptions=True)

        for names in groups:
            running = {(name, way): threads.submit(solve, of[name], name, way) for name in names for way in ("solve", "stream")}
            keys = [(name, way) for name in names for way in ("asolve", "astream")]
            results |= dict(zip(keys, asyncio.run(together(keys)), strict=True))
            results |= {key: future.exception() or future.result() for key, future in running.items()}
    requests = Counter(given for prompt, _ in server.log for given in set(re.findall(r"Add 4 and 3, .+\.", prompt)))
    calls = Counter[str]()
    for path in folder.iterdir():
        record = read_record(path)
        calls[record.header["problem"]] += len(record.calls)
    return {key: Outcome(result, requests[problem(*key)], calls[problem(*key)]) for key, result in results.items()}


def test_the_table_has_every_fault_once() -> None:
    names = [name for names, *_ in ROWS for name in re.findall(r"`([a-z-]+)`", names)]
    assert sorted(names) == sorted({*FAULTS, "refuse"} - {""})


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of a reply of another shape
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", SAID)
def test_a_fault_is_what_the_table_says(outcomes: dict[tuple[str, str], Outcome], fault: str, way: str) -> None:
    found = re.fullmatch(r"(\d) requests?: `(.+)`", SAID[fault][WAYS[way]])
    assert found is not None
    count, said = int(found[1]), found[2]
    result, requests, calls = outcomes[fault, way]
    assert (requests, calls) == (count, 3 if fault == "refuse" else count)
    if said in ("answered", "unanswered", "exhausted"):
        assert isinstance(result, Solution)
        assert (result.status, result.answer) == (said, "7" if said == "answered" else None)
        assert result.total.tokens >= 0
        assert result.total.seconds < 4 or fault not in DEADLINES
    else:
        assert type(result) is ModelError
        assert said in str(result)
        assert re.fullmatch(r"The model 'vllm:fake@.*' at http\S+ .+: .+\. Next: .+\.", str(result))
        assert len(str(result)) < 1000


async def test_a_call_that_is_given_up_is_in_the_record(tmp_path: Path) -> None:
    with serving(lambda prompt: "stall") as server:
        flux = ReasonFlux(f"vllm:fake@{server.url}", strategy="direct", record=tmp_path)
        run = asyncio.create_task(flux.asolve("Add 4 and 3."))
        while not server.log:
            await asyncio.sleep(0.01)
        run.cancel()
        await asyncio.wait([run])
    (path,) = tmp_path.iterdir()
    assert [call.error for call in read_record(path).calls] == ["CancelledError: the call was given up"]
