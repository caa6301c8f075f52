"""Races the arms of a group: each is a template, or two, that is shown for the group's other rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from math import ceil, comb, log2

from reasonflux_agent.learning.mining import DIRECT, Work, common_of, works_of
from reasonflux_agent.learning.outcomes import Asking, Outcome, Outcomes, Share, Trial, Way
from reasonflux_agent.learning.rows import LearningRow
from reasonflux_agent.schema import Template

OF_A_KIND = 3
"""Arms of one kind in a race at most: the shortest works."""
MOST_ROWS = 12
"""Rows of a group that a race uses at most."""
MOST_NEAREST = 12
"""Works among which the nearest one is shown, at most."""
CONTROLS = ("again", "bare program", "placebo")
FEWEST_ROWS = 3
"""Rows that every arm is tried on before any is dropped."""


@dataclass(frozen=True)
class Arm:
    """What is tried for a group."""

    name: str
    """`text`, `program`, `solution`, `two texts`, `two programs`, `nearest`, `given` (of the library to start from); or a
    control: `again` (none, twice: the noise), `bare program` (none, but a program is asked for: what the interpreter gains by
    itself), `placebo` (work of another group: the form without the method)."""
    way: Way
    rows: frozenset[str] = frozenset()
    """Ids of the rows that it came from. It is never tried on these."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Template id -> the row that it came from, if each template is shown by itself, and for other rows alone."""


@dataclass
class Standing:
    """How an arm does against no template at all, on the rows that both were tried on."""

    arm: Arm
    tried: dict[str, Outcome] = field(default_factory=dict)
    """Row id -> its outcome."""
    without: dict[str, Outcome] = field(default_factory=dict)
    """Row id -> its outcome without a template."""

    @property
    def wins(self) -> int:
        """Rows that are right with the arm alone."""
        return sum(outcome.right > self.without[id].right for id, outcome in self.tried.items())

    @property
    def losses(self) -> int:
        """Rows that are right without the arm alone."""
        return sum(outcome.right < self.without[id].right for id, outcome in self.tried.items())

    @property
    def tokens(self) -> int:
        """Tokens of the rows."""
        return sum(outcome.tokens for outcome in self.tried.values())

    @property
    def rank(self) -> tuple[float, float]:
        """What sorts the better arm first: wins minus losses, then tokens a row.

        It is no rate: an arm's own rows are left out, and there the model is right by itself. A rate would favour the arm
        that comes from more rows.
        """
        return self.losses - self.wins, self.tokens / (len(self.tried) or 1)

    @property
    def gain(self) -> float:
        """The probability that the arm wins more rows than it loses, given its rows so far and a flat prior."""
        rows = self.wins + self.losses + 1
        return float(sum(comb(rows, wins) for wins in range(self.wins + 1)) / 2**rows)


def arms_of(name: str, works: Sequence[Work], given: Sequence[Template]) -> list[Arm]:
    """Return the arms of a group that is called `name`: its shortest works, the two shortest of a kind together, and `given`
    templates; of each kind the first, then of each the second."""
    kinds = [[Arm("given", Way("shown", (template,)), frozenset(template.provenance.get("rows", ()))) for template in given]]
    for kind in ("program", "text", "solution"):
        some = [work for work in works if work.kind == kind][:OF_A_KIND]
        kinds.append([Arm(kind, Way("shown", (work.template(name),)), frozenset({work.row.id})) for work in some])
        if kind != "solution" and len(some) > 1:
            first, second = some[:2]
            shown = first.template(name), second.template(name)
            both = _paired(*shown), _paired(*reversed(shown))
            kinds.append([Arm(f"two {kind}s", Way("shown", both), frozenset({first.row.id, second.row.id}))])
    return [arm for arms in zip_longest(*kinds) for arm in arms if arm]


def _paired(template: Template, partner: Template) -> Template:
    return template.model_copy(update={"provenance": {"shown_with": partner.id}})


def controls_of(others: Sequence[Arm], programs: bool) -> list[Arm]:
    """Return the controls of a group's race, given the arms of other groups and whether programs are run. They see the rows of
    the first round, and cannot win."""
    bare = [Arm("bare program", Way("program"))] if programs else []
    placebos = [Arm("placebo", other.way, other.rows) for other in others if other.rows][:1]
    return [Arm("again", Way("direct", again=True)), *bare, *placebos]


def rounds_of(arms: int, rows: int) -> list[tuple[int, int]]:
    """Return (arms, rows) of each round of successive halving: half the arms go on, to twice the rows; the last two see all."""
    rounds = max(1, ceil(log2(arms))) if arms else 0
    sizes: list[tuple[int, int]] = []
    for number in range(rounds):
        sizes.append((arms, min(rows, max(FEWEST_ROWS, ceil(rows / 2 ** (rounds - 1 - number))))))
        arms = ceil(arms / 2)
    return sizes


def race(
    arms: Sequence[Arm], controls: Sequence[Arm], rows: Sequence[LearningRow], solver: Outcomes, share: Share
) -> Asking[list[Standing]]:
    """Find out how all arms stand: those that went furthest first, each of these in order of rank; then the controls.

    All arms see the rows in the same order, each without its own rows. Where the share does not suffice, fewer arms begin, and
    the race ends with what is known.
    """
    rows = rows[:MOST_ROWS]
    standings, out = [Standing(arm) for arm in arms], list[Standing]()
    checks = [Standing(control) for control in controls]

    def rounds() -> list[int]:
        return [count for _, count in rounds_of(len(standings), len(rows))]

    while standings and not (yield from _try([*standings, *checks], rows, rounds()[0], solver, share)):
        standings.pop()  # the calls do not pay for so many arms
    for count in rounds()[1:]:
        standings.sort(key=lambda standing: standing.rank)
        kept = ceil(len(standings) / 2)
        out = standings[kept:] + out
        standings = standings[:kept]
        if not (yield from _try(standings, rows, count, solver, share)):
            break
    return [*sorted(standings, key=lambda standing: standing.rank), *out, *checks]


def nearest_of(name: str, works: Sequence[Work], standings: Sequence[Standing], rows: Sequence[LearningRow]) -> Arm | None:
    """Return the arm that shows for each row the nearest work on another one: of `works`, and of what the race got right.

    A group can hold several kinds of problems, and no one template fits them all. None: there are too few works.
    """
    raced = list(_works_of_race(standings, rows))
    kind = next((work.kind for work in raced), "program")  # what the first arm made
    best: dict[str, Work] = {}
    for work in sorted((*works, *raced), key=lambda work: (work.kind != kind, work.place)):
        best.setdefault(work.row.id, work)
    if len(best) < FEWEST_ROWS:
        return None
    shown = [(row, work.template(name)) for row, work in best.items()][:MOST_NEAREST]
    way = Way("nearest", tuple(template for _, template in shown))
    return Arm("nearest", way, origins={template.id: row for row, template in shown})


def _works_of_race(standings: Sequence[Standing], rows: Sequence[LearningRow]) -> Iterator[Work]:
    by_id, common = {row.id: row for row in rows}, common_of(rows)
    raced = [standing for standing in standings if standing.arm.name not in CONTROLS]
    outcomes = [pair for standing in raced for pair in (*standing.tried.items(), *standing.without.items())]
    for id, outcome in {(id, outcome.text): (id, outcome) for id, outcome in outcomes}.values():  # arms share those without
        yield from works_of(by_id[id], outcome, common)


def challenge(
    standings: Sequence[Standing], arm: Arm, rows: Sequence[LearningRow], solver: Outcomes, share: Share
) -> Asking[list[Standing]]:
    """Try one more arm on all rows of the race. It is first if it won more than the first, simpler one, on its rows."""
    new, (first, *others) = Standing(arm), standings
    if not (yield from _try([new], rows[:MOST_ROWS], MOST_ROWS, solver, share)):
        return [*standings]
    won = sum(new.tried[id].right - new.without[id].right for id in first.tried if id in new.tried)
    better = first.arm.name in CONTROLS or won > first.wins - first.losses
    return [new, first, *others] if better else [first, new, *others]


def _try(
    standings: Sequence[Standing], rows: Sequence[LearningRow], count: int, solver: Outcomes, share: Share
) -> Asking[bool]:
    """Try each arm on its first `count` rows; return whether the share sufficed for all of it, else nothing was tried."""
    due: list[tuple[Standing, Trial]] = []
    for standing in standings:
        own = [row for row in rows if row.id not in standing.arm.rows][:count]
        due += [(standing, (standing.arm.way, row)) for row in own if row.id not in standing.tried]
    without: list[Trial] = list({row.id: (DIRECT, row) for _, (_, row) in due}.values())
    trials = [*without, *(trial for _, trial in due)]
    if len(solver.affordable(trials, share.amount)) < len(trials):
        return False
    outcomes = yield trials
    baseline = {row.id: outcome for (_, row), outcome in zip(without, outcomes, strict=False)}
    for (standing, (_, row)), outcome in zip(due, outcomes[len(without) :], strict=True):
        standing.tried[row.id], standing.without[row.id] = outcome, baseline[row.id]
    return True
