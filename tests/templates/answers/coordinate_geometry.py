"""Recomputes the worked examples of Coordinate Geometry without the method that the template teaches."""

from fractions import Fraction
from math import atan, cos, dist, isclose, pi, sin, sqrt

import sympy as sp

from tests.templates.recompute import recompute


@recompute("Parallel or perpendicular lines with a parameter")
def _():
    # geometric parallelism of the two lines by direction vectors, and a point of the one not on the other
    found = set()
    for m in (Fraction(k, 12) for k in range(-240, 241)):
        if m == -1 or m == 0:
            continue
        on_first = [(Fraction(0), Fraction(2)), (Fraction(1), (4 - (m + 1)) / 2)]
        rests = {3 * x + m * y - 4 for x, y in on_first}
        if len(rests) == 1 and rests != {0}:
            found.add(m)
    assert len(found) == 1
    return found.pop()


@recompute("Midpoint, section point and fourth vertex")
def _():
    a, b, c = (1, 2), (5, -1), (8, 4)
    grid = [(x, y) for x in range(-20, 21) for y in range(-20, 21)]
    # opposite sides equally long and AD parallel to BC
    found = [
        d
        for d in grid
        if isclose(dist(a, d), dist(b, c))
        and isclose(dist(c, d), dist(a, b))
        and (d[0] - a[0]) * (c[1] - b[1]) == (d[1] - a[1]) * (c[0] - b[0])
    ]
    assert len(found) == 1
    return found[0]


@recompute("Distance from a point to a line")
def _():
    # smallest distance from the point (3, -1) of the first line to points of the second
    t = sp.symbols("t")
    square = (t - 3) ** 2 + ((40 - 6 * t) / 8 + 1) ** 2
    return sp.sqrt(square.subs(t, sp.solve(sp.diff(square, t), t)[0]))


@recompute("Shortest path by reflecting a point")
def _():
    return min(dist((1, 2), (x / 1000, 0)) + dist((x / 1000, 0), (7, 6)) for x in range(8000))


@recompute("Fixed point of a family of lines")
def _():
    x, y = sp.symbols("x y")
    lines = [(m + 2) * x + (1 - 2 * m) * y + 3 * m - 4 for m in (5, -7, 11)]
    solution = sp.solve(lines, [x, y])
    return (solution[x], solution[y])


@recompute("Triangle bounded by lines: vertices first")
def _():
    y = sp.symbols("y")
    return sp.integrate((6 - y) - y / 2, (y, 0, 4))


@recompute("Area of a region with absolute values")
def _():
    # unit squares of a fine grid by their centres
    per_unit = 20
    hits = 0
    for i in range(-4 * per_unit, 6 * per_unit):
        for j in range(-3 * per_unit, 3 * per_unit):
            x, y = Fraction(2 * i + 1, 2 * per_unit), Fraction(2 * j + 1, 2 * per_unit)
            value = abs(x - 1) + 2 * abs(y)
            hits += 1 if value < 4 else 0
    return round(hits / per_unit**2)


@recompute("Centre and radius by completing squares")
def _():
    # the widest horizontal extent of the curve: y(x) double where the discriminant in y vanishes
    x = sp.symbols("x")
    ends = sp.solve(16**2 - 4 * 2 * (2 * x**2 - 12 * x - 22), x)
    return sp.pi * ((max(ends) - min(ends)) / 2) ** 2


@recompute("Circle through three points")
def _():
    # R = abc / (4K)
    a, b, c = (0, 0), (6, 0), (2, 4)
    return round((dist(a, b) * dist(b, c) * dist(c, a) / (4 * 12)) ** 2, 9)


@recompute("Chord that a circle cuts from a line")
def _():
    x, y = sp.symbols("x y")
    points = sp.solve([(x - 1) ** 2 + (y + 2) ** 2 - 25, 3 * x + 4 * y - 10], [x, y])
    return sp.Point(*points[0]).distance(sp.Point(*points[1]))


@recompute("Tangent lines from an outside point")
def _():
    # double intersection: the discriminant in x of the line with the circle vanishes
    x, k = sp.symbols("x k")
    equation = sp.expand((x - 2) ** 2 + (6 + k * (x - 4) - 1) ** 2 - 4)
    slopes = sp.solve(sp.discriminant(equation, x), k)
    assert len(slopes) == 1
    return slopes[0]


@recompute("Extreme values on a circle through its centre")
def _():
    steps = 20_000
    angles = (2 * pi * k / steps for k in range(steps))
    return round(max(3 * (1 + 2 * cos(t)) + 4 * (2 + 2 * sin(t)) for t in angles), 5)


@recompute("Two circles: position and common chord")
def _():
    x, y = sp.symbols("x y")
    points = sp.solve([x**2 + y**2 - 25, (x - 4) ** 2 + (y - 3) ** 2 - 20], [x, y])
    assert len(points) == 2
    return sp.Point(*points[0]).distance(sp.Point(*points[1]))


@recompute("Locus of a moving point by its condition")
def _():
    # the path's points on the axis through A and B give its diameter
    def ratio(p):
        return dist(p, (-3, 0)) / dist(p, (3, 0))

    on_axis = [x / 10 for x in range(-200, 201) if x != 30 and isclose(ratio((x / 10, 0)), 2)]
    assert len(on_axis) == 2
    centre, radius = sum(on_axis) / 2, (on_axis[1] - on_axis[0]) / 2
    assert all(isclose(ratio((centre + radius * cos(t), radius * sin(t))), 2) for t in (0.3, 1.1, 2.0, 2.9))
    return radius


@recompute("Polar, cylindrical and spherical coordinates")
def _():
    r, t = abs(complex(-2, 2 * sqrt(3))), pi - atan(sqrt(3))
    assert isclose(r * cos(t), -2)
    assert isclose(r * sin(t), 2 * sqrt(3))
    return (r, t)
