"""Compares formulas by their values at points, and offers what reads them (reader.py)."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from reasonflux_agent.verify.grading import arithmetic
from reasonflux_agent.verify.grading.arithmetic import FormulaError, Number
from reasonflux_agent.verify.grading.reader import LOG, MAX_LENGTH, PRINTED, Formula, evaluate, read

__all__ = ["LOG", "MAX_LENGTH", "PRINTED", "Formula", "evaluate", "proportional", "read", "read_or_none", "same"]


_DRAWN = ((12, 1, 30, 1), (8, 1, 4_000, 997), (4, -4_000, -1, 991), (12, 1, 982, 983), (24, 1, 30, 1))
"""How many points are drawn, the least and the largest numerator of a coordinate, and its denominator."""


def read_or_none(text: str) -> Formula | None:
    """The formula that a text states, or None."""
    try:
        return read(text)
    except FormulaError:
        return None


def same(a: Formula, b: Formula) -> bool | None:
    """Whether two formulas agree wherever they have a value; None when too few points tell, or their domains differ.

    Compared at twelve whole and eight broken positive points and four negative ones; six of them must have a value, or, with
    narrow domains, of twelve more below one and 24 whole ones.
    `i` is the imaginary unit. What a computer printed (`0.3333333333333333`) agrees to the digits that it shows.
    """
    bases = (math.e, 10.0) if LOG in a.names | b.names else (math.e,)
    verdicts = [_agree(a, b, base) for base in bases]
    return True if True in verdicts else False if False in verdicts else None


def _agree(a: Formula, b: Formula, base: float) -> bool | None:
    points = _points(a.names | b.names, base)
    shown = min(filter(None, (a.digits, b.digits)), default=0)
    rounded = shown if a.digits and b.digits else min(shown, 17) - 2
    agreed = 0
    for tried, point in enumerate(points):
        if tried >= 24 and agreed >= 6:
            break
        left, right = a.value_or_none(point), b.value_or_none(point)
        if left is None and right is None:
            continue
        if left is None or right is None:
            return None
        noise = max(a.digits, b.digits) >= 15 and arithmetic.magnitude(left - right) < 1e-15 and not (left and right)
        if not arithmetic.close(left, right) and not (shown and arithmetic.close(left, right, rounded)) and not noise:
            return False  # `noise` is what is left of sin(pi)
        agreed += 1
        if len(points) == 1:
            return True
    return True if agreed >= 6 else None


def proportional(a: Formula, b: Formula) -> bool:
    """Whether one formula is a multiple of the other by a number that is not zero: `a = 0` and `b = 0` are one equation."""
    ratio = None
    agreed = 0
    for point in _points(a.names | b.names):
        left, right = a.value_or_none(point), b.value_or_none(point)
        if not left or not right:
            if left != right:
                return False
            continue
        ratio = ratio or left / right
        if not arithmetic.close(left, ratio * right):
            return False
        agreed += 1
    return agreed >= 6


def _points(names: frozenset[str], base: float = math.e) -> list[dict[str, Number]]:
    """Where two formulas are compared: always at the same points for the same names; one point without any."""
    fixed: dict[str, Number] = {LOG: base, "i": 1j}  # type: ignore[dict-item]
    free = sorted(name for name in names if name not in fixed and not name.endswith("()"))
    draw = random.Random(" ".join(free))
    points: list[dict[str, Number]] = [
        {name: Fraction(draw.randint(low, high), below) for name in free}
        for count, low, high, below in _DRAWN
        for _ in range(count)
    ]
    return [{**point, **fixed} for point in (points if free else [{}])]
