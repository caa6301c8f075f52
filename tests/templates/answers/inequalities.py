"""Recomputes the worked examples of Inequalities without the method that the template teaches."""

from collections.abc import Callable
from fractions import Fraction
from itertools import permutations
from math import isclose, log, sqrt

import numpy as np

from tests.templates.recompute import recompute

GRID = [Fraction(k, 12) for k in range(-300, 301)]


def interval(holds: Callable[[Fraction], bool]) -> str:
    """The solution set on the grid, written as one interval; the ends must be grid points."""
    inside = [holds(x) for x in GRID]
    first, last = inside.index(True), len(inside) - 1 - inside[::-1].index(True)
    assert all(inside[first : last + 1])
    below, above = first, last
    left, right = "[", "]"
    if not ends_exactly(holds, GRID[first], -1):
        below, left = first - 1, "("
    if not ends_exactly(holds, GRID[last], 1):
        above, right = last + 1, ")"
    return f"{left}{GRID[below]}, {GRID[above]}{right}"


def ends_exactly(holds: Callable[[Fraction], bool], end: Fraction, direction: int) -> bool:
    """Whether the solution set stops at ``end`` itself and not between it and the next grid point."""
    return not holds(end + direction * Fraction(1, 10**9))


def grid_minimum(f: Callable, low: float, high: float, points: int = 200_001) -> float:
    """The smallest value of a vectorised function on a fine grid."""
    return round(float(np.min(f(np.linspace(low, high, points)))), 6)


def plane_minimum(f: Callable, low: float, high: float, points: int = 801) -> float:
    """The smallest value of a vectorised function of two variables on a grid of the square [low, high]^2."""
    x, y = np.meshgrid(np.linspace(low, high, points), np.linspace(low, high, points))
    return round(float(np.min(f(x, y))), 6)


@recompute("Quadratic inequality by its roots")
def _():
    return interval(lambda x: -2 * x * x + 5 * x + 3 >= 0)


@recompute("Sign chart for factored expressions")
def _():
    return sum(1 for x in range(-50, 51) if (x - 1) ** 2 * (x + 2) * (x - 4) < 0)


@recompute("Fraction inequality: all on one side")
def _():
    return interval(lambda x: x != 1 and (x + 7) / (x - 1) >= 3)


@recompute("Absolute value inequality as a band")
def _():
    return interval(lambda x: abs(2 * x - 5) < 9)


@recompute("Sum of distances inequality")
def _():
    return interval(lambda x: abs(x - 2) + abs(x + 4) <= 10)


@recompute("Square root inequality by two cases")
def _():
    return interval(lambda x: x >= -7 and sqrt(x + 7) > x + 1 + 1e-12)


@recompute("Exponential or logarithmic inequality: compare arguments")
def _():
    return interval(lambda x: x > Fraction(1, 2) and log(2 * x - 1) / log(0.5) > -2 + 1e-12)


@recompute("Story inequality with whole-number answer")
def _():
    return max(guests for guests in range(100) if 8 + 3.5 * guests <= 60)


@recompute("Exact number of integer solutions with a parameter")
def _():
    return interval(lambda a: sum(1 for x in range(-40, 41) if x > a and 2 * x <= 9) == 3)


@recompute("Coefficients from a given solution set")
def _():
    pairs = [
        (a, b)
        for a in range(-12, 13)
        for b in range(-12, 13)
        if all((a * x * x + b * x + 6 > 0) == (-3 < x < 1) for x in GRID[::3])
    ]
    ((a, b),) = pairs
    return a + b


@recompute("AM-GM with constant product")
def _():
    return grid_minimum(lambda x: x + 9 / (x - 2), 2.01, 22.01)


@recompute("AM-GM with constant sum")
def _():
    return -grid_minimum(lambda x: -x * (12 - 3 * x), 0, 4)


@recompute("Three factors with a squared one: split it")
def _():
    return -grid_minimum(lambda x: -x * x * (6 - x), 0, 6)


@recompute("Minimum of reciprocals: multiply by the constant sum")
def _():
    return grid_minimum(lambda x: 1 / x + 3 / (4 - 3 * x), 0.001, 1.333)


@recompute("Product and sum mixed: factor the condition")
def _():
    # y = (x + 5)/(x - 4) is positive exactly for x > 4
    assert all((x + 5) / (x - 4) < 0 for x in GRID if 0 < x < 4)
    return grid_minimum(lambda x: x + (x + 5) / (x - 4), 4.01, 24.01)


@recompute("AM-GM equality out of reach: use monotony")
def _():
    return Fraction(min((3 + Fraction(k, 100)) + 4 / (3 + Fraction(k, 100)) for k in range(1000)))


@recompute("Cauchy for a linear form and squares")
def _():
    # the third coordinate follows from the plane
    return plane_minimum(lambda x, y: x * x + y * y + ((9 - 2 * x + y) / 2) ** 2, -4, 4)


@recompute("Sum of fractions with squares on top")
def _():
    def total(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        c = 12 - a - b
        return np.where(c > 0.01, 1 / a + 4 / b + 9 / np.maximum(c, 0.01), 1e9)

    return plane_minimum(total, 0.5, 10.5)


@recompute("Quotient of equal degree: ratio substitution")
def _():
    return -plane_minimum(lambda x, y: -(x * y + y * y) / (x * x + 3 * y * y), 0.1, 4.1)


@recompute("Symmetric condition: bound by sum and product")
def _():
    # all points of the ellipse: directions (cos t, sin t) scaled to the curve
    t = np.linspace(0, 2 * np.pi, 800_001)
    x, y = np.cos(t), np.sin(t)
    scale = np.sqrt(12 / (x * x + x * y + y * y))
    return round(float(np.max(scale * (x + y))), 6)


@recompute("Circle condition by angle substitution")
def _():
    x = np.linspace(-sqrt(5), sqrt(5), 400_001)
    y = np.sqrt(np.maximum(5 - x * x, 0))
    best = max(float(np.max(x * x + 2 * x * z - z * z)) for z in (y, -y))
    assert isclose(best, 5 * sqrt(2), rel_tol=1e-8)
    return "5*sqrt(2)"


@recompute("Rearrangement of products")
def _():
    return min(sum(p * q for p, q in zip((1, 3, 4, 7), order, strict=True)) for order in permutations((2, 5, 6, 9)))


@recompute("Tangent line bound for a sum")
def _():
    return plane_minimum(lambda a, b: a**4 + b**4 + (6 - a - b) ** 4, -8, 8)


@recompute("Quadratic positive for every x")
def _():
    # the numerical minimum of the quadratic over a wide grid that contains its vertex x = 1
    xs = [Fraction(k, 4) for k in range(-200, 201)]
    good = [k for k in (Fraction(j, 4) for j in range(-40, 41)) if all(k * x * x - 2 * k * x + 3 > 0 for x in xs)]
    assert good == [Fraction(j, 4) for j in range(12)]
    return "[0, 3)"


@recompute("Parameter separated on an interval")
def _():
    xs = [Fraction(k, 20) for k in range(20, 81)]
    return max(a for a in GRID if all(x * x - a * x + 4 >= 0 for x in xs))


@recompute("Parameter as the main variable")
def _():
    slopes = [Fraction(m, 4) for m in range(-16, 17)]
    return interval(lambda x: all(x * x - 5 < m * x for m in slopes))


@recompute("Range of a combination from given ranges")
def _():
    steps = [Fraction(k, 4) for k in range(-20, 21)]
    pairs = ((a, b) for a in steps for b in steps if 1 <= a + b <= 3 and -1 <= a - b <= 2)
    values = {3 * a - b for a, b in pairs}
    return f"[{min(values)}, {max(values)}]"


@recompute("Truth of inequality statements by rules and tests")
def _():
    negative = [x for x in GRID[::5] if x < 0]
    pairs = [(a, b) for a in negative for b in negative if a < b]
    statements = (
        lambda a, b: a * a > b * b,
        lambda a, b: 1 / a > 1 / b,
        lambda a, b: a * b > b * b,
        lambda a, b: a / b < 1,
    )
    return sum(all(holds(a, b) for a, b in pairs) for holds in statements)


@recompute("Sum of absolute distances: the median")
def _():
    return min(sum(abs(x - p) for p in (1, 4, 6, 13)) for x in GRID)


@recompute("Two-variable quadratic as sum of squares")
def _():
    return plane_minimum(lambda x, y: x * x + 2 * x * y + 2 * y * y - 6 * y + 14, -8, 8)
