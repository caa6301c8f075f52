"""Learning without a model: outcomes are a function, and what is chosen and claimed follows from them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.errors import InputError
from reasonflux_agent.learning.learner import Learned, forecast, learn_with, task_of
from reasonflux_agent.learning.mining import AT_ONCE, ENOUGH, mine
from reasonflux_agent.learning.outcomes import CALLS, Budget, Outcome, Outcomes, Trial, Way, key_of
from reasonflux_agent.learning.racing import FEWEST_ROWS, MOST_ROWS, rounds_of
from reasonflux_agent.learning.rows import LearningRow, read_rows
from reasonflux_agent.schema import Example, Template
from reasonflux_agent.templates import TemplateLibrary
from tests.learning.tasks import METHOD, WORDS, rows

Right = Callable[[Way, LearningRow], bool]


class Decided(Outcomes):
    """Outcomes that a function decides; keeps the trials."""

    model_name = "decided"

    def __init__(self, right: Right) -> None:
        super().__init__()
        self.right, self.trials = right, list[Trial]()

    def outcomes(self, trials: Mapping[str, Trial]) -> dict[str, Outcome]:
        self.trials += [trial for key, trial in trials.items() if key not in self.counted]
        return {key: self.outcome(way, row) for key, (way, row) in trials.items()}

    def outcome(self, way: Way, row: LearningRow) -> Outcome:
        text = METHOD if way.kind != "program" else "no program"
        shown = min(len(way.templates), 1 if way.kind in ("nearest", "library") else 2)
        right, calls, tokens = self.right(way, row), CALLS[way.kind], 10 * (1 + shown)
        return Outcome(right=right, sound=True, answer="", text=text, templates=(), calls=calls, tokens=tokens)


def learned_by(right: Right, given: list[dict[str, Any]], library: TemplateLibrary | None = None) -> tuple[Learned, Decided]:
    decided = Decided(right)
    return learn_with(decided, task_of(given, library=library)), decided


def by_chance(seed: int, share: float) -> Right:
    return lambda way, row: random.Random(f"{seed} {key_of((way, row))}").random() < share


def test_a_null_task_makes_no_claim() -> None:
    """Labels that mean nothing: whatever is shown, a fourth of the answers is right by chance."""
    found = [learned_by(by_chance(seed, 0.25), rows(25))[0] for seed in range(20)]
    assert sum(learned.proven for learned in found) <= 1
    # selection alone would have claimed: it saw gains in nearly all of them
    assert sum(bool(learned.winners) for learned in found) > 10


def test_templates_that_help_are_learned_and_proven() -> None:
    def right(way: Way, row: LearningRow) -> bool:
        return bool(way.templates) or int(row.id, 16) % 5 == 0

    learned, _ = learned_by(right, rows(30))
    assert learned.proven
    assert not learned.sealed
    assert learned.claim.losses == 0
    assert learned.library is not None
    (template,) = [template for template in learned.library if "groups" in template.provenance]
    about = template.provenance
    assert about["groups"] == ["letters backwards"]
    assert (about["losses"], about["model"], about["arm"]) == (0, "decided", "text")
    assert 0 < about["wins"] < about["tried"] == MOST_ROWS - 1
    assert len(about["rows"]) == 1
    assert about["retrieval"]["scores"] == "wordllama hybrid"


def test_an_arm_is_never_tried_on_its_own_row_and_a_claim_never_on_a_row_that_chose() -> None:
    _, decided = learned_by(lambda way, row: bool(way.templates) or int(row.id, 16) % 3 == 0, rows(25))
    shown = [(way, row) for way, row in decided.trials if way.kind == "shown"]
    assert shown
    for way, row in shown:
        assert row.problem not in {template.example.problem for template in way.templates if template.example}
    tested = [(way, row) for way, row in decided.trials if way.kind == "library"]
    assert {row.id for _, row in tested} == {row.id for row in read_rows(rows(25))}
    for way, row in tested:
        assert all(row.id not in template.provenance["seen"] for template in way.templates)


def test_what_a_fold_chooses_does_not_depend_on_the_outcomes_of_its_test_rows() -> None:
    """The first fold's test rows have their outcomes turned over: its library stays the same."""
    from reasonflux_agent.learning.rows import split

    given = rows(25)
    test = {row.id for row in split(read_rows(given))[0][1]}

    def right(way: Way, row: LearningRow) -> bool:
        return bool(way.templates) or int(row.id, 16) % 3 == 0

    def other(way: Way, row: LearningRow) -> bool:
        return right(way, row) is not (row.id in test)

    libraries = []
    for decide in (right, other):
        decided = Decided(decide)
        learn_with(decided, task_of(given))
        libraries.append(next(way.id for way, row in decided.trials if way.kind == "library" and row.id in test))
    assert libraries[0] == libraries[1]


def bad_template() -> Template:
    problem = "Write the letters of the word summer from the last to the first."
    example = Example(problem=problem, steps=("I write the word as it is.",), answer="summer")
    return Template(
        id="bad/one", name="Letters", scenario=(problem,), flow=("Copy.",), example=example, chapter="Bad", section="Bad"
    )


def test_a_template_that_is_always_wrong_is_dropped_and_others_of_the_library_stay() -> None:
    unrelated = TemplateLibrary.builtin().templates[0]

    def right(way: Way, row: LearningRow) -> bool:
        return not any(template.id == "bad/one" for template in way.templates) and int(row.id, 16) % 2 == 0

    learned, decided = learned_by(right, rows(20), TemplateLibrary((bad_template(), unrelated)))
    assert any(template.id == "bad/one" for way, _ in decided.trials for template in way.templates)
    assert learned.library is not None
    assert "bad/one" not in learned.library
    assert unrelated.id in learned.library
    assert not learned.proven


def test_a_given_template_that_helps_wins_its_place() -> None:
    good = bad_template().model_copy(update={"id": "good/one"})

    def right(way: Way, row: LearningRow) -> bool:
        return any(template.id == "good/one" for template in way.templates)

    learned, _ = learned_by(right, rows(25), TemplateLibrary((good,)))
    assert learned.proven
    assert learned.library is not None
    assert learned.library.get("good/one").provenance["arm"] == "given"


def test_what_another_model_was_shown_to_gain_is_unproven() -> None:
    past = {"model": "another", "proven": True, "wins": 9, "losses": 0, "rows": ["a"]}
    unrelated = bad_template().model_copy(
        update={"id": "unrelated/one", "name": "Tides", "scenario": ("When is high tide at the pier?",), "provenance": past}
    )
    of_this_model = unrelated.model_copy(update={"id": "unrelated/two", "provenance": {**past, "model": "decided"}})
    learned, _ = learned_by(lambda way, row: bool(way.templates), rows(20), TemplateLibrary((unrelated, of_this_model)))
    assert learned.library is not None
    assert learned.library.get("unrelated/one").provenance == {"model": "another", "rows": ["a"], "proven": False}
    assert learned.library.get("unrelated/two").provenance["proven"]


def test_groups_are_told_apart() -> None:
    """Two groups whose templates help their own group alone."""
    sums = [{"problem": f"Add the numbers {n} and {n + 3}.", "answer": str(2 * n + 3), "group": "sums"} for n in range(15)]

    def right(way: Way, row: LearningRow) -> bool:
        own = [
            template for template in way.templates if row.group in (template.section, *template.provenance.get("groups", ()))
        ]
        return bool(own) or int(row.id, 16) % 4 == 0

    learned, _ = learned_by(right, [*rows(15), *sums])
    assert learned.library is not None
    assert sorted(template.section for template in learned.library) == ["letters backwards", "sums"]
    from reasonflux_agent.strategies.search import standing_out
    from reasonflux_agent.templates import TemplateRetriever

    retriever = TemplateRetriever.from_library(learned.library)
    for problem, section in [
        ("Write the letters of the word winter from the last to the first.", "letters backwards"),
        ("Add the numbers 40 and 51.", "sums"),
    ]:
        (first, *_) = standing_out(retriever.invoke(problem))
        assert first.metadata["section"] == section
    assert retriever.invoke("a recipe for apple cake") == []


def test_groups_go_on_together() -> None:
    """The model has the rows of all groups to solve at once, in mining and in the races."""
    batches: list[set[tuple[str, str]]] = []

    class Batches(Decided):
        def outcomes(self, trials: Mapping[str, Trial]) -> dict[str, Outcome]:
            batches.append({(way.kind, row.group) for way, row in trials.values()})
            return super().outcomes(trials)

    sums = [{"problem": f"Add the numbers {n} and {n + 3}.", "answer": str(2 * n + 3), "group": "sums"} for n in range(15)]
    learn_with(Batches(by_chance(1, 0.6)), task_of([*rows(15), *sums]))
    for kind in ("program", "direct", "shown"):
        assert any({(kind, "sums"), (kind, "letters backwards")} <= batch for batch in batches)


def test_a_sealed_hold_out_tests_the_very_library() -> None:
    words = [f"{first}{second}" for first in WORDS[:13] for second in WORDS[13:26]][:160]
    learned, _ = learned_by(lambda way, row: bool(way.templates), [*rows(160, words)])
    assert learned.sealed
    assert learned.claim.rows == 80


@pytest.mark.parametrize("budget", [110, 150, 250])
def test_a_budget_is_kept(budget: int) -> None:
    decided = Decided(lambda way, row: bool(way.templates) or int(row.id, 16) % 3 == 0)
    learned = learn_with(decided, task_of(rows(25), budget=budget))
    assert decided.spent == learned.calls <= budget
    assert learned.claim.rows == 25


def test_no_program_is_run_where_programs_are_off() -> None:
    decided = Decided(by_chance(3, 0.4))
    decided.programs = False
    learn_with(decided, task_of(rows(10)))
    assert {way.kind for way, _ in decided.trials} >= {"direct", "shown"}
    assert "program" not in {way.kind for way, _ in decided.trials}


def test_a_race_says_what_a_bare_program_gains_and_it_never_wins() -> None:
    def right(way: Way, row: LearningRow) -> bool:
        return way.kind == "program" or bool(way.templates) or int(row.id, 16) % 5 == 0

    learned, _ = learned_by(right, rows(30))
    (standings,) = learned.races.values()
    (bare,) = [standing for standing in standings if standing.arm.name == "bare program"]
    assert len(bare.tried) >= FEWEST_ROWS
    assert (bare.wins > 0, bare.losses) == (True, 0)
    assert [winner.arm.name for winner in learned.winners.values()] == ["text"]


def test_what_cannot_be_used_is_refused_before_any_call() -> None:
    with pytest.raises(InputError, match=r"A budget of 99 calls is too small for 25 rows: .* 100\. Next"):
        forecast(rows(25), budget=99)
    learned, _ = learned_by(lambda way, row: bool(way.templates), [{**row, "solution": METHOD} for row in rows(20)])
    with pytest.raises(InputError, match=r"learned from 20 of these 25 rows.*Next"):
        forecast(rows(25), library=learned.library)


def test_a_forecast_says_what_it_costs_and_could_show() -> None:
    seen = forecast(rows(20))
    assert (seen.rows, seen.groups, seen.tested, seen.sealed) == (20, 1, 20, False)
    assert 20 < seen.calls < 1000
    assert seen.calls == forecast(rows(20)).calls
    assert seen.shows[0.1] < seen.shows[0.2] < seen.shows[0.5]


@pytest.mark.parametrize(("arms", "count"), [(0, 5), (1, 7), (2, 7), (10, 19), (12, 40), (16, 4)])
def test_successive_halving_ends_with_one_arm_on_all_rows(arms: int, count: int) -> None:
    rounds = rounds_of(arms, count)
    assert [size for size, _ in rounds] == sorted((size for size, _ in rounds), reverse=True)
    assert all(FEWEST_ROWS <= seen <= count for _, seen in rounds)
    if arms:
        assert rounds[-1][0] <= 2
        assert rounds[-1][1] == count


def test_a_test_of_its_own_is_sealed_and_shares_no_row() -> None:
    decided = Decided(lambda way, row: bool(way.templates))
    task = task_of(rows(15), test=rows(25))
    learned = learn_with(decided, task)
    assert learned.sealed
    assert learned.claim.rows == 10
    tested = {row.id for way, row in decided.trials if way.kind == "library"}
    assert not tested & {row.id for row in task.rows}


@pytest.mark.parametrize(
    ("text", "budget"),
    [(400, (400, "calls")), ("400 calls", (400, "calls")), ("200k tokens", (200_000, "tokens")), ("1.5 h", (90, "minutes"))],
)
def test_budgets_are_read(text: int | str, budget: tuple[float, str]) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["0", "many", "-3", "10 apples", ""])
def test_a_budget_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"budget .* cannot be read.*Next"):
        Budget.parse(text)


def test_a_budget_in_tokens_is_kept() -> None:
    """Each trial of the fake takes 10 tokens, or 10 more for each template."""
    spent = {}
    for budget in (None, "1500 tokens"):
        decided = Decided(lambda way, row: bool(way.templates) or int(row.id, 16) % 3 == 0)
        learn_with(decided, task_of(rows(25), budget=budget))
        spent[budget] = sum(decided.outcome(way, row).tokens for way, row in decided.trials)
    assert spent[None] > 1.2 * spent["1500 tokens"]
    assert spent["1500 tokens"] <= 1.05 * 1500  # a row's tokens are estimated before it is solved


def test_mining_stops_when_it_has_enough() -> None:
    """Thirty rows, every program right: the first eight rows are asked, and no other."""
    programs = Programs(lambda way, row: way.kind in ("program", "library", "shown"))
    works = mine({"g": read_rows(rows(30))}, programs, float("inf"))
    assert {work.kind for work in works} == {"program"}
    assert len([way for way, _ in programs.trials if way.kind == "program"]) == AT_ONCE


def test_wrong_programs_are_corrected_and_then_sampled() -> None:
    programs = Programs(lambda way, row: way.kind == "repaired" and way.sample == 1 and int(row.id, 16) % 2 == 0)
    works = mine({"g": read_rows(rows(12))}, programs, float("inf"))
    assert {(work.kind, work.taught) for work in works} == {("program", False)}
    asked = [(way.kind, way.sample) for way, _ in programs.trials]
    assert asked.index(("program", 0)) < asked.index(("repaired", 0)) < asked.index(("program", 1))
    assert max(asked.index(pair) for pair in asked if pair[0] == "direct") < asked.index(("repaired", 1))


def test_the_teacher_is_asked_last_and_its_work_is_tried_last() -> None:
    programs = Programs(lambda way, row: way.teacher or (way.kind == "program" and row.problem.split()[6] == "amber"))
    programs.taught = True
    works = mine({"g": read_rows(rows(12))}, programs, float("inf"))
    assert sorted(work.taught for work in works) == [work.taught for work in works]
    assert not works[0].taught
    assert len(works) >= ENOUGH
    taught = [way.teacher for way, _ in programs.trials]
    assert taught == sorted(taught)


class Programs(Decided):
    """As Decided; its programs hold the problem's words."""

    def outcome(self, way: Way, row: LearningRow) -> Outcome:
        program = f"```python\nprint('{row.problem.split()[6]}'[::-1])  # {row.problem}\n```\n```output\n{row.answer}\n```"
        made = super().outcome(way, row)
        return made.model_copy(update={"text": program}) if way.kind in ("program", "repaired") else made


def test_an_update_uses_new_rows_alone_and_drops_what_stopped_helping(tmp_path: Path) -> None:
    out = tmp_path / "mine.json"
    learned, _ = learned_by(lambda way, row: bool(way.templates) or int(row.id, 16) % 5 == 0, rows(20))
    assert learned.library
    learned.library.save(out)
    task = task_of(rows(32), update=out)
    assert len(task.rows) == 12
    assert task.given
    old = {template.id for template in task.given}
    # the old template is wrong now, others are right
    decided = Decided(lambda way, row: bool(way.templates) and not any(template.id in old for template in way.templates))
    again = learn_with(decided, task)
    assert any(template.id in old for way, _ in decided.trials for template in way.templates)
    assert not again.library or not old & {template.id for template in again.library}
    # nothing new: it says so
    with pytest.raises(InputError, match=r"0 different row"):
        task_of(rows(20), update=out)
    # without a library there is nothing to start from, so it is a first run
    assert task_of(rows(20), update=tmp_path / "none.json").given is None
