"""Recomputes the worked examples of Quadratic Equations and Functions without the method that the template teaches."""

from fractions import Fraction

import numpy as np
import sympy

from tests.templates.recompute import recompute

x = sympy.symbols("x", real=True)
GRID = [Fraction(n, 12) for n in range(-240, 241)]


@recompute("Factoring a quadratic by splitting the middle term")
def _():
    return {t for t in GRID if 6 * t * t - 7 * t - 20 == 0}


@recompute("Quadratic formula and simplified roots")
def _():
    # bisection beyond the vertex
    low, high = 1.5, 10.0
    for _step in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if 2 * middle**2 - 6 * middle - 1 < 0 else (low, middle)
    return low


@recompute("Hidden quadratic by substitution")
def _():
    roots = {t for t in range(-50, 51) if (t * t - 3 * t) ** 2 - 2 * (t * t - 3 * t) - 8 == 0}
    assert len(roots) == 4  # as many as the degree
    return roots


@recompute("Fraction equation leading to a quadratic")
def _():
    (root,) = [t for t in GRID if abs(t) != 1 and t / (t - 1) + 2 / (t + 1) == 2 / (t * t - 1)]
    return root


@recompute("Square root equation by squaring")
def _():
    (root,) = [t for t in range(-1, 1000) if t >= 2 and 3 * t + 4 == (t - 2) ** 2]
    return root


@recompute("Symmetric expressions of two roots")
def _():
    return float(sum(np.roots([2, -6, 1]) ** 3))


@recompute("Quadratic with transformed roots")
def _():
    roots = np.roots([1, -3, -5]) + 2
    assert np.allclose(np.poly(roots), [1, -7, 5])
    return "x^2 - 7x + 5"


@recompute("Parameter from the discriminant")
def _():
    # -x (k - 2) = x^2 + 9 has one solution: count the real roots for each integer k
    return {k for k in range(-50, 51) if len(sympy.real_roots(x**2 + (k - 2) * x + 9, multiple=False)) == 1}


@recompute("Conditions on the position of roots")
def _():
    def good(m):
        roots = np.roots([1, -2 * m, m + 6])
        return bool(np.isreal(roots).all() and (roots.real > 0).all() and abs(roots[0] - roots[1]) > 1e-6)

    return next(m for m in range(-50, 50) if good(m))


@recompute("Completing the square for an extreme value")
def _():
    grid = [Fraction(n, 4) for n in range(-40, 41)]
    return min(2 * s * s - 12 * s for s in grid) + min(t * t + 4 * t for t in grid) + 25


@recompute("Range of a quadratic on an interval")
def _():
    values = [t * t - 4 * t + 1 for t in GRID if 0 <= t <= 5]
    assert (min(values), max(values)) == (-3, 6)
    return "[-3, 6]"


@recompute("Revenue, area or height as a quadratic")
def _():
    return max((20 + Fraction(n, 10)) * (60 - 2 * Fraction(n, 10)) for n in range(-200, 301))


@recompute("Parabola from vertex, zeros or points")
def _():
    # three points: the vertex, the given point and its mirror image
    a, b, c = np.linalg.solve([[4, 2, 1], [25, 5, 1], [1, -1, 1]], [-3, 15, 15])
    assert abs(-b / (2 * a) - 2) < 1e-9
    return float(a + b + c)
