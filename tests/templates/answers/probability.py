"""Recomputes the worked examples of Probability without the method that the template teaches."""

from fractions import Fraction
from itertools import combinations, product
from math import isqrt

from tests.templates.recompute import recompute

DICE = list(product(range(1, 7), repeat=2))


def share(outcomes, favourable):
    """The fraction of equally likely outcomes that are favourable."""
    outcomes = list(outcomes)
    return Fraction(sum(map(bool, map(favourable, outcomes))), len(outcomes))


@recompute("Favourable over total with one counting convention")
def _():
    return share(DICE, lambda d: d[0] * d[1] % 6 == 0)


@recompute("Drawing several balls without replacement")
def _():
    return share(combinations("RRRRRBBBB", 3), lambda hand: hand.count("R") == 2)


@recompute("Winner by symmetry after removing ties")
def _():
    return share(product(range(1, 9), repeat=2), lambda d: d[0] > d[1])


@recompute("Random divisor of a number")
def _():
    return share((d for d in range(1, 721) if 720 % d == 0), lambda d: isqrt(d) ** 2 == d)


@recompute("At least one success by the complement")
def _():
    # 24 equally likely worlds: archer i hits in the given number of them
    return share(product(range(2), range(3), range(4)), lambda w: w[0] < 1 or w[1] < 2 or w[2] < 3)


@recompute("Exactly one or exactly k of independent events")
def _():
    return share(product(range(3), range(4)), lambda w: (w[0] == 0) != (w[1] == 0))


@recompute("Tree of stages with changing contents")
def _():
    worlds = [moved_then_drawn for moved in "RRRWW" for moved_then_drawn in "RWWW" + moved]
    return share(worlds, lambda ball: ball == "R")


@recompute("Conditional probability by shrinking the sample space")
def _():
    return share(DICE, lambda d: 5 in d and sum(d) >= 9) / share(DICE, lambda d: 5 in d)


@recompute("Cause from result by Bayes")
def _():
    parts = [("A", k < 12) for k in range(600)] + [("B", k < 20) for k in range(400)]
    return share((machine for machine, defective in parts if defective), lambda machine: machine == "A")


@recompute("Random point on a segment")
def _():
    # midpoints of a fine grid whose cells do not straddle the roots
    grid = (Fraction(-3) + Fraction(2 * i + 1, 200) for i in range(800))
    return share(grid, lambda x: x * x - x - 6 < 0)


@recompute("Two random times as a region of a square")
def _():
    n = 150
    hits = sum(abs(i - j) * 60 <= 24 * n for i in range(n) for j in range(n))
    assert abs(hits / n**2 - 16 / 25) < 0.01
    # exact: integrate over the first arrival the length of the second's window
    lengths = [min(60, x + 24) - max(0, x - 24) for x in (Fraction(2 * i + 1, 2) for i in range(60))]
    return Fraction(sum(lengths), 3600)


@recompute("Binomial probability of k successes")
def _():
    return share(product(range(1, 7), repeat=4), lambda rolls: sum(r > 4 for r in rolls) == 2)


@recompute("Winning a best-of series")
def _():
    # as if all five games were played: thirds of a game, two of them won by Zoe
    return share(product((1, 1, 0), repeat=5), lambda games: sum(games) >= 3)


@recompute("Alternating turns until the first success")
def _():
    ann, alive = Fraction(0), Fraction(1)
    for roll in range(120):
        if roll % 2 == 0:
            ann += alive / 3
        alive *= Fraction(2, 3)
    nearest = ann.limit_denominator(100)
    assert ann <= nearest <= ann + alive
    return nearest


@recompute("Absorbing random walk by state equations")
def _():
    inside, reached = {1: Fraction(1)}, Fraction(0)
    for _ in range(60):
        following = {}
        for place, chance in inside.items():
            for target, p in ((place + 1, Fraction(2, 3)), (place - 1, Fraction(1, 3))):
                if target == 3:
                    reached += chance * p
                elif target:
                    following[target] = following.get(target, 0) + chance * p
        inside = following
    nearest = reached.limit_denominator(100)
    assert reached <= nearest <= reached + sum(inside.values())
    return nearest


@recompute("Probability after n moves by recurrence")
def _():
    def passes():
        for shifts in product((1, 2, 3), repeat=4):  # each pass goes 1, 2 or 3 places round
            yield sum(shifts) % 4

    return share(passes(), lambda holder: holder == 0)
