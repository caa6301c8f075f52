"""Formulas against SciPy and statsmodels, whose results are written down here."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonflux_agent.jobs.evaluation.statistics import (
    maj_at_k,
    mcnemar,
    mean_interval,
    paired_difference,
    pass_at_k,
    wilson,
)


def counts(b: int, c: int, n: int) -> list[tuple[int, int]]:
    """n pairs, b of them (1, 0) and c of them (0, 1)."""
    return [(1, 0)] * b + [(0, 1)] * c + [(1, 1)] * (n - b - c)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [  # scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
        (0, 10, 0.0, 0.27753279986288926),
        (10, 10, 0.7224672001371109, 1.0),
        (1, 1, 0.20654931437723745, 1.0),
        (21, 40, 0.37497362106692467, 0.6706452988732109),
        (81, 263, 0.2552885198782742, 0.36620957698280004),
        (3, 1000, 0.0010207838811386186, 0.008783014053503173),
    ],
)
def test_wilson_is_that_of_scipy(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=1e-12)


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [  # statsmodels.stats.contingency_tables.mcnemar([[0, b], [c, 0]], exact=True).pvalue
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 1, 0.21875),
        (7, 1, 0.0703125),
        (12, 3, 0.03515625),
        (40, 20, 0.01348929373119186),
        (300, 250, 0.036578745549102674),
    ],
)
def test_mcnemar_is_that_of_statsmodels(b: int, c: int, p: float) -> None:
    assert mcnemar(b, c) == mcnemar(c, b) == pytest.approx(p, rel=1e-12)


def test_mcnemar_stands_twenty_thousand_problems() -> None:
    assert mcnemar(10_000, 10_000) == 1.0
    assert 0 <= mcnemar(0, 20_000) < 1e-300


@pytest.mark.parametrize(
    ("b", "c", "n", "low", "high"),
    [
        # a numeric search (SciPy) for the constrained maximum of the likelihood and for the roots of the score gives these;
        # the first two tables are those of Bentur et al. 2009 and Cavo et al. 2012, common examples of paired shares
        (1, 7, 21, -0.517232, -0.026003),
        (6, 16, 161, -0.124023, -0.005433),
        (40, 20, 160, 0.030865, 0.218064),
        (5, 1, 40, -0.026242, 0.242274),
        (0, 4, 30, -0.296813, -0.004685),
        (3, 0, 10, -0.060793, 0.603222),
        (0, 0, 20, -0.161125, 0.161125),
        (0, 0, 1, -0.793451, 0.793451),
    ],
)
def test_paired_difference_is_tangos(b: int, c: int, n: int, low: float, high: float) -> None:
    assert paired_difference(counts(b, c, n)) == pytest.approx(((b - c) / n, low, high), abs=1e-6)


def test_paired_difference_at_the_ends() -> None:
    assert paired_difference([]) == (0.0, -1.0, 1.0)
    difference, low, high = paired_difference(counts(10, 0, 10))
    assert (difference, high) == (1.0, 1.0)
    assert low == pytest.approx(0.444934, abs=1e-5)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_paired_difference_holds_the_estimate_and_is_symmetric(b: int, c: int, same: int) -> None:
    n = b + c + same
    difference, low, high = paired_difference(counts(b, c, n))
    assert -1 <= low <= difference <= high <= 1
    assert paired_difference(counts(c, b, n)) == pytest.approx((-difference, -high, -low), abs=1e-9)


def test_intervals_cover_what_they_promise() -> None:
    """Simulated with correlated pairs: at least 92 % of the 95 % intervals hold the true difference of 0.1."""
    draw, hits = random.Random(3), 0
    for _ in range(400):
        pairs = []
        for _ in range(40):
            u = draw.random()
            pairs.append((int(u < 0.5), int(u < 0.3 or u > 0.9)))
        _, low, high = paired_difference(pairs)
        hits += low <= 0.1 <= high
    assert hits >= 0.92 * 400


def test_repeats_of_the_same_outcome_narrow_nothing() -> None:
    scores = [1.0] * 12 + [0.0] * 18
    assert mean_interval(scores, samples=30 * 8) == (0.4, *wilson(12, 30))
    pairs = [(float(x), float(y)) for x, y in counts(6, 2, 30)]
    assert paired_difference(pairs, samples=30 * 8) == paired_difference(pairs)


def test_repeats_that_differ_by_chance_alone_count_as_so_many_samples() -> None:
    mean, low, high = mean_interval([0.5] * 30, samples=30 * 8)
    assert (mean, low, high) == (0.5, *wilson(120, 240))
    assert mean_interval([0.5], samples=8)[1:] == wilson(0.5, 1)
    assert mean_interval([], samples=0) == (0.0, 0.0, 1.0)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_the_interval_of_repeats_lies_between_both_extremes(rights: list[int]) -> None:
    n, mean = len(rights), sum(rights) / 4 / len(rights)
    found, low, high = mean_interval([right / 4 for right in rights], samples=4 * n)
    assert found == pytest.approx(mean)
    widest, narrowest = wilson(mean * n, n), wilson(mean * 4 * n, 4 * n)
    assert widest[0] - 1e-9 <= low <= narrowest[0] + 1e-9
    assert narrowest[1] - 1e-9 <= high <= widest[1] + 1e-9


def test_pass_at_k_counts_subsets() -> None:
    assert pass_at_k(4, 1, 1) == 0.25
    assert pass_at_k(4, 1, 2) == 0.5
    assert pass_at_k(10, 3, 5) == pytest.approx(1 - math.comb(7, 5) / math.comb(10, 5))
    assert pass_at_k(5, 0, 5) == 0.0
    assert pass_at_k(5, 1, 5) == 1.0
    with pytest.raises(ValueError, match="pass@6 of 5 samples"):
        pass_at_k(5, 1, 6)


def test_maj_at_k_votes() -> None:
    assert maj_at_k(["7", "7.0", "8"], [True, True, False], 3) == 1.0  # all correct answers are one
    assert maj_at_k(["7", "8", "8"], [True, False, False], 3) == 0.0
    assert maj_at_k(["7", "8"], [True, False], 2) == 0.5  # a tie
    assert maj_at_k([None, None, "7"], [False, False, True], 3) == 1.0  # no answer is no vote
    assert maj_at_k([None], [False], 1) == 0.0
    assert maj_at_k(["7", "8", "9", "7"], [True, False, False, True], 1) == 0.5  # is pass@1
    with pytest.raises(ValueError, match="maj@0"):
        maj_at_k(["7"], [True], 0)
