"""Recomputes the worked examples of Complex Numbers without the method that the template teaches."""

from cmath import exp
from math import cos, isclose, pi, prod, radians, sin, sqrt

import sympy as sp

from tests.templates.recompute import recompute


def _gauss_integers(size):
    return (complex(a, b) for a in range(-size, size + 1) for b in range(-size, size + 1))


def _as_text(value):
    """a + bi with integers a and b as a sympy number."""
    assert abs(value.real - round(value.real)) < 1e-9
    assert abs(value.imag - round(value.imag)) < 1e-9
    return sp.Integer(round(value.real)) + sp.Integer(round(value.imag)) * sp.I


@recompute("Divide complex numbers with the conjugate")
def _():
    found = [z for z in _gauss_integers(12) if (2 + 1j) * z == 8 - 1j]
    assert len(found) == 1
    return _as_text(found[0])


@recompute("Powers of i in cycles of four")
def _():
    total, power = 0j, 1 + 0j
    for _ in range(50):
        power *= 1j
        total += power
    return _as_text(total)


@recompute("Compare real and imaginary parts")
def _():
    found = [z for z in _gauss_integers(12) if 2 * z + 3 * z.conjugate() == 10 - 4j]
    assert len(found) == 1
    return abs(found[0])


@recompute("Modulus of products and quotients")
def _():
    return abs((3 + 4j) * (3 + 4j) * (3 + 4j) * (1 - 1j) * (1 - 1j) * (1 - 1j) * (1 - 1j) / 2j)


@recompute("Squared modulus as z times conjugate")
def _():
    # z = 3 and w on the circle of radius 4, where the distance from w to -3 is 6
    low, high = 0.0, pi
    for _ in range(100):
        middle = (low + high) / 2
        if abs(3 + 4 * exp(1j * middle)) > 6:
            low = middle
        else:
            high = middle
    return abs(3 - 4 * exp(1j * low))


@recompute("Square root of a complex number")
def _():
    found = [z for z in _gauss_integers(15) if z * z == -5 + 12j and z.real > 0]
    assert len(found) == 1
    return _as_text(found[0])


@recompute("Extreme modulus on a circle in the plane")
def _():
    points = (4 + 3j + 2 * exp(2j * pi * k / 20_000) for k in range(20_000))
    return round(max(abs(z + 2 + 5j) for z in points), 5)


@recompute("Rotate a complex number about a centre")
def _():
    # the same distance to the centre and perpendicular to the old direction, on its left side
    centre, start = 1 - 2j, 5 + 1j
    found = []
    for z in _gauss_integers(12):
        u, v = start - centre, z - centre
        dot, cross = u.real * v.real + u.imag * v.imag, u.real * v.imag - u.imag * v.real
        if dot == 0 and cross > 0 and abs(u) == abs(v):
            found.append(z)
    assert len(found) == 1
    return _as_text(found[0])


@recompute("Real part of an expression on a circle")
def _():
    points = (2 * exp(2j * pi * k / 30_000) for k in range(30_000))
    best = max(((3 - 4j) * z + 8j / z).real for z in points)
    assert isclose(best, 6 * sqrt(5), rel_tol=1e-7)
    return best


@recompute("High powers by De Moivre")
def _():
    return sp.expand(prod([1 - sp.sqrt(3) * sp.I] * 7))


@recompute("All n-th roots of a complex number")
def _():
    # z = x + iy with z^4 = -16: test the points (+-sqrt(2), +-sqrt(2)), which are four different roots, hence all
    root = sp.sqrt(2)
    roots = [a * root + b * root * sp.I for a in (-1, 1) for b in (-1, 1)]
    assert all(sp.expand(z**4) == -16 for z in roots)
    return sp.expand(prod(z for z in roots if sp.re(z) > 0))


@recompute("Products over roots of unity")
def _():
    value = prod(3 - exp(2j * pi * k / 5) for k in range(1, 5))
    assert abs(value.imag) < 1e-9
    return round(value.real, 9)


@recompute("Simplify with a nonreal cube root of unity")
def _():
    values = []
    for sign in (1, -1):
        w = complex(-1 / 2, sign * sqrt(3) / 2)
        values.append((1 + w - w**2) ** 5 + (1 - w + w**2) ** 5)
    assert abs(values[0] - values[1]) < 1e-9
    return round(values[0].real, 9)


@recompute("Powers from z + 1/z on the unit circle")
def _():
    # s_n = z^n + 1/z^n obeys s_{n+1} = s_1 s_n - s_{n-1}
    first = sp.sqrt(3)
    before, current = sp.Integer(2), first
    for _ in range(19):
        before, current = current, sp.expand(first * current - before)
    return current


@recompute("Cosine sums by roots of unity")
def _():
    total = sum(cos(radians(t)) for t in (40, 80, 120, 160))
    # telescoping with 2 sin 20 as a second opinion
    assert isclose(total, (sin(radians(180)) - sin(radians(20))) / (2 * sin(radians(20))))
    return total
