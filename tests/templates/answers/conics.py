"""Recomputes the worked examples of Conic Sections without the method that the template teaches."""

from fractions import Fraction
from math import acos, atan2, cos, degrees, dist, isclose, pi, sin, sqrt

import numpy as np
import sympy as sp

from tests.templates.recompute import recompute


def _bisect(function, low, high):
    """A zero of an increasing function."""
    for _ in range(100):
        middle = (low + high) / 2
        if function(middle) < 0:
            low = middle
        else:
            high = middle
    return low


def _ellipse(a, b, steps=20_000):
    return [(a * cos(2 * pi * k / steps), b * sin(2 * pi * k / steps)) for k in range(steps)]


@recompute("Ellipse or hyperbola from a general equation")
def _():
    # extents of the curve where its quadratics in y and in x have one root; then test the sum of distances to the foci
    ends_x = np.roots([-16, 32, 256 - 16]).real
    ends_y = np.roots([-16, -64, 4 - 4]).real
    half = sqrt(np.ptp(ends_x) ** 2 - np.ptp(ends_y) ** 2) / 2
    foci = [(ends_x.mean() + s * half, ends_y.mean()) for s in (-1, 1)]
    for x in (0, 1, 3):
        for y in np.roots([4, 16, x * x - 2 * x + 1]).real:
            assert isclose(sum(dist((x, y), focus) for focus in foci), np.ptp(ends_x))
    return dist(*foci)


@recompute("Ellipse from eccentricity and a point")
def _():
    # the sum of distances from (2, 3) to (-c, 0) and (c, 0) has to be 2a = 4c
    c = _bisect(lambda c: 4 * c - dist((2, 3), (c, 0)) - dist((2, 3), (-c, 0)), 0.1, 10.0)
    return round(4 * c, 9)


@recompute("Hyperbola from asymptotes and focus")
def _():
    # y^2 - (3x/4)^2 = a^2: the difference of distances to (0, 10) and (0, -10) has to be constant
    def spread(a):
        points = [(x, sqrt(a * a + 9 * x * x / 16)) for x in (0, 5, 20)]
        values = [dist(p, (0, -10)) - dist(p, (0, 10)) for p in points]
        return max(values) - min(values)

    a = min((k / 100 for k in range(50, 1000)), key=spread)
    assert spread(a) < 1e-9
    return Fraction(10) / Fraction(a)


@recompute("Parabola: vertex, focus and directrix")
def _():
    # vertical rays are reflected through the focus: intersect two reflected rays
    x = sp.symbols("x")
    curve = x**2 / 12 - x + 5
    rays = []
    for value in (2, 13):
        slope = sp.diff(curve, x).subs(x, value)
        start = sp.Point(value, curve.subs(x, value))
        # the vertical direction mirrored in the tangent (1, slope)
        rays.append(sp.Line(start, start + sp.Point(2 * slope, slope**2 - 1)))
    focus = rays[0].intersection(rays[1])[0]
    return (focus.x, focus.y)


@recompute("Eccentricity from a triangle with the foci")
def _():
    # a = 1: the point over the focus is (c, 1 - c^2) and the angle at (-c, 0) is 45 degrees
    c = _bisect(lambda c: 45 - degrees(atan2(1 - c * c, 2 * c)), 1e-6, 1 - 1e-6)
    p = (c, 1 - c * c)
    assert isclose(dist(p, (c, 0)) + dist(p, (-c, 0)), 2)
    return c


@recompute("Focal triangle area from its angle")
def _():
    # move P from the vertex of the major axis until the foci are seen under 60 degrees
    def angle(t):
        p = (5 * cos(t), 3 * sin(t))
        m, n = dist(p, (4, 0)), dist(p, (-4, 0))
        return degrees(acos((m * m + n * n - 64) / (2 * m * n)))

    t = _bisect(lambda t: angle(t) - 60, 1e-4, pi / 2)
    return 8 * 3 * sin(t) / 2


@recompute("Hyperbola distances with branch check")
def _():
    # points (3 u, 4 v) with u^2 - v^2 = 1 at distance 7 from the focus (5, 0), on both branches
    x = sp.symbols("x", real=True)
    found = set()
    for root in sp.solve((x - 5) ** 2 + 16 * (x**2 / 9 - 1) - 49, x):
        if root**2 >= 9:
            found.add(sp.sqrt((root + 5) ** 2 + 16 * (root**2 / 9 - 1)))
    assert len(found) == 1
    return found.pop()


@recompute("Extreme sum of distances via the other focus")
def _():
    return round(max(dist(p, (3, 2)) + dist(p, (-3, 0)) for p in _ellipse(5, 4)), 5)


@recompute("Parabola chord through the focus")
def _():
    first, second = ((y**2 / 8, y) for y in np.roots([1 / 8, -1, -2]))
    return dist(first, second)


@recompute("Chord length by Vieta")
def _():
    x, y = sp.symbols("x y")
    points = sp.solve([x**2 + 2 * y**2 - 6, y - x - 1], [x, y])
    return sp.Point(*points[0]).distance(sp.Point(*points[1]))


@recompute("Chord with a given midpoint by subtraction")
def _():
    # the two intersections with y = 1 + k (x - 2) have midpoint 2 for exactly one slope
    x, k = sp.symbols("x k")
    quadratic = sp.Poly(sp.expand(x**2 + 4 * (1 + k * (x - 2)) ** 2 - 16), x)
    slopes = sp.solve(quadratic.coeff_monomial(x) + 4 * quadratic.coeff_monomial(x**2), k)
    assert len(slopes) == 1
    return slopes[0]


@recompute("Right angle at the origin gives a fixed point")
def _():
    # A = (s^2/4, s) on the ray of slope 4/s; the perpendicular ray meets the parabola again at B
    lines = []
    for s in (1, 3, -7):
        a = sp.Point(sp.Rational(s * s, 4), s)
        slope = -sp.Rational(s, 4)
        b = sp.Point(4 / slope**2, 4 / slope)
        lines.append(sp.Line(a, b))
    point = lines[0].intersection(lines[1])[0]
    assert point in lines[2]
    return (point.x, point.y)


@recompute("Stretch an ellipse to a circle")
def _():
    points = _ellipse(3, 2, steps=48)
    origin = points[0]
    best = 0.0
    for i, p in enumerate(points):
        for q in points[i + 1 :]:
            cross = (p[0] - origin[0]) * (q[1] - origin[1]) - (q[0] - origin[0]) * (p[1] - origin[1])
            best = max(best, abs(cross) / 2)
    # other first vertices give the same maximum
    other = max(
        abs((p[0] - points[7][0]) * (q[1] - points[7][1]) - (q[0] - points[7][0]) * (p[1] - points[7][1])) / 2
        for p in points
        for q in points
    )
    assert isclose(best, other)
    return best


@recompute("Distance from an ellipse to a line")
def _():
    return round(min(abs(x + y - 9) for x, y in _ellipse(4, 3)), 5) / sqrt(2)
