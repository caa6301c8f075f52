"""How much of a fixed-latency server's capacity reaches it through the graph, beside a bare OpenAI client."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai

from reasonflux_agent import ReasonFlux
from reasonflux_agent.prompts.plan import PLAN
from tests.bench.timing import Row, interleave

CONCURRENCY, LATENCIES, ROUNDS = (32, 256), (1.0, 4.0), 3
"""Problems at once; seconds of a call (one of a real model takes longer than either); problems per place."""


@contextmanager
def serving(seconds: float) -> Iterator[str]:
    """The replay server in a process of its own; gives its URL."""
    command = [sys.executable, "-m", "tests.bench.replay", str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        finally:
            server.kill()


async def measure(repeats: int) -> list[Row]:
    """Calls per second of the graph and of the bare client, each problem two calls one after the other."""
    rows = []
    gc.freeze()  # as the batch command does; for both
    for latency in LATENCIES:
        for concurrency in CONCURRENCY:
            with serving(latency) as url:
                rows.append(await _measure(url, latency, concurrency, repeats))
    return rows


async def _measure(url: str, latency: float, concurrency: int, repeats: int) -> Row:
    flux = ReasonFlux(f"vllm:replay@{url}", templates=0, effort="low")
    problem = "What is 3 + 4?"
    prompts: list[Any] = [PLAN.render(problem=problem), [{"role": "user", "content": problem}]]
    client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)

    async def graph() -> None:
        solution = await flux.asolve(problem)
        assert (solution.answer, solution.total.calls) == ("7", 2)

    async def bare() -> None:
        for messages in prompts:
            await client.chat.completions.create(model="replay", messages=messages, max_tokens=512, temperature=0.0)

    def at_once(one: Any) -> Any:
        async def place() -> None:
            for _ in range(ROUNDS):
                await one()

        return lambda: asyncio.gather(*(place() for _ in range(concurrency)))

    timed = await interleave({"graph": at_once(graph), "client": at_once(bare)}, repeats)
    await client.close()
    calls = 2 * concurrency * ROUNDS
    return {
        "latency_s": latency,
        "problems_at_once": concurrency,
        "server_limit_per_s": round(concurrency / latency, 1),
        **{f"{name}_per_s": [round(calls / t, 2) for t in (m.median, m.high, m.low)] for name, m in timed.items()},
        "share_of_client": round(timed["client"].median / timed["graph"].median, 3),
    }
