"""Runs a solver's program in an isolated interpreter: no files, no network, bounded time and memory.

The interpreter is pydantic-monty: a Python of its own in worker subprocesses, without access to the host. What it cannot
do (an import it lacks, a syntax it does not know) comes back as an error line that the solver can read; nothing is raised.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import threading
import time
from dataclasses import dataclass
from typing import Any

MAX_CODE = 20_000
"""Characters of a program; longer ones are refused."""
MAX_OUTPUT = 4_000
"""Characters of output that are kept, from the start."""

_FENCE = re.compile(r"```[ \t]*(?:python3?|py)[ \t]*\r?\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.IGNORECASE | re.MULTILINE)
_ENTRY = re.compile(r"^def (solve|solution|main)\(", re.MULTILINE)


@dataclass(frozen=True)
class ProgramResult:
    """What a program did."""

    output: str
    """What it printed, else the value of its last expression; empty if there was neither."""
    error: str | None
    """Why it stopped early, in one line (`ZeroDivisionError: division by zero`); None when it ran to its end."""
    seconds: float


def extract_program(text: str) -> str | None:
    """The last Python block of a reply, fenced by ```python; it may be unclosed, as when generation was cut there."""
    blocks = [block for block in _FENCE.findall(text) if block.strip()]
    return blocks[-1].rstrip() if blocks else None


def run_program(code: str, *, seconds: float = 3.0, memory: int = 256_000_000) -> ProgramResult:
    """Run `code` for at most `seconds` with at most `memory` bytes. Never raises for what the program does.

    A program that only defines `solve`, `solution` or `main` has that function called. Thread-safe.
    """
    started = time.monotonic()
    if len(code) > MAX_CODE:
        return ProgramResult("", f"ValueError: a program of {len(code)} characters; at most {MAX_CODE} are run", 0.0)
    output, error = _run(code, seconds, memory)
    return ProgramResult(output[:MAX_OUTPUT].rstrip(), error, time.monotonic() - started)


async def arun_program(code: str, *, seconds: float = 3.0, memory: int = 256_000_000) -> ProgramResult:
    """`run_program` without blocking the event loop."""
    return await asyncio.to_thread(run_program, code, seconds=seconds, memory=memory)


def _run(code: str, seconds: float, memory: int) -> tuple[str, str | None]:
    from pydantic_monty import CollectString, MontyError

    printed = CollectString(4 * MAX_OUTPUT)
    try:
        with _pool().checkout(
            limits={"max_feed_duration_secs": seconds, "max_memory": memory},
            assert_message_annotations=False,
            os_policy={"sleep": "zero"},
        ) as session:
            value = session.feed_run(code, print_callback=printed)
            entry = _uncalled(code)
            if entry and value is None and not printed.output:
                value = session.feed_run(f"{entry}()", print_callback=printed)
        return printed.output or ("" if value is None else str(value)), None
    except MontyError as error:
        return printed.output, _line(error)
    except (ValueError, RecursionError) as error:  # the value of the last expression has no text, as an int of 5,000 digits
        return printed.output, _line(error)


def _uncalled(code: str) -> str | None:
    """The last entry function that is defined at top level and never called."""
    names = [name for name in _ENTRY.findall(code) if len(re.findall(rf"\b{name}\s*\(", code)) == 1]
    return names[-1] if names else None


def _line(error: BaseException) -> str:
    text = error.display("type-msg") if hasattr(error, "display") else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:300]


_lock = threading.Lock()
_shared: Any = None


def _pool() -> Any:
    """The process-wide pool, started when it is first needed; its workers are replaced by itself when they crash."""
    global _shared
    from pydantic_monty import Monty

    with _lock:
        if _shared is None:
            pool = Monty(max_processes=max(2, min(8, os.cpu_count() or 2)))
            pool.__enter__()
            atexit.register(pool.__exit__, None, None, None)
            _shared = pool
        return _shared


def _forget() -> None:
    """In a forked child the parent's workers are not ours."""
    global _lock, _shared
    _lock, _shared = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
