"""Recomputes the worked examples of Sets and Logic without the method that the template teaches."""

from fractions import Fraction
from functools import cache
from itertools import combinations, permutations, product
from random import Random

from tests.templates.recompute import recompute

GRID = [Fraction(i, 8) for i in range(-80, 81)]  # -10 to 10 in eighths


@recompute("Intersect solution sets on a number line")
def _():
    for x in GRID:
        assert (x * x - 3 * x - 4 < 0 and abs(x - 1) >= 2) == (3 <= x < 4)
    return "[3, 4)"


@recompute("Read what the elements of a set are")
def _():
    for y in GRID:
        in_a = 16 - 4 * (1 - y) >= 0  # x^2 - 4x + (1 - y) = 0 has a real root
        in_b = 3 - y >= 0
        assert (in_a and in_b) == (-3 <= y <= 3)
    return "[-3, 3]"


@recompute("Finite sets: complement and De Morgan")
def _():
    return {n for n in range(1, 10) if n not in (1, 2, 3, 6) and n not in (2, 4, 6, 8)}


@recompute("Set of all sums or products of pairs")
def _():
    return sum(any(n - a in (0, 1, 3) for a in (1, 2, 4)) for n in range(20))


@recompute("Counting subsets between two sets")
def _():
    subsets = (set(s) for size in range(7) for s in combinations(range(1, 8), size))  # size 7 is not proper
    return sum({1, 2} <= s for s in subsets)


@recompute("Parameter from an element, with distinctness check")
def _():
    listed = {a: [2, a + 1, a * a - 1] for a in GRID}
    found = [a for a, elements in listed.items() if 3 in elements and len(set(elements)) == 3]
    assert len(found) == 1
    return found[0]


@recompute("Subset condition with the empty set case")
def _():
    for a in GRID:
        low, high = 2 * a - 1, a + 4
        inside = all(-3 < x < 7 for x in (low, (low + high) / 2, high)) if low <= high else True
        assert inside == (-1 < a < 3 or a > 5)
    return "(-1, 3) U (5, oo)"


@recompute("Two-group overlap count")
def _():
    # chess players are students 0-22; slide the 18 go players until 6 students play neither
    found = [
        len(set(range(23)) & set(range(s, s + 18))) for s in range(23) if 40 - len(set(range(23)) | set(range(s, s + 18))) == 6
    ]
    assert len(found) == 1
    return found[0]


@recompute("Three-circle Venn diagram from the centre")
def _():
    only = {"AB": 7 - 2, "AC": 6 - 2, "BC": 5 - 2, "ABC": 2}
    return sum(
        total - sum(n for region, n in only.items() if who in region) for who, total in (("A", 20), ("B", 18), ("C", 15))
    )


@recompute("Sufficient or necessary by set inclusion")
def _():
    small = [Fraction(i, 64) for i in range(-512, 513)]
    for a in GRID[40:-40:2]:
        implied = all(x * x - 2 * x - 15 < 0 for x in small if abs(x - a) < 2)
        assert implied == (-1 <= a <= 3)
    return "[-1, 3]"


@recompute("Negate a quantified statement to find a parameter")
def _():
    for a in GRID:
        lowest = min(x * x + 2 * a * x + a + 6 for x in GRID)  # the vertex -a is a point of the grid
        assert (lowest >= 0) == (-2 <= a <= 3)
    return "[-2, 3]"


@recompute("Test an if-then rule by its contrapositive")
def _():
    def rule(tag, coins):
        return tag != "red" or coins > 10

    hidden_coins, hidden_tags = (3, 12), ("red", "blue")
    bags = [
        [("red", c) for c in hidden_coins],
        [("blue", c) for c in hidden_coins],
        [(t, 6) for t in hidden_tags],
        [(t, 15) for t in hidden_tags],
    ]
    return sum(len({rule(*bag) for bag in options}) == 2 for options in bags)


@recompute("Truth-tellers and liars by assumption")
def _():
    worlds = [
        (a, b, c) for a, b, c in product((True, False), repeat=3) if a == (not b) and b == (not c) and c == (not a and not b)
    ]
    assert len(worlds) == 1
    return sum(worlds[0])


@recompute("Ordering puzzle by elimination table")
def _():
    places = set()
    for order in permutations("KLMNO"):
        at = {runner: place for place, runner in enumerate(order, 1)}
        if at["K"] == at["L"] + 1 and at["M"] in (1, 5) and at["N"] < at["L"] and at["O"] == 3:
            places.add(at["K"])
    assert len(places) == 1
    return places.pop()


@recompute("Invariant of a board replacement process")
def _():
    ends = set()
    for seed in range(50):
        dice, board = Random(seed), list(range(1, 11))
        while len(board) > 1:
            dice.shuffle(board)
            board.append(board.pop() + board.pop() - 1)
        ends.add(board[0])
    assert len(ends) == 1
    return ends.pop()


@recompute("Take-away game by losing positions")
def _():
    @cache
    def wins(stones):
        return any(not wins(stones - take) for take in range(1, min(4, stones) + 1))

    moves = [take for take in range(1, 5) if not wins(23 - take)]
    assert len(moves) == 1
    return moves[0]
