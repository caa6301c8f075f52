"""Recomputes the worked examples of Random Variables and Distributions without the method that the template teaches."""

from fractions import Fraction
from itertools import combinations, pairwise, permutations, product
from math import comb, erf, sqrt

from tests.templates.recompute import recompute


def mean(values):
    """The exact mean of equally likely values."""
    values = list(values)
    return Fraction(sum(values), len(values))


def variance(values):
    """The exact variance of equally likely values, from squared distances."""
    values = list(values)
    centre = mean(values)
    return mean((value - centre) ** 2 for value in values)


@recompute("Expected value from a distribution table")
def _():
    return mean(hand.count("R") for hand in combinations("RRRWW", 2))


@recompute("Unknown probability constant and variance")
def _():
    return variance(k for k in range(1, 5) for _ in range(k))


@recompute("Mean and variance of aX + b and of sums")
def _():
    xs, ys = (-2, 0, 0, 2), (-3, 0, 3, 0, 0, 0)  # equally likely values with variances 2 and 3
    assert variance(xs) == 2
    assert variance(ys) == 3
    return variance(3 * x - 2 * y + 7 for x, y in product(xs, ys))


@recompute("Linearity of expectation with indicators")
def _():
    rows = ([place in red for place in range(8)] for red in combinations(range(8), 5))
    return mean(sum(a != b for a, b in pairwise(row)) for row in rows)


@recompute("Expected maximum by tail sums")
def _():
    return mean(max(rolls) for rolls in product(range(1, 5), repeat=3))


@recompute("Binomial distribution parameters")
def _():
    found = []
    for n in range(1, 60):
        p = Fraction(6, n)
        if p <= 1:
            weights = [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
            centre = sum(k * w for k, w in enumerate(weights))
            if (centre, sum((k - centre) ** 2 * w for k, w in enumerate(weights))) == (6, 4):
                found.append(n)
    assert len(found) == 1
    return found[0]


@recompute("Most likely number of successes")
def _():
    chances = [Fraction(1)]  # the distribution, one seed after another
    for _ in range(20):
        chances = [a * 7 + b * 3 for a, b in zip([*chances, 0], [0, *chances], strict=True)]
    return chances.index(max(chances))


@recompute("Hypergeometric mean")
def _():
    return mean(group.count("G") for group in combinations("BBBBBBBGGGGG", 4))


@recompute("Normal distribution by symmetry")
def _():
    def below(x, sigma):
        return (1 + erf((x - 10) / (sigma * sqrt(2)))) / 2

    low, high = 0.1, 30.0  # bisect for the standard deviation that fits P(X < 13) = 0.8
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if below(13, middle) > 0.8 else (low, middle)
    return round(below(10, low) - below(7, low), 9)


@recompute("Sigma rule for expected counts")
def _():
    def below(x):
        return (1 + erf((x - 50) / (4 * sqrt(2)))) / 2

    return round(1000 * (below(58) - below(54)))


@recompute("Continuous density by integration")
def _():
    n = 3000  # midpoint rule for both integrals, so that the constant cancels
    points = [3 * (2 * i + 1) / (2 * n) for i in range(n)]
    centre = sum(x * x * x for x in points) / sum(x * x for x in points)
    assert abs(centre - 9 / 4) < 1e-6
    return Fraction(centre).limit_denominator(50)


@recompute("Waiting time and collecting all kinds")
def _():
    # sum the chances that n packets are not yet enough, by inclusion-exclusion over the missing stickers
    total = Fraction(0)
    for n in range(200):
        total += sum((-1) ** (k + 1) * comb(4, k) * Fraction(4 - k, 4) ** n for k in range(1, 5))
    nearest = total.limit_denominator(100)
    assert abs(total - nearest) < Fraction(1, 10**20)
    return nearest


@recompute("Expected steps by first-step equations")
def _():
    # follow the distribution: no six just now, one six just now, done
    fresh, one, expected = 1.0, 0.0, 0.0
    for _ in range(5000):
        expected += fresh + one  # the chance that another roll is made
        fresh, one = (fresh + one) * 5 / 6, fresh / 6
    assert abs(expected - round(expected)) < 1e-6
    return round(expected)


@recompute("Optimal stopping by working backwards")
def _():
    # every rule of the form "keep these numbers", all 256 of them
    rules = (kept for size in range(9) for kept in combinations(range(1, 9), size))
    return max(mean(a if a in kept else b for a, b in product(range(1, 9), repeat=2)) for kept in rules)


@recompute("Comparing plans by expected score")
def _():
    tasks = {"X": (10, 9), "Y": (30, 5)}

    def score(order, luck):
        points = 0
        for task in order:
            gain, good = tasks[task]
            if luck[task] >= good:
                break
            points += gain
        return points

    worlds = [{"X": x, "Y": y} for x, y in product(range(10), repeat=2)]
    return float(max(mean(score(order, luck) for luck in worlds) for order in permutations("XY")))
