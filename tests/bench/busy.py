"""What the embedded server writes beside other programs, by how its threads wait for one another.

`python -m tests.bench.busy`: a server of its own for each row, alone and beside `BUSY` processes that compute without end.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from reasonflux_agent.models import CallOptions, call_kwargs, load_model
from reasonflux_agent.prompts.direct import DIRECT
from tests.bench.prefix import MODEL
from tests.bench.timing import Row, printed

WAITS: dict[str, dict[str, str]] = {"as we set it": {}, "OpenMP's default": {"KMP_BLOCKTIME": "200"}}
"""GNU's run-time does not read the second one's variable, but with it the server is left as the user has decided."""
AT_ONCE, BUSY, SECONDS, PATIENCE = (1, 8, 32), 3, 12, 60
"""Requests at once; processes beside them; seconds that are counted, from the first token on; seconds until it has come."""


async def measure(repeats: int) -> list[Row]:
    """Tokens a second, of all requests; `repeats` is not used."""
    rows = []
    for at_once in AT_ONCE:
        for name, wait in WAITS.items():
            idle = _told(at_once, wait)
            with computing(BUSY):
                rows.append({"at_once": at_once, "threads_wait": name, "idle": idle, f"beside_{BUSY}": _told(at_once, wait)})
    for name, wait in WAITS.items():
        with ThreadPoolExecutor(2) as pool:
            two = list(pool.map(_told, [1, 1], [wait, wait]))
        rows.append({"at_once": "1 each of two servers", "threads_wait": name, "idle": sum(two), f"beside_{BUSY}": "-"})
    return rows


def _told(at_once: int, wait: dict[str, str]) -> float:
    return float(printed("tests.bench.busy", REASONFLUX_SLOTS=str(at_once), **wait)["tokens_per_s"])


@contextmanager
def computing(count: int) -> Iterator[None]:
    """So many processes that keep a core each busy."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


async def _write(count: int) -> Row:
    model = load_model(MODEL)
    options = call_kwargs(model, CallOptions(max_tokens=1_000, temperature=0.0))
    written, begun = 0, 0.0

    async def one(number: int) -> None:
        nonlocal written, begun
        problem = f"A shop has {number + 12} boxes of {number + 3} pens, and sells {number + 2} pens a day. For how many days?"
        async for chunk in model.astream(DIRECT.render(problem=problem), logit_bias={"151645": -100}, **options):
            if chunk.text:
                begun = begun or time.monotonic()
                written += 1

    calls = [asyncio.create_task(one(number)) for number in range(count)]
    asked = time.monotonic()
    while not begun and time.monotonic() < asked + PATIENCE:
        await asyncio.sleep(0.01)
    begun, written = begun or asked, 0
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*calls), SECONDS)
    return {"tokens_per_s": round(written / (time.monotonic() - begun), 2)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_write(int(os.environ["REASONFLUX_SLOTS"])))))
