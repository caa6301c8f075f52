"""Learns a library from solved rows, tests it on rows that chose nothing, and writes it with what was shown."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel

from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.running import Watcher
from reasonflux_agent.learning.choosing import choose
from reasonflux_agent.learning.mining import DIRECT, mine
from reasonflux_agent.learning.racing import Standing
from reasonflux_agent.learning.records import Paths
from reasonflux_agent.learning.rows import Fold, LearningRow, read_rows, split
from reasonflux_agent.learning.solving import CALLS, Outcome, Outcomes, Solver, Trial, Way, key_of
from reasonflux_agent.learning.statistics import BASELINE, Claim, claim, power, smallest_effect
from reasonflux_agent.parts import resolve_models
from reasonflux_agent.templates import TemplateLibrary

Rows = str | Path | Iterable[Mapping[str, Any]]
MINING = 0.5
"""The share of the calls for learning that mining may take; the races have the rest."""
EFFECTS = (0.1, 0.2, 0.3, 0.5)
"""Effects whose probability to be proven a forecast states."""


@dataclass(frozen=True)
class Learned:
    """The result of a learning run."""

    library: TemplateLibrary | None
    """The library that was written; None: no template is left, and nothing was written."""
    claim: Claim
    """What the rows say that chose nothing."""
    sealed: bool
    """Whether the claim is of this very library, on a sealed hold-out; else it is of the procedure, cross-fitted."""
    winners: dict[str, Standing]
    """Group -> the arm that was chosen, and how it stood in the race: what selection says, which is too good on average."""
    races: dict[str, list[Standing]]
    """Group -> how all arms and controls stood."""
    calls: int
    """Calls behind it, those of earlier runs of the same command included."""

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


def learn(
    rows: Rows | None = None,
    out: str | Path = "learned.json",
    *,
    records: Paths = (),
    model: BaseChatModel | str | None = None,
    library: TemplateLibrary | str | Path | None = None,
    budget: int | None = None,
    concurrency: int = 4,
    watcher: Watcher | None = None,
    **context: Any,
) -> Learned:
    """Learn a library from solved rows, write it to `out`, and say whether it is shown to help.

    `rows`: a JSONL file, or mappings, with `problem`, `answer`, and perhaps `solution` and `group`; None if there are only
    `records`: run records, or folders of them, that are marked as right or wrong (docs/feedback.md). `library`: one to start
    from; those of its templates that are found for the rows have to win their place, the others stay. `budget`: model calls at
    most, not counting retries. `context`: fields of the Context, such as `max_tokens`.

    The same call goes on where the last one was stopped (see `solving`). Raises InputError for what cannot be used, before any
    model call, and ModelError when the model's server is gone.

    >>> learned = learn("examples.jsonl", "mine.json", budget=400)  # doctest: +SKIP
    >>> learned.proven, learned.claim.difference  # doctest: +SKIP
    (True, 0.375)
    """
    settings = Context.from_env(**{"seed": 0, **context, "direct_samples": 0, "trajectories": 1, "templates": 1})
    _, spec = resolve_models(settings.navigator, model or settings.solver)
    settings = settings.model_copy(update={"navigator": None, "solver": None})
    kept, given = read_rows(rows, records), _given(library)
    _refuse(kept, given, budget)
    rehearsed = _rehearse(kept, given, budget)
    with Solver(spec, Path(out), settings, concurrency, watcher) as solver:
        if watcher:
            before = len(solver.journal.rows)
            watcher.begin(solver.journal, before, max(before, len(rehearsed.counted)))
        learned = learn_with(solver, kept, given, budget)
    return _written(learned, Path(out))


def forecast(
    rows: Rows | None, library: TemplateLibrary | str | Path | None = None, budget: int | None = None, records: Paths = ()
) -> Forecast:
    """Return what `learn` would cost with these rows, and could show. No model is called. Raises InputError."""
    kept, given = read_rows(rows, records), _given(library)
    _refuse(kept, given, budget)
    folds = split(kept)
    tested = sum(len(test) for _, test in folds)
    return Forecast(
        rows=len(kept),
        groups=len({row.group for row in kept}),
        tested=tested,
        sealed=len(folds) == 1,
        calls=_rehearse(kept, given, budget).spent,
        shows={effect: power(tested, effect) for effect in EFFECTS},
        smallest=smallest_effect(tested),
    )


def learn_with(solver: Outcomes, rows: list[LearningRow], given: TemplateLibrary | None, budget: int | None) -> Learned:
    """Return what is learned from rows whose outcomes `solver` knows; nothing is written. Raises ModelError.

    Each fold's library is chosen on its learning rows alone, and tested on rows that only this test sees. With a sealed
    hold-out that library is the result; cross-fitted, the result is chosen on all rows, and the test is one of the procedure.
    """
    folds, pairs = split(rows), list[tuple[Outcome, Outcome]]()
    sealed = len(folds) == 1
    choices = folds if sealed else [*folds, (rows, [])]
    limit = float("inf") if budget is None else budget
    works = mine(choices[-1][0], solver, MINING * (limit - _of_claim(folds, solver)))
    for number, (learning, test) in enumerate(choices):
        left = limit - solver.spent - _of_claim(folds[number:], solver)
        # half of what is left: the folds have most of their trials in common, so the first one pays for most of them
        chosen = choose(learning, works, given, solver, left / 2 if number < len(choices) - 1 else left)
        without = solver.solve([(DIRECT, row) for row in test])
        way = Way("library", chosen.library.templates) if chosen.library else DIRECT
        pairs += zip(solver.solve([(way, row) for row in test]), without, strict=True)
    shown = claim([(a.right, b.right) for a, b in pairs], [(a.tokens, b.tokens) for a, b in pairs])
    return Learned(chosen.library, shown, sealed, chosen.winners, chosen.races, solver.spent)


def _of_claim(folds: Sequence[Fold], solver: Outcomes) -> int:
    """The calls that the claim of these folds still takes at most."""
    tested = [row for _, test in folds for row in test]
    return sum(CALLS["library"] + CALLS["direct"] * (key_of((DIRECT, row)) not in solver.counted) for row in tested)


def _given(library: TemplateLibrary | str | Path | None) -> TemplateLibrary | None:
    return library if library is None or isinstance(library, TemplateLibrary) else TemplateLibrary.load(library)


def _refuse(rows: Sequence[LearningRow], given: TemplateLibrary | None, budget: int | None) -> None:
    """Raise InputError for a budget that no claim can be made with, and for rows that a given template was chosen on."""
    least = _of_claim(split(rows), _Rehearsal()) + len(rows)
    if budget is not None and budget < least:
        raise InputError(
            f"A budget of {budget} calls is too small for {len(rows)} rows: the claim and one reply a row may take {least}. "
            "Next: give that many, or fewer rows."
        )
    seen = {id for template in given or () for id in template.provenance.get("seen", ())}
    if known := sum(row.id in seen for row in rows):
        raise InputError(
            f"The library to start from was learned from {known} of these {len(rows)} rows, so they cannot test it. "
            "Next: give other rows, or start from another library."
        )


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
    return Learned(**{**vars(learned), "library": library})


class _Rehearsal(Outcomes):
    """Outcomes that chance decides, to count what a run would ask: a row is right as often as `power` assumes."""

    model_name = "a rehearsal"

    def outcomes(self, trials: Mapping[str, Trial]) -> dict[str, Outcome]:
        return {key: self._outcome(key, trial) for key, trial in trials.items()}

    def _outcome(self, key: str, trial: Trial) -> Outcome:
        way, row = trial
        right = random.Random(key).random() < BASELINE
        text = f"```python\n{row.problem}\n```\n```output\n{row.answer}\n```" if way.kind == "program" else row.answer
        calls = CALLS[way.kind]
        return Outcome(right=right, sound=True, answer=row.answer, text=text, templates=(), calls=calls, tokens=0)


def _rehearse(rows: list[LearningRow], given: TemplateLibrary | None, budget: int | None) -> Outcomes:
    rehearsal = _Rehearsal()
    learn_with(rehearsal, rows, given, budget)
    return rehearsal
