"""Bounded arithmetic: exact Fractions as long as they can be, floats after a root, a logarithm or pi; complex with `i`.

What formulas are evaluated with (see formulas.py). Every operation is bounded in size, so that no text of a model can
ask for a number that takes noticeable time or memory.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Iterable
from fractions import Fraction

Number = Fraction | float
"""What a formula is worth; with the imaginary unit among the variables, Python's complex numbers go the same ways."""

MAX_BITS = 20_000
"""Size of an exact value's numerator or denominator."""

MIN_FLOAT = 1e-300
"""The smallest float that is not taken for what is left of digits that were lost."""

REST = 1e-13
"""What terms that cancel may leave of zero, as a share of the largest of them, in floats."""


class FormulaError(ValueError):
    """The text is not a formula that is understood here, or it has no real value within the bounds."""


def close(a: Number, b: Number, digits: int = 9) -> bool:
    """Equal: exactly for exact values, else to so many digits (complex values to 11)."""
    if isinstance(a, complex) or isinstance(b, complex):
        return cmath.isclose(complex(a), complex(b), rel_tol=1e-11)
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b or (digits > 9 and abs(a - b) <= max(abs(a), abs(b)) / 10**digits)
    try:
        return math.isclose(float(a), float(b), rel_tol=10.0**-digits)
    except OverflowError:
        return False


def bounded(value: Number) -> Number:
    """The value itself. Raises FormulaError when it is too large to go on with."""
    if isinstance(value, Fraction):
        if bits(value) > MAX_BITS:
            raise FormulaError("too large")
    elif not cmath.isfinite(value):
        raise FormulaError("not finite")
    elif 0 < abs(value) < MIN_FLOAT:
        raise FormulaError("too small")
    return value


def total(terms: Iterable[Number]) -> Number:
    """The sum. What is left of terms that cancel is zero. Raises FormulaError when it is too large, or a term is lost in it."""
    terms = list(terms)
    value: Number = Fraction(0)
    for term in terms:
        value = bounded(value + term)
    if isinstance(value, Fraction):
        return value
    sizes = [size for size in map(magnitude, terms) if size]
    if sizes and min(sizes) < REST * max(sizes):
        raise FormulaError("a term is lost in the digits of another")
    return value if abs(value) > REST * max(sizes, default=0.0) else 0.0


def power(base: Number, exponent: Number) -> Number:
    """base ** exponent, exact where it can be (`8^(2/3)` is 4). Raises FormulaError where not real, or too large."""
    whole = isinstance(exponent, Fraction) and exponent.denominator == 1
    if isinstance(base, complex) or isinstance(exponent, complex):
        return bounded(base**exponent)
    if base < 0 and not whole:
        raise FormulaError("a broken power of a negative number")
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if abs(exponent) * bits(base) > MAX_BITS and abs(base) not in (0, 1):
            raise FormulaError("too large")
        top, bottom = (_exact_root(part, exponent.denominator) for part in (base.numerator, base.denominator))
        if top is not None and bottom is not None:
            return Fraction(Fraction(top, bottom) ** exponent.numerator)
    return _above_zero(math.pow(base, exponent)) if base else math.pow(base, exponent)


def times(a: Number, b: Number) -> Number:
    """The product. Raises FormulaError when it is too large, or too small to be told from zero."""
    value = bounded(a * b)
    return _above_zero(value) if a and b else value


def _above_zero(value: Number) -> Number:
    if value == 0:
        raise FormulaError("too small")
    return value


def root(value: Number, degree: Number) -> Number:
    """The real root of a whole degree above one; an odd root of a negative number is negative. Raises FormulaError."""
    if not isinstance(degree, Fraction) or degree.denominator != 1 or degree < 2:
        raise FormulaError("the degree of a root is a whole number above one")
    return -power(-value, 1 / degree) if value < 0 and degree % 2 else power(value, 1 / degree)


def binomial(n: Number, k: Number) -> Number:
    """n over k. Raises FormulaError unless both are whole numbers from 0 to 1000."""
    return Fraction(math.comb(_natural(n), _natural(k)))


def bits(value: Fraction) -> int:
    """The size of the larger of its numerator and denominator."""
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _exact_root(value: int, degree: int) -> int | None:
    if degree == 1 or value in (0, 1):
        return value
    if value < 0 or not degree <= value.bit_length() <= 1_000:
        return None
    guess = round(math.pow(value, 1 / degree))
    return next((near for near in (guess - 1, guess, guess + 1) if near**degree == value), None)


def _natural(value: Number) -> int:
    if not isinstance(value, Fraction) or value.denominator != 1 or not 0 <= value <= 1_000:
        raise FormulaError("a whole number from 0 to 1000 is needed")
    return value.numerator


def factorial(value: Number) -> Number:
    """value! Raises FormulaError unless it is a whole number from 0 to 1000."""
    return Fraction(math.factorial(_natural(value)))


def magnitude(value: Number) -> Number:
    """|value|"""
    return abs(value) if isinstance(value, complex) else -value if value < 0 else value


def _logarithm(argument: Number) -> float:
    found = math.log(argument)
    if found == 0 and argument != 1:
        raise FormulaError("the argument is lost in the digits of 1")
    return found


def _periodic(function: Callable[[float], float]) -> Callable[[Number], Number]:
    """A trigonometric function whose value is zero where only the argument's rounding keeps it from it (`sin(pi)`)."""

    def value(argument: Number) -> Number:
        found, size = function(float(argument)), abs(float(argument))
        rounded = isinstance(argument, float) and size > 0.1
        if not rounded and size and abs(found) == 1:
            raise FormulaError("the argument is lost in the digits of 1")
        return 0.0 if rounded and abs(found) < REST * size else found

    return value


BRACKETED: dict[str, Callable[[Number], Number]] = {
    "abs": magnitude,
    "floor": lambda value: Fraction(math.floor(value)),
    "ceil": lambda value: Fraction(math.ceil(value)),
    "factorial": factorial,
    "exp": lambda value: _above_zero(math.exp(value)),
}
"""Functions whose argument stands in brackets."""

BARE: dict[str, Callable[[Number], Number]] = {
    "sin": _periodic(math.sin),
    "cos": _periodic(math.cos),
    "tan": _periodic(math.tan),
    "cot": lambda value: 1 / math.tan(value),
    "sec": lambda value: 1 / math.cos(value),
    "csc": lambda value: 1 / math.sin(value),
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "ln": _logarithm,
    "lg": math.log10,
}
"""Functions whose argument may stand without brackets (`\\sin 2x`)."""
