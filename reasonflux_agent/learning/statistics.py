"""The claim of a learning run, and what rows could show before anything is spent. The tests themselves: jobs/evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from reasonflux_agent.jobs.evaluation.statistics import mcnemar, paired_difference
from reasonflux_agent.schema import Value

LEVEL = 0.05
BASELINE, CORRELATION = 0.4, 1 / 3
"""What `power` assumes: the share that is right without the library, and the correlation of right and right over one row. A
third is what two latent normal variables with the correlation one half have when each is cut at its median."""


class Claim(Value):
    """What the rows that chose nothing say: the same rows with the library and without it."""

    rows: int
    right_with: int
    right_without: int
    wins: int
    """Rows that are right only with the library."""
    losses: int
    """Rows that are right only without it."""
    p: float
    """Two-sided p of the exact McNemar test."""
    difference: float
    low: float
    high: float
    """Tango's 95 % score interval of the difference."""
    tokens_with: float
    tokens_without: float
    """Prompt and completion tokens a row."""

    @property
    def proven(self) -> bool:
        """Whether the library helps: the interval lies above zero, and the exact test agrees, which is stricter on few rows."""
        return self.low > 0 and self.p < LEVEL


def claim(pairs: Sequence[tuple[bool, bool]], tokens: Sequence[tuple[int, int]]) -> Claim:
    """Return the claim of rows: (right with the library, right without), and the tokens of each."""
    n = len(pairs)
    wins, losses = pairs.count((True, False)), pairs.count((False, True))
    difference, low, high = paired_difference(pairs)
    return Claim(
        rows=n,
        right_with=sum(with_it for with_it, _ in pairs),
        right_without=sum(without for _, without in pairs),
        wins=wins,
        losses=losses,
        p=mcnemar(wins, losses),
        difference=difference,
        low=low,
        high=high,
        tokens_with=sum(used for used, _ in tokens) / n,
        tokens_without=sum(used for _, used in tokens) / n,
    )


def power(n: int, effect: float) -> float:
    """Return the probability that `n` rows prove a library that makes this share more of them right (0.2: 20 points).

    It is exact: the sum over all counts of wins and losses that the test accepts, which are trinomial.

    >>> round(power(40, 0.2), 2), round(power(80, 0.2), 2)
    (0.48, 0.83)
    """
    before, after = BASELINE, min(1.0, BASELINE + effect)
    both = before * after + CORRELATION * math.sqrt(before * (1 - before) * after * (1 - after))
    win, loss = after - min(both, before), before - min(both, before)
    log_win, log_loss, log_rest = (math.log(max(share, 1e-300)) for share in (win, loss, 1 - win - loss))
    total = 0.0
    for losses in range(n + 1):
        fewest = _fewest_wins(losses)
        for wins in range(fewest, n - losses + 1):
            rest = n - wins - losses
            ways = math.lgamma(n + 1) - math.lgamma(wins + 1) - math.lgamma(losses + 1) - math.lgamma(rest + 1)
            total += math.exp(ways + wins * log_win + losses * log_loss + rest * log_rest)
    return min(total, 1.0)


@cache
def _fewest_wins(losses: int) -> int:
    """Return the smallest number of wins that the exact test accepts beside so many losses."""
    wins = losses + 1 if losses == 0 else _fewest_wins(losses - 1)
    while mcnemar(wins, losses) >= LEVEL:
        wins += 1
    return wins


def smallest_effect(n: int, probability: float = 0.8) -> float | None:
    """Return the smallest effect, in steps of 5 points, that `n` rows prove with this probability; None: not even 60 points."""
    return next((effect / 100 for effect in range(5, 65, 5) if power(n, effect / 100) >= probability), None)
