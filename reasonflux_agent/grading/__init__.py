"""Extracts final answers from solutions and decides whether two answers are the same.

Most pairs are decided in this process, cheaply (answers.py, which also says what counts as the same). Formulas that remain
go to SymPy, in a worker process with a deadline and a memory limit (pool.py). No text is evaluated as code.
"""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache

from reasonflux_agent.grading import answers, pool, words

MAX_ANSWER = 2_000
"""Characters of an answer; longer ones equal nothing but themselves."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?:\{|([^\s{}$\\.,;]+))")
_HASHES = re.compile(r"####[ \t]*(\S[^\n]*)")
_SAID = re.compile(r"\banswer[*_ ]*(?:is[*_ ]*:?|:|=)[*_\s]*([^\n]+)", re.IGNORECASE)
_TAIL = 100_000
"""Characters at the end of a solution in which an answer is looked for."""
_END = 600
"""Characters at the end of a solution in which "the answer is" announces the final one."""


def extract_answer(text: str) -> str | None:
    """The final answer that a solution states, or None; what merely looks like one is not guessed at.

    The last `\\boxed{...}`, else the last `#### 42`, else the last `The answer is 42` or `Answer: 42` near the end.
    """
    text = text[-_TAIL:]
    for match in reversed(list(_BOX.finditer(text))[-50:]):
        answer = match[1] or _braced(text[match.end() : match.end() + MAX_ANSWER])
        if answer and answer.strip():
            return answer.strip()
    if hashes := _HASHES.findall(text):
        return str(hashes[-1]).strip()
    if said := _SAID.findall(text[-_END:]):
        sentence = re.split(r"\.(?=\s|$)|\*\*", said[-1])[0].strip(" :*_`")
        return sentence or None
    return None


def _braced(text: str) -> str | None:
    """What stands before the brace that closes the one just opened; None if it never closes."""
    depth = 1
    for brace in re.finditer(r"\\.|[{}]", text):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return text[: brace.start()]
    return None


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
    return words.options(problem[-_TAIL:]) if problem else {}


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
