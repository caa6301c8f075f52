"""Recomputes the worked examples of Polygons and Areas without the method that the template teaches."""

from cmath import exp, phase
from itertools import combinations
from math import acos, cos, degrees, dist, pi, sin, sqrt

import sympy as sp

from tests.templates.recompute import recompute


def _inside(point, vertices):
    """Whether a point is inside a polygon, by counting the sides that a ray to the right crosses."""
    x, y = point
    crossings = 0
    for (ax, ay), (bx, by) in zip(vertices, vertices[1:] + vertices[:1], strict=True):
        if (ay > y) != (by > y) and ax + (y - ay) * (bx - ax) / (by - ay) > x:
            crossings += 1
    return crossings % 2 == 1


def _triangle(a, b, c):
    """Area of a triangle by Heron."""
    p, q, r = dist(a, b), dist(b, c), dist(c, a)
    s = (p + q + r) / 2
    return sqrt(s * (s - p) * (s - q) * (s - r))


@recompute("Number of sides from interior or exterior angles")
def _():
    found = []
    for n in range(3, 60):
        a, b, c = (exp(2j * pi * k / n) for k in range(3))
        if abs(degrees(abs(phase((a - b) / (c - b)))) - 156) < 1e-9:
            found.append(sum(1 for i, j in combinations(range(n), 2) if j - i not in (1, n - 1)))
    assert len(found) == 1
    return found[0]


@recompute("Angles where regular polygons share a side")
def _():
    # A = 0, B = 1, the pentagon above the axis and the square below it
    a, g = 0j, -1j
    e = exp(1j * pi * 108 / 180)
    return round(degrees(abs(phase((a - e) / (g - e)))), 9)


@recompute("Regular hexagon as six equilateral triangles")
def _():
    a, c, e = ((6 * cos(t * pi / 3), 6 * sin(t * pi / 3)) for t in (0, 2, 4))
    return _triangle(a, c, e)


@recompute("Regular octagon as a square with cut corners")
def _():
    radius = 1 / sin(pi / 8)
    return 8 * _triangle((0, 0), (radius, 0), (radius * cos(pi / 4), radius * sin(pi / 4)))


@recompute("Equiangular hexagon completed to a triangle")
def _():
    # walk along the sides, turning by 60 degrees, and close the path with the last two sides
    a5, a6 = sp.symbols("a5 a6")
    turn = [sp.Matrix([sp.cos(k * sp.pi / 3), sp.sin(k * sp.pi / 3)]) for k in range(6)]
    sides = [2, 5, 3, 4, a5, a6]
    end = sum((side * direction for side, direction in zip(sides, turn, strict=True)), sp.zeros(2, 1))
    solution = sp.solve(list(end), [a5, a6], dict=True)[0]
    point, points = sp.zeros(2, 1), []
    for side, direction in zip(sides, turn, strict=True):
        point = point + sp.sympify(side).subs(solution) * direction
        points.append((float(point[0]), float(point[1])))
    assert abs(points[-1][0]) < 1e-9
    return sum(_triangle(points[0], points[k], points[k + 1]) for k in range(1, 5))


@recompute("Rectangle data through sum and product of sides")
def _():
    return next(a * (17 - a) for a in range(1, 17) if a**2 + (17 - a) ** 2 == 169)


@recompute("Rhombus and parallelogram from diagonals")
def _():
    # the angle at the ends of the diagonal 10 is the base angle of the triangle 13, 13, 10
    angle = acos(5 / 13)
    return 13 * sin(2 * angle)


@recompute("Trapezoid with four known sides")
def _():
    # the upper side from (x, h) to (x + 10, h) over the lower side from (0, 0) to (24, 0)
    x, h = sp.symbols("x h")
    solutions = sp.solve([x**2 + h**2 - 169, (x + 10 - 24) ** 2 + h**2 - 225], [x, h], dict=True)
    height = max(solution[h] for solution in solutions)
    return (24 + 10) * height / 2


@recompute("Trapezoid cut by its diagonals")
def _():
    a, b, c, d = sp.Point(0, 0), sp.Point(6, 0), sp.Point(5, 10), sp.Point(1, 10)
    assert abs(sp.Polygon(a, b, c, d).area) == 50
    o = sp.Line(a, c).intersection(sp.Line(b, d))[0]
    return max(abs(sp.Triangle(p, q, o).area) for p, q in ((a, b), (b, c), (c, d), (d, a)))


@recompute("Point and rectangle: squared distances and areas")
def _():
    # A = (0, 0), P = (x, y): several choices of y give rectangles with the same PD
    values = set()
    for y in (1.0, 2.0, 3.0):
        x = sqrt(36 - y * y)
        width = x + sqrt(49 - y * y)
        height = y + sqrt(81 - (width - x) ** 2)
        values.add(round(dist((x, y), (0, height)), 9))
    assert len(values) == 1
    return values.pop()


@recompute("Folded rectangle with equal lengths")
def _():
    # the reflection of B = (10, 0) in the line from A = (0, 0) to E = (10, t) has to lie on y = 6
    t = sp.symbols("t", positive=True)
    image_y = sp.sin(2 * sp.atan(t / 10)) * 10
    solutions = [s for s in sp.solve(sp.simplify(sp.expand_trig(image_y)) - 6, t) if s <= 6]
    assert len(solutions) == 1
    return solutions[0]


@recompute("Shaded area as whole minus right triangles")
def _():
    return round(_triangle((0, 0), (12, 6), (8, 12)), 9)


@recompute("Path, frame or tiles for a rectangular floor")
def _():
    squares = sum(1 for x in range(-2, 16) for y in range(-2, 12) if not (0 <= x < 14 and 0 <= y < 10))
    return squares * 15


@recompute("Shoelace area and Pick points")
def _():
    # area from counted lattice points of the polygon enlarged four times, by Pick
    vertices = [(4 * x, 4 * y) for x, y in ((1, 1), (7, 2), (8, 6), (3, 8))]
    edges = list(zip(vertices, vertices[1:] + vertices[:1], strict=True))

    def on_edge(x, y):
        return any(
            (bx - ax) * (y - ay) == (by - ay) * (x - ax) and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by)
            for (ax, ay), (bx, by) in edges
        )

    inner = boundary = 0
    for x in range(4, 33):
        for y in range(4, 33):
            if on_edge(x, y):
                boundary += 1
            elif _inside((x, y), vertices):
                inner += 1
    return (inner + boundary / 2 - 1) / 16
