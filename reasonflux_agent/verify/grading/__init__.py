"""Extracts final answers from solutions and decides whether two answers are the same.

Most pairs are decided in this process, cheaply (answers.py, which also says what counts as the same). Formulas that remain
go to SymPy, in a worker process with a deadline and a memory limit (pool.py). No text is evaluated as code.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache

from reasonflux_agent.verify.grading import answers, pool, words
from reasonflux_agent.verify.grading.extraction import MAX_ANSWER as MAX_ANSWER
from reasonflux_agent.verify.grading.extraction import extract_answer as extract_answer

MAX_PROBLEM = 100_000
"""Characters at the end of a problem in which options are looked for."""


def equivalent(a: str, b: str, *, problem: str = "", seconds: float = 5.0) -> bool:
    """Whether two answers mean the same. Symmetric, thread-safe; blocks for at most `seconds` once a worker is free.

    `problem`: the text that both answer. Where it lists options, an option's text is the option.
    """
    return bool(judged(a, b, problem=problem, seconds=seconds))


def judged(a: str, b: str, *, problem: str = "", seconds: float = 5.0) -> bool | None:
    """As `equivalent`, but None where the grading worker failed over the pair, which `equivalent` takes as a no."""
    if a.strip() == b.strip():
        return bool(a.strip())
    if max(len(a), len(b)) > MAX_ANSWER:
        return False
    left, right = answers.normal(a), answers.normal(b)
    if not left or not right:
        return False
    if (listed := options(problem)) and (first := _option(left, listed)) and (second := _option(right, listed)):
        return first == second
    verdict = answers.compare(left, right)
    if verdict is None:
        left, right = answers.bare(left, right)
        return pool.compare(answers.latex(left), answers.latex(right), seconds)
    return verdict


@lru_cache(maxsize=256)
def options(problem: str) -> dict[str, str]:
    """The options that a problem lists, by their labels: `(A) 1 (B) 2` gives `{"A": "1", "B": "2"}`; empty without any."""
    return words.options(problem[-MAX_PROBLEM:]) if problem else {}


def _option(answer: str, listed: dict[str, str]) -> str | None:
    """The label of the option that a normalised answer names, or whose text it equals; None: it is none of them."""
    label = words.label(answer)
    alike = [name for name, text in listed.items() if answers.compare(answers.normal(text), answer)]
    if len(alike) == 1 and (label is None or len(answer) > 1):
        return alike[0]
    return label if label in listed else None


async def aequivalent(a: str, b: str, *, problem: str = "", seconds: float = 5.0) -> bool:
    """`equivalent` without blocking the event loop."""
    return await asyncio.to_thread(equivalent, a, b, problem=problem, seconds=seconds)


def grade(answer: str | None, gold: str, unit: str | None = None, *, problem: str = "", seconds: float = 5.0) -> bool:
    """Whether an extracted answer is the right one, with its unit or without; a missing answer is wrong."""
    return bool(verdict(answer, gold, unit, problem=problem, seconds=seconds))


def verdict(answer: str | None, gold: str, unit: str | None = None, *, problem: str = "", seconds: float = 5.0) -> bool | None:
    """As `grade`, but None where the grading worker failed over the answer."""
    if answer is None:
        return False
    found = judged(answer, gold, problem=problem, seconds=seconds)
    if found or unit is None:
        return found
    again = judged(answer, f"{gold} {unit}", problem=problem, seconds=seconds)
    return found if again is False else again
