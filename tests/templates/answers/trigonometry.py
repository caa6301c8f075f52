"""Recomputes the worked examples of Trigonometry without the method that the template teaches."""

from fractions import Fraction
from itertools import pairwise
from math import acos, asin, atan, cos, isclose, pi, radians, sin, sqrt, tan

import numpy as np
import sympy

from tests.templates.recompute import recompute


def bisect(f, low, high):
    """A zero of f between two points where its signs differ."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if (f(middle) > 0) == (f(low) > 0) else (low, middle)
    return (low + high) / 2


@recompute("Exact value by reference angle")
def _():
    assert isclose(cos(19 * pi / 6), -sqrt(3) / 2)
    return -sympy.sqrt(3) / 2


@recompute("All ratios from one ratio and a quadrant")
def _():
    a = bisect(lambda x: tan(x) + 3 / 4, pi / 2 + 0.01, pi)
    return Fraction(sin(a) + cos(a)).limit_denominator(1000)


@recompute("Divide by cosine when tangent is known")
def _():
    values = [sin(a) ** 2 + 3 * sin(a) * cos(a) for a in (atan(2), atan(2) + pi)]
    assert isclose(*values)
    return Fraction(values[0]).limit_denominator(1000)


@recompute("Sine plus cosine by squaring")
def _():
    x = bisect(lambda x: sin(x) + cos(x) - 7 / 13, pi / 4, pi)
    return Fraction(sin(x) - cos(x)).limit_denominator(1000)


@recompute("Build the wanted angle from known angles")
def _():
    b = acos(-5 / 13) - acos(4 / 5)
    assert 0 < b < pi / 2
    return Fraction(cos(b)).limit_denominator(1000)


@recompute("Double angle of a shifted angle")
def _():
    values = [sin(2 * a + pi / 6) for a in (pi / 6 + acos(1 / 3), pi / 6 - acos(1 / 3))]
    assert isclose(*values)
    return Fraction(values[0]).limit_denominator(1000)


@recompute("Cosine product by multiplying with a sine")
def _():
    return Fraction(cos(radians(36)) * cos(radians(72))).limit_denominator(1000)


@recompute("Pair complementary angles in a sum of squares")
def _():
    return Fraction(sum(cos(radians(d)) ** 2 for d in range(3, 88, 3))).limit_denominator(1000)


@recompute("Sum of arctangents with range check")
def _():
    assert isclose(atan(2) + atan(3), 3 * pi / 4)
    return 3 * sympy.pi / 4


@recompute("Auxiliary angle for a sin x + b cos x")
def _():
    x = np.linspace(0, pi / 2, 60_001)
    values = np.sin(x) + sqrt(3) * np.cos(x)
    assert isclose(values.min(), 1)
    assert isclose(values.max(), 2)
    return "[1, 2]"


@recompute("Reduce squares to one sine of 2x")
def _():
    x = np.linspace(0, 2 * pi, 80_001)
    assert isclose((2 * np.cos(x) ** 2 + 2 * np.sin(x) * np.cos(x)).max(), 1 + sqrt(2), abs_tol=1e-7)
    return 1 + sympy.sqrt(2)


@recompute("Quadratic in sine or cosine: range")
def _():
    x = np.linspace(0, 2 * pi, 120_001)
    values = np.cos(2 * x) + 2 * np.sin(x)
    assert isclose(values.min(), -3)
    assert isclose(values.max(), 3 / 2)
    return "[-3, 3/2]"


@recompute("Trigonometric equation by factoring to one ratio")
def _():
    def f(x):
        return 2 * sin(x) ** 2 + 3 * cos(x)

    grid = [2 * pi * i / 1000 + 1e-4 for i in range(-1, 1000)]
    zeros = [bisect(f, u, v) for u, v in pairwise(grid) if f(u) * f(v) < 0]
    assert len(zeros) == 2
    assert isclose(zeros[0], 2 * pi / 3)
    assert isclose(zeros[1], 4 * pi / 3)
    return {2 * sympy.pi / 3, 4 * sympy.pi / 3}


@recompute("Number of solutions of sin(kx + c) = v")
def _():
    signs = np.sign(np.sin(3 * np.linspace(0, 3 * pi, 100_000)) - 1 / 4)
    assert np.all(signs != 0)
    return int(np.sum(signs[1:] != signs[:-1]))


@recompute("Sinusoid from maximum and minimum")
def _():
    # a cosine through the maximum at 2; the next minimum is at 5, nothing lower or higher between
    def f(x):
        return 2 + 3 * cos(pi * (x - 2) / 3)

    values = [f(2 + i / 100) for i in range(301)]
    assert values == sorted(values, reverse=True)
    assert isclose(values[0], 5)
    assert isclose(values[-1], -1)
    return Fraction(f(0)).limit_denominator(1000)


@recompute("Shift of a sine graph to a symmetric one")
def _():
    # the odd part of the shifted function at x = pi/4, where it vanishes exactly if the function is even
    def odd_part(m):
        return sin(2 * (pi / 4 - m) + pi / 3) - sin(2 * (-pi / 4 - m) + pi / 3)

    grid = [i / 200 for i in range(1, 600)]
    first = next((u, v) for u, v in pairwise(grid) if odd_part(u) * odd_part(v) < 0)
    assert isclose(bisect(odd_part, *first), 5 * pi / 12)
    shift = 5 * pi / 12
    assert all(isclose(sin(2 * (x - shift) + pi / 3), sin(2 * (-x - shift) + pi / 3), abs_tol=1e-12) for x in range(9))
    return 5 * sympy.pi / 12


@recompute("Range of omega from a monotone interval")
def _():
    x = np.linspace(0, pi / 3, 6001)
    increasing = [w for w in range(1, 400) if np.all(np.diff(np.sin(w / 100 * x - pi / 4)) > 0)]
    assert increasing == list(range(1, 226))
    return Fraction(max(increasing), 100)


@recompute("Triangle relation to angles by the sine rule")
def _():
    # random triangles with B = 45 degrees satisfy the relation, others do not; sides from coordinates
    for b_degrees in range(10, 150, 5):
        a, c = 3.0, 4.7
        third = (c * cos(radians(b_degrees)), c * sin(radians(b_degrees)))  # B at the origin, C at (a, 0), A
        b = sqrt((third[0] - a) ** 2 + third[1] ** 2)
        cos_a, cos_c = (b * b + c * c - a * a) / (2 * b * c), (a * a + b * b - c * c) / (2 * a * b)
        holds = isclose(a * cos_c + c * cos_a, sqrt(2) * b * cos(radians(b_degrees)))
        assert holds == (b_degrees == 45)
    return sympy.pi / 4


@recompute("Height from two angles of elevation")
def _():
    h = bisect(lambda h: asin(h / sqrt(h * h + (h + 40) ** 2)) - radians(30), 1, 500)
    assert isclose(h, 20 + 20 * sqrt(3))
    return 20 + 20 * sympy.sqrt(3)
