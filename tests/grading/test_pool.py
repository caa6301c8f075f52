"""The grading workers: deadline, death, threads, asyncio, the end of the parent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest

from reasonflux_agent.verify import grading
from reasonflux_agent.verify.grading import pool
from reasonflux_agent.verify.grading.worker import _guard, _number
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
        "import os, signal; from reasonflux_agent.verify import grading; from reasonflux_agent.verify.grading import pool\n"
        rf"assert grading.equivalent({NEEDS_WORKER[0][0]!r}, {NEEDS_WORKER[0][1]!r}, seconds=60)"
        "\n"
        "print(next(iter(pool._alive)).process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(grading.__file__).parents[3]
    parent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, timeout=120)
    worker = int(parent.stdout)
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{worker}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{worker}")


@pytest.mark.parametrize(
    ("left", "right", "verdict"),
    [
        ("2x+4y-3=0", r"y=-\frac12x+\frac34", True),
        (r"\frac{x}{y}=2", "x=2y", True),
        (r"\sum_{k=1}^{n} k", r"\frac{n^2+n}{2}", True),
        (r"\begin{pmatrix}1 & 2\end{pmatrix}+\begin{pmatrix}1 & 1\end{pmatrix}", r"\begin{pmatrix}2 & 3\end{pmatrix}", True),
        (r"\frac{abcdefgh+1}{abcdefgh}", r"1+\frac{1}{abcdefgh}", True),  # eight variables: SymPy generates code
        ("2x+4y-3=0", r"y=-\frac12x+\frac14", False),
        ("x^2+y^2=25", "25", False),
        (r"\frac{1}{2004!}", r"\frac{1}{2005!}", False),
        ("e^{-1000}", "e^{-1001}", False),
        ("0.3333333", r"\frac13", False),
        ("(1,2)", "(2,1)", False),
    ],
)
def test_the_worker_simplifies_and_is_exact(left: str, right: str, verdict: bool) -> None:
    assert pool.compare(left, right, 30) is verdict
    assert pool.compare(right, left, 29.5) is verdict


def test_a_failure_is_no_verdict_and_is_counted() -> None:
    before = pool.outcomes.copy()
    undecided = (r"\int_0^1 f(x) dx", r"\int_0^1 g(x) dx")
    assert grading.judged(*undecided, seconds=30) is None
    assert not grading.equivalent(*undecided, seconds=30)
    assert grading.judged(HANGING, "x^2+x+3", seconds=1) is None
    new = pool.outcomes - before
    assert sum(count for outcome, count in new.items() if outcome.startswith("failed: ArithmeticError: SymPy cannot tell")) == 2
    assert sum(count for outcome, count in new.items() if outcome.startswith("failed:")) == 3


def test_what_the_guard_lets_through_is_monomials_alone() -> None:
    mul = b"def monomial_mul(A, B):\n    (a0, a1,) = A\n    (b0, b1,) = B\n    return (a0 + b0, a1 + b1,)\n"
    _guard("compile", (mul, "<string>"))
    for source in ("1+1", "import os", mul.decode() + "import os", "def monomial_x(A):\n    return (open(A),)\n"):
        with pytest.raises(PermissionError):
            _guard("compile", (source, "<string>"))


def test_sympy_is_given_plain_numbers_only() -> None:
    assert _number("12") == 12
    assert float(_number("0.5")) == 0.5
    assert _number("3/2") == Fraction(3, 2)
    for text in ("__import__('os')", "1+1", "x", "", "1e5", "9" * 401, "²"):
        with pytest.raises(ValueError, match="Sympify"):
            _number(text)
