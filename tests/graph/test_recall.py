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
        return [Document(id=id, page_content=id, metadata={"lead": lead}) for id, lead in self.hits]


async def solved(
    model: Scripted, hits: list[tuple[str, float]], held: list[Template], asynchronous: bool = False, **context: Any
) -> Solution:
    retriever = Finding(hits=tuple(hits))
    flux = ReasonFlux(
        model, strategy=context.pop("strategy", "recall"), library=TemplateLibrary(tuple(held)), retriever=retriever, **context
    )
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


def printing(output: str) -> Template:
    steps = ("```python\nprint(1 + 1)\n```", f"```output\n{output}\n```")
    return template("a").model_copy(update={"example": Example(problem="What is 1 + 1?", steps=steps, answer="2")})


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(("output", "calls"), [("2", 1), ("Sum: 2", 1), ("2 apples and 3 pears", 2)])
async def test_no_call_follows_a_program_that_prints_the_answer(output: str, calls: int, asynchronous: bool) -> None:
    line: Line = lambda prompt, _: "So it is \\boxed{7}." if "printed:" in prompt else PROGRAM  # noqa: E731
    model = Scripted({"reason": line})
    solution = await solved(model, [("a", 1.0)], [printing(output)], asynchronous)
    assert len(model.nodes) == calls
    assert solution.answer == "7"
    assert "```output\n7\n```" in solution.text


async def test_a_call_follows_a_program_that_fails() -> None:
    lines = iter(["```python\n1 / 0\n```", PROGRAM])
    model = Scripted({"reason": lambda *_: next(lines)})
    assert (await solved(model, [("a", 1.0)], [printing("2")])).answer == "7"
    assert len(model.nodes) == 2


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


LEARNED = {"retrieval": {"scores": "x", "floor": 0.1, "lead": 0.1}}


@pytest.mark.parametrize("form", [False, True])
async def test_by_default_a_call_brings_the_output_into_the_form_that_the_example_states(form: bool) -> None:
    line: Line = lambda prompt, _: "So it is \\boxed{7}." if "printed:" in prompt else PROGRAM  # noqa: E731
    model, learned = Scripted({"reason": line}), printing("2").model_copy(update={"provenance": LEARNED})
    assert learned.example
    steps = (*learned.example.steps, *(["In the form that is asked for, this is 2"] if form else []))
    held = learned.model_copy(update={"example": learned.example.model_copy(update={"steps": steps})})
    assert (await solved(model, [("a", 1.0)], [held], strategy="navigator")).answer == "7"
    assert model.nodes == ["reason"] * (1 + form)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("effort", ["low", "medium", "auto"])
async def test_the_navigator_begins_with_a_learned_template(effort: Any, asynchronous: bool) -> None:
    model = Scripted()
    held = [template("a", **LEARNED)]
    solution = await solved(model, [("a", 1.0)], held, asynchronous, strategy="navigator", effort=effort)
    assert model.nodes == ["reason"]
    assert "What is 1 + 1, a?" in model.prompts("reason")[0]
    assert (solution.answer, solution.templates, solution.strategy) == ("7", ("a",), "navigator")
    assert [made.attempt for made in solution.candidates] == ["recall 0"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_if_a_verifier_fails_the_usual_attempts_follow(asynchronous: bool) -> None:
    model = Scripted({"reason": "3 + 4 = 8, thus \\boxed{8}."})
    solution = await solved(model, [("a", 1.0)], [template("a", **LEARNED)], asynchronous, strategy="navigator")
    assert model.nodes[0] == "reason"
    assert sorted(model.nodes[1:]) == ["draft", "draft", "plan", "solve_step"]
    assert solution.answer == "7"
    assert solution.usage["reason"].calls == 1


async def test_at_effort_high_it_is_one_attempt_of_several() -> None:
    model = Scripted()
    await solved(model, [("a", 1.0)], [template("a", **LEARNED)], strategy="navigator", effort="high", early_stop=False)
    assert model.nodes.count("reason") == 1
    assert model.nodes.count("plan") == 3
    assert model.nodes.count("draft") == 2


@pytest.mark.parametrize(
    ("hits", "provenance", "context"),
    [
        ([("a", 1.0)], {}, {}),
        ([("a", 0.9)], LEARNED, {}),
        ([("a", 1.0)], LEARNED, {"templates": 0}),
        ([("a", 1.0)], LEARNED, {"strategy": "direct"}),
    ],
    ids=["not learned", "does not stand out", "templates are off", "another strategy"],
)
async def test_else_the_run_is_the_usual_one(hits: Any, provenance: Any, context: Any) -> None:
    model = Scripted()
    solution = await solved(model, hits, [template("a", **provenance)], **{"strategy": "navigator", **context})
    assert "recall 0" not in [made.attempt for made in solution.candidates]


async def test_a_run_without_other_attempts_ends_with_what_was_recalled() -> None:
    model = Scripted({"reason": "3 + 4 = 8, thus \\boxed{8}."})
    only = {"direct_samples": 0, "trajectories": 0}
    solution = await solved(model, [("a", 1.0)], [template("a", **LEARNED)], strategy="navigator", **only)
    assert model.nodes == ["reason"]
    assert (solution.answer, solution.status) == ("8", "answered")
