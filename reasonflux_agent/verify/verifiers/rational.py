"""Rational functions over the rationals, found from values of a formula: their numerator, and how many roots it has.

Exact and bounded: what has a higher degree, or larger values, is not recognised.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise

from reasonflux_agent.verify.grading.arithmetic import FormulaError, Number

Polynomial = list[Fraction]
"""Coefficients, the constant first, the leading one not zero; [] is zero."""

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
    if near is None or any(_bits(value) > MAX_BITS for _, value in near) or len(near) <= 2 * MAX_DEGREE:
        return None
    further = _values(function, _FURTHER)
    return None if further is None else _fitted(near[: 2 * MAX_DEGREE + 1], near[2 * MAX_DEGREE + 1 :] + further)


Points = list[tuple[Fraction, Fraction]]


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


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _fitted(points: Points, further: Points) -> Polynomial | None:
    """The numerator of the one function of least degree through all points (Euclid's algorithm, stopped half way)."""
    whole, through = [Fraction(1)], list[Fraction]()
    for point, value in points:  # Newton: `whole` vanishes at the points so far, `through` has their values
        off = (value - at(through, point)) / at(whole, point)
        through = _sum(through, whole, off)
        whole = _sum([Fraction(0), *whole], whole, -point)
    bottom, before = [Fraction(1)], list[Fraction]()
    while len(through) > MAX_DEGREE + 1:
        quotient, rest = _divided(whole, through)
        whole, through = through, rest
        before, bottom = bottom, _difference(before, _product(quotient, bottom))
    agrees = all(at(bottom, point) * value == at(through, point) for point, value in further)
    return through if agrees and all(at(bottom, point) for point, _ in points + further) else None


def at(polynomial: Polynomial, point: Fraction) -> Fraction:
    """Its value."""
    value = Fraction(0)
    for coefficient in reversed(polynomial):
        value = value * point + coefficient
    return value


def squarefree(polynomial: Polynomial) -> Polynomial:
    """The polynomial with the same roots, each a single one."""
    a, b = polynomial, _derived(polynomial)
    while b:
        a, b = b, _divided(a, b)[1]
    return _divided(polynomial, a)[0]


def real_roots(polynomial: Polynomial, low: Fraction | None = None, high: Fraction | None = None) -> int:
    """How many real roots a squarefree polynomial has above `low` and up to `high`, without bounds all (Sturm's theorem)."""
    chain = [polynomial, _derived(polynomial)]
    while chain[-1]:
        chain.append([-c for c in _divided(chain[-2], chain[-1])[1]])
    return _changes(chain[:-1], low, -1) - _changes(chain[:-1], high, 1)


def _changes(chain: list[Polynomial], point: Fraction | None, side: int) -> int:
    signs = [at(p, point) if point is not None else p[-1] * side ** (len(p) - 1) for p in chain]
    signs = [sign for sign in signs if sign]
    return sum((a < 0) != (b < 0) for a, b in pairwise(signs))


def _derived(a: Polynomial) -> Polynomial:
    return [c * power for power, c in enumerate(a)][1:]


def _trimmed(a: Polynomial) -> Polynomial:
    while a and not a[-1]:
        a.pop()
    return a


def _sum(a: Polynomial, b: Polynomial, factor: Fraction = Fraction(1)) -> Polynomial:
    size = max(len(a), len(b))
    zeros = [Fraction(0)] * size
    return _trimmed([x + factor * y for x, y in zip([*a, *zeros][:size], [*b, *zeros][:size], strict=True)])


def _difference(a: Polynomial, b: Polynomial) -> Polynomial:
    return _sum(a, b, Fraction(-1))


def _product(a: Polynomial, b: Polynomial) -> Polynomial:
    result = [Fraction(0)] * (len(a) + len(b))
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            result[i + j] += x * y
    return _trimmed(result)


def _divided(a: Polynomial, b: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Quotient and rest."""
    rest, quotient = list(a), [Fraction(0)] * max(0, len(a) - len(b) + 1)
    for place in reversed(range(len(quotient))):
        factor = quotient[place] = rest[place + len(b) - 1] / b[-1]
        for i, c in enumerate(b):
            rest[place + i] -= factor * c
    return _trimmed(quotient), _trimmed(rest[: len(b) - 1])
