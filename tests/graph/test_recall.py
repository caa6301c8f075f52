"""recall: a template that stands out is shown as a worked turn, without a plan; else a direct solution."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from reasonflux_agent import ReasonFlux
from reasonflux_agent.schema import Example, Solution, Template
from reasonflux_agent.templates import TemplateLibrary
from tests.graph.fakes import Line, Sampled, Scripted

PROBLEM = "What is 3 + 4?"
PROGRAM = "Method: Adding.\n```python\nprint(3 + 4)\n```\nIt printed 8, so \\boxed{8}."


def template(id: str, *, worked: bool = True, **provenance: Any) -> Template:
    example = Example(problem=f"What is 1 + 1, {id}?", steps=("One and one are two.",), answer="2") if worked else None
    return Template(id=id, name="Adding", flow=("Add.",), example=example, section=id, provenance=provenance)


class Finding(BaseRetriever):
    """Finds templates with a lead, whatever is asked."""

    hits: tuple[tuple[str, float], ...]

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        assert query == PROBLEM
        return [Document(id=id, page_content=id, metadata={"lead": lead}) for id, lead in self.hits]


async def solved(
    model: Scripted, hits: list[tuple[str, float]], held: list[Template], asynchronous: bool = False, **context: Any
) -> Solution:
    retriever = Finding(hits=tuple(hits))
    flux = ReasonFlux(model, strategy="recall", library=TemplateLibrary(tuple(held)), retriever=retriever, **context)
    return await flux.asolve(PROBLEM) if asynchronous else flux.solve(PROBLEM)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_template_is_shown_as_a_turn_in_one_call(asynchronous: bool) -> None:
    model = Scripted()
    solution = await solved(model, [("a", 1.0), ("b", 1.0)], [template("a"), template("b")], asynchronous)
    assert model.nodes == ["reason"]
    (prompt,) = model.prompts("reason")
    assert "What is 1 + 1, a?" in prompt
    assert "One and one are two." in prompt
    assert "What is 1 + 1, b?" not in prompt
    assert "Plan:" not in prompt
    assert (solution.answer, solution.templates, solution.strategy) == ("7", ("a",), "recall")
    assert solution.candidates[0].source == "recall"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_program_takes_a_second_call(asynchronous: bool) -> None:
    line: Line = lambda prompt, _: "So it is \\boxed{7}." if "printed:" in prompt else PROGRAM  # noqa: E731
    model = Scripted({"reason": line})
    solution = await solved(model, [("a", 1.0)], [template("a")], asynchronous)
    assert model.nodes == ["reason", "reason"]
    assert "```output\n7\n```" in solution.text
    assert solution.answer == "7"


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("hits", "context"),
    [([], {}), ([("a", 0.9)], {}), ([("flat", 1.0)], {}), ([("foreign", 1.0)], {}), ([("a", 1.0)], {"templates": 0})],
    ids=["nothing found", "does not stand out", "no worked example", "not of the library", "templates are off"],
)
async def test_without_a_template_it_is_a_direct_solution(hits: Any, context: Any, asynchronous: bool) -> None:
    model, direct = Scripted(), Scripted()
    solution = await solved(model, hits, [template("a"), template("flat", worked=False)], asynchronous, **context)
    ReasonFlux(direct, strategy="direct").solve(PROBLEM)
    assert model.asked == direct.asked
    assert (solution.answer, solution.templates) == ("7", ())
    assert solution.candidates[0].source == "direct"


async def test_a_template_is_shown_with_the_one_that_it_was_learned_with() -> None:
    model = Scripted()
    solution = await solved(model, [("a", 1.0)], [template("a", shown_with="b"), template("b"), template("c")])
    (prompt,) = model.prompts("reason")
    assert prompt.index("1 + 1, b?") < prompt.index("1 + 1, a?") < prompt.index(PROBLEM)
    assert "1 + 1, c?" not in prompt
    assert solution.templates == ("a", "b")


async def test_a_partner_that_is_not_there_is_left_out() -> None:
    assert (await solved(Scripted(), [("a", 1.0)], [template("a", shown_with="gone")])).templates == ("a",)


async def test_the_first_attempt_is_greedy_and_the_others_are_samples() -> None:
    model = Sampled()
    await solved(model, [("a", 1.0)], [template("a")], trajectories=2, seed=5)
    assert sorted(model.drawn) == [("reason", 0.0, 5), ("reason", 0.7, 6)]
