"""Recomputes the worked examples of Functions without the method that the template teaches."""

from fractions import Fraction
from itertools import pairwise
from math import exp, floor, isclose, log, sqrt

import numpy as np
import sympy

from tests.templates.recompute import recompute

HALVES = [Fraction(k, 2) for k in range(-200, 201)]


def only(values: object) -> object:
    """The single element of an iterable, which must have exactly one distinct element."""
    (value,) = set(values)
    return value


def real(expression: object) -> bool:
    return bool(sympy.sympify(expression).is_real)


@recompute("Composition evaluated from the inside")
def _():
    x = sympy.symbols("x")
    f, g = 2 * x**2 - 5, x + 1
    return f.subs(x, g).subs(x, -3) + g.subs(x, f).subs(x, 2)


@recompute("Piecewise function: solve on each piece")
def _():
    return {x for x in HALVES if (x * x - 2 if x <= 1 else 5 - x) == 2}


@recompute("Domain from all conditions together")
def _():
    def value(x: int) -> object:
        return sympy.sqrt(6 + x - x * x) / (x - 1)

    return sum(1 for x in range(-50, 51) if value(x) not in (sympy.zoo, sympy.nan) and real(value(x)))


@recompute("Domain of a function with a changed argument")
def _():
    # f is known exactly at the numbers u = s + 1 with s in the given interval
    known = {s + 1 for s in (Fraction(k, 8) for k in range(-16, 25))}
    inside = [x for x in (Fraction(k, 16) for k in range(-200, 201)) if 2 * x - 1 in known]
    return "[0, 5/2]" if (min(inside), max(inside)) == (0, Fraction(5, 2)) else str(inside)


@recompute("Range of a linear fraction by splitting off")
def _():
    xs = [3 + Fraction(3 * k, 600) for k in range(601)]
    values = [(3 * x + 1) / (x - 2) for x in xs]
    return f"[{min(values)}, {max(values)}]"


@recompute("Range of a quadratic fraction by the discriminant")
def _():
    x = sympy.symbols("x", real=True)
    y = 6 * x / (x**2 + x + 1)
    extremes = [y.subs(x, point) for point in sympy.solve(sympy.diff(y, x), x)]
    assert sympy.limit(y, x, sympy.oo) == sympy.limit(y, x, -sympy.oo) == 0
    return f"[{min(extremes)}, {max(extremes)}]"


@recompute("Range with a square root by substitution")
def _():
    x = np.linspace(1, 3, 2_000_001)
    return round(float(np.min(2 * x - np.sqrt(x - 1))), 9)


@recompute("Sum of two roots: square it")
def _():
    x = np.linspace(1, 9, 80_001)
    y = np.sqrt(x - 1) + np.sqrt(9 - x)
    assert isclose(float(y.min()), 2 * sqrt(2))
    assert isclose(float(y.max()), 4)
    return "[2*sqrt(2), 4]"


@recompute("Formula of f from f of an expression")
def _():
    for x in HALVES:
        bracket = 2 * x - 1
        assert bracket**2 + 5 * bracket + 4 == 4 * x**2 + 6 * x
    return "x^2 + 5*x + 4"


@recompute("Swapping the argument to get a second equation")
def _():
    # the two instances of the equation at 2 and at 1/2
    return sympy.Matrix([[1, 3], [3, 1]]).solve(sympy.Matrix([16, 4]))[0]


@recompute("Value of an inverse function")
def _():
    return only(x for x in (Fraction(k, 6) for k in range(-300, 301)) if x != 3 and (2 * x + 1) / (x - 3) == 5)


@recompute("Unknown coefficients of a linear or quadratic f")
def _():
    def f(a: int, b: int, x: int) -> int:
        return a * x + b

    pairs = [(a, b) for a in range(1, 20) for b in range(-40, 41)]
    good = [(a, b) for a, b in pairs if all(f(a, b, f(a, b, x)) == 9 * x + 8 for x in range(5))]
    return only(f(a, b, 5) for a, b in good)


@recompute("Functional equation in x and y: special values")
def _():
    def f(x: Fraction) -> Fraction:
        return x * x + 3 * x

    assert f(Fraction(1)) == 4
    assert all(f(x + y) == f(x) + f(y) + 2 * x * y for x in HALVES[::9] for y in HALVES[::9])
    return f(Fraction(5))


@recompute("Multiplicative-to-additive function by prime factors")
def _():
    # f(n) = sum of a weight for each prime factor; search the weights of 2 and 3
    def f(n: int, weights: dict[int, int]) -> int:
        return sum(weights[p] * k for p, k in sympy.factorint(n).items())

    trials = [{2: a, 3: b} for a in range(-15, 16) for b in range(-15, 16)]
    return only(f(72, w) for w in trials if f(12, w) == 11 and f(18, w) == 13)


@recompute("Direct, inverse and joint variation")
def _():
    # 12, then x doubled (factor 4), then z doubled (factor 1/2)
    return Fraction(12) * 4 / 2


@recompute("Odd or even extension to negative x")
def _():
    def f(x: Fraction) -> Fraction:
        return x * x - 4 * x if x >= 0 else -x * x - 4 * x

    assert all(f(-x) == -f(x) for x in HALVES)
    return "-x^2 - 4*x"


@recompute("Parameter that makes a function odd or even")
def _():
    def odd(a: float) -> bool:
        return all(abs(2 * a + 2 / (3**x + 1) + 2 / (3**-x + 1)) < 1e-9 for x in (0.0, 0.3, 1.0, 2.5))

    return only(k / 4 for k in range(-40, 41) if odd(k / 4))


@recompute("Odd part plus constant")
def _():
    values = set()
    for a in range(-3, 4):
        for b in range(-3, 4):
            c = Fraction(32 * a + 8 * b + 8, -2)
            assert -32 * a - 8 * b - 2 * c + 7 == 15
            values.add(32 * a + 8 * b + 2 * c + 7)
    return only(values)


@recompute("Period from a shift relation")
def _():
    def f(x: int) -> int:
        return x * x + 1 if x < 3 else -f(x - 3)

    return f(100)


@recompute("Two symmetries give a period")
def _():
    # solve the reflection equations on the integers from -60 to 60 by spreading the known value
    known = {1: 4}
    while True:
        reached = {-x: value for x, value in known.items()} | {6 - x: -value for x, value in known.items()}
        new = {x: value for x, value in reached.items() if x not in known and abs(x) <= 60}
        if not new:
            return known[41]
        known |= new


@recompute("Pairing values with constant sum")
def _():
    return sum(25 ** (k / 12) / (25 ** (k / 12) + 5) for k in range(1, 12))


@recompute("Inequality between values of a monotone function")
def _():
    for f in (lambda x: -x * x, lambda x: exp(-abs(x)), lambda x: -log(1 + abs(x))):
        for k in range(-400, 401):
            x = k / 80
            assert (f(2 * x - 1) > f(3) + 1e-12) == (-80 < k < 160)
    return "(-1, 2)"


@recompute("Monotone piecewise function with a parameter")
def _():
    xs = [k / 10 for k in range(-30, 31)]

    def increasing(a: float) -> bool:
        values = [(4 - a) * x + 1 if x < 1 - 1e-9 else a**x for x in xs]
        just_before = (4 - a) * (1 - 1e-9) + 1
        return all(p < q for p, q in pairwise(values)) and just_before <= a + 1e-12

    good = [k / 20 for k in range(2, 200) if increasing(k / 20)]
    assert (good[0], good[-1]) == (2.5, 3.95)
    assert len(good) == 30
    return "[5/2, 4)"


@recompute("Point on a transformed graph")
def _():
    # two different functions through (6, -2); the common point of their transformed graphs
    def line(x: Fraction) -> Fraction:
        return x - 8

    def parabola(x: Fraction) -> Fraction:
        return (x - 6) ** 2 * 7 + 3 * (x - 6) - 2

    points = {(x, 3 * line(2 * x - 4) + 1) for x in HALVES} & {(x, 3 * parabola(2 * x - 4) + 1) for x in HALVES}
    return only(points)


@recompute("Number of roots by a horizontal line")
def _():
    x = sympy.symbols("x", real=True)
    square = x**2 - 6 * x + 5

    def count(m: int) -> int:
        roots = set(sympy.solve(square - m, x)) | set(sympy.solve(square + m, x))
        return sum(1 for root in roots if root.is_real)

    return only(m for m in range(13) if count(m) == 3)


@recompute("Zero between two integers by a sign change")
def _():
    root = max(np.roots([1, 0, 2, -20]), key=lambda z: -abs(z.imag))
    return floor(root.real)


@recompute("Asymptotes and holes of a rational function")
def _():
    x = sympy.symbols("x")
    f = (2 * x**2 - 5 * x - 3) / (x**2 - 9)
    poles = [p for p in (-3, 3) if abs(sympy.limit(f, x, p)) == sympy.oo]
    return only(poles) + sympy.limit(f, x, sympy.oo)


@recompute("Repeated application of a function: find the cycle")
def _():
    value = Fraction(5)
    for _step in range(50):
        value = (value - 3) / (value + 1)
    return value


@recompute("Smallest or largest of several functions")
def _():
    return max(min(3 * x + 1, x + 3, 12 - 2 * x) for x in (Fraction(k, 12) for k in range(-600, 601)))


@recompute("For all and there exists with two functions")
def _():
    xs = [Fraction(3 * k, 60) for k in range(61)]

    def holds(a: Fraction) -> bool:
        return all(any(p * p - 2 * p >= q + a for q in xs) for p in xs)

    return max(a for a in (Fraction(k, 4) for k in range(-12, 9)) if holds(a))


@recompute("Floor equation by integer and fractional part")
def _():
    candidates = (Fraction(k, 60) for k in range(-600, 1200))
    return sum(x for x in candidates if floor(x) + 3 * (x - floor(x)) == Fraction(27, 5))
