"""Runs a solver's program in an isolated interpreter: no files, no network, bounded time and memory.

The interpreter is pydantic-monty: a Python of its own in worker subprocesses, without access to the host. What it
cannot do (an import it lacks, a syntax it does not know) comes back as an error line that the solver can read; a few things
that programs for mathematics are full of are put in its reach first (`_adapted`, `_FRACTION_CLASS`).
"""

from __future__ import annotations

import ast
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
RECURSION = 5_000
"""Calls inside one another, whatever a program sets."""

_FENCE = re.compile(r"```[ \t]*(?:python3?|py)\b[^\n]{0,200}\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.IGNORECASE | re.MULTILINE)
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
    limits = {"max_feed_duration_secs": seconds, "max_memory": memory, "max_recursion_depth": RECURSION}
    try:
        with _pool().checkout(limits=limits, assert_message_annotations=False, os_policy={"sleep": "zero"}) as session:
            if _FRACTION.search(code):
                session.feed_run(_FRACTION_CLASS)
            session.feed_run(f"{_STR} = str")
            adapted, text = _adapted(code), ""
            named = _naming(adapted)
            session.feed_run(named or adapted, print_callback=printed)
            if named and not printed.output:
                text = _text(session)
            entry = _uncalled(code)
            if entry and not (text or printed.output):
                session.feed_run(f"{_VALUE} = {entry}()", print_callback=printed)
                text = _text(session)
        return printed.output or text, None
    except (MontyError, RuntimeError) as error:
        return printed.output, _line(error, seconds)


_VALUE, _STR = "_value_", "_str_"
"""Names inside: the last value, and `str`, which programs like to call something else."""


def _naming(code: str) -> str | None:
    """The program with its last value under the name `_VALUE`, on the same lines; None if it does not end in an expression."""
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    try:
        last = ast.parse(code).body[-1]
    except (SyntaxError, ValueError, IndexError, RecursionError, MemoryError):  # the interpreter will say what is wrong with it
        return None
    if not isinstance(last, ast.Expr):
        return None
    lines = code.encode().split(b"\n")
    begin, end = (last.lineno, last.col_offset), (last.end_lineno or 0, last.end_col_offset or 0)
    for (line, column), text in ((end, b")"), (begin, f"{_VALUE} = (".encode())):
        lines[line - 1] = lines[line - 1][:column] + text + lines[line - 1][column:]
    return b"\n".join(lines).decode()


def _text(session: Any) -> str:
    """The value as text, made where time and memory are bounded: a small value can have gigabytes of text."""
    return str(session.feed_run(f"'' if {_VALUE} is None else {_STR}({_VALUE})[:{MAX_OUTPUT}]"))


_FRACTION = re.compile(r"^([ \t]*)from fractions import Fraction(?: as (\w+))?[ \t]*$", re.MULTILINE)
_STAR = re.compile(r"^([ \t]*)from math import \*", re.MULTILINE)
_LIMIT = re.compile(r"^([ \t]*)sys\.setrecursionlimit\(.*\)", re.MULTILINE)
_MATH = (
    "acos asin atan atan2 ceil comb cos degrees e exp factorial fabs floor gcd hypot inf isqrt lcm log log10 log2 perm pi"
    " prod radians sin sqrt tan"
)


def _adapted(code: str) -> str:
    """The program without what the interpreter refuses and can be said otherwise; its lines keep their numbers."""
    code = _FRACTION.sub(lambda match: f"{match[1]}{match[2] or 'Fraction'} = Fraction", code)
    code = _STAR.sub(rf"\1from math import {', '.join(_MATH.split())}", code)
    return _LIMIT.sub(r"\1pass", code)


_FRACTION_CLASS = """
import math

class Fraction:
    def __init__(self, a=0, b=1):
        if isinstance(a, str):
            a, _, below = a.partition('/')
            a, _, digits = a.partition('.')
            a, b = int(a + digits), int(below or 1) * 10 ** len(digits)
        elif isinstance(a, float):
            while a != int(a):
                a, b = a * 2, b * 2
            a = int(a)
        elif isinstance(a, Fraction):
            a, b = a.numerator, b * a.denominator
        if isinstance(b, Fraction):
            a, b = a * b.denominator, b.numerator
        if b == 0:
            raise ZeroDivisionError(f'Fraction({a}, 0)')
        divisor = math.gcd(a, b) if b > 0 else -math.gcd(a, b)
        self.numerator, self.denominator = a // divisor, b // divisor

    def __add__(self, o):
        if isinstance(o, float): return float(self) + o
        o = Fraction(o)
        return Fraction(self.numerator * o.denominator + o.numerator * self.denominator, self.denominator * o.denominator)
    def __mul__(self, o):
        if isinstance(o, float): return float(self) * o
        o = Fraction(o)
        return Fraction(self.numerator * o.numerator, self.denominator * o.denominator)
    def __truediv__(self, o):
        return float(self) / o if isinstance(o, float) else Fraction(self, Fraction(o))
    def __pow__(self, n):
        if n != int(n): return float(self) ** n
        a, b = (self.numerator, self.denominator) if n >= 0 else (self.denominator, self.numerator)
        return Fraction(a ** abs(n), b ** abs(n))
    def __neg__(self): return Fraction(-self.numerator, self.denominator)
    def __sub__(self, o): return self + -o
    def __rsub__(self, o): return -self + o
    def __radd__(self, o): return self + o
    def __rmul__(self, o): return self * o
    def __rtruediv__(self, o): return Fraction(1, self) * o
    def __abs__(self): return Fraction(abs(self.numerator), self.denominator)
    def __float__(self): return self.numerator / self.denominator
    def __int__(self): return int(self.numerator / self.denominator)
    def __eq__(self, o):
        if isinstance(o, float): return float(self) == o
        return self.numerator == o * self.denominator if isinstance(o, int) else str(self) == str(o)
    def __hash__(self): return hash((self.numerator, self.denominator))
    def __str__(self): return f'{self.numerator}/{self.denominator}' if self.denominator > 1 else str(self.numerator)
    def __repr__(self): return f'Fraction({self.numerator}, {self.denominator})'
    def limit_denominator(self, top=1000000):
        (a, b), (c, d), rest = (0, 1), (1, 0), self
        while True:  # the convergents of its continued fraction, and the last step as far as it may go
            whole = rest.numerator // rest.denominator
            steps = whole if b + whole * d <= top else (top - b) // d
            (a, b), (c, d) = (c, d), (a + steps * c, b + steps * d)
            if steps < whole or rest == whole: break
            rest = 1 / (rest - whole)
        one, two = abs(Fraction(c, d) - self), abs(Fraction(a, b) - self) if b else 1
        return Fraction(c, d) if not b or float(one - two) <= 0 else Fraction(a, b)
"""
"""`fractions.Fraction`, which the interpreter lacks, without an order (`<`): its classes know none."""


def _uncalled(code: str) -> str | None:
    """The last entry function that is defined at top level and never called."""
    names = [name for name in _ENTRY.findall(code) if len(re.findall(rf"\b{name}\s*\(", code)) == 1]
    return names[-1] if names else None


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
