"""Extracts final answers from solutions and decides whether two answers are the same.

Most pairs are decided in this process, in a fraction of a millisecond (answers.py, which also says what counts as the same).
Formulas that remain go to SymPy, in a worker process with a deadline and a memory limit (pool.py). No text is run as code.
The functions here are thread-safe. They raise ReasonFluxError only where a worker cannot be started.
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
    """Whether two answers mean the same; the order of the two does not matter.

    `problem`: the text that both answer; where it lists options, an option's text is the option. Blocks for at most `seconds`
    once a worker is free; False where there is no verdict by then.

    >>> equivalent("x = 1/2", r"\\frac{1}{2}"), equivalent("5 m", "500 cm"), equivalent("0.333", "1/3")
    (True, True, False)
    >>> equivalent("2", "(B)", problem="What is 1 + 1? (A) 1 (B) 2")
    True
    """
    return bool(judged(a, b, problem=problem, seconds=seconds))


async def aequivalent(a: str, b: str, *, problem: str = "", seconds: float = 5.0) -> bool:
    """`equivalent` without blocking the event loop."""
    return await asyncio.to_thread(equivalent, a, b, problem=problem, seconds=seconds)


def judged(a: str, b: str, *, problem: str = "", seconds: float = 5.0) -> bool | None:
    """`equivalent`, but None where the grading worker failed over the pair."""
    if a.strip() == b.strip():
        return bool(a.strip())
    if max(len(a), len(b)) > MAX_ANSWER:
        return False
    left, right = answers.normal(a), answers.normal(b)
    if not left or not right:
        return False
    if (listed := options(problem)) and (first := _option(left, listed)) and (second := _option(right, listed)):
        return first == second
    if (found := answers.compare(left, right)) is not None:
        return found
    left, right = answers.bare(left, right)
    return pool.compare(answers.latex(left), answers.latex(right), seconds)


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


def grade(answer: str | None, gold: str, unit: str | None = None, *, problem: str = "", seconds: float = 5.0) -> bool:
    """Whether an extracted answer is the right one, with its `unit` or without; None, a missing answer, is wrong.

    >>> grade("18 dollars", "18", "dollars"), grade(None, "18")
    (True, False)
    """
    return bool(verdict(answer, gold, unit, problem=problem, seconds=seconds))


def verdict(answer: str | None, gold: str, unit: str | None = None, *, problem: str = "", seconds: float = 5.0) -> bool | None:
    """`grade`, but None where the grading worker failed over the answer."""
    if answer is None:
        return False
    found = judged(answer, gold, problem=problem, seconds=seconds)
    if found or unit is None:
        return found
    again = judged(answer, f"{gold} {unit}", problem=problem, seconds=seconds)
    return found if again is False else again
