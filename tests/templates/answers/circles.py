"""Recomputes the worked examples of Circles without the method that the template teaches."""

from math import asin, atan2, cos, degrees, dist, hypot, pi, radians, sin, sqrt

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


def _angle(p, vertex, q):
    """The angle p-vertex-q in degrees."""
    u = (p[0] - vertex[0], p[1] - vertex[1])
    v = (q[0] - vertex[0], q[1] - vertex[1])
    return degrees(abs(atan2(u[0] * v[1] - u[1] * v[0], u[0] * v[0] + u[1] * v[1])))


def _on_circle(angle):
    return cos(radians(angle)), sin(radians(angle))


@recompute("Inscribed angle is half the central angle")
def _():
    a = _on_circle(0)
    end = _bisect(lambda t: 34 - _angle((0, 0), a, _on_circle(t)), 1.0, 179.0)
    b = _on_circle(end)
    values = {round(_angle(a, _on_circle(c), b), 6) for c in (150, 200, 270, 340)}
    assert len(values) == 1
    return values.pop()


@recompute("Angle of two secants or chords from arcs")
def _():
    # symmetric about the x axis: near arc from -20 to 20 degrees, far arc from t to 360 - t
    near, apex = _on_circle(20), 1 / sin(radians(14))
    # the line from the point P on the axis through the near point, inclined by 14 degrees, meets the circle again
    x = near[0] + near[1] / (sin(radians(14)) / cos(radians(14)))
    assert x < apex
    direction = (-cos(radians(14)), sin(radians(14)))
    step = -2 * (near[0] * direction[0] + near[1] * direction[1])
    far = (near[0] + step * direction[0], near[1] + step * direction[1])
    return 2 * (180 - degrees(atan2(far[1], far[0])))


@recompute("Chord, radius and distance from the centre")
def _():
    # integer points of the circle: heights of horizontal chords with half lengths 5 and 12
    heights = {half: [y for y in range(-13, 14) if half * half + y * y == 169] for half in (5, 12)}
    return {abs(y - z) for y in heights[5] for z in heights[12]}


@recompute("Cyclic quadrilateral: cosine law twice")
def _():
    # the inscribed angles over the sides 5, 3, 3 add up to the one over the fourth side, which fixes the diameter
    def fourth_side(diameter):
        return diameter * sin(asin(5 / diameter) + 2 * asin(3 / diameter))

    diameter = _bisect(lambda d: fourth_side(d) - 8, 8.0, 50.0)
    return diameter * sin(asin(5 / diameter) + asin(3 / diameter))


@recompute("Equal tangent lengths to an incircle")
def _():
    # coordinates A = (0, 0), B = (11, 0): the foot of the incenter on AB
    cx = (8**2 - 13**2 + 11**2) / 22
    return (13 * 0 + 8 * 11 + 11 * cx) / 32


@recompute("Power of a point with chords and secants")
def _():
    # a circle of radius 4 and a point at distance sqrt(52) (tangent length 6); turn the secant until its chord is 5
    distance = sqrt(52)
    offset = sqrt(16 - 2.5**2)
    return sqrt(distance**2 - offset**2) - 2.5


@recompute("Common tangent length of two circles")
def _():
    # unit normal n and the line n.x = h with n.c1 - h = 3, n.c2 - h = 8 for c1 = (0, 0), c2 = (13, 0)
    nx = 5 / 13
    ny = sqrt(1 - nx * nx)
    first, second = (-3 * nx, -3 * ny), (13 - 8 * nx, -8 * ny)
    assert abs((second[0] - first[0]) * nx + (second[1] - first[1]) * ny) < 1e-9
    return dist(first, second)


@recompute("Touching circles on a common line")
def _():
    # centres (0, 9) and (12, 4); the small circle (x, r) touches the first for every r, solve for the second
    def gap(r):
        x = sqrt((9 + r) ** 2 - (9 - r) ** 2)
        return 4 + r - dist((x, r), (12, 4))

    assert dist((0, 9), (12, 4)) == 13
    return _bisect(gap, 1e-6, 3.0)


@recompute("Circle fitted into a corner or sector")
def _():
    return _bisect(lambda r: max(hypot(r + r * cos(t), r + r * sin(t)) for t in (pi / 4, pi / 3, 0)) - 6, 0.0, 6.0)


@recompute("Sector equations for arc, area and perimeter")
def _():
    return {r for r in range(1, 10) if r * (20 - 2 * r) == 48 and (20 - 2 * r) / r < 2 * pi}


@recompute("Overlap area from sectors minus triangles")
def _():
    # vertical slices of the part with 3 < x < 6, one of two equal halves of the lens
    steps = 200_000
    width = 3 / steps
    return 2 * sum(2 * sqrt(36 - (3 + (k + 0.5) * width) ** 2) * width for k in range(steps))


@recompute("Border strip of fixed width around a figure")
def _():
    # slices at height y above the lower edge: the region minus the rectangle
    steps = 90_000
    width = 9 / steps
    total = 0.0
    for k in range(steps):
        y = -2 + (k + 0.5) * width
        overhang = max(0.0, -y, y - 5)
        reach = 2 * sqrt(4 - overhang**2)
        total += width * (reach + (0 if 0 < y < 5 else 8))
    return total


@recompute("Belt around circles: straight parts plus arcs")
def _():
    # perimeter of a convex region = integral of its support function over all directions
    centres = [(0, 0), (10, 0), (5, 5 * sqrt(3))]
    steps = 60_000
    total = 0.0
    for k in range(steps):
        t = 2 * pi * (k + 0.5) / steps
        total += 5 + max(x * cos(t) + y * sin(t) for x, y in centres)
    return total * 2 * pi / steps


@recompute("Ring area from a tangent chord")
def _():
    values = {round(pi * (hypot(7, inner) ** 2 - inner**2), 6) for inner in (1, 2.5, 24)}
    assert len(values) == 1
    return values.pop()
