"""The grading workers: deadline, death, threads, asyncio, the end of the parent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reasonflux_agent import grading
from reasonflux_agent.grading import pool
from reasonflux_agent.grading.worker import _number
from tests.ticking import ticking

HANGING = r"9^{9^{9^9}}"
NEEDS_WORKER = [(rf"\int_0^1 {n} x dx", rf"\frac{{{n}}}{{2}}") for n in range(2, 42)]


def test_a_hang_costs_one_comparison() -> None:
    assert grading.equivalent(*NEEDS_WORKER[0], seconds=30)
    started = time.monotonic()
    assert not grading.equivalent(HANGING, "x^2+x", seconds=1)
    assert time.monotonic() - started < 20
    assert grading.equivalent(*NEEDS_WORKER[1], seconds=30)


def test_a_worker_that_died_while_idle_costs_nothing() -> None:
    assert grading.equivalent(*NEEDS_WORKER[2], seconds=30)
    for worker in pool._idle:
        worker.process.kill()
        worker.process.wait()
    assert grading.equivalent(*NEEDS_WORKER[3], seconds=30)


def test_threads_share_two_workers() -> None:
    with ThreadPoolExecutor(8) as threads:
        verdicts = list(threads.map(lambda pair: grading.equivalent(*pair, seconds=60), NEEDS_WORKER))
    assert all(verdicts)
    assert len(pool._alive) <= pool.WORKERS


async def test_the_event_loop_goes_on() -> None:
    async with ticking(0.02) as loop:
        assert not await grading.aequivalent(HANGING, "x^2+x+1", seconds=1)
        assert await grading.aequivalent("1/2", "0.5")
    assert loop.ticks >= 10


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_is_told_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    worker = pool._Worker()
    environment = Path(f"/proc/{worker.process.pid}/environ").read_bytes()
    worker.end()
    assert b"PATH=" in environment
    assert b"sk-secret" not in environment


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_workers_end_with_their_parent() -> None:
    script = (
        "import os, signal; from reasonflux_agent import grading; from reasonflux_agent.grading import pool\n"
        rf"assert grading.equivalent({NEEDS_WORKER[0][0]!r}, {NEEDS_WORKER[0][1]!r}, seconds=60)"
        "\n"
        "print(next(iter(pool._alive)).process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(grading.__file__).parents[2]
    parent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, timeout=120)
    worker = int(parent.stdout)
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{worker}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{worker}")


def test_sympy_is_given_plain_numbers_only() -> None:
    assert _number("12") == 12
    assert float(_number("0.5")) == 0.5
    for text in ("__import__('os')", "1+1", "x", "", "1e5", "9" * 401, "²"):
        with pytest.raises(ValueError, match="Sympify"):
            _number(text)
