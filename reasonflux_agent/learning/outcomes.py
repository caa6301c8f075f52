"""What a learning run compares: ways to solve a row, their outcomes, and what these cost."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeVar

from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.evaluation.benchmarks import digest
from reasonflux_agent.learning.rows import LearningRow
from reasonflux_agent.schema import Template, Value

CALLS = {"direct": 1, "program": 1, "repaired": 1, "shown": 2, "nearest": 2, "library": 2}
"""Way of solving -> the calls expected for a row. An empty reply, a failed program and a second program take one more each."""
Unit = Literal["calls", "tokens", "minutes"]
USUAL: dict[Unit, float] = {"calls": 1, "tokens": 300, "minutes": 0.1}
"""What a call costs in each unit as long as none was made."""


@dataclass(frozen=True)
class Way:
    """A way to solve a row.

    `direct` or by `program`, without the library; by a wrong program that is `repaired`;
    with certain templates `shown`, or the `nearest` of some that came from other problems; by a `library`.
    """

    kind: str
    templates: tuple[Template, ...] = ()
    sample: int = 0
    """0 is greedy; each other number is a sample of its own."""
    again: bool = False
    """The greedy reply once more, and not from the cache: the noise of the server."""
    teacher: bool = False
    """Whether the teacher solves it."""

    @cached_property
    def id(self) -> str:
        """What the way is called in the ledger."""
        parts = [self.kind, *([digest(self.templates)[:12]] if self.templates else []), str(self.sample)]
        return "/".join([*parts, *(["again"] if self.again else []), *(["teacher"] if self.teacher else [])])


class Budget(NamedTuple):
    """What a learning run may spend."""

    amount: float
    unit: Unit

    @classmethod
    def parse(cls, text: int | str) -> Budget:
        """Return the budget that a text names: `400` (calls), `200k tokens`, `30 min`, `2 h`. Raises InputError.

        >>> Budget.parse("200k tokens")
        Budget(amount=200000.0, unit='tokens')
        """
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(k?)\s*(calls?|tokens?|min(?:utes?)?|h(?:ours?)?)?", str(text).strip().lower())
        if not match or not float(match[1]):
            raise InputError(
                f"The budget {text!r} cannot be read. Next: give calls (400), tokens (200k tokens) or time (30 min)."
            )
        amount, first = float(match[1]) * (1000 if match[2] else 1), (match[3] or "calls")[0]
        units: dict[str, Unit] = {"c": "calls", "t": "tokens", "m": "minutes", "h": "minutes"}
        return cls(60 * amount if first == "h" else amount, units[first])


class Outcome(Value):
    """The result of solving a row in one way."""

    right: bool
    sound: bool
    """Whether the text fails no verifier: its arithmetic recomputes, it is whole."""
    answer: str | None
    text: str
    templates: tuple[str, ...]
    """Ids of the templates that were shown."""
    calls: int
    tokens: int
    minutes: float = 0.0
    """Its share of the time that passed while it was solved."""


Trial = tuple[Way, LearningRow]
T = TypeVar("T")
Asking = Generator[list[Trial], list[Outcome], T]
"""Work on one group: it yields the trials that it needs next, is sent their outcomes, and returns its result."""


class Outcomes(ABC):
    """Hands out the outcomes of trials, and counts the calls behind each once."""

    model_name: str
    """What the model is called in provenances."""
    programs = True
    """Whether programs of the model may run."""
    taught = False
    """Whether there is a teacher."""

    unit: Unit = "calls"
    """What `spent` and `price` are in."""

    def __init__(self) -> None:
        self.calls, self.spent = 0, 0.0
        """Calls, and their cost, of all outcomes that were handed out, also of those that an earlier run paid for."""
        self.counted: set[str] = set()
        """Keys of these outcomes."""

    def solve(self, trials: Sequence[Trial]) -> list[Outcome]:
        """Return the outcome of each trial. Raises ModelError."""
        asked = {key_of(trial): trial for trial in trials}
        found = self.outcomes(asked)
        for key in asked.keys() - self.counted:
            self.calls += found[key].calls
            self.spent += getattr(found[key], self.unit)
        self.counted |= asked.keys()
        return [found[key_of(trial)] for trial in trials]

    def price(self, kind: str) -> float:
        """Return what a trial of this kind costs: its usual calls, at the mean price of a call so far."""
        return CALLS[kind] * (self.spent / self.calls if self.calls else USUAL[self.unit])

    def affordable(self, trials: Sequence[Trial], amount: float) -> list[Trial]:
        """Return the first of the trials, as many as so much pays for. An outcome that was handed out before is free."""
        kept = []
        for trial in trials:
            amount -= self.price(trial[0].kind) * (key_of(trial) not in self.counted)
            if amount < 0:
                break
            kept.append(trial)
        return kept

    @abstractmethod
    def outcomes(self, trials: Mapping[str, Trial]) -> dict[str, Outcome]:
        """Return the outcomes of trials, by their keys."""


def key_of(trial: Trial) -> str:
    """Return what a trial is called in the ledger."""
    way, row = trial
    return f"{way.id}/{row.id}"


class Share:
    """What the work on one group may spend until it is sent outcomes again."""

    amount = 0.0


def in_step(jobs: Mapping[str, Callable[[Share], Asking[T]]], solver: Outcomes, limit: float) -> dict[str, T]:
    """Return the results of the jobs on all groups. They go on together, so that the model has many rows to solve at once.

    What is left until `solver.spent` is `limit` is shared out equally before each step. Raises ModelError.
    """
    shares = {group: Share() for group in jobs}
    under_way = {group: job(shares[group]) for group, job in jobs.items()}
    sent: dict[str, Any] = dict.fromkeys(jobs)  # a generator begins when it is sent None
    results: dict[str, T] = {}
    while under_way:
        asked: dict[str, list[Trial]] = {}
        amount = (limit - solver.spent) / len(under_way)
        for group, job in list(under_way.items()):
            shares[group].amount = amount
            try:
                asked[group] = job.send(sent[group])
            except StopIteration as end:
                results[group] = end.value
                del under_way[group]
        outcomes = iter(solver.solve([trial for trials in asked.values() for trial in trials]))
        sent |= {group: [next(outcomes) for _ in trials] for group, trials in asked.items()}
    return {group: results[group] for group in jobs}
