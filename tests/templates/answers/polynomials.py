"""Recomputes the worked examples of Polynomials and Factoring without the method that the template teaches."""

from fractions import Fraction
from itertools import product

import numpy as np
import sympy

from tests.templates.recompute import recompute

x = sympy.symbols("x")


@recompute("Remainder by a quadratic from two values")
def _():
    # polynomials of many kinds with P(1) = 4 and P(-2) = -5, divided by sympy
    divisor = sympy.expand((x - 1) * (x + 2))
    count = 0
    for a, b, c, d in product(range(-4, 5), range(-4, 5), range(-9, 10), range(-9, 10)):
        if a + b + c + d == 4 and -8 * a + 4 * b - 2 * c + d == -5:
            count += 1
            if count <= 8:
                polynomial = a * x**3 + b * x**2 + c * x + d
                assert sympy.rem(polynomial, divisor, x) == 3 * x + 1
    assert count >= 8
    return "3x + 1"


@recompute("Rational roots, then factor")
def _():
    roots = {t for t in (Fraction(n, 12) for n in range(-240, 241)) if 2 * t**3 - 3 * t**2 - 11 * t + 6 == 0}
    assert len(roots) == 3
    return roots


@recompute("Reducing high powers with the given equation")
def _():
    root = (3 + np.sqrt(5)) / 2
    other = (3 - np.sqrt(5)) / 2
    values = [float(t**4 - 21 * t + 10) for t in (root, other)]
    assert abs(values[0] - values[1]) < 1e-9
    return values[0]


@recompute("Polynomial from a pattern of values")
def _():
    # P = x^3 + b x^2 + c x + d by the three conditions
    b, c, d = np.linalg.solve([[1, 1, 1], [4, 2, 1], [9, 3, 1]], [1 - 1, 4 - 8, 9 - 27])
    return float(125 + 25 * b + 5 * c + d)


@recompute("Conjugate roots of real polynomials")
def _():
    # real b, c, d from real and imaginary part of P(1 - 2i) = 0 and from P(3) = 0
    root = 1 - 2j
    rows = [[(root**k).real for k in (2, 1, 0)], [(root**k).imag for k in (2, 1, 0)], [9, 3, 1]]
    b, c, d = np.linalg.solve(rows, [-(root**3).real, -(root**3).imag, -27])
    return float(1 + b + c + d)


@recompute("Vieta for cubics")
def _():
    roots = np.roots([1, -6, 5, -3])
    value = sum(roots**2) + np.prod(1 - roots)
    assert abs(value.imag) < 1e-9
    return float(value.real)


@recompute("Symmetric expressions from sum and product")
def _():
    return float(sum(np.roots([1, -5, 3]) ** 4))


@recompute("Powers of x plus its reciprocal")
def _():
    t = 2 + 3**0.5
    assert abs(t + 1 / t - 4) < 1e-12
    return t**5 + t**-5


@recompute("Coefficient sums by plugging in 1 and -1")
def _():
    coefficients = [1]
    for _factor in range(6):  # multiply by -1 + 3x, lowest power first
        coefficients = [3 * up - same for up, same in zip([0, *coefficients], [*coefficients, 0], strict=True)]
    return sum(coefficients[::2])


@recompute("One coefficient of a product")
def _():
    return int(np.polymul([2, -1, 3], [1, 4, -5, 1])[-4])


@recompute("Special factoring patterns")
def _():
    assert all(t**4 + 64 == (t * t - 4 * t + 8) * (t * t + 4 * t + 8) for t in range(-20, 21))
    assert 4 * 4 - 4 * 8 < 0  # neither factor splits further
    return "(x^2 - 4x + 8)(x^2 + 4x + 8)"


@recompute("Partial fractions by covering up")
def _():
    points = [Fraction(n) for n in (0, 2, 3, 5, 7)]
    (pair,) = [
        (a, b)
        for a, b in product(range(-10, 11), repeat=2)
        if all((5 * t + 1) / ((t - 1) * (t + 2)) == a / (t - 1) + b / (t + 2) for t in points)
    ]
    return pair


@recompute("Unknown polynomial from an identity by degree")
def _():
    (value,) = [
        5 * a + b
        for a, b in product(range(1, 20), range(-50, 51))
        if all(a * (a * t + b) + b == 9 * t + 8 for t in range(-3, 4))
    ]
    return value
