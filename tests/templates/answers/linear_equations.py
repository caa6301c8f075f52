"""Recomputes the worked examples of Linear Equations and Systems without the method that the template teaches."""

from fractions import Fraction
from itertools import product

import numpy as np
import sympy

from tests.templates.recompute import recompute

x, y, z = sympy.symbols("x y z", real=True)
GRID = [Fraction(n, 12) for n in range(-240, 241)]


@recompute("Clear fractions, then isolate")
def _():
    (root,) = [t for t in GRID if (t - 2) / 3 - (2 * t + 1) / 4 == Fraction(-3, 2)]
    return root


@recompute("Absolute value equation by cases")
def _():
    # the difference of the sides is strictly monotone, so that the only zero on the grid is the only one
    (root,) = [t for t in GRID if abs(t - 4) == 3 * t - 6]
    return root


@recompute("Sum of absolute values by breakpoints")
def _():
    return {t for t in GRID if abs(t - 1) + abs(t + 3) == 10}


@recompute("Equation that holds for every x")
def _():
    (pair,) = [
        (a, b)
        for a, b in product(range(-20, 21), repeat=2)
        if all(a * (2 * t - 1) + b * (t + 3) == 7 * t + 7 for t in range(-5, 6))
    ]
    return pair


@recompute("Solving a formula for another letter")
def _():
    for t in range(-30, 31):
        if t != 2:
            value = Fraction(3 * t + 1, t - 2)
            assert (2 * value + 1) / (value - 3) == t
    return "(2y + 1)/(y - 3)"


@recompute("Elimination for two equations")
def _():
    (pair,) = [(a, b) for a, b in product(range(-30, 31), repeat=2) if 3 * a + 4 * b == 10 and 5 * a - 2 * b == 8]
    return pair


@recompute("Story to two equations")
def _():
    (pair,) = [(m, p) for m, p in product(range(60), repeat=2) if 3 * m + 2 * p == 37 and 2 * m + 5 * p == 54]
    return pair[1]


@recompute("Requested combination without solving")
def _():
    solution = sympy.solve([5 * x + 2 * y - 17, 2 * x + 5 * y - 25], [x, y])
    return solution[x] + solution[y]


@recompute("Cyclic system: add all equations")
def _():
    (triple,) = [(a, 11 - a, 4 + a) for a in range(-50, 50) if (4 + a) + a == 18]
    assert triple[0] + triple[1] == 11
    assert triple[1] + triple[2] == 15
    return triple


@recompute("Three unknowns by stepwise elimination")
def _():
    rows, right = [[1, 2, 1], [2, -1, 1], [3, 1, -2]], [7, 7, 6]
    assert round(np.linalg.det(rows)) != 0
    return tuple(round(float(value)) for value in np.linalg.solve(rows, right))


@recompute("Number of solutions of a linear system")
def _():
    # no solution means that the right side raises the rank
    bad = []
    for k in GRID:
        matrix = [[k, 4], [9, k]]
        if matrix[0][0] * matrix[1][1] == matrix[0][1] * matrix[1][0]:
            full = sympy.Matrix([[sympy.Rational(k), 4, 6], [9, sympy.Rational(k), 9]])
            if full.rank() > full[:, :2].rank():
                bad.append(k)
    (value,) = bad
    return value


@recompute("Reciprocals as new unknowns")
def _():
    # the equations times xy have one more solution, (0, 0), where the fractions do not exist
    solutions = sympy.solve([2 * y + 3 * x - 2 * x * y, 4 * y - 3 * x - x * y], [x, y], dict=True)
    (pair,) = [(s[x], s[y]) for s in solutions if s[x] != 0 and s[y] != 0]
    return pair


@recompute("Chain of equal ratios by one parameter")
def _():
    solution = sympy.solve([3 * x - 2 * y, 5 * y - 3 * z, 3 * x - y + z - 24], [x, y, z])
    return solution[x] + solution[y] + solution[z]
