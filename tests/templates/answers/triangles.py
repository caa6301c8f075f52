"""Recomputes the worked examples of Triangles without the method that the template teaches."""

from fractions import Fraction
from math import acos, cos, dist, hypot, isclose, pi, radians, sin, sqrt, tan

import sympy as sp

from tests.templates.recompute import recompute


def _apex(ab, ac, bc):
    """The vertex A of a triangle with B = (0, 0) and C = (bc, 0)."""
    x = (ab * ab - ac * ac + bc * bc) / (2 * bc)
    return x, sqrt(ab * ab - x * x)


def _bisect(function, low, high):
    """A zero of an increasing function."""
    for _ in range(100):
        middle = (low + high) / 2
        if function(middle) < 0:
            low = middle
        else:
            high = middle
    return low


@recompute("Angle chase with isosceles triangles")
def _():
    # draw the triangle for a trial angle A and measure the angle DBC
    def excess(angle):
        half = radians(angle) / 2
        a, b, c = (0.0, cos(half)), (-sin(half), 0.0), (sin(half), 0.0)
        # D = A + t (C - A) with equal distances to A and B
        t = _bisect(
            lambda s: dist(a, (s * c[0], a[1] * (1 - s))) - dist(b, (s * c[0], a[1] * (1 - s))),
            0.0,
            1.0,
        )
        d = (t * c[0], a[1] * (1 - t))
        cosine = (d[0] - b[0]) / dist(b, d)
        return 21 - acos(cosine) * 180 / pi

    return round(_bisect(excess, 1.0, 59.0), 6)


@recompute("Triangle inequality and acute or obtuse test")
def _():
    def is_acute(a, b, c):
        a, b, c = sorted((a, b, c))
        return a + b > c and a * a + b * b > c * c

    return sum(is_acute(6, 11, x) for x in range(1, 40))


@recompute("Angle bisector splits the opposite side")
def _():
    ax, ay = _apex(9, 15, 16)
    u = ((0 - ax) / 9, (0 - ay) / 9)
    v = ((16 - ax) / 15, (0 - ay) / 15)
    step = -ay / (u[1] + v[1])
    return dist((ax, ay), (ax + step * (u[0] + v[0]), 0))


@recompute("Median or cevian length by Stewart")
def _():
    return dist(_apex(7, 9, 8), (2, 0))


@recompute("Centroid cuts medians two to one")
def _():
    # coordinates: the medians run along the axes through the centroid; A = (p, 0), B = (0, q), C = -A - B
    p, q = sp.symbols("p q", positive=True)
    a, b = sp.Point(p, 0), sp.Point(0, q)
    c = sp.Point(-p, -q)
    p_value = sp.solve(a.distance(b.midpoint(c)) - 9, p)
    q_value = sp.solve(b.distance(a.midpoint(c)) - 12, q)
    a, b, c = (point.subs({p: p_value[0], q: q_value[0]}) for point in (a, b, c))
    return abs(sp.Triangle(a, b, c).area)


@recompute("Pythagoras with one unknown length")
def _():
    found = [9 + x + x + 3 for x in range(1, 500) if hypot(9, x) == x + 3]
    assert len(found) == 1
    return found[0]


@recompute("Altitude to the hypotenuse")
def _():
    # the right angle at (0, h) over the hypotenuse from (-4, 0) to (9, 0): the legs have scalar product h^2 - 36
    h = _bisect(lambda y: -4 * 9 + y * y, 0.0, 50.0)
    return round(13 * h / 2, 9)


@recompute("Drop a height to use special right triangles")
def _():
    # the lines from B = (0, 0) and from C meet at A; A is known from B
    ax = ay = 6 * sqrt(2) * cos(pi / 4)
    return ax + ay / tan(pi / 3)


@recompute("Cosine law for a missing side, both solutions")
def _():
    b = (8 * cos(pi / 3), 8 * sin(pi / 3))
    return {length for length in range(1, 30) if isclose(dist(b, (length, 0)), 7)}


@recompute("Largest area with side and opposite angle fixed")
def _():
    best = 0.0
    for tenths in range(1, 1200):
        angle_b = radians(tenths / 10)
        angle_c = pi * 2 / 3 - angle_b
        ab = 6 * sin(angle_c) / sin(pi / 3)
        best = max(best, ab * 6 * sin(angle_b) / 2)
    return best


@recompute("Heron area, inradius and circumradius")
def _():
    # coordinates: circumcenter from equal distances, incenter from its weights
    ax, ay = _apex(25, 39, 56)
    center_y = (ax * ax + ay * ay - 56 * ax) / (2 * ay)
    incenter_y = 56 * ay / (25 + 39 + 56)
    return hypot(28, center_y) + incenter_y


@recompute("Parallel line: areas scale with the square")
def _():
    # A = (0, 5), B = (0, 0), C = (w, 0): the trapezoid's area for w = 1 fixes w
    def trapezoid(width):
        return Fraction(3, 1) * (width + Fraction(2, 5) * width) / 2

    width = 63 / trapezoid(1)
    return Fraction(5) * width / 2 - 63


@recompute("Shadow and lamp proportion")
def _():
    # the ray from the lamp (0, 6) over the head (7, 1.8) hits the ground
    slope = (Fraction(18, 10) - 6) / 7
    return -6 / slope - 7


@recompute("Mass points for crossing cevians")
def _():
    a, b, c = sp.Point(1, 7), sp.Point(0, 0), sp.Point(5, 0)
    d = sp.Point(2, 0)
    e = c + (a - c) / 3
    p = sp.Line(a, d).intersection(sp.Line(b, e))[0]
    return a.distance(p) / p.distance(d)
