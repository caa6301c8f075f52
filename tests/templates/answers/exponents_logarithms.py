"""Recomputes the worked examples of Exponents and Logarithms without the method that the template teaches."""

from fractions import Fraction
from math import log, log2, log10, sqrt

from tests.templates.recompute import recompute


def crossing(function, low, high):
    """Zero of a function that rises from negative to positive, by bisection."""
    assert function(low) < 0 < function(high)
    for _step in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


@recompute("Same base on both sides")
def _():
    return crossing(lambda x: 8 ** (x - 1) / (4 ** (x + 1) * 2) - 1, 0.0, 20.0)


@recompute("Exponential equation as a quadratic")
def _():
    assert all(4**x - 3 * 2 ** (x + 1) - 16 < 0 for x in (n / 100 for n in range(-1000, 300)))
    return crossing(lambda x: 4**x - 3 * 2 ** (x + 1) - 16, 0.0, 20.0)


@recompute("Rational and negative exponents")
def _():
    # the cube of the first factor and the fourth power of the second are rational
    first = [Fraction(p, q) for q in range(1, 30) for p in range(1, 30) if Fraction(p, q) ** 3 == Fraction(8, 27) ** 2]
    second = [n for n in range(1, 100) if n**4 == 16**3]
    return first[0] * second[0]


@recompute("Rationalising a denominator")
def _():
    return (sqrt(5) + sqrt(2)) / (sqrt(5) - sqrt(2))


@recompute("Denesting a square root")
def _():
    return sqrt(14 + 6 * sqrt(5))


@recompute("Infinite nested expression equals itself inside")
def _():
    value = 0.0
    for _depth in range(60):
        value = sqrt(12 + value)
    return value


@recompute("Comparing huge powers")
def _():
    return max([(2**60, "2^60"), (3**40, "3^40"), (5**24, "5^24")])[1]


@recompute("Number of digits by powers of ten")
def _():
    return len(str(4**13 * 5**22))


@recompute("Exponential growth and half-life")
def _():
    cells = 500
    for _hour in range(4, 21, 4):
        cells += 2 * cells
    return cells


@recompute("Condense logarithms and check the domain")
def _():
    return crossing(lambda x: log2(x) + log2(x - 6) - 4, 6.000001, 100.0)


@recompute("Products of logarithms by change of base")
def _():
    return log(27, 4) * log(32, 9)


@recompute("Equation with logs of several bases")
def _():
    return crossing(lambda x: log(x, 2) + log(x, 4) + log(x, 8) - 11, 1.0, 10_000.0)


@recompute("Equal powers named by one number")
def _():
    x = crossing(lambda t: 3**t - 144, 0.0, 20.0)
    y = crossing(lambda t: 4**t - 144, 0.0, 20.0)
    return 1 / x + 1 / y


@recompute("Logarithm expressed by given logarithms")
def _():
    a, b = log10(2), log10(3)
    assert abs(12 ** ((2 * b + 1 - a) / (2 * a + b)) - 45) < 1e-9
    return "(2b + 1 - a)/(2a + b)"


@recompute("Unknown in base and exponent: take logs")
def _():
    # in t = log10(x) the difference of the exponents of ten falls before t = 1 and rises after it
    def excess(x):
        return log10(x) * log10(x) - (3 + 2 * log10(x))

    small = crossing(lambda x: -excess(x), 1e-6, 10.0)
    large = crossing(excess, 10.0, 1e6)
    return small * large
