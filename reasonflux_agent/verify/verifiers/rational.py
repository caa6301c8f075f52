"""Rational functions over the rationals, found from values of a formula: their numerator, and how many roots it has.

Exact and bounded: what has a higher degree, or larger values, is not recognised. A polynomial is an array of Fractions, the
constant first and the leading one not zero, as numpy.polynomial takes it; zero is `[0]`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.polynomial.polynomial import polyadd, polyder, polydiv, polymul, polysub

from reasonflux_agent.verify.grading.arithmetic import FormulaError, Number, bits

Polynomial = np.ndarray[Any, Any]
Points = list[tuple[Fraction, Fraction]]

MAX_DEGREE = 6
"""Of numerator and denominator."""
MAX_BITS = 128
"""Of a value that is looked at."""

_POINTS = [Fraction(2 * n + 1, 3) * sign for n in range(12) for sign in (1, -1)]
_FURTHER = [(10**n + Fraction(1, 3 - n % 2)) * sign for n in range(8) for sign in (1, -1)]
"""Whole and broken, near and far, of both signs, so that `|x - 10|` and the floor of x are told from polynomials."""


def numerator(function: Callable[[Fraction], Number]) -> Polynomial | None:
    """The numerator of a function that is a rational one, else None. The function may raise FormulaError at its poles."""
    near = _values(function, _POINTS)
    if near is None or any(bits(value) > MAX_BITS for _, value in near) or len(near) <= 2 * MAX_DEGREE:
        return None
    further = _values(function, _FURTHER)
    return None if further is None else _fitted(near[: 2 * MAX_DEGREE + 1], near[2 * MAX_DEGREE + 1 :] + further)


def _values(function: Callable[[Fraction], Number], points: list[Fraction]) -> Points | None:
    """The points at which the function has a value, and that; None where one is not exact."""
    found: Points = []
    for point in points:
        with suppress(FormulaError):
            value = function(point)
            if not isinstance(value, Fraction):
                return None
            found.append((point, value))
    return found


def _exact(*coefficients: Fraction) -> Polynomial:
    return np.array(coefficients, dtype=object)


def _fitted(points: Points, further: Points) -> Polynomial | None:
    """The numerator of the one function of least degree through all points (Euclid's algorithm, stopped half way)."""
    whole, through = _exact(Fraction(1)), _exact(Fraction(0))
    for point, value in points:  # Newton: `whole` vanishes at the points so far, `through` has their values
        through = polyadd(through, whole * ((value - at(through, point)) / at(whole, point)))
        whole = polymul(whole, _exact(-point, Fraction(1)))
    bottom, before = _exact(Fraction(1)), _exact(Fraction(0))
    while len(through) > MAX_DEGREE + 1:
        quotient: Polynomial
        whole, (quotient, through) = through, polydiv(whole, through)
        before, bottom = bottom, polysub(before, polymul(quotient, bottom))
    agrees = all(at(bottom, point) * value == at(through, point) for point, value in further)
    return through if agrees and all(at(bottom, point) for point, _ in points + further) else None


def at(polynomial: Polynomial, point: Fraction) -> Fraction:
    return sum((c * point**power for power, c in enumerate(polynomial)), Fraction(0))


def squarefree(polynomial: Polynomial) -> Polynomial:
    """The polynomial with the same roots, each a single one."""
    a, b = polynomial, polyder(polynomial)
    while any(b):
        a, b = b, polydiv(a, b)[1]
    return polydiv(polynomial, a)[0]


def real_roots(polynomial: Polynomial, low: Fraction | None = None, high: Fraction | None = None) -> int:
    """How many real roots a squarefree polynomial has above `low` and up to `high`, without bounds all (Sturm's theorem)."""
    chain = [polynomial, polyder(polynomial)]
    while any(chain[-1]):
        chain.append(-polydiv(chain[-2], chain[-1])[1])
    return _changes(chain[:-1], low, -1) - _changes(chain[:-1], high, 1)


def _changes(chain: list[Polynomial], point: Fraction | None, side: int) -> int:
    """How often the sign changes along the chain: at a point, or far out on one side."""
    signs = [at(p, point) if point is not None else p[-1] * side ** (len(p) - 1) for p in chain]
    signs = [sign for sign in signs if sign]
    return sum((a < 0) != (b < 0) for a, b in pairwise(signs))
