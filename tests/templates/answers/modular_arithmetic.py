"""Recomputes the worked examples of Modular Arithmetic without the method that the template teaches."""

import datetime
from itertools import count
from math import factorial

from tests.templates.recompute import recompute


@recompute("Units digit by the cycle of powers")
def _():
    return int(str(8**123)[-1])


@recompute("Power remainder through 1 or -1")
def _():
    return 3**200 % 13


@recompute("Fermat and Euler reduce the exponent")
def _():
    return 5**100 % 17


@recompute("Last two or three digits of a power")
def _():
    assert all(a**20 % 100 == 1 and a**100 % 1000 == 1 for a in range(1, 200) if a % 2 and a % 5)
    return int(str(3**123)[-2:])


@recompute("Power tower: exponent modulo the period")
def _():
    return 2 ** (3**7) % 13


@recompute("Repeated squaring")
def _():
    return 7**20 % 31


@recompute("Binomial expansion modulo a square")
def _():
    return 6**13 % 25


@recompute("Order: the least exponent with remainder 1")
def _():
    return next(n for n in count(1) if (2**n - 1) % 73 == 0)


@recompute("Replace numbers by remainders")
def _():
    return (47 * 52 - 59**2) % 11


@recompute("Remainder of an expression from a known remainder")
def _():
    (value,) = {(3 * n * n + 4) % 7 for n in range(500) if n % 7 == 5}
    return value


@recompute("Sum of factorials: only the first terms matter")
def _():
    return sum(factorial(k) for k in range(1, 51)) % 15


@recompute("Remainder modulo 9 by digit sums")
def _():
    return int("".join(str(k) for k in range(1, 41))) % 9


@recompute("Geometric sums modulo m by blocks")
def _():
    return sum(5**k for k in range(100)) % 31


@recompute("Numbers of nines or ones: powers of ten")
def _():
    return sum(int("9" * k) for k in range(1, 21)) % 1000


@recompute("Smallest number of ones divisible by m")
def _():
    return next(k for k in count(1) if int("1" * k) % 33 == 0)


@recompute("Power sums by pairing a and m - a")
def _():
    return sum(a**7 for a in range(1, 25)) % 23


@recompute("Wilson's theorem and nearby factorials")
def _():
    return factorial(16) % 19


@recompute("Chinese remainders by stepping")
def _():
    return next(n for n in count(1) if (n % 5, n % 7, n % 9) == (2, 3, 4))


@recompute("Equal shortage or equal remainder: shift to the lcm")
def _():
    return next(n for n in count(1) if (n % 8, n % 9, n % 10) == (3, 4, 5))


@recompute("Linear congruence by the inverse")
def _():
    (value,) = [x for x in range(43) if 17 * x % 43 == 5]
    return value


@recompute("Linear congruence with a common factor")
def _():
    return sum(x for x in range(28) if (12 * x - 20) % 28 == 0)


@recompute("Quadratic congruence by testing remainders")
def _():
    return sum(1 for n in range(1, 201) if (n * n - 1) % 15 == 0)


@recompute("Squares modulo 3, 4, 8 as a filter")
def _():
    sums = {a * a + b * b for a in range(12) for b in range(12)}
    return sum(1 for n in (43, 50, 61, 75, 87) if n not in sums)


@recompute("Weekday and calendar by sevens")
def _():
    # 2022 is a year whose 1 March was a Tuesday
    days = [datetime.date(2022, 3, day) for day in range(1, 32)]
    assert days[0].strftime("%w") == "2"
    return [day.day for day in days if day.strftime("%w") == "6"][2]


@recompute("Position in a repeating pattern")
def _():
    return ("RRRBBBBWW" * 20)[:100].count("B")
