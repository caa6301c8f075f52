"""Recomputes the worked examples of Limits and Derivatives without the method that the template teaches."""

from math import cos, e, exp, isclose, log, sin, sqrt

import numpy as np

from tests.templates.recompute import recompute


def _limit(function, point, steps=(1e-2, 1e-3, 1e-4)):
    """Two-sided limit from values near the point, which have to settle."""
    values = [(function(point + h) + function(point - h)) / 2 for h in steps]
    assert abs(values[-1] - values[-2]) < 1e-3
    nearest = round(values[-1])
    assert abs(values[-1] - nearest) < 1e-5
    return nearest


def _slope(function, x, h=1e-5):
    return (function(x + h) - function(x - h)) / (2 * h)


@recompute("Limit 0/0 by cancelling a factor")
def _():
    return _limit(lambda x: (x * x - 9) / (sqrt(x + 1) - 2), 3)


@recompute("Limit at infinity by the leading terms")
def _():
    values = [sqrt(x * x + 6 * x) - x for x in (1e3, 1e4, 1e5, 1e6)]
    errors = [abs(value - 3) for value in values]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-4
    return round(values[-1])


@recompute("Small-x expansions for trigonometric and exponential limits")
def _():
    return _limit(lambda x: (1 - cos(4 * x)) / (x * sin(2 * x)), 0)


@recompute("Difference quotient limits equal multiples of f'(a)")
def _():
    results = set()
    for function in (lambda x: 5 * x, lambda x: x**2 + x, lambda x: 5 * sin(x - 2), lambda x: 5 * log(x - 1)):
        assert isclose(_slope(function, 2), 5, rel_tol=1e-6)
        results.add(_limit(lambda h, f=function: (f(2 + 3 * h) - f(2 - h)) / h, 0))
    assert len(results) == 1
    return results.pop()


@recompute("Derivative of a product at one of its zeros")
def _():
    # the expanded polynomial, differentiated coefficient by coefficient
    return round(float(np.polyval(np.polyder(np.poly([1, 2, 3, 4, 5])), 4)), 6)


@recompute("Function defined with its own derivative value")
def _():
    found = []
    for c in (k / 10 for k in range(-200, 201)):
        polynomial = [1, 0, -c, 1]
        if isclose(np.polyval(np.polyder(polynomial), 2), c, abs_tol=1e-9):
            found.append(round(float(np.polyval(polynomial, 2)), 9))
    assert len(found) == 1
    return found[0]


@recompute("Tangent through a point not on the curve")
def _():
    # the line y = 1 + m x touches ln x where the largest value of ln x - 1 - m x is zero; bisection for m
    grid = np.linspace(0.05, 60, 200_001)
    low, high = 0.02, 1.0
    for _ in range(40):
        m = (low + high) / 2
        if np.max(np.log(grid) - 1 - m * grid) > 0:
            low = m
        else:
            high = m
    assert abs(low - e**-2) < 1e-6
    return e**-2


@recompute("Touching curves: equal value and equal slope")
def _():
    # the largest a for which a x^2 = ln x still has a solution
    grid = np.linspace(1, 6, 400_001)
    value = float(np.max(np.log(grid) / grid**2))
    assert abs(value - 1 / (2 * e)) < 1e-9
    return value


@recompute("Related rates and implicit derivatives")
def _():
    # height of the top as a function of time, foot at 6 m at t = 0
    return round(-_slope(lambda t: sqrt(100 - (6 + t / 2) ** 2), 0), 7)


@recompute("Local extremes from the sign of f'")
def _():
    values = [x**3 - 3 * x**2 - 9 * x + 5 for x in np.linspace(-6, 6, 12_001)]
    peaks = [v for u, v, w in zip(values, values[1:], values[2:], strict=False) if v > u and v > w]
    assert len(peaks) == 1
    return round(float(peaks[0]), 5)


@recompute("Largest and smallest value on a closed interval")
def _():
    values = [x**3 - 12 * x + 4 for x in (k / 1000 for k in range(-3000, 5001))]
    return max(values) + min(values)


@recompute("Parameter so that a function is monotonic")
def _():
    grid = np.linspace(-10, 10, 4001)

    def increasing(a):
        return bool(np.all(np.diff(grid**3 + a * grid**2 + 12 * grid) > 0))

    good = [k / 10 for k in range(-100, 101) if increasing(k / 10)]
    assert good == [k / 10 for k in range(-60, 61)]
    return "[-6, 6]"


@recompute("Number of zeros by separating the parameter")
def _():
    grid = np.concatenate([np.linspace(-60, -3, 20_001), np.linspace(-3, 3, 20_001)[1:]])
    values = grid * np.exp(grid)

    def solutions(a):
        signs = np.sign(values - a)
        assert np.all(signs != 0)
        return int(np.sum(signs[1:] != signs[:-1]))

    assert all(solutions(a) == 2 for a in (-0.3678, -0.2, -0.01, -1e-6))
    assert all(solutions(a) == 1 for a in (1e-6, 0.5, 3.0))
    assert all(solutions(a) == 0 for a in (-0.3680, -1.0))
    assert [x for x in (-1.0, 0.0, 1.0) if x * exp(x) == 0] == [0.0]
    return "(-1/e, 0)"


@recompute("Inequality for all x: bound the parameter by an extreme")
def _():
    grid = np.linspace(0.01, 50, 500_001)
    low, high = 0.0, 2.0
    for _ in range(40):
        a = (low + high) / 2
        if np.all(a * grid >= np.log(grid)):
            high = a
        else:
            low = a
    assert abs(high - 1 / e) < 1e-6
    return 1 / e


@recompute("Helper function from an inequality with f and f'")
def _():
    # members of the family: f = 3 e^{2x}, f = 3 e^x + e^x (e^x - 1), f = (x + 3) e^x
    grid = [x for x in np.linspace(-5, 5, 201) if abs(x) > 1e-9]
    family = (
        lambda x: 3 * exp(2 * x),
        lambda x: 3 * exp(x) + exp(x) * (exp(x) - 1),
        lambda x: (x + 3) * exp(x),
    )
    for function in family:
        assert isclose(function(0), 3)
        assert all(_slope(function, x) > function(x) for x in grid)
        assert all((function(x) > 3 * exp(x)) == (x > 0) for x in grid)
    return "(0, oo)"
