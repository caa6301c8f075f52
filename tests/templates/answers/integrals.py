"""Recomputes the worked examples of Integrals without the method that the template teaches."""

from math import cos, e, exp, isclose, log, pi, sqrt

import numpy as np

from tests.templates.recompute import recompute


def _midpoints(function, low, high, steps=20_000):
    """Midpoint rule."""
    width = (high - low) / steps
    return width * sum(function(low + (k + 0.5) * width) for k in range(steps))


@recompute("Antiderivative with an initial value")
def _():
    # small steps along the given derivative from the known value
    value, steps = 5.0, 20_000
    for k in range(steps):
        value += (6 * (1 + (k + 0.5) / steps) ** 2 - 4) / steps
    return round(value, 6)


@recompute("Substitution with changed bounds")
def _():
    return round(_midpoints(lambda x: x * sqrt(2 * x * x + 1), 0, 2) * 3, 5) / 3


@recompute("Integration by parts")
def _():
    value = _midpoints(lambda x: x * exp(2 * x), 0, 1)
    assert isclose(value, (e**2 + 1) / 4, rel_tol=1e-7)
    return value


@recompute("Integrate a rational function by splitting")
def _():
    value = _midpoints(lambda x: 1 / (x * x - x), 3, 4)
    assert isclose(value, log(9 / 8), rel_tol=1e-7)
    return value


@recompute("Even and odd parts on a symmetric interval")
def _():
    return round(_midpoints(lambda x: x**3 * cos(x) + 3 * x * x, -2, 2), 5)


@recompute("Mirror substitution x to a + b - x")
def _():
    return round(_midpoints(lambda x: sqrt(x) / (sqrt(x) + sqrt(6 - x)), 1, 5), 6)


@recompute("Integral read as a known area")
def _():
    value = _midpoints(lambda x: sqrt(4 * x - x * x), 0, 4, steps=100_000)
    assert isclose(value, 2 * pi, rel_tol=1e-6)
    return value


@recompute("Area between two curves")
def _():
    # add up the positive part of (line - parabola) over a wide interval
    return round(_midpoints(lambda x: max(0.0, 2 * x + 3 - x * x), -10, 10, steps=40_000) * 3, 4) / 3


@recompute("Absolute value: split the integral at the zeros")
def _():
    return round(_midpoints(lambda x: abs(x * x - 2 * x), 0, 3, steps=30_000) * 3, 5) / 3


@recompute("Distance travelled versus displacement")
def _():
    return round(_midpoints(lambda t: abs(t * t - 4 * t + 3), 0, 4), 5)


@recompute("Volume of revolution by disks and rings")
def _():
    # cylindrical shells around the x-axis: at height y the region reaches from x = y to x = sqrt(y)
    value = _midpoints(lambda y: 2 * pi * y * (sqrt(y) - y), 0, 1)
    assert isclose(value, 2 * pi / 15, rel_tol=1e-6)
    return value


@recompute("Limit of a sum as an integral")
def _():
    # the sums and one step of extrapolation (the error falls like 1/n)
    def total(n):
        k = np.arange(1, n + 1)
        return float(np.sum(n / (n * n + k * k)))

    return 2 * total(200_000) - total(100_000)


@recompute("Derivative of an integral with variable bounds")
def _():
    def integral(x):
        return _midpoints(lambda t: 1 / (1 + t), 0, x * x, steps=5_000)

    return round((integral(2.0005) - integral(1.9995)) / 0.001, 5)


@recompute("Unknown integral as a constant")
def _():
    # f = x^2 + c for a list of candidates c: keep the one whose integral from 0 to 2 equals c
    base = _midpoints(lambda x: x * x, 0, 2)
    found = [k / 3 for k in range(-60, 61) if isclose(base + 2 * k / 3, k / 3, abs_tol=1e-6)]
    assert len(found) == 1
    return 9 + found[0]
