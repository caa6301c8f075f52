"""Finds the numeric equalities that a text writes out (`3 \\times 4 = 12`) and recomputes them.

Careful rather than thorough: whatever may be a piece of something larger (`2x + 3 = 9`, `20% of 50 = 10`,
`7 = 2 \\pmod 5`) is passed over, and what has a reading that is true is not false (`60 / 3/4 = 80`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import islice, pairwise, product
from typing import NamedTuple

from reasonflux_agent.verify.grading import formulas
from reasonflux_agent.verify.grading.arithmetic import FormulaError, Number, close
from reasonflux_agent.verify.grading.tables import rewritten, table

MAX_TEXT = 100_000
"""Characters of a text that are searched."""

_CHAIN = re.compile(
    r"(?:[-\d.,;+*/×÷·−–^(){}\[\] \t\n=≈%]|\\(?:[dt]?frac|cdot|times|div|sqrt|left|right)(?![a-z])|\\[,!;: ])+", re.ASCII
)
_STOP = re.compile(r"\n|[,.;](?=\s|$)|;")
_JOINS = re.compile(r"\s*(?:[-+*/×÷·−–]|\\(?:cdot|times|div)(?![a-z]))|.*(?:[-+*/×÷·−–]|\\(?:cdot|times|div))\s*$")
_OPERATOR = re.compile(r"\d\D*[-+*/×÷·−–^({\\]")
_LEADS = re.compile(
    r"(?:^|[\n>]|(?<!\d):|[.,;]\s"
    r"|(?<![a-zA-Z\\])(?!than|plus|half|twice|from|times|minus|percent)(?:[A-Za-z][a-z]{2,}|is|[Ss]o|to|at|be|we|as)[:,]?\s)\s*$",
    re.ASCII,
)
_NAME = re.compile(r" ?\d+ *=")
"""A number alone behind a word and one blank may be a name: `the remaining 10 = 300 / 10`."""
_MIXED = re.compile(r"\d and \d+ ?/ ?\d+$")
_FOLLOWS = re.compile(
    r"\s*(?:$|\n|[.,;)\]]|\s(?!hundred|thousand|million|billion|trillion|dozen|remainder|mod|percent|and|plus|minus|times|or)"
    r"[a-zA-Z]{2,}(?!\s*(?:and\s*)?\d)|\\(?:text|mbox|Rightarrow|implies|end)(?![a-z])(?!\{\s*R))",
    re.IGNORECASE,
)


_CONVERSIONS = [(re.compile(unit, re.IGNORECASE), factors) for unit, factors in table("words")["conversions"].items()]
"""What stands behind a result -> by what it may differ, since its left side was counted in another unit."""


class Equality(NamedTuple):
    """Both sides, as written."""

    left: str
    right: str
    approximate: bool = False
    """Whether the sign says so."""
    follows: str = ""
    """What stands behind the right side, where that ends a chain: a unit, perhaps."""


def equalities(text: str) -> Iterator[Equality]:
    """Each equality of plain numbers that stands alone, chains cut into neighbours."""
    text = rewritten(text[:MAX_TEXT], "solution")
    for chain in _CHAIN.finditer(text):
        signs = re.findall("[=≈]", chain[0])
        if not signs:
            continue
        members = [_STOP.split(member) for member in re.split("[=≈]", chain[0])]
        start, end = chain.start() + chain[0][0].isspace(), chain.end() - chain[0][-1].isspace()
        lead, rest = text[max(0, start - 40) : start], text[end : end + 40]
        begins_with_name = _NAME.match(chain[0]) and re.search(r"[a-zA-Z] ?$", lead)
        for at, (before, after) in enumerate(pairwise(members)):
            left, right = before[-1].strip(), after[0].strip()
            if at == 0 and len(before) == 1 and (begins_with_name or not _LEADS.search(lead) or _MIXED.search(lead + left)):
                continue
            ends = at == len(members) - 2 and len(after) == 1
            if ends and not _FOLLOWS.match(rest):
                continue
            goes_on = _JOINS.match(left) and (at == 0 or len(before) > 1)  # from the line, or the word, before
            if goes_on or any(_JOINS.match(piece) for piece in (*before[-2:-1], *after[1:2])):
                continue
            if left and right and _OPERATOR.search(f"{left} {right}"):
                yield Equality(left, right, signs[at] == "≈", rest.strip() if ends else "")


_PERCENT = re.compile(r"(?<![\d.,}c])(\d[\d.,]*) ?%")
_OP = r"(?:[*×·]|\\cdot|\\times)"
_READ_ANEW = [
    (_PERCENT, r"\1"),  # percent as a unit
    (re.compile(r"(?<![\d.,])(\d{1,3})((?:(?: |\\,|\{,\}) ?\d{3})+)(?!\d)"), None),  # 10 000
    (re.compile(r"(?<![\d.])(\d{1,3})((?:\.\d{3})+)(?![\d.])"), None),  # 10.000
    (re.compile(r"([/÷]|\\div) ?(\d[\d.]*) ?/ ?(\d[\d.]*)"), r"\1(\2/\3)"),  # 60 / 3/4
    (re.compile(rf"([/÷]) ?(\d[\d.]*) ?({_OP}) ?(\d[\d.]*)(?! ?\^)"), r"\1(\2\3\4)"),  # 12 / 2*3
    (re.compile(r"\^ ?(\d)(\d+)(?= ?\^)"), r"^{\1}*\2"),  # 3^15^2, in LaTeX 3 * 5^2
    (re.compile(r"(?<!\d)(\d{1,99}) ?\^ ?(\d{1,99}) ?\^"), r"(\1^\2)^"),
    (re.compile(r"-(\d[\d.]*) ?\^"), r"(-\1)^"),  # -3^2
]
"""What is written in one way and meant in two, and the other reading."""
MAX_READINGS = 12


def _readings(side: str) -> list[str]:
    found = [side] if len(side) <= formulas.MAX_LENGTH else []
    for pattern, other in _READ_ANEW:
        for text in islice(tuple(found), MAX_READINGS - len(found)):
            again = pattern.sub(other or (lambda match: re.sub(r"\D", "", match[0])), text)
            if again not in found:
                found.append(again)
    return found


@lru_cache(maxsize=1_024)
def _values(side: str) -> tuple[Number, ...]:
    """The values of all readings of a side that have one; those with names have none."""
    values: list[Number] = []
    for text in _readings(side):
        try:
            formula = formulas.read(_PERCENT.sub(r"(\1/100)", text))
            if not formula.names:
                values.append(formula.value())
        except FormulaError:
            continue
    return tuple(values)


_LEADING_ZERO = re.compile(r"(?<![\d.,}])(?<!\d )0\d")
_DECIMAL = re.compile(r"[-−]? ?[\d,]*\.(\d+) ?(%?)")


def holds(left: str, right: str, approximate: bool = False, follows: str = "") -> bool | None:
    """Whether two plain numeric expressions are equal, in any reading; rounded to the places shown is equal, too.

    None when they are unreadable, and when the difference may come of rounding on the way or of units.
    """
    if _LEADING_ZERO.search(f"{left} {right}"):  # 0900 is a time, or a code
        return None
    pairs = list(product(_values(left), _values(right)))
    if not pairs:
        return None
    # what Python prints: 0.1 + 0.2 = 0.30000000000000004
    printed = formulas.PRINTED if re.search(rf"\.\d{{{formulas.PRINTED},}}", left + right) else 0
    if any(close(a, b) or (printed and close(a, b, printed + 2)) for a, b in pairs):
        return True
    try:
        if any(_rounded(a, b, right) or _rounded(b, a, left) for a, b in pairs):
            return True
        doubtful = any(_may_be(float(a), float(b), left, right) for a, b in pairs)
    except OverflowError:  # no rounding makes up for that
        return False
    if doubtful or approximate:
        return None
    factors: list[int] = next((factors for unit, factors in _CONVERSIONS if unit.match(follows)), [])
    converted = any(close(a * factor, b) or close(a, b * factor) for a, b in pairs for factor in factors)
    return None if converted else False


def _rounded(exact: Number, shown: Number, text: str) -> bool:
    """Whether a decimal is the value rounded to its places; a value that needs no more places is not rounded."""
    decimal = _DECIMAL.fullmatch(text)
    if not decimal:
        return False
    unit = Fraction(1, 10 ** len(decimal[1]))
    return any(
        (exact * scale) % unit != 0 and abs(float(exact * scale - shown * scale)) <= float(unit) * 0.5000001
        for scale in ((1, 100) if decimal[2] else (1,))
    )


def _may_be(a: float, b: float, left: str, right: str) -> bool:
    """Whether the difference may come of cutting off digits, or of rounding on the way."""
    off, size = abs(a - b), max(abs(a), abs(b))
    if "." not in left + right:
        return (left.isdigit() or right.isdigit()) and off < 1
    if not re.search(r"[*/×÷·^]|\\|\)\(", f"{left} {right}"):
        return False
    sides = [
        (shown, exact, len(found[1]))
        for text, shown, exact in ((left, a, b), (right, b, a))
        if (found := _DECIMAL.fullmatch(text))
    ]
    cut = any(off < 10.0**-places and abs(shown) < abs(exact) for shown, exact, places in sides)
    return cut or off <= size * 0.0101 or ((left.isdigit() or right.isdigit()) and off <= 0.5)
