"""A run that is killed (SIGKILL) at any moment goes on in a new process after its last finished model call, none repeated.

The server of the model counts. A call is finished when its reply is kept; one whose reply the kill took is asked again.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.runs.record import read_record
from reasonflux_agent.runs.threads import Thread, open_checkpointer, read_thread
from reasonflux_agent.testing import mathematician, serve_fake
from tests.threads.worker import THREAD, start

UNREADABLE = "I would rather not say."


def respond(prompt: str) -> str:
    """Two calls in each node that can make two: a first reply that cannot be read, a program whose output is awaited."""
    reply = mathematician(prompt)
    if reply.startswith(("Kind", "ACCEPT")):
        return reply if UNREADABLE in prompt else UNREADABLE
    if "```python" in reply:
        return reply.replace("7", "8")  # a draft that does not agree, so that planning begins
    return reply if "printed:" in prompt else "```python\nprint(3 + 4)\n```\nSo \\boxed{7}."


class Killer:
    """Kills the process that asks, at the requests that are due: when one is received, or so long after it was answered."""

    def __init__(self, every: int, delays: list[float | None]) -> None:
        self.every, self.delays = every, delays
        self.asked: list[str] = []
        self.armed = True
        self.pid = 0
        self.since = 0
        """Requests of this process."""
        self.kills = 0
        self._lock = threading.Lock()

    def begin(self, pid: int) -> None:
        with self._lock:
            self.pid, self.since = pid, 0

    def respond(self, prompt: str) -> str:
        with self._lock:
            self.asked.append(prompt)
            self.since += 1
            due = self.armed and self.since == self.every + 1  # the first ones may be those that the last kill took
            delay = self.delays[self.kills % len(self.delays)]
            pid = self.pid
            self.kills += due
        if due and delay is None:
            _kill(pid)
        elif due:
            threading.Timer(delay or 0.0, _kill, [pid]).start()
        return respond(prompt)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it was done
        os.kill(pid, signal.SIGKILL)


def kept(database: str) -> Thread:
    with open_checkpointer(database) as saver:
        thread = read_thread(saver, THREAD)
    assert thread is not None
    return thread


def prove(database: str, folder: Path, context: dict[str, Any], every: int, branches: int, asynchronous: bool) -> int:
    """Runs to the end through kills; how many there were."""
    before_and_after: list[float | None] = [None, 0.0, 0.002, 0.005, None, 0.01, 0.02, 0.05]
    killer = Killer(every, before_and_after)
    finished, lost, status = 0, 0, -1
    with serve_fake(killer.respond) as url:
        for _ in range(80):
            asked = len(killer.asked)
            process = start(database, f"vllm:fake@{url}", str(folder), context, asynchronous)
            killer.begin(process.pid or 0)
            process.join(120)
            status = process.exitcode if process.exitcode is not None else 99
            failure = Path(f"{folder}.error")
            assert status in (0, -signal.SIGKILL), failure.read_text() if failure.exists() else status
            now = kept(database)
            made, gone = now.calls - finished, len(killer.asked) - asked - (now.calls - finished)
            assert made >= 0
            assert gone <= branches, "a reply was lost though a later request of the same branch was made"
            finished, lost = now.calls, lost + gone
            if status == 0:
                break
    assert status == 0
    thread = kept(database)
    assert thread.solution is not None
    assert (thread.solution.status, thread.solution.answer) == ("answered", "7")
    assert len(killer.asked) == thread.solution.total.calls + lost  # each finished call was asked once
    check_record(folder, thread, killer.asked)
    return killer.kills


def check_record(folder: Path, thread: Thread, asked: list[str]) -> None:
    """The record holds every call of the run once, with the usage that the Solution states, and every event once."""
    record = read_record(folder / f"{thread.run}.jsonl")
    calls = [call for call in record.calls if call.reply]
    assert thread.solution is not None
    assert len(calls) == thread.solution.total.calls
    assert sum(call.reply.prompt_tokens for call in calls) == thread.solution.total.prompt_tokens
    prompts = Counter("\n\n".join(message["content"] for message in call.messages) for call in calls)
    assert not prompts - Counter(asked)
    assert record.solution == thread.solution
    kinds = Counter(event.type for event in record.events[1:])
    assert kinds["solution"] == 1
    assert kinds["candidate"] == len(thread.solution.candidates)


MEDIUM = {"effort": "medium", "direct_samples": 0, "granularity": "step"}
AUTO = {"effort": "auto", "granularity": "step"}
RUNS = [
    pytest.param(MEDIUM, 1, 1, True, id="medium-every-request"),
    pytest.param(MEDIUM, 1, 1, False, id="medium-every-request-sync"),
    pytest.param(AUTO, 2, 3, True, id="auto-every-second"),
    pytest.param(AUTO, 5, 3, False, id="auto-every-fifth-sync"),
]


@pytest.mark.parametrize(("context", "every", "branches", "asynchronous"), RUNS)
def test_sqlite(tmp_path: Path, context: dict[str, Any], every: int, branches: int, asynchronous: bool) -> None:
    assert prove(str(tmp_path / "threads.sqlite"), tmp_path / "records", context, every, branches, asynchronous) >= 2
