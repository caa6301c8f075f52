"""Finds the numeric equalities that a text writes out (`3 \\times 4 = 12`) and recomputes them.

Careful rather than thorough: whatever may be a piece of something larger (`2x + 3 = 9`, `20% of 50 = 10`,
`7 = 2 \\pmod 5`) is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from reasonflux_agent.grading import formulas
from reasonflux_agent.grading.arithmetic import FormulaError, close

MAX_TEXT = 100_000
"""Characters of a text that are searched."""

_CLEANED = [
    (re.compile(r"```.*?(?:```|\Z)", re.DOTALL), "\n"),
    (re.compile(r"\\boxed ?\{((?:[^{}]|\{[^{}]*\})*)\}"), r"\1"),
    (re.compile(r"\\\\\s*&?\s*(?==)"), " "),
    (re.compile(r"\\\\|\\[\[\]]|\\q?quad(?![a-z])"), "\n"),
    (re.compile(r"\\[$()]|[$&]|\*\*(?=[^\d\s(])|(?<=[^\d\s)])\*\*"), " "),
    (re.compile(r"(?<=\d) ?[xX] ?(?=\d)"), "*"),
]
_CHAIN = re.compile(
    r"(?:[-\d.,;+*/×÷·−–^(){}\[\] \t\n=]|\\(?:[dt]?frac|cdot|times|div|sqrt|left|right)(?![a-z])|\\[,!;: ])+", re.ASCII
)
_STOP = re.compile(r"\n|[,.;](?=\s|$)|;")
_JOINS = re.compile(r"\s*(?:[-+*/×÷·−–]|\\(?:cdot|times|div)(?![a-z]))|.*(?:[-+*/×÷·−–]|\\(?:cdot|times|div))\s*$")
_OPERATOR = re.compile(r"\d\D*[-+*/×÷·−–^({\\]")
_LEADS = re.compile(
    r"(?:^|[\n:>]|[.,;]\s|(?<![a-zA-Z\\])(?!than|plus|half|twice|from|times|minus|percent)(?:[A-Za-z][a-z]{2,}|is|so|to|at|be|we|as)[:,]?\s)\s*$",
    re.ASCII,
)
_FOLLOWS = re.compile(
    r"\s*(?:$|\n|[.,;)\]]|\s(?!hundred|thousand|million|billion|trillion|dozen|remainder|mod|percent|and|plus|minus|times|or)"
    r"[a-zA-Z]{2,}(?!\s*(?:and\s*)?\d)|\\(?:text|mbox|Rightarrow|implies|end)(?![a-z])(?!\{\s*R))",
    re.IGNORECASE,
)


def equalities(text: str) -> Iterator[tuple[str, str]]:
    """Both sides of each equality of plain numbers that stands alone, chains cut into neighbours."""
    text = text[:MAX_TEXT]
    for pattern, plain in _CLEANED:
        text = pattern.sub(plain, text)
    for chain in _CHAIN.finditer(text):
        if "=" not in chain[0]:
            continue
        members = [_STOP.split(member) for member in chain[0].split("=")]
        start, end = chain.start() + chain[0][0].isspace(), chain.end() - chain[0][-1].isspace()
        lead, rest = text[max(0, start - 40) : start], text[end : end + 40]
        for at, (before, after) in enumerate(pairwise(members)):
            left, right = before[-1].strip(), after[0].strip()
            if at == 0 and len(before) == 1 and not _LEADS.search(lead):
                continue
            if at == len(members) - 2 and len(after) == 1 and not _FOLLOWS.match(rest):
                continue
            goes_on = _JOINS.match(left) and (at == 0 or len(before) > 1)  # from the line, or the word, before
            if goes_on or any(_JOINS.match(piece) for piece in (*before[-2:-1], *after[1:2])):
                continue
            if left and right and _OPERATOR.search(f"{left} {right}"):
                yield left, right


def holds(left: str, right: str) -> bool | None:
    """Whether two plain numeric expressions are equal; None when that is unreadable, or may be a matter of rounding."""
    try:
        first, second = formulas.read(left), formulas.read(right)
        if first.names or second.names:
            return None
        a, b = first.value(), second.value()
    except FormulaError:
        return None
    if close(a, b):
        return True
    try:
        off, size = abs(float(a) - float(b)), max(abs(float(a)), abs(float(b)))
    except OverflowError:  # no rounding makes up for that
        return False
    if "." in left + right:
        return off <= size / 100
    rounded = (left.isdigit() or right.isdigit()) and off < 1
    return None if rounded else False
