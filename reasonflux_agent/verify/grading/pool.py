"""Keeps the grading workers (worker.py): started when needed, killed and replaced when they hang or die."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from reasonflux_agent.errors import ReasonFluxError

WORKERS = 2
START_SECONDS = 120.0
"""Limit of a worker's start, which is two seconds on an idle machine and does not count against a comparison."""

_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "SYSTEMROOT", "LD_LIBRARY_PATH")
"""All that a worker is told of our environment: no keys, no proxies."""


outcomes: Counter[str] = Counter()
"""How the questions of this process ended: `equal`, `different`, `unreadable`, `failed: <why>`; `failed: no reply in time`."""


class _FailedError(Exception):
    """The worker hung, died or failed over a question."""


@lru_cache(maxsize=4_096)
def _answered(left: str, right: str, seconds: float) -> bool:
    with _slots:
        worker = _take()
        reply = worker.ask(left, right, seconds)
        if reply is not None:
            _idle.append(worker)
    reply = reply or {"verdict": "failed", "why": "no reply in time"}
    outcomes[": ".join(reply.values())] += 1
    if reply["verdict"] == "failed":
        raise _FailedError  # an exception, since a hang on a busy machine is not to be remembered
    return reply["verdict"] == "equal"


def compare(left: str, right: str, seconds: float) -> bool | None:
    """Whether two LaTeX texts are equal; None: the worker hung, died or failed over it (`outcomes` says which). Thread-safe."""
    with suppress(_FailedError):
        return _answered(*sorted((left, right)), seconds)
    return None


def _take() -> _Worker:
    while _idle:
        with suppress(IndexError):  # another thread took the last one
            worker = _idle.pop()
            if worker.process.poll() is None:
                return worker
            worker.end()
    return _Worker()


class _Worker:
    """One worker process. Raises ReasonFluxError when it cannot be started."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", str(Path(__file__).with_name("worker.py"))]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
        _alive.add(self)
        if self.read(START_SECONDS) != "ready":
            raise ReasonFluxError(
                "The grading worker did not start. Tried: math-verify in a process of its own, "
                f"{' '.join(command)}. Next: run that command and read what it prints."
            )

    def ask(self, left: str, right: str, seconds: float) -> dict[str, str] | None:
        """The reply, or None when there is none by the deadline; the worker is gone then."""
        assert self.process.stdin is not None
        with suppress(OSError):  # it died while it was idle: read says so
            self.process.stdin.write(json.dumps({"left": left, "right": right, "seconds": seconds}) + "\n")
            self.process.stdin.flush()
        reply = self.read(seconds)
        return reply if isinstance(reply, dict) else None

    def read(self, seconds: float) -> object:
        """The next line that it writes; None, and its end, when there is none in time."""
        assert self.process.stdout is not None
        late = threading.Event()

        def kill() -> None:
            late.set()
            self.process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        timer.join()  # else it might kill the worker after its reply was read, in the next question
        if line and not late.is_set():
            return json.loads(line)
        self.end()
        return None

    def end(self) -> None:
        """Kill the process, if it still runs, and close its pipes."""
        _alive.discard(self)
        self.process.kill()
        with suppress(OSError):  # what it never read cannot be flushed
            self.process.communicate()


_slots = threading.BoundedSemaphore(WORKERS)
_idle: list[_Worker] = []
_alive: set[_Worker] = set()


@atexit.register
def _end_all() -> None:
    for worker in list(_alive):
        worker.process.kill()


def _forget() -> None:
    """In a forked child the parent's workers are not ours."""
    global _slots
    _slots = threading.BoundedSemaphore(WORKERS)
    _idle.clear()
    _alive.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
