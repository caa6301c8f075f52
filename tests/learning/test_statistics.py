"""The claim, and the probability that rows can prove an effect. McNemar and Tango: tests/evaluation/test_statistics.py."""

from __future__ import annotations

import random

import pytest

from reasonflux_agent.jobs.evaluation.statistics import mcnemar, paired_difference
from reasonflux_agent.learning.statistics import claim, power, smallest_effect

TOKENS = [(3, 1)]


def pairs(wins: int, losses: int, both: int, neither: int) -> list[tuple[bool, bool]]:
    kinds = ((True, False), (False, True), (True, True), (False, False))
    return [kind for kind, count in zip(kinds, (wins, losses, both, neither), strict=True) for _ in range(count)]


def test_a_claim_counts_and_tests() -> None:
    made = claim(pairs(12, 3, 10, 15), TOKENS * 40)
    assert (made.rows, made.right_with, made.right_without, made.wins, made.losses) == (40, 22, 13, 12, 3)
    assert made.p == pytest.approx(0.03515625)  # statsmodels, exact
    assert (made.difference, made.low, made.high) == paired_difference(pairs(12, 3, 10, 15))
    assert made.difference == pytest.approx(0.225)
    assert (made.tokens_with, made.tokens_without) == (3, 1)
    assert made.proven


@pytest.mark.parametrize(
    ("wins", "losses", "proven"),
    [(6, 0, True), (5, 0, False), (8, 1, True), (7, 1, False), (0, 8, False), (0, 0, False), (20, 19, False)],
)
def test_what_is_proven(wins: int, losses: int, proven: bool) -> None:
    """5 : 0 has an interval above zero (Tango is a large-sample interval), but the exact test does not accept it."""
    assert claim(pairs(wins, losses, 5, 5), TOKENS * (wins + losses + 10)).proven is proven


@pytest.mark.parametrize(
    ("n", "effect", "simulated"),
    [(40, 0.2, 0.49), (80, 0.2, 0.83), (200, 0.1, 0.66)],
)
def test_the_power_is_that_of_a_simulation_with_latent_normal_variables(n: int, effect: float, simulated: float) -> None:
    assert power(n, effect) == pytest.approx(simulated, abs=0.015)


def test_the_power_without_an_effect_is_the_level_at_most() -> None:
    assert 0 < power(100, 0.0) < 0.025


def test_the_power_is_that_of_drawn_pairs() -> None:
    draw, n, claims = random.Random(7), 30, 0
    both = 0.4 * 0.7 + (0.4 * 0.6 * 0.7 * 0.3) ** 0.5 / 3
    for _ in range(4000):
        seen = [draw.random() for _ in range(n)]
        wins = sum(x < 0.7 - both for x in seen)
        losses = sum(0.7 - both <= x < 0.7 - both + 0.4 - both for x in seen)
        claims += wins > losses and mcnemar(wins, losses) < 0.05
    assert power(n, 0.3) == pytest.approx(claims / 4000, abs=0.03)


def test_the_power_of_many_rows_is_computed() -> None:
    assert power(1500, 0.1) == pytest.approx(1.0, abs=1e-6)


def test_the_smallest_effect_falls_with_the_rows() -> None:
    assert (smallest_effect(10), smallest_effect(24), smallest_effect(40), smallest_effect(80)) == (None, 0.4, 0.3, 0.2)
