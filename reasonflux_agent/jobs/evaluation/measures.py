"""What is measured: accuracies with their intervals, paired comparisons, costs; all from rows alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from reasonflux_agent.jobs.evaluation.results import Result
from reasonflux_agent.jobs.evaluation.statistics import mcnemar, mean_interval, paired_difference

NO_DIFFERENCE = "no difference shown"


class Prices(NamedTuple):
    """What a million tokens cost, in one currency."""

    prompt: float
    cached: float
    """Of prompt tokens that came from the server's prefix cache."""
    completion: float


class Accuracy(NamedTuple):
    """The mean over problems of the mean over repeats, with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.1%} [{self.low * 100:.1f}, {self.high * 100:.1f}]"


class Comparison(NamedTuple):
    """A method against another on the problems that both have done."""

    n: int
    difference: float
    low: float
    high: float
    gained: list[str]
    """Ids of problems on which the method is right (more often), the other wrong."""
    lost: list[str]
    p: float
    """Of McNemar's exact test; with repeats of the sign test over problems."""

    @property
    def verdict(self) -> str:
        """A difference is shown where the interval excludes zero and the exact test agrees."""
        if self.low <= 0 <= self.high or self.p >= 0.05:
            return NO_DIFFERENCE
        return "better" if self.difference > 0 else "worse"

    @property
    def cells(self) -> list[str]:
        """n, difference with interval (in points), discordant counts, p, verdict."""
        points = f"{self.difference * 100:+.1f} [{self.low * 100:+.1f}, {self.high * 100:+.1f}]".replace("-", "−")
        p = "< 0.001" if self.p < 0.001 else f"{self.p:.3f}"
        return [str(self.n), points, str(len(self.gained)), str(len(self.lost)), p, self.verdict]


COMPARED = ["problems", "difference in points [95 %]", "only it right", "only the other right", "p", "verdict"]
"""The heads of `Comparison.cells`."""


def accuracy(rows: Iterable[Result]) -> Accuracy:
    """Accuracy over rows of one benchmark and method; failures count as wrong."""
    rows = list(rows)
    return Accuracy(*mean_interval(list(scores(rows).values()), len(rows)))


def scores(rows: Iterable[Result]) -> dict[str, float]:
    """Problem id -> share of its repeats that are right."""
    return {id: mean(row.correct for row in repeats) for id, repeats in by(lambda row: row.id, rows).items()}


def compare_rows(rows: Sequence[Result], others: Sequence[Result]) -> Comparison:
    """`rows` against `others`, paired by problem, over the repeats that both have of it."""
    rows, others = common(rows, others)
    mine, theirs = scores(rows), scores(others)
    ids = list(mine)
    difference, low, high = paired_difference([(mine[id], theirs[id]) for id in ids], len(rows))
    gained, lost = [id for id in ids if mine[id] > theirs[id]], [id for id in ids if mine[id] < theirs[id]]
    return Comparison(len(ids), difference, low, high, gained, lost, mcnemar(len(gained), len(lost)))


def common(rows: Iterable[Result], others: Iterable[Result]) -> tuple[list[Result], list[Result]]:
    """Of the rows of two methods or runs those that have their like on the other side, by problem and repeat."""
    mine, theirs = ({(row.id, row.repeat): row for row in side} for side in (rows, others))
    return [row for key, row in mine.items() if key in theirs], [row for key, row in theirs.items() if key in mine]


def ended(rows: Iterable[Result]) -> list[Result]:
    """The rows of which is known what they cost: a run that failed does not tell what it spent."""
    return [row for row in rows if not row.error]


def by(key: Callable[[Result], str], rows: Iterable[Result]) -> dict[str, list[Result]]:
    """The rows by a key, in order of appearance."""
    groups: dict[str, list[Result]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def mean(values: Iterable[float]) -> float:
    """The mean; 0 of nothing."""
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def enumerated(names: Sequence[str], most: int) -> str:
    """The names in a line, the first `most` of them."""
    return ", ".join(names[:most]) + ", …" * (len(names) > most)


def natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts `level 10` after `level 9`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d{1,18})", text) if part]


def cost(row: Result, prices: Prices) -> float:
    prompt = (row.prompt_tokens - row.cached_tokens) * prices.prompt + row.cached_tokens * prices.cached
    return (prompt + row.completion_tokens * prices.completion) / 1e6
