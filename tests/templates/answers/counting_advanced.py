"""Recomputes the worked examples of Advanced Counting without the method that the template teaches."""

from itertools import combinations, pairwise, permutations, product

from tests.templates.recompute import recompute


def times(p, q):
    """The product of two polynomials given as {exponent: coefficient}."""
    result = {}
    for i, a in p.items():
        for j, b in q.items():
            result[i + j] = result.get(i + j, 0) + a * b
    return result


def power(p, n):
    """The n-th power of a polynomial, factor by factor."""
    result = {0: 1}
    for _ in range(n):
        result = times(result, p)
    return result


def pascal(n):
    """Row n of Pascal's triangle, by addition only."""
    row = [1]
    for _ in range(n):
        row = [a + b for a, b in zip([0, *row], [*row, 0], strict=True)]
    return row


@recompute("Stars and bars with lower bounds")
def _():
    return sum(15 - w - x - y >= 0 for w, x, y in product(range(2, 16), range(1, 16), range(16)))


@recompute("Bounded solutions by inclusion-exclusion")
def _():
    return sum(sum(xyz) == 14 for xyz in product(range(7), repeat=3))


@recompute("Distinct objects to boxes with none empty")
def _():
    return sum(set(owner) == {0, 1, 2} for owner in product(range(3), repeat=5))


@recompute("Derangements and exactly k fixed points")
def _():
    return sum(sum(i == p for i, p in enumerate(order)) == 2 for order in permutations(range(6)))


@recompute("Chosen power term of a binomial expansion")
def _():
    return power({2: 1, -1: 2}, 9)[0]


@recompute("Coefficient in a product of two expansions")
def _():
    return times({0: 1, 1: 1, 2: -2}, power({0: 1, 1: 1}, 7))[4]


@recompute("Sums of coefficients by inserting 1 and -1")
def _():
    coefficients = power({1: 2, 0: 1}, 5)
    return coefficients[1] + coefficients[3] + coefficients[5]


@recompute("Hockey-stick sum of binomial coefficients")
def _():
    return sum(pascal(k)[3] for k in range(3, 11))


@recompute("Products of binomials summed by a committee")
def _():
    six, eight = pascal(6), pascal(8)
    return sum(six[k] * eight[5 - k] for k in range(6))


@recompute("Strings without a forbidden neighbour by recursion")
def _():
    return sum("AA" not in "".join(letters) for letters in product("ABC", repeat=5))


@recompute("Choosing items with no two consecutive")
def _():
    return sum(all(b - a > 1 for a, b in pairwise(c)) for c in combinations(range(12), 4))


@recompute("Ballot paths by reflection")
def _():
    good = 0
    for votes_for_b in combinations(range(10), 4):
        lead, never_behind = 0, True
        for vote in range(10):
            lead += -1 if vote in votes_for_b else 1
            never_behind = never_behind and lead >= 0
        good += never_behind
    return good


@recompute("Colourings up to rotation by Burnside")
def _():
    return len({min(tile[i:] + tile[:i] for i in range(4)) for tile in product(range(3), repeat=4)})


@recompute("Total over all subsets by contribution")
def _():
    return sum(sum(subset) for size in range(9) for subset in combinations(range(1, 9), size))


@recompute("Choosing numbers by residue classes")
def _():
    return sum(sum(triple) % 3 == 0 for triple in combinations(range(1, 13), 3))


@recompute("Exact maximum by difference of counts")
def _():
    return sum(max(triple) == 7 for triple in product(range(1, 11), repeat=3))


@recompute("Pigeonhole by the worst case")
def _():
    hands = list(product(range(11), range(9), range(4)))

    def sure(drawn):
        return all(max(hand) >= 5 for hand in hands if sum(hand) == drawn)

    assert all(sure(n) for n in range(12, 22))
    return min(n for n in range(1, 22) if sure(n))
