"""Recomputes the worked examples of Word Problems with Quantities without the method that the template teaches."""

from fractions import Fraction
from itertools import product

from tests.templates.recompute import recompute


def only(values):
    """The one element that a search found."""
    (value,) = set(values)
    return value


@recompute("Running total through a story")
def _():
    # sell five rolls out of every box of eight, then put the trays in and take the gift out
    rolls = [number for number in range(96) if number % 8 >= 5]
    for _tray in range(2):
        rolls.extend(range(18))
    return len(rolls[13:])


@recompute("Shopping list total and change")
def _():
    paid_in_cents = sum([135] * 4) + sum([260] * 3)
    return Fraction(2000 - paid_in_cents, 100)


@recompute("Fraction of the remainder, step by step")
def _():
    pages = set(range(240))
    for numerator, denominator in [(1, 4), (2, 5)]:
        for page in sorted(pages)[: len(pages) * numerator // denominator]:
            pages.remove(page)
    return Fraction(len(pages), 4)


@recompute("Working backwards from the final amount")
def _():
    def end(start):
        return (start - Fraction(start, 3) + 10) / 2

    return only(start for start in range(1000) if end(start) == 23)


@recompute("Repeated schedule: per day, week and year")
def _():
    cost, cups = 0, Fraction(0)
    for _meal in range(2 * 360):
        if cups < Fraction(3, 4):
            cost, cups = cost + 27, cups + 45
        cups -= Fraction(3, 4)
    assert cups == 0
    return cost


@recompute("Chain of comparisons from a known amount")
def _():
    return only(14 + mia + tom for mia, tom in product(range(100), repeat=2) if mia + 3 == 2 * 14 and 3 * tom == 14 + mia)


@recompute("One letter for several compared amounts")
def _():
    return only(c for a, b, c in product(range(100), repeat=3) if a + b + c == 99 and b == 2 * a and c == b - 6)


@recompute("Two kinds of items by false assumption")
def _():
    return only(adults for adults in range(61) if 9 * adults + 5 * (60 - adults) == 412)


@recompute("Ages at different times")
def _():
    return only(d for d, e in product(range(9, 120), repeat=2) if d - 9 == 3 * (e - 9) and d + 5 + e + 5 == 68)


@recompute("Whole containers: round up or down")
def _():
    buses, seats_free = 0, 0
    for _person in range(143 + 9):
        if seats_free == 0:
            buses, seats_free = buses + 1, 44
        seats_free -= 1
    return 315 * buses


@recompute("Surplus and shortage when sharing")
def _():
    return only(s for s, n in product(range(500), range(1, 100)) if s == 5 * n + 8 and s == 7 * n - 12)


@recompute("Net progress per cycle with last-step check")
def _():
    height, day = 0, 0
    while True:
        day += 1
        height += 5
        if height >= 32:
            return day
        height -= 2


@recompute("Elapsed time in minutes")
def _():
    departures = range(6 * 60 + 20, 24 * 60, 25)
    arrival = 9 * 60 + 3
    return next(t for t in departures if t >= arrival) - arrival


@recompute("Day-by-day pattern with constant increase")
def _():
    total, today = 0, 10
    for _day in range(7):
        total += today
        today += 4
    return total
