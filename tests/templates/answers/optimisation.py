"""Recomputes the worked examples of Optimisation and Extremal Arguments without the method that the template teaches."""

from collections import deque
from fractions import Fraction
from functools import cache
from itertools import combinations, permutations
from math import hypot

import numpy as np

from tests.templates.recompute import recompute


@cache
def best_product(total: int) -> int:
    """The largest product of positive integers with the given sum, by trying every first part."""
    return max([total, *(part * best_product(total - part) for part in range(1, total))])


def largest_subset(n: int, forbidden: set[tuple[int, int]]) -> int:
    """Size of the largest subset of 1..n without a forbidden pair: best choices in each connected part."""
    neighbours = {v: {w for w in range(1, n + 1) if (min(v, w), max(v, w)) in forbidden} for v in range(1, n + 1)}

    @cache
    def best(free: frozenset[int]) -> int:
        if not free:
            return 0
        v = min(free, key=lambda u: len(neighbours[u] & free))
        without = free - {v}
        if len(neighbours[v] & free) <= 1:
            return 1 + best(without - neighbours[v])
        return max(1 + best(without - neighbours[v]), best(without))

    return best(frozenset(neighbours))


@recompute("Linear programming by corner points")
def _():
    steps = [Fraction(k, 4) for k in range(60)]
    return max(3 * x + 2 * y for x in steps for y in steps if x + y <= 8 and 2 * x + y <= 12)


@recompute("Cheapest combination in whole numbers")
def _():
    return min(300 * x + 130 * y for x in range(10) for y in range(20) if 40 * x + 15 * y >= 130)


@recompute("Slope or distance as the objective on a region")
def _():
    steps = [Fraction(k, 12) for k in range(12, 49)]
    return max(y / (x + 1) for x in steps for y in steps if x + y <= 4)


@recompute("Least overlap by counting the missing")
def _():
    # the eight kinds of people: search over those who do exactly two, one or none, given the three totals
    best = 50
    for only_swim_cycle in range(16):
        for only_swim_run in range(13):
            for only_cycle_run in range(9):
                for everything in range(50):
                    singles = (
                        42 - everything - only_swim_cycle - only_swim_run,
                        38 - everything - only_swim_cycle - only_cycle_run,
                        35 - everything - only_swim_run - only_cycle_run,
                    )
                    people = everything + only_swim_cycle + only_swim_run + only_cycle_run + sum(singles)
                    if min(singles) >= 0 and people <= 50:
                        best = min(best, everything)
                        break
    return best


@recompute("Shortest path touching a line by reflection")
def _():
    return round(min(hypot(1 - x / 400, 2) + hypot(7 - x / 400, 6) for x in range(-1000, 4001)), 9)


@recompute("Sum of square roots as a broken line")
def _():
    x = np.linspace(0, 12, 100_001)
    return round(float(np.min(np.sqrt(x**2 + 4) + np.sqrt((12 - x) ** 2 + 9))), 7)


@recompute("Fence of given length: share the length equally")
def _():
    widths = [Fraction(k, 20) for k in range(801)]
    return max((120 - 3 * width) / 2 * width for width in widths)


@recompute("Open box of given surface by three equal parts")
def _():
    sides = [Fraction(k, 100) for k in range(1, 690)]
    return max(x * x * (48 - x * x) / (4 * x) for x in sides)


@recompute("Largest area with given side lengths")
def _():
    # all third sides by Heron's formula
    c = np.linspace(3, 17, 400_001)
    s = (17 + c) / 2
    return round(float(np.sqrt(np.max(np.maximum(s * (s - 7) * (s - 10) * (s - c), 0)))), 7)


@recompute("Largest rectangle inside a triangle")
def _():
    # right triangle with legs 12 and 9: the corner lies on the line from (0, 9) to (12, 0)
    return max(x * (9 - Fraction(9, 12) * x) for x in (Fraction(k, 10) for k in range(121)))


@recompute("Inscribed figure in a circle by an angle")
def _():
    x = np.linspace(0, 10, 1_000_001)
    return round(float(np.max(2 * x * np.sqrt(100 - x**2))), 7)


@recompute("Product of parts with given sum: threes")
def _():
    return best_product(20)


@recompute("Smallest possible maximum of distinct integers")
def _():
    return min(max(parts) for parts in combinations(range(1, 15), 7) if sum(parts) == 50)


@recompute("One value extreme, all others pushed to the limit")
def _():
    # the five younger children determine the oldest
    younger = (sum(ages) for ages in combinations(range(8, 20), 5) if 71 - sum(ages) > max(ages))
    return max(71 - total for total in younger)


@recompute("Smallest or largest number by greedy digits")
def _():
    return next(n for n in range(1, 10**5) if sum(map(int, str(n))) == 23 and len(set(str(n))) == len(str(n)))


@recompute("Largest term by comparing neighbours")
def _():
    return max(range(1, 300), key=lambda n: Fraction(n * n * 5**n, 6**n))


@recompute("Quadratic in a whole number: neighbours of the vertex")
def _():
    return max(-3 * n * n + 40 * n - 10 for n in range(100))


@recompute("Best speed or lot size: growing and falling cost")
def _():
    return min((200 + v * v / 2) / v for v in (Fraction(k, 10) for k in range(1, 1000)))


@recompute("Waiting time: shortest first")
def _():
    return min(sum(sum(order[: k + 1]) for k in range(4)) for order in permutations((5, 2, 8, 3)))


@recompute("Fewest coins by a table")
def _():
    triples = ((a, b, c) for a in range(25) for b in range(5) for c in range(3))
    return min(a + b + c for a, b, c in triples if a + 6 * b + 10 * c == 24)


@recompute("Fewest operations by working backward")
def _():
    steps, queue = {1: 0}, deque([1])
    while 100 not in steps:
        number = queue.popleft()
        for after in (number + 1, 2 * number):
            if after not in steps:
                steps[after] = steps[number] + 1
                queue.append(after)
    return steps[100]


@recompute("Largest subset with a forbidden difference")
def _():
    return largest_subset(30, {(v, v + 4) for v in range(1, 27)})


@recompute("Largest subset without a pair sum divisible by m")
def _():
    # numbers with equal remainder are alike: choose how many of each remainder class to take
    best = 0
    for used in range(2**5):
        classes = [r for r in range(5) if used >> r & 1]
        sizes = {r: [n for n in range(1, 41) if n % 5 == r] for r in classes}
        if any((r + s) % 5 == 0 for r, s in combinations(classes, 2)):
            continue
        best = max(best, sum(1 if 2 * r % 5 == 0 else len(sizes[r]) for r in classes))
    return best


@recompute("Weighings on a balance by thirds")
def _():
    @cache
    def weighings(coins: int) -> int:
        if coins == 1:
            return 0
        return 1 + min(max(weighings(pan), weighings(max(coins - 2 * pan, 1))) for pan in range(1, coins // 2 + 1))

    return weighings(80)
