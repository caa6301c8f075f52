"""Methods: how they are written, what they set, who chooses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langchain_core.documents import Document

from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.evaluation.methods import (
    RandomTemplates,
    check_methods,
    parse_method,
    select,
    solver_of,
    split_methods,
    upgraded,
)
from reasonflux_agent.jobs.evaluation.runner import _settled
from reasonflux_agent.schema import Candidate, Solution
from reasonflux_agent.templates import TemplateLibrary, TemplateRetriever
from reasonflux_agent.testing import FakeModel


def test_a_list_keeps_fields_with_their_method() -> None:
    text = "direct,self-consistency@3,navigator,effort=low,templates=0,self-consistency@navigator,effort=low,templates=0"
    assert split_methods(text) == [
        "direct",
        "self-consistency@3",
        "navigator,effort=low,templates=0",
        "self-consistency@navigator,effort=low,templates=0",
    ]


def test_fields_get_the_types_of_the_context() -> None:
    method = parse_method("navigator,effort=low,refine=true,temperature=0.3,reviews=2")
    assert method.strategy == "navigator"
    assert method.context == {"effort": "low", "refine": True, "temperature": 0.3, "reviews": 2}


def test_sampled_methods() -> None:
    majority, best = parse_method("self-consistency@5,temperature=1"), parse_method("best-of@4")
    assert (majority.strategy, majority.select, majority.context["trajectories"]) == ("direct", "majority", 5)
    assert majority.context["temperature"] == 1.0
    assert (best.strategy, best.select, best.context["trajectories"]) == ("direct", "checks", 4)
    assert parse_method("self-consistency@navigator,effort=low").match == "navigator,effort=low"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "navgator",
            "There are: direct, navigator, original, program, propose, recall, drafts, no-templates, random-templates",
        ),
        ("", "There is no method ''"),
        ("direct@3", "There is no method 'direct@3'"),
        ("self-consistency", "self-consistency@K"),
        ("self-consistency@0", "'0' is no number of samples from 1 to 64"),
        ("best-of@many", "'many' is no number of samples"),
        ("best-of@65", "from 1 to 64"),
        ("navigator,efort=low", "The method 'navigator,efort=low': The run's context does not fit. no field 'efort'"),
        ("navigator,effort=huge", "effort = 'huge'"),
        ("direct,seed=3", "'seed' is the same for all methods"),
    ],
)
def test_what_is_no_method_is_answered_with_what_there_is(text: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        parse_method(text)
    assert says in str(error.value)


def test_a_matching_method_needs_its_partners() -> None:
    with pytest.raises(InputError, match="but the run has no 'navigator'"):
        check_methods([parse_method("direct"), parse_method("self-consistency@navigator")])
    with pytest.raises(InputError, match="but the run has no 'direct'"):
        check_methods([parse_method("navigator"), parse_method("self-consistency@navigator")])
    with pytest.raises(InputError, match="given twice"):
        check_methods([parse_method("direct"), parse_method("direct")])


def solution(*answers: tuple[str | None, bool]) -> Solution:
    made = [Candidate(source="direct", text=f"{a} {i}", answer=a, checks={"whole": ok}) for i, (a, ok) in enumerate(answers)]
    return Solution(problem="x", answer="?", text="?", status="answered", votes=0.1, candidates=tuple(made))


async def test_a_plain_majority_asks_no_checks() -> None:
    chosen = await select("majority", solution(("1", True), ("1/2", False), (None, True), ("0.5", False)))
    assert (chosen.answer, chosen.votes, chosen.reason) == ("1/2", 2 / 3, "2 of 3 samples agree")
    assert (await select("majority", solution(("7", False), ("8", True)))).answer == "7"


async def test_the_best_by_checks_asks_no_majority() -> None:
    assert (await select("checks", solution(("1", False), ("1", False), ("2", True)))).answer == "2"
    assert (await select("run", solution(("1", True)))).answer == "?"
    assert (await select("majority", solution((None, True)))).answer == "?"


def test_random_templates_are_drawn_by_query_and_seed() -> None:
    library = TemplateLibrary.builtin()
    real = TemplateRetriever.from_library(library, "hash", k=8, min_score=0.0).model_copy(update={"lead": 0.1})

    def draw(query: str, seed: int = 1) -> list[Document]:
        return RandomTemplates(library=library, found_by=real, seed=seed).invoke(query)

    drawn = draw("add numbers")
    assert drawn == draw("add numbers")
    assert {document.id for document in drawn} != {document.id for document in draw("add numbers", seed=2)}
    assert {document.id for document in drawn} != {document.id for document in draw("add more numbers")}
    assert len({document.id for document in drawn}) == 8
    assert all(document.id in library for document in drawn)
    # how well they stand out is said of what was found, so that it is not chance whether one is shown
    found = real.invoke("add numbers")
    assert [hit.metadata["lead"] for hit in drawn] == [hit.metadata["lead"] for hit in found]
    assert [hit.id for hit in drawn] != [hit.id for hit in found]


def test_a_former_name_of_a_field_is_the_field() -> None:
    assert parse_method("navigator,drafts=0").context == {"direct_samples": 0}
    assert parse_method("navigator,opinions=true").context == {"llm_review": True}


RECORDS = Path(__file__).parents[2] / "docs" / "records"


@pytest.mark.parametrize("folder", ["evaluation-80", "evaluation-160", "evaluation-40"])
def test_the_contexts_of_a_published_folder_are_those_of_today(folder: str) -> None:
    """So that the same command, given a copy of the folder, has nothing to do."""
    settings = json.loads((RECORDS / folder / "run.json").read_text(encoding="utf-8"))
    library = TemplateLibrary.load("builtin")
    for name, context in settings["contexts"].items():
        method = parse_method(name)
        flux = solver_of(method, {"model": FakeModel()}, library, settings["seed"], {})
        today = _settled(method, flux.context) | {"greedy": settings["repeats"] == 1}
        assert upgraded(name, context) == today, name
