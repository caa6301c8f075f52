"""Runs a solver's program in an isolated interpreter: no files, no network, bounded time and memory.

The interpreter is pydantic-monty: a Python of its own in worker subprocesses, without access to the host. What it
cannot do (an import it lacks, a syntax it does not know) comes back as an error line that the solver can read; a few things
that programs for mathematics are full of are put in its reach first (dialect.py).
"""

from __future__ import annotations

import atexit
import os
import re
import threading
import time
from dataclasses import dataclass
from typing import Any

from reasonflux_agent.verify.dialect import adapted, definitions, split

MAX_CODE = 20_000
"""Characters of a program; longer ones are refused."""
MAX_OUTPUT = 4_000
"""Characters of output that are kept, from the start."""
RECURSION = 5_000
"""Calls inside one another, whatever a program sets."""

_FENCE = re.compile(r"```[ \t]*(?:python3?|py)\b[^\n]{0,200}\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.IGNORECASE | re.MULTILINE)
_ENTRY = re.compile(r"^def (solve|solution|main)\(", re.MULTILINE)


@dataclass(frozen=True)
class ProgramResult:
    output: str
    """What it printed, else the value of its last expression; empty if there was neither."""
    error: str | None
    """Why it stopped early, in one line (`ZeroDivisionError: division by zero`); None when it ran to its end."""
    seconds: float


def extract_program(text: str) -> str | None:
    """The last Python block of a reply, fenced by ```python, or None; it may be unclosed, as when generation was cut there."""
    blocks = [block for block in _FENCE.findall(text) if block.strip()]
    return blocks[-1].rstrip() if blocks else None


def run_program(code: str, *, seconds: float = 3.0, memory: int = 256_000_000) -> ProgramResult:
    """Run `code` for at most `seconds` with at most `memory` bytes. Thread-safe.

    A program that only defines `solve`, `solution` or `main` has that function called. Never raises for what the program does:
    the result's `error` says it.

    >>> run_program("print(2 ** 10)").output
    '1024'
    >>> run_program("1 / 0").error
    'ZeroDivisionError: division by zero'
    """
    started = time.monotonic()
    if len(code) > MAX_CODE:
        return ProgramResult("", f"ValueError: a program of {len(code)} characters; at most {MAX_CODE} are run", 0.0)
    output, error = _run(code, seconds, memory)
    return ProgramResult(output[:MAX_OUTPUT].rstrip(), error, time.monotonic() - started)


def _run(code: str, seconds: float, memory: int) -> tuple[str, str | None]:
    from pydantic_monty import CollectString, MontyError

    printed, text = CollectString(4 * MAX_OUTPUT), ""
    limits = {"max_feed_duration_secs": seconds, "max_memory": memory, "max_recursion_depth": RECURSION}
    try:
        body, last = split(adapted(code))
        with _pool().checkout(limits=limits, assert_message_annotations=False, os_policy={"sleep": "zero"}) as session:
            for pattern, source in definitions():
                if pattern.search(code):
                    session.feed_run(source)
            session.feed_run(body, print_callback=printed)
            for expression in (last, _uncalled(code)):
                if expression and not text and (expression is last or not printed.output):
                    text = str(session.feed_run(_TEXT.format(expression), print_callback=printed))
        return printed.output or text, None
    except (MontyError, RuntimeError, SyntaxError, UnicodeError) as error:
        line = _line(error, seconds)
        return printed.output, line if line != "SystemExit" else None


_TEXT = f"(lambda value: '' if value is None else f'{{{{value!s}}}}'[:{MAX_OUTPUT}])(({{}}\n))"
"""A value's text, made where time and memory are bounded: a small value can have gigabytes of it. The expression sees no name
of ours, and may have given `str` or `print` another meaning."""


def _uncalled(code: str) -> str:
    """A call of the last entry function that is defined at top level and never called; empty if there is none."""
    names = [name for name in _ENTRY.findall(code) if len(re.findall(rf"\b{name}\s*\(", code)) == 1]
    return f"{names[-1]}()" if names else ""


def _line(error: Exception, seconds: float) -> str:
    text = error.display("type-msg") if hasattr(error, "display") else f"{type(error).__name__}: {error}"
    if getattr(error, "timed_out", False) or text.startswith("TimeoutError: feed"):
        return f"TimeoutError: stopped after {seconds:g} seconds"
    return " ".join(text.split())[:300]


_lock = threading.Lock()
_started: tuple[int, Any] | None = None
"""The id of the process that started the pool, and the pool."""


def _pool() -> Any:
    """The process's pool, started when it is first needed; workers that crash are replaced by the pool itself."""
    global _started
    from pydantic_monty import Monty

    with _lock:
        if _started is None:
            pool = Monty(feed_duration_limit_grace=0.5)
            pool.__enter__()
            _started = os.getpid(), pool
        owner, pool = _started
    if owner != os.getpid():  # its threads are gone, and starting another one here crashes
        raise RuntimeError("programs cannot run in a process forked from one that has run some: spawn it instead")
    return pool


@atexit.register
def _close() -> None:
    if _started and _started[0] == os.getpid():
        _started[1].__exit__(None, None, None)
