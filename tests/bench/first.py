"""Seconds to the first token and to the whole answer through the endpoint, beside the bare model, as streams.

The model waits DELAY seconds and then writes a word each PACE seconds; so what the endpoint adds stands out. Both servers are
processes of their own. `python -m tests.bench.first` is the model's server.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from reasonflux_agent.files import cache_root
from reasonflux_agent.models.local.fetch import ensure
from reasonflux_agent.models.local.files import DEFAULT
from reasonflux_agent.models.local.server import serve, stop
from reasonflux_agent.testing import mathematician, serve_fake
from tests.bench.timing import Row
from tests.serving.servers import served

DELAY, PACE = 0.5, 0.02
CLIENTS = (1, 32)
"""Requests at once."""
MODELS = ("reasonflux-direct-low", "reasonflux-low", "reasonflux-medium")
WORDS = 50
"""Words of a solution."""


def wordy(prompt: str) -> str:
    """Answer as `mathematician` does, at the length of a short solution."""
    reply = mathematician(prompt)
    return f"{'so ' * (WORDS - 5)}{reply}" if reply.startswith("Adding") else reply


@contextmanager
def model() -> Iterator[str]:
    """The fixed-latency server in a process of its own; gives its URL."""
    with subprocess.Popen([sys.executable, "-m", "tests.bench.first"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.kill()


async def one(client: httpx.AsyncClient, url: str, name: str, number: int) -> tuple[float, float, float]:
    """Seconds to the first piece, to the first piece of the answer, and to the end. Each `number` asks something else."""
    began, first, answer = time.perf_counter(), 0.0, 0.0
    body = {"model": name, "messages": [{"role": "user", "content": f"What is {number} + 4?"}], "stream": True}
    async with client.stream("POST", f"{url}/chat/completions", json=body) as reply:
        async for line in reply.aiter_lines():
            if line.startswith("data: {") and (choices := json.loads(line[6:])["choices"]):
                delta, now = choices[0]["delta"], time.perf_counter() - began
                if delta.get("content") or delta.get("reasoning_content"):
                    first = first or now
                if delta.get("content"):
                    answer = answer or now
    return first, answer, time.perf_counter() - began


async def measure(repeats: int) -> list[Row]:
    """Medians over all requests of `repeats` rounds, after one that is not counted."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as cache, model() as url:
        os.environ.setdefault("REASONFLUX_CACHE", cache)
        with served("--model", f"vllm:fake@{url}", "--concurrency", "32") as server:
            for clients in CLIENTS:
                for where, name in [(url, "the bare model"), *((server.url, each) for each in MODELS)]:
                    rows.append(await _measure(where, name, clients, repeats))
    return rows


async def measure_default(repeats: int) -> list[Row]:
    """The same with the default model on llama.cpp, with a slot for each client (minutes; fetches 1.1 GB once)."""
    os.environ["REASONFLUX_SLOTS"] = str(max(CLIENTS))
    path = ensure(DEFAULT)
    bare = serve(path)
    rows = [await _measure(f"{bare.url}/v1", "the bare model", clients, repeats, bare.key) for clients in CLIENTS]
    stop(path)
    os.environ.setdefault("REASONFLUX_CACHE", str(cache_root()))
    slots = os.environ["REASONFLUX_SLOTS"]
    with served("--concurrency", slots, REASONFLUX_SLOTS=slots) as server:
        for clients in CLIENTS:
            rows += [await _measure(server.url, each, clients, repeats) for each in MODELS]
    return rows


async def _measure(url: str, name: str, clients: int, repeats: int, key: str = "none") -> Row:
    found: list[Any] = []
    head, limits = {"Authorization": f"Bearer {key}"}, httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(timeout=900, limits=limits, headers=head) as client:
        for number in range(repeats + 1):
            made = await asyncio.gather(*(one(client, url, name, 3 + n) for n in range(clients)))
            found += made if number else []
    kinds = ("first_piece_s", "answer_begins_s", "end_s")
    medians = {kind: round(statistics.median(row[at] for row in found), 2) for at, kind in enumerate(kinds)}
    return {"asked": name, "clients": clients, **medians, "slowest_first_s": round(max(row[0] for row in found), 2)}


if __name__ == "__main__":
    with serve_fake(wordy, delay=DELAY, pace=PACE) as address:
        print(address, flush=True)
        time.sleep(3600)
