"""The statistics of the report: intervals and tests for shares, paired shares and repeated samples. No dependencies.

Several samples of one problem are no independent problems. Where scores are means over repeats, the interval formulas for
counts get an *effective* number of problems: as many as would give independent right-or-wrong outcomes the variance that
was seen between problems (the design effect of survey sampling; see Miller 2024, arXiv 2411.00640, on clustered errors).
It lies between the number of problems and that of samples, and is exactly the number of problems where scores are 0 or 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution: all intervals are two-sided 95 % intervals."""


def wilson(k: float, n: float) -> tuple[float, float]:
    """The 95 % score interval (Wilson 1927) of a share of k in n; (0, 1) for n = 0. Both may be fractional."""
    if not n:
        return 0.0, 1.0
    centre, square = (k + Z * Z / 2) / (n + Z * Z), Z * Z
    half = Z * math.sqrt(max(k * (n - k) / n, 0.0) + square / 4) / (n + square)
    # a share of 0 or 1 has that end exactly; rounding must not move it
    return 0.0 if k <= 0 else max(centre - half, 0.0), 1.0 if k >= n else min(centre + half, 1.0)


def mean_interval(scores: Sequence[float], samples: int) -> tuple[float, float, float]:
    """(mean, low, high) of the problems' scores, each the mean over its repeats; `samples` counts all repeats.

    Wilson's interval over the effective number of problems (see above).
    """
    n = len(scores)
    mean = sum(scores) / n if n else 0.0
    size = _effective(mean * (1 - mean), scores, samples)
    return mean, *wilson(mean * size, size)


def mcnemar(b: int, c: int) -> float:
    """The exact two-sided p of McNemar's test: b and c problems on which only the one, only the other is right."""
    n = b + c
    tail = sum(math.comb(n, i) for i in range(min(b, c) + 1))  # exact integers, whatever n
    return min(1.0, 2 * tail / (1 << n))


def paired_difference(pairs: Sequence[tuple[float, float]], samples: int = 0) -> tuple[float, float, float]:
    """(difference, low, high) of mean(x) - mean(y) over pairs (x, y) of scores of the same problem, with its 95 % interval.

    The score interval of Tango (1998, Statistics in Medicine 17:891-908) for paired shares, which stays honest with few
    problems and few or no differences. Scores are 0 or 1, or means over repeats, of which `samples` counts all (see above).
    No pairs: (0, -1, 1).
    """
    differences = [float(x) - float(y) for x, y in pairs]
    n = len(differences)
    if not n:
        return 0.0, -1.0, 1.0
    b, c = sum(d for d in differences if d > 0), -sum(d for d in differences if d < 0)
    mean = (b - c) / n
    size = _effective((b + c) / n - mean * mean, differences, samples)
    low, high = _tango(b / n * size, c / n * size, size)
    return mean, low, high


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that k of n samples, c of them right, hold a right one: unbiased (Chen et al. 2021, arXiv 2107.03374)."""
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {n} samples with {c} right")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def maj_at_k(answers: Sequence[Hashable | None], correct: Sequence[bool], k: int) -> float:
    """The share of disjoint runs of k samples whose majority answer is right; of tied leaders each counts in part.

    Equal answers must compare equal; all correct ones count as one answer, and None does not vote.
    """
    if not 1 <= k <= len(answers):
        raise ValueError(f"maj@{k} of {len(answers)} samples")
    starts = range(0, len(answers) - k + 1, k)
    return sum(_majority(answers[i : i + k], correct[i : i + k]) for i in starts) / len(starts)


def _majority(answers: Sequence[Hashable | None], correct: Sequence[bool]) -> float:
    right = object()
    votes = Counter(right if ok else a for a, ok in zip(answers, correct, strict=True) if ok or a is not None)
    leaders = [answer for answer, count in votes.items() if count == max(votes.values())]
    return 1 / len(leaders) if right in leaders else 0.0


def _effective(binary: float, scores: Sequence[float], samples: int) -> float:
    """How many independent outcomes of variance `binary` vary as much in the mean as these scores do."""
    n = len(scores)
    if not samples > n > 1 or binary <= 0:
        return n
    mean = sum(scores) / n
    variance = sum((score - mean) ** 2 for score in scores) / (n - 1)
    return min(max(binary / variance * n, n), samples) if variance > 0 else samples


def _tango(b: float, c: float, n: float) -> tuple[float, float]:
    estimate = (b - c) / n

    def score(delta: float) -> float:
        """The score statistic under the hypothesis that the difference is `delta`; it falls as `delta` grows."""
        p = -b - c + (2 * n - b + c) * delta
        q = (math.sqrt(max(p * p + 8 * n * c * delta * (1 - delta), 0.0)) - p) / (4 * n)
        variance = n * (2 * q + delta * (1 - delta))
        return (b - c - n * delta) / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, estimate - delta)

    def limit(inside: float, outside: float) -> float:
        """Where |score| crosses Z between the estimate and the end of the range, by bisection."""
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if abs(score(middle)) <= Z else (inside, middle)
        return (inside + outside) / 2

    return (-1.0 if estimate <= -1 else limit(estimate, -1.0)), (1.0 if estimate >= 1 else limit(estimate, 1.0))
