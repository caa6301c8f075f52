"""Recomputes the worked examples of Arithmetic and Geometric Sequences without the method that the template teaches."""

from fractions import Fraction
from itertools import count
from math import log2

from tests.templates.recompute import recompute

SMALL = range(-60, 61)


def arithmetic(first: int | Fraction, step: int | Fraction, length: int) -> list:
    """The first terms of an arithmetic sequence by repeated addition."""
    terms = [first]
    while len(terms) < length:
        terms.append(terms[-1] + step)
    return terms


def geometric(first: int | Fraction, ratio: int | Fraction, length: int) -> list:
    """The first terms of a geometric sequence by repeated multiplication."""
    terms = [first]
    while len(terms) < length:
        terms.append(terms[-1] * ratio)
    return terms


def only(values: object) -> object:
    """The single element of an iterable, which must have exactly one distinct element."""
    (value,) = set(values)
    return value


@recompute("Arithmetic sequence from two known terms")
def _():
    runs = (arithmetic(first, step, 50) for first in SMALL for step in range(-9, 10))
    return only(run[49] for run in runs if run[6] == 23 and run[18] == 71)


@recompute("Number of terms and sum of an arithmetic list")
def _():
    return sum(range(17, 263, 7))


@recompute("Equal index sums and the middle term")
def _():
    runs = (arithmetic(first, step, 15) for first in SMALL for step in range(-6, 7))
    return only(sum(run) for run in runs if run[2] + run[7] + run[12] == 45)


@recompute("Block sums of an arithmetic sequence")
def _():
    runs = (arithmetic(Fraction(a, 5), Fraction(d, 5), 15) for a in range(-20, 21) for d in range(-20, 21))
    return only(sum(run) for run in runs if sum(run[:5]) == 20 and sum(run[:10]) == 65)


@recompute("Largest partial sum by the sign change")
def _():
    return max(sum(arithmetic(29, -4, n)) for n in range(1, 100))


@recompute("Sum of absolute values of the terms")
def _():
    return sum(abs(2 * n - 13) for n in range(1, 16))


@recompute("Ratio of terms from the ratio of sums")
def _():
    # sequences whose partial sums are n (3n + 1) and n (2n + 5)
    a = [n * (3 * n + 1) - (n - 1) * (3 * n - 2) for n in range(1, 20)]
    b = [n * (2 * n + 5) - (n - 1) * (2 * n + 3) for n in range(1, 20)]
    assert all(Fraction(sum(a[:n]), sum(b[:n])) == Fraction(3 * n + 1, 2 * n + 5) for n in range(1, 20))
    assert len({a[k + 1] - a[k] for k in range(18)}) == len({b[k + 1] - b[k] for k in range(18)}) == 1
    return Fraction(a[5], b[5])


@recompute("Common terms of two arithmetic sequences")
def _():
    return len(set(range(3, 301, 5)) & set(range(4, 301, 7)))


@recompute("Symmetric unknowns for three or four terms")
def _():
    triples = ((a, b, 21 - a - b) for a in SMALL for b in range(a, 61))
    return only(max(t) for t in triples if t[1] - t[0] == t[2] - t[1] and t[0] * t[1] * t[2] == 231)


@recompute("Parameter that makes three expressions arithmetic")
def _():
    triples = ((x + 4, 3 * x + 1, 2 * x + 13) for x in (Fraction(k, 6) for k in range(-300, 301)))
    return only(2 * t[2] - t[1] for t in triples if t[1] - t[0] == t[2] - t[1])


@recompute("Inserting numbers between two given numbers")
def _():
    run = only(tuple(arithmetic(7, Fraction(d, 6), 7)) for d in range(1, 300) if 7 + 6 * Fraction(d, 6) == 43)
    return sum(run[1:6])


@recompute("Smallest n for which the total reaches a goal")
def _():
    seats = total = 0
    for row in count(1):
        seats = 12 if row == 1 else seats + 3
        total += seats
        if total >= 500:
            return row
    return None


@recompute("Geometric sequence from two terms: divide")
def _():
    runs = (geometric(Fraction(first, 2), Fraction(q, 2), 6) for first in SMALL for q in range(-8, 9) if q)
    return only(sum(run) for run in runs if run[1] == 10 and run[4] == -80)


@recompute("Equal index sums in products and logarithms")
def _():
    values = set()
    for ratio in (1.0, 1.5, 2.0, 0.3):
        first = (8 / ratio**9) ** 0.5
        run = geometric(first, ratio, 10)
        assert abs(run[3] * run[6] - 8) < 1e-9
        values.add(round(sum(log2(term) for term in run), 9))
    return only(values)


@recompute("Block sums of a geometric sequence")
def _():
    runs = (geometric(Fraction(first, 3), q, 9) for first in SMALL for q in range(-5, 6) if q)
    return only(sum(run) for run in runs if sum(run[:3]) == 7 and sum(run[:6]) == 63)


@recompute("Geometric sum equation with the case q = 1")
def _():
    ratios = {Fraction(p, q) for p in range(-12, 13) if p for q in range(1, 13)}
    return {q for q in ratios if sum(geometric(4 / q / q, q, 3)) == 12}


@recompute("Infinite geometric series and its squares")
def _():
    # the first term follows from the sum; the squares are summed numerically
    found = set()
    for k in range(-19, 20):
        ratio = k / 20
        first = 12 * (1 - ratio)
        if abs(sum(term * term for term in geometric(first, ratio, 500)) - 48) < 1e-6:
            found.add(Fraction(k, 20))
    return only(found)


@recompute("Bouncing ball and nested figures")
def _():
    height, distance = 18.0, 0.0
    for _bounce in range(200):
        distance += height
        height *= 2 / 3
        distance += height
    return distance


@recompute("Infinite sum of n r^n by shifting")
def _():
    return float(sum(Fraction(2 * n + 1, 4**n) for n in range(1, 60)))


@recompute("First step at which repeated growth passes a bound")
def _():
    cells, hours = 5, 0
    while cells <= 4000:
        cells, hours = 3 * cells, hours + 1
    return hours


@recompute("Arithmetic terms that are in geometric progression")
def _():
    runs = (arithmetic(3, Fraction(d, 2), 8) for d in range(-80, 81) if d)
    return only(sum(run) for run in runs if run[1] ** 2 == run[0] * run[4])


@recompute("Changing three numbers from arithmetic to geometric")
def _():
    triples = ((a, 5, 10 - a) for a in range(-100, 5))
    return only(c for a, b, c in triples if (b + 4) ** 2 == (a + 1) * (c + 19))


@recompute("Sum split into arithmetic and geometric parts")
def _():
    return sum(2**k + 3 * k for k in range(1, 9))


@recompute("Position in a list grouped by rows")
def _():
    number = 0
    for row in range(1, 41):
        entries = [number + place for place in range(1, row + 1)]
        number = entries[-1]
    return entries[6]
