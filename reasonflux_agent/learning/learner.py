"""Learns a library from solved rows, tests it on rows that chose nothing, and writes it with what was shown."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel

from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.running import Watcher
from reasonflux_agent.learning.choosing import choose
from reasonflux_agent.learning.mining import DIRECT
from reasonflux_agent.learning.outcomes import CALLS, USUAL, Budget, Outcome, Outcomes, Trial, Way, key_of
from reasonflux_agent.learning.racing import Standing
from reasonflux_agent.learning.records import Paths, with_records
from reasonflux_agent.learning.rows import Fold, LearningRow, Rows, enough, read_rows, split, without_copies
from reasonflux_agent.learning.solving import Solver
from reasonflux_agent.learning.statistics import BASELINE, Claim, claim, power, smallest_effect
from reasonflux_agent.parts import resolve_models
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.verify.scoring import load_scorer

EFFECTS = (0.1, 0.2, 0.3, 0.5)
"""Effects whose probability to be proven a forecast states."""


@dataclass(frozen=True)
class Tested:
    """A row that chose nothing, solved with the library and without it."""

    row: LearningRow
    with_it: Outcome
    without: Outcome


@dataclass(frozen=True)
class Learned:
    """The result of a learning run."""

    library: TemplateLibrary | None
    """The library that was written; None: no template is left, and nothing was written."""
    tested: list[Tested]
    sealed: bool
    """Whether the claim is of this very library, on a sealed hold-out; else it is of the procedure, cross-fitted."""
    winners: dict[str, Standing]
    """Group -> the arm that was chosen, and how it stood in the race: what selection says, which is too good on average."""
    races: dict[str, list[Standing]]
    """Group -> how all arms and controls stood."""
    calls: int
    """Calls behind it, those of earlier runs of the same command included."""

    @cached_property
    def claim(self) -> Claim:
        """What the tested rows say."""
        return _claim(self.tested)

    @cached_property
    def by_group(self) -> dict[str, Claim]:
        """Group -> what its tested rows say."""
        groups = sorted({each.row.group for each in self.tested})
        return {group: _claim([each for each in self.tested if each.row.group == group]) for group in groups}

    @property
    def proven(self) -> bool:
        """Whether the library is shown to help."""
        return self.library is not None and self.claim.proven


@dataclass(frozen=True)
class Forecast:
    """What a learning run would cost, and could show."""

    rows: int
    groups: int
    tested: int
    """Rows that the claim would rest on."""
    sealed: bool
    calls: int
    """Calls in a rehearsal in which chance decides what is right."""
    shows: dict[float, float]
    """Effect (a share of the rows) -> the probability that a library with this effect would be proven."""
    smallest: float | None
    """The smallest effect that would be proven with a probability of 80 %."""


@dataclass(frozen=True)
class Task:
    """What is learned from, and tested on."""

    rows: list[LearningRow]
    """All rows but those of a given test."""
    folds: list[Fold]
    given: TemplateLibrary | None = None
    budget: Budget | None = None

    @property
    def sealed(self) -> bool:
        """Whether the claim rests on one sealed hold-out."""
        return len(self.folds) == 1


def learn(
    rows: Rows = (),
    out: str | Path = "learned.json",
    *,
    records: Paths = (),
    test: Rows = (),
    model: BaseChatModel | str | None = None,
    teacher: BaseChatModel | str | None = None,
    library: TemplateLibrary | str | Path | None = None,
    update: bool = False,
    budget: int | str | None = None,
    scorer: str | None = None,
    data_dir: str | Path | None = None,
    concurrency: int = 4,
    watcher: Watcher | None = None,
    **context: Any,
) -> Learned:
    """Learn a library from solved rows, write it to `out`, and say whether it is shown to help.

    `rows`: a JSONL file, the name of a benchmark (found in `data_dir`, see `eval`), or mappings, with `problem`, `answer`, and
    perhaps `solution`, `group` and `scorer`; or several of these. `records`: marked run records, or folders of them, which give
    rows too (docs/feedback.md). `test`: rows that the claim rests on; without them some of `rows` are set aside, or all are
    tested in turn. `teacher`: a model whose work is shown where `model` is not right itself.
    `library`: one to start from; those of its templates that are found for the rows have to win their place, the others stay.
    `update`: start from the library at `out`, and use only rows that it has not seen. `budget`: at most so many model calls
    (`400`), tokens (`"200k tokens"`) or minutes (`"30 min"`), not counting retries. `scorer` decides what is right (see
    verify/scoring.py). `context`: fields of the Context, such as `max_tokens`.

    The same call goes on where the last one was stopped (see `solving`). Raises InputError for what cannot be used, before any
    model call, and ModelError when the model's server is gone.

    >>> learned = learn("examples.jsonl", "mine.json", budget=400)  # doctest: +SKIP
    >>> learned.proven, learned.claim.difference  # doctest: +SKIP
    (True, 0.375)
    """
    settings = Context.from_env(**{"seed": 0, **context, "direct_samples": 0, "trajectories": 1, "templates": 1})
    _, spec = resolve_models(settings.navigator, model or settings.solver)
    settings = settings.model_copy(update={"navigator": None, "solver": None})
    task = task_of(with_records(rows, records), test, library, Path(out) if update else None, budget, data_dir)
    if scorer:
        load_scorer(scorer)
    rehearsed = _rehearse(task)
    with Solver(spec, Path(out), settings, concurrency, watcher, teacher, scorer) as solver:
        if watcher:
            before = len(solver.journal.rows)
            watcher.begin(solver.journal, before, max(before, len(rehearsed.counted)))
        learned = learn_with(solver, task)
    return _written(learned, Path(out))


def forecast(
    rows: Rows,
    *,
    test: Rows = (),
    library: TemplateLibrary | str | Path | None = None,
    update: str | Path | None = None,
    budget: int | str | None = None,
    data_dir: str | Path | None = None,
) -> Forecast:
    """Return what `learn` would cost with these rows, and could show. No model is called. Raises InputError."""
    task = task_of(rows, test, library, Path(update) if update else None, budget, data_dir)
    tested = sum(len(test) for _, test in task.folds)
    return Forecast(
        rows=len(task.rows),
        groups=len({row.group for row in task.rows}),
        tested=tested,
        sealed=task.sealed,
        calls=_rehearse(task).calls,
        shows={effect: power(tested, effect) for effect in EFFECTS},
        smallest=smallest_effect(tested),
    )


def task_of(
    rows: Rows,
    test: Rows = (),
    library: TemplateLibrary | str | Path | None = None,
    update: Path | None = None,
    budget: int | str | None = None,
    data_dir: str | Path | None = None,
) -> Task:
    """Return what to learn from. `update` is a library whose rows are left out, and to start from.

    Raises InputError for rows that are too few or that a given template was chosen on, and for a budget that is too small.
    """
    learning = read_rows(rows, data_dir)
    known = {row.id for row in learning}
    tested = [row for row in without_copies([*learning, *read_rows(test, data_dir)]) if row.id not in known]
    if update and update.exists():
        library = TemplateLibrary.load(update)
        old = _seen(library)
        learning, tested = ([row for row in some if row.id not in old] for some in (learning, tested))
    enough(tested or learning)
    given = library if library is None or isinstance(library, TemplateLibrary) else TemplateLibrary.load(library)
    if count := len(_seen(given) & {row.id for row in (*learning, *tested)}):
        raise InputError(
            f"The library to start from was learned from {count} of these {len(learning) + len(tested)} rows, so they cannot "
            "test it. Next: give other rows, use --update, or start from another library."
        )
    folds = [(learning, tested)] if tested else split(learning)
    task = Task(learning, folds, given, None if budget is None else Budget.parse(budget))
    least = _of_claim(folds, _Rehearsal()) + len(learning)
    if task.budget and task.budget.unit == "calls" and task.budget.amount < least:
        raise InputError(
            f"A budget of {budget} calls is too small for {len(learning)} rows: the claim and one reply a row may take "
            f"{least:.0f}. Next: give that many, or fewer rows."
        )
    return task


def learn_with(solver: Outcomes, task: Task) -> Learned:
    """Return what is learned from rows whose outcomes `solver` knows; nothing is written. Raises ModelError.

    Each fold's library is chosen on its learning rows alone, and tested on rows that only this test sees. With a sealed
    hold-out that library is the result; cross-fitted, the result is chosen on all rows, and the test is one of the procedure.
    """
    tested = list[Tested]()
    choices = task.folds if task.sealed else [*task.folds, (task.rows, [])]
    limit = task.budget.amount if task.budget else float("inf")
    solver.unit = task.budget.unit if task.budget else "calls"
    for number, (learning, test) in enumerate(choices):
        left = limit - solver.spent - _of_claim(task.folds[number:], solver)
        # half of what is left: the folds have most of their trials in common, so the first one pays for most of them
        chosen = choose(learning, task.given, solver, left / 2 if number < len(choices) - 1 else left)
        without = solver.solve([(DIRECT, row) for row in test])
        way = Way("library", chosen.library.templates) if chosen.library else DIRECT
        with_it = solver.solve([(way, row) for row in test])
        tested += [Tested(*each) for each in zip(test, with_it, without, strict=True)]
    return Learned(chosen.library, tested, task.sealed, chosen.winners, chosen.races, solver.calls)


def _claim(tested: Sequence[Tested]) -> Claim:
    return claim(
        [(each.with_it.right, each.without.right) for each in tested],
        [(each.with_it.tokens, each.without.tokens) for each in tested],
    )


def _of_claim(folds: Sequence[Fold], solver: Outcomes) -> float:
    """What the claim of these folds still costs at most, in the solver's unit."""
    tested = [row for _, test in folds for row in test]
    return solver.price("library") * len(tested) + solver.price("direct") * sum(
        key_of((DIRECT, row)) not in solver.counted for row in tested
    )


def _seen(library: TemplateLibrary | None) -> set[str]:
    """Ids of the rows that a library was learned from."""
    return {id for template in library or () for id in template.provenance.get("seen", ())}


def _written(learned: Learned, out: Path) -> Learned:
    """Write the library, and in each learned template what was shown. Raises InputError where the file cannot be written."""
    if learned.library is None:
        return learned
    said = {"proven": learned.proven, "sealed": learned.sealed, "claim": learned.claim.model_dump()}
    won = {template.id for winner in learned.winners.values() for template in winner.arm.way.templates}
    templates = (t.model_copy(update={"provenance": {**t.provenance, **said}}) if t.id in won else t for t in learned.library)
    library = TemplateLibrary(tuple(templates), out.stem)
    try:
        library.save(out)
    except OSError as error:
        raise InputError(f"The library cannot be written to {out}: {error}. Next: name another file.") from None
    return replace(learned, library=library)


class _Rehearsal(Outcomes):
    """Outcomes that chance decides, to count what a run would ask: a row is right as often as `power` assumes."""

    model_name = "a rehearsal"

    def outcomes(self, trials: Mapping[str, Trial]) -> dict[str, Outcome]:
        return {key: self._outcome(key, trial) for key, trial in trials.items()}

    def _outcome(self, key: str, trial: Trial) -> Outcome:
        way, row = trial
        right = random.Random(key).random() < BASELINE
        text = (
            f"```python\n{row.problem}\n```\n```output\n{row.answer}\n```"
            if way.kind in ("program", "repaired")
            else row.answer
        )
        calls = CALLS[way.kind]
        tokens, minutes = int(calls * USUAL["tokens"]), calls * USUAL["minutes"]
        return Outcome(
            right=right, sound=True, answer=row.answer, text=text, templates=(), calls=calls, tokens=tokens, minutes=minutes
        )


def _rehearse(task: Task) -> Outcomes:
    rehearsal = _Rehearsal()
    learn_with(rehearsal, task)
    return rehearsal
