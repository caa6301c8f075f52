"""A group with several kinds of problems: the nearest solved problem is shown, and the library keeps one template for each."""

from __future__ import annotations

import re
from pathlib import Path

from reasonflux_agent import ReasonFlux
from reasonflux_agent.context import Context
from reasonflux_agent.learning.learner import learn_with, task_of
from reasonflux_agent.learning.mining import works_of
from reasonflux_agent.learning.outcomes import Outcome, Way
from reasonflux_agent.learning.rows import LearningRow, read_rows
from reasonflux_agent.learning.solving import Solver
from reasonflux_agent.testing import FakeModel
from tests.learning.test_learning import Decided

FRUIT = "apple banana cherry damson elder fig grape hazel iris juniper kiwi lemon mango nectar olive"
METALS = "argentum bismuth cobalt dysprosium erbium ferrum gallium hafnium iridium krypton lithium manganese"


def rows_of(names: str) -> list[dict[str, str]]:
    words = names.split()
    backwards = [{"problem": f"Write {word} backwards.", "answer": word[::-1], "group": "words"} for word in words]
    counts = [{"problem": f"How many letters has {word}?", "answer": str(len(word)), "group": "words"} for word in words]
    return [*backwards, *counts]


GIVEN = rows_of(FRUIT)


def kind(problem: str) -> bool:
    return problem.startswith("Write")


def right(way: Way, row: LearningRow) -> bool:
    """A template helps with problems of its own kind alone; without one, a fourth is right."""
    examples = [template.example for template in way.templates if template.example]
    fits = [example for example in examples if kind(example.problem) == kind(row.problem)]
    if way.kind == "shown":
        return len(fits) == len(examples)
    return bool(fits) if examples else int(row.id, 16) % 4 == 0


class Named(FakeModel):
    model_name: str = "fake"


def test_two_kinds_of_problems_in_a_group_get_templates_of_both() -> None:
    learned = learn_with(Decided(right), task_of(GIVEN, rows_of(METALS)))
    assert learned.proven
    assert learned.library is not None
    assert learned.winners["words"].arm.name == "nearest"
    assert {kind(template.example.problem) for template in learned.library if template.example} == {True, False}
    ids = {row.id: row.problem for row in read_rows(GIVEN)}
    for template in learned.library:
        assert template.example
        assert template.provenance["arm"] == "nearest"
        assert [ids[id] for id in template.provenance["rows"]] == [template.example.problem]


def test_the_nearest_work_is_that_of_another_row(tmp_path: Path) -> None:
    asked: list[str] = []

    def respond(prompt: str) -> str:
        asked.append(prompt)
        return "It is so. The answer is \\boxed{x}."

    rows, outcome = read_rows(GIVEN), Outcome(right=True, sound=True, answer="x", text="So.", templates=(), calls=1, tokens=1)
    templates = tuple(work.template("Words") for row in rows for work in works_of(row, outcome, frozenset()))
    assert len(templates) == len(rows)
    with Solver(Named(respond=respond), tmp_path / "out.json", Context(direct_samples=0, trajectories=1)) as solver:
        solver.solve([(Way("nearest", templates), row) for row in (*rows, *read_rows(rows_of(METALS)))])
    for prompt in asked:
        shown, problem = re.findall(r"(?:Write|How many letters has) \w+(?: backwards\.|\?)", prompt)
        assert shown != problem
        assert kind(shown) == kind(problem) or problem in {row.problem for row in rows}
    assert len(asked) == 2 * len(FRUIT.split()) + 2 * len(METALS.split())


def test_at_run_time_the_nearest_template_is_found(tmp_path: Path) -> None:
    learned = learn_with(Decided(right), task_of(GIVEN, rows_of(METALS)))
    assert learned.library is not None
    for settings in ({"strategy": "recall"}, {}):  # and the defaults
        solution = ReasonFlux(FakeModel(), library=learned.library, **settings).solve(GIVEN[3]["problem"])
        assert len(solution.templates) == 1
