"""Recomputes the worked examples of Solid Geometry without the method that the template teaches."""

from fractions import Fraction
from itertools import combinations, product
from math import dist, pi, radians, sqrt

import numpy as np
import sympy as sp

from tests.templates.recompute import recompute


def _sphere_radius(points):
    """Radius of the sphere through the given points, from the linear equations for its centre."""
    first = np.array(points[0], dtype=float)
    others = np.array(points[1:], dtype=float) - first
    centre = np.linalg.lstsq(2 * others, (others**2).sum(axis=1), rcond=None)[0]
    assert np.allclose(np.linalg.norm(others - centre, axis=1), np.linalg.norm(centre))
    return float(np.linalg.norm(centre))


def _volume_by_slices(area, height, steps=20_000):
    return sum(area((k + 0.5) * height / steps) for k in range(steps)) * height / steps


@recompute("Box from edge sum, surface and diagonal")
def _():
    found = {
        2 * (a * b + b * c + c * a)
        for a, b, c in product(range(1, 16), repeat=3)
        if 4 * (a + b + c) == 68 and a * a + b * b + c * c == 121
    }
    assert len(found) == 1
    return found.pop()


@recompute("Painted block cut into unit cubes")
def _():
    size = (4, 5, 6)
    cells = product(*(range(n) for n in size))
    return sum(1 for cell in cells if sum(x in (0, n - 1) for x, n in zip(cell, size, strict=True)) == 2)


@recompute("Regular pyramid: height, slant height and dihedral angle")
def _():
    # Cayley-Menger determinant of one half of the pyramid: base triangle 8, 8, 8 sqrt(2), lateral edges 9
    squares = sp.Matrix([[0, 64, 128, 81], [64, 0, 64, 81], [128, 64, 0, 81], [81, 81, 81, 0]])
    bordered = sp.ones(5, 5)
    bordered[0, 0] = 0
    bordered[1:, 1:] = squares
    return 2 * sp.sqrt(bordered.det() / 288)


@recompute("Cone and its unrolled sector")
def _():
    # the circle at distance s from the apex has circumference s * 216 degrees; sum thin disks along the axis
    steps, total = 20_000, 0.0
    ratio = radians(216) / (2 * pi)
    rise = sqrt(1 - ratio**2)
    for k in range(steps):
        s = 10 * (k + 0.5) / steps
        total += pi * (ratio * s) ** 2 * rise * 10 / steps
    return round(total / pi, 5) * pi


@recompute("Frustum volume and surface")
def _():
    x = sp.symbols("x")
    return sp.integrate(sp.pi * (2 + x / 2) ** 2, (x, 0, 6))


@recompute("Similar solids: volumes scale with the cube")
def _():
    x = sp.symbols("x")
    return sp.integrate(x**2, (x, 8, 12)) / sp.integrate(x**2, (x, 0, 12))


@recompute("Equal volumes: melting, pouring and displacement")
def _():
    ball = _volume_by_slices(lambda x: 4 - (x - 2) ** 2, 4.0)
    return round(36 * 16 / ball, 5)


@recompute("Vertices and edges by Euler")
def _():
    # the cuboctahedron: 8 triangles, 6 squares
    vertices = [v for v in product((-1, 0, 1), repeat=3) if sum(map(abs, v)) == 2]
    normals = list(product((-1, 1), repeat=3)) + [n for n in product((-1, 0, 1), repeat=3) if sum(map(abs, n)) == 1]
    faces = []
    for n in normals:
        heights = [sum(a * b for a, b in zip(n, v, strict=True)) for v in vertices]
        faces.append({v for v, h in zip(vertices, heights, strict=True) if h == max(heights)})
    assert sorted(map(len, faces)) == [3] * 8 + [4] * 6
    return sum(1 for p, q in combinations(vertices, 2) if not any(p in face and q in face for face in faces))


@recompute("Plane section of a sphere")
def _():
    radius = _sphere_radius([(4, 0, 3), (-4, 0, 3), (0, 4, 3), (4, 0, -3)])
    return 4 * pi * radius**2


@recompute("Circumscribed sphere with an edge perpendicular to the base")
def _():
    radius = _sphere_radius([(0, 0, 0), (3, 0, 0), (1.5, 1.5 * sqrt(3), 0), (0, 0, 2)])
    return 4 * pi * radius**2


@recompute("Circumscribed sphere of a regular pyramid or cone")
def _():
    return _sphere_radius([(2, 2, 0), (2, -2, 0), (-2, 2, 0), (-2, -2, 0), (0, 0, 4)])


@recompute("Inscribed sphere by volume and surface")
def _():
    # the point (0, r) of the axis has distance r from the side line through (6, 0) and (0, 8)
    found = [r for r in (Fraction(k, 12) for k in range(1, 96)) if abs(8 * 0 + 6 * r - 48) == 10 * r]
    assert len(found) == 1
    return found[0]


@recompute("Shortest path on a surface by unfolding")
def _():
    # paths over one edge: choose the crossing point on the edge by ternary search
    best = float("inf")
    for a, b, c in ((3, 4, 5), (4, 5, 3), (3, 5, 4)):
        # from (0, 0, 0) over the face with sides a and c, through (a, 0, t), over the face with sides b and c
        low, high = 0.0, float(c)

        def length(t, a=a, b=b, c=c):
            return dist((0, 0, 0), (a, 0, t)) + dist((a, 0, t), (a, b, c))

        for _ in range(100):
            left, right = low + (high - low) / 3, high - (high - low) / 3
            if length(left) < length(right):
                high = right
            else:
                low = left
        best = min(best, length(low))
    return best


@recompute("Distance to a plane by two volumes")
def _():
    plane = sp.Plane(sp.Point3D(6, 0, 0), sp.Point3D(0, 6, 0), sp.Point3D(0, 0, 6))
    return plane.distance(sp.Point3D(0, 0, 0))


@recompute("Cross-section of a cube by parallel lines")
def _():
    # B = (4, 0, 0), D = (0, 4, 0), M = (4, 2, 4): the plane is 2x + 2y - z = 8; project the section on the base
    assert all(2 * x + 2 * y - z == 8 for x, y, z in ((4, 0, 0), (0, 4, 0), (4, 2, 4)))
    cells = 800
    step = 4 / cells
    shadow = 0.0
    for k in range(cells):
        x = (k + 0.5) * step
        # 0 <= 2x + 2y - 8 <= 4 within 0 <= y <= 4
        shadow += step * max(0.0, min(4.0, 6 - x) - max(0.0, 4 - x))
    return round(shadow, 6) * sqrt(2**2 + 2**2 + 1)
