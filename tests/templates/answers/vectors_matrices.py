"""Recomputes the worked examples of Vectors and Matrices without the method that the template teaches."""

from fractions import Fraction
from math import cos, hypot, isclose, pi, sin, sqrt

import numpy as np
import sympy

from tests.templates.recompute import recompute


def shoelace(p, q, r):
    """Twice the area of a triangle in the plane."""
    return abs((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))


@recompute("Length of a vector combination by squaring")
def _():
    a, b = (2, 0), (3 * cos(pi / 3), 3 * sin(pi / 3))
    assert isclose(hypot(2 * a[0] - b[0], 2 * a[1] - b[1]), sqrt(13))
    return sympy.sqrt(13)


@recompute("Perpendicular or parallel vectors with a parameter")
def _():
    # Pythagoras: |a|^2 + |a + kb|^2 = |kb|^2, where kb closes the triangle
    found = [k for k in range(-50, 51) if k and 5 + (2 + k) ** 2 + (1 - 3 * k) ** 2 == 10 * k * k]
    assert len(found) == 1
    return found[0]


@recompute("Projection of one vector onto another")
def _():
    t = sympy.symbols("t", real=True)
    nearest = sympy.solve(sympy.diff((4 - 3 * t) ** 2 + (7 - t) ** 2, t), t)[0]
    return (3 * nearest, nearest)


@recompute("Dot product in a figure by coordinates")
def _():
    # cosine rule instead of coordinates: 2 AE.BF = AF^2 + BE^2 - AB^2 - EF^2
    af, be, ab, ef = 1 + 9, Fraction(9, 4), 16, 9 + Fraction(9, 4)
    return Fraction(af + be - ab - ef) / 2


@recompute("Dot product PA.PB through the midpoint")
def _():
    # circle around the origin, chord from (-3, -4) to (3, -4)
    t = np.linspace(0, 2 * pi, 40_001)
    x, y = 5 * np.cos(t), 5 * np.sin(t)
    return round(float(((-3 - x) * (3 - x) + (-4 - y) ** 2).max()), 6)


@recompute("Vector locus circle for extreme lengths")
def _():
    t = np.linspace(0, 2 * pi, 40_001)
    longest = float(np.hypot(3 + 2 * np.cos(t), 4 + 2 * np.sin(t)).max())
    assert isclose(longest, 7, abs_tol=1e-6)
    return round(longest)


@recompute("Express a vector by two sides")
def _():
    a, b, c = sympy.Matrix([1, 2]), sympy.Matrix([7, -1]), sympy.Matrix([4, 11])
    d = b + (c - b) * sympy.Rational(2, 3)
    e = (a + d) / 2
    x, y = sympy.Matrix.hstack(b - a, c - a).solve(e - b)
    return x + y


@recompute("Intersection point by coefficients adding to one")
def _():
    # an affine triangle A(0,0), B(1,0), C(0,1): the coefficients are the coordinates of P
    s, t = sympy.symbols("s t")
    m, n, b, c = (sympy.Matrix(v) for v in ([sympy.Rational(1, 2), 0], [0, sympy.Rational(1, 3)], [1, 0], [0, 1]))
    cut = sympy.solve(list(c + s * (m - c) - b - t * (n - b)), [s, t])
    return tuple(c + cut[s] * (m - c))


@recompute("Area ratios from a weighted vector sum")
def _():
    a, b, c = (0, 0), (12, 0), (3, 18)
    p = tuple(Fraction(a[i] + 2 * b[i] + 3 * c[i], 6) for i in range(2))
    return Fraction(shoelace(p, b, c), shoelace(a, b, c))


@recompute("Triangle area by cross product")
def _():
    a, b, c = sqrt(5), sqrt(10), sqrt(13)  # Heron's formula from the three distances
    s = (a + b + c) / 2
    return Fraction(sqrt(s * (s - a) * (s - b) * (s - c))).limit_denominator(1000)


@recompute("Tetrahedron volume by determinant")
def _():
    # Cayley-Menger determinant, from the squared distances only
    points = [(0, 0, 0), (1, 2, 0), (3, 1, 1), (0, 1, 4)]
    squares = [[sum((u - v) ** 2 for u, v in zip(p, q, strict=True)) for q in points] for p in points]
    bordered = sympy.Matrix([[0, 1, 1, 1, 1], *([1, *row] for row in squares)])
    return sympy.sqrt(bordered.det() / 288)


@recompute("Angles of lines and planes by normals")
def _():
    # right triangle A, C, C1: the height over the space diagonal
    assert isclose(1 / sqrt(2 + 1), sqrt(3) / 3)
    return sympy.sqrt(3) / 3


@recompute("Distance from a point to a plane by normal")
def _():
    u, v = sympy.symbols("u v", real=True)  # least distance to the points (1 - u - v, u, v) of the plane
    square = (3 - (1 - u - v)) ** 2 + (1 - u) ** 2 + (2 - v) ** 2
    return sympy.sqrt(square.subs(sympy.solve([sympy.diff(square, u), sympy.diff(square, v)], [u, v])))


@recompute("Closest point on a line in space")
def _():
    def square(t):
        return (1 + 2 * t - 4) ** 2 + (t - 3) ** 2 + (2 - t + 1) ** 2

    t = min((Fraction(i, 60) for i in range(-600, 601)), key=square)
    return (1 + 2 * t, t, 2 - t)


@recompute("Inverse of a two-by-two matrix")
def _():
    columns = [sympy.Matrix([[4, 7], [1, 2]]).LUsolve(sympy.Matrix(unit)) for unit in ([1, 0], [0, 1])]
    return sum(sum(column) for column in columns)


@recompute("Powers of a matrix by its own equation")
def _():
    a, b, c, d = 1, 0, 0, 1
    for _ in range(20):
        a, b, c, d = 3 * a - c, 3 * b - d, 4 * a - c, 4 * b - d
    return a


@recompute("Linear map from images of two vectors")
def _():
    images, vectors = sympy.Matrix([[3, 1], [1, 5]]), sympy.Matrix([[1, 1], [1, -1]])
    return tuple(images * vectors.inv() * sympy.Matrix([5, 1]))


@recompute("Reflection or rotation of a point by matrix")
def _():
    # the mirror image has the same distances as the point from two points of the line, (0, 0) and (1, 2)
    found = [
        (x, y)
        for x in range(-10, 11)
        for y in range(-10, 11)
        if x * x + y * y == 10 and (x - 1) ** 2 + (y - 2) ** 2 == 5 and (x, y) != (3, 1)
    ]
    assert len(found) == 1
    return found[0]
