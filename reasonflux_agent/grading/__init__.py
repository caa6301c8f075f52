"""Extracts final answers from solutions and decides whether two answers are the same.

Most pairs are decided in this process, cheaply (answers.py, which also says what counts as the same). What remains goes
to Math-Verify, in a worker process with a deadline and a memory limit (pool.py). No text is evaluated as code.
"""

from __future__ import annotations

import asyncio

from reasonflux_agent.grading import answers, pool
from reasonflux_agent.grading.extraction import MAX_ANSWER as MAX_ANSWER
from reasonflux_agent.grading.extraction import extract_answer as extract_answer


def equivalent(a: str, b: str, *, seconds: float = 5.0) -> bool:
    """Whether two answers mean the same. Symmetric, thread-safe; blocks for at most `seconds` once a worker is free."""
    return bool(judged(a, b, seconds=seconds))


def judged(a: str, b: str, *, seconds: float = 5.0) -> bool | None:
    """As `equivalent`, but None where the grading worker hung or died over the pair, which `equivalent` takes as a no."""
    if a.strip() == b.strip():
        return bool(a.strip())
    if max(len(a), len(b)) > MAX_ANSWER:
        return False
    left, right = answers.normal(a), answers.normal(b)
    if not left or not right:
        return False
    verdict = answers.compare(left, right)
    return pool.compare(answers.latex(left), answers.latex(right), seconds) if verdict is None else verdict


async def aequivalent(a: str, b: str, *, seconds: float = 5.0) -> bool:
    """`equivalent` without blocking the event loop."""
    return await asyncio.to_thread(equivalent, a, b, seconds=seconds)


def grade(answer: str | None, gold: str, unit: str | None = None, *, seconds: float = 5.0) -> bool:
    """Whether an extracted answer is the right one, with its unit or without; a missing answer is wrong."""
    return bool(verdict(answer, gold, unit, seconds=seconds))


def verdict(answer: str | None, gold: str, unit: str | None = None, *, seconds: float = 5.0) -> bool | None:
    """As `grade`, but None where the grading worker hung or died over the answer."""
    if answer is None:
        return False
    found = judged(answer, gold, seconds=seconds)
    if found or unit is None:
        return found
    again = judged(answer, f"{gold} {unit}", seconds=seconds)
    return found if again is False else again
