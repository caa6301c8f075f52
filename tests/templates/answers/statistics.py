"""Recomputes the worked examples of Statistics and Data without the method that the template teaches."""

import statistics
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np

from tests.templates.recompute import recompute


@recompute("Missing value from a mean")
def _():
    found = [score for score in range(301) if statistics.mean([82] * 5 + [score]) == 84]
    assert len(found) == 1
    return found[0]


@recompute("Combined mean of two groups")
def _():
    return statistics.mean([72] * 30 + [82] * 20)


@recompute("Corrected mean after a wrong entry")
def _():
    wrong = [38, 42] + [30, 50] * 11 + [40]  # one list that fits the story
    assert len(wrong) == 25
    assert statistics.mean(wrong) == 40
    return statistics.mean([63, *wrong[1:]])


@recompute("Mean, median and mode from a frequency table")
def _():
    books = [n for n, pupils in enumerate((3, 5, 6, 4, 2)) for _ in range(pupils)]
    assert len(books) == 20
    return statistics.mean(map(Fraction, books)) - Fraction(statistics.median(books))


@recompute("Extreme value under mean and median constraints")
def _():
    def fits(low):
        return low[3] <= 40 - sum(low) and low[2] == 7

    return max(40 - sum(low) for low in combinations_with_replacement(range(1, 20), 4) if fits(low))


@recompute("Variance by mean of squares")
def _():
    return statistics.pvariance(map(Fraction, (2, 4, 4, 6, 9)))


@recompute("Data under the change y = a x + b")
def _():
    data = [1, 9, 1, 9, 5 - 4, 5 + 4]
    assert statistics.pstdev(data) == 4
    return round(statistics.pstdev(5 - 3 * x for x in data))


@recompute("Variance of two groups put together")
def _():
    first, second = [8, 12] * 10, [12, 18] * 15
    assert (statistics.mean(first), statistics.pvariance(first)) == (10, 4)
    assert (statistics.mean(second), statistics.pvariance(second)) == (15, 9)
    return statistics.pvariance(first + second)


@recompute("Percentile of sorted data")
def _():
    # every value with at least 60 % of the data at most it and at least 40 % at least it; the middle of these
    data = [3, 5, 6, 8, 9, 11, 12, 15, 18, 20]
    halves = [Fraction(v, 2) for v in range(6, 41)]
    good = [v for v in halves if sum(d <= v for d in data) >= 6 and sum(d >= v for d in data) >= 4]
    return (good[0] + good[-1]) / 2


@recompute("Frequency histogram: missing height and median")
def _():
    rest = 100 - 10 - 40 - 20  # per cent in the class with the unknown height
    values = []
    for start, percent in ((0, 10), (10, rest), (20, 40), (30, 20)):
        values += [start + 10 * (2 * i + 1) / (200 * percent) for i in range(100 * percent)]
    assert len(values) == 10000
    return round(statistics.median(values), 6)


@recompute("Stratified and systematic sampling shares")
def _():
    grades = [0] * 400 + [1] * 360 + [2] * 340
    fitting = [step for step in range(1, 100) if grades[::step].count(1) == 18 and not 360 % step]
    assert len(fitting) == 1
    return len(grades[:: fitting[0]])


@recompute("Population estimate by marked animals")
def _():
    fitting = [n for n in range(60, 5000) if Fraction(60, n) == Fraction(4, 50)]
    assert len(fitting) == 1
    return fitting[0]


@recompute("Least squares line and prediction")
def _():
    slope, start = np.polyfit([1, 2, 3, 4, 5], [2, 3, 5, 4, 6], 1)
    return round(float(slope * 8 + start), 9)


@recompute("Chi-square of a two-by-two table")
def _():
    table = [[30, 20], [10, 40]]
    rows, columns = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]
    total = Fraction(0)
    for i in range(2):
        for j in range(2):
            expected = Fraction(rows[i] * columns[j], sum(rows))
            total += (table[i][j] - expected) ** 2 / expected
    return total
