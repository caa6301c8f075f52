"""How sure a Solution says it is, and how it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent import ReasonFlux, Solution
from reasonflux_agent.schema import Candidate, Plan
from tests.graph.fakes import Line, Scripted, Shelf

RECORD = Path(__file__).parents[2] / "docs" / "records" / "replacement.jsonl"
"""A run of an older version, whose status is `solved`."""
EQUATION = "Solve the equation $x^2 = 2$ for the positive x."


def solve(script: dict[str, Line], problem: str = "What is 3 + 4?", **given: Any) -> Solution:
    return ReasonFlux(Scripted(script), retriever=Shelf(), **given).solve(problem)


def boxes(*answers: int) -> list[Any]:
    return [f"So \\boxed{{{answer}}}." for answer in answers]


def test_the_default_effort_says_how_many_solutions_agree() -> None:
    solution = solve({})
    assert (solution.status, solution.certainty) == ("answered", "agreed")
    assert solution.verdict == "agreed: 3 of 3 solutions"


def test_at_the_default_effort_one_of_three_that_differ_is_single() -> None:
    def draft(prompt: str, _: int) -> str:
        return "```python\nprint(8)\n```" if "Python program" in prompt else "Thus \\boxed{9}."

    solution = solve({"draft": draft})
    assert (solution.certainty, solution.verdict) == ("single", "single: 1 of 3 solutions, the others differ")


def test_a_reply_and_its_redo_by_one_attempt_are_no_agreement() -> None:
    script: dict[str, Line] = {"solve_step": "1 + 1 = 3, so \\boxed{7}."}
    solution = solve(script, direct_samples=0)
    assert len(solution.candidates) > 1
    assert {c.answer for c in solution.candidates} == {"7"}
    assert {c.attempt for c in solution.candidates} == {"attempt 0"}
    assert solution.certainty == "single"
    assert solution.verdict == "single: one solution, nothing confirms it, though its text fails the check: arithmetic"


@pytest.mark.parametrize("strategy", ["navigator", "direct", "original", "propose", "recall"])
def test_attempts_of_each_strategy_are_independent(strategy: str) -> None:
    solution = solve({}, strategy=strategy, effort="low", trajectories=2)
    assert [c.attempt for c in solution.candidates] == ["attempt 0", "attempt 1"]
    assert solution.verdict == "agreed: 2 of 2 solutions"
    assert solve({}, strategy=strategy, effort="low").certainty == "single"


def test_a_check_that_holds_proves() -> None:
    draft: Line = lambda prompt, _: "```python\nprint(3)\n```" if "Python program" in prompt else "So \\boxed{\\sqrt{2}}."  # noqa: E731
    solution = solve({"draft": draft, "solve_step": "So \\boxed{3}."}, EQUATION, reviews=0)
    assert (solution.answer, solution.certainty, solution.verdict) == ("\\sqrt{2}", "proven", "proven by substitution")


def test_without_an_answer_there_is_no_certainty() -> None:
    solution = solve({"solve_step": "I do not know."}, effort="low")
    assert (solution.status, solution.certainty, solution.verdict) == ("unanswered", "none", "no solution states an answer")


def test_a_limit_is_part_of_the_verdict() -> None:
    solution = solve({}, token_budget=300, reviews=0)
    assert solution.status == "exhausted"
    assert solution.verdict.endswith("; cut short: the token budget of 300 is spent")


def test_an_older_record_is_read() -> None:
    kept = json.loads(RECORD.read_text("utf-8").splitlines()[-1])["solution"]
    assert kept["status"] == "solved"
    solution = Solution.model_validate(kept)
    assert (solution.status, solution.certainty, solution.verdict) == ("answered", "proven", "proven by substitution")
    assert Solution.model_validate(solution.model_dump(mode="json")) == solution


@pytest.mark.parametrize(
    ("sources", "certainty"), [(("draft", "program"), "agreed"), (("navigator", "navigator"), "single"), ((), "none")]
)
def test_certainty_of_an_older_record_is_the_least_that_is_known(sources: tuple[str, ...], certainty: str) -> None:
    rows = [{"source": source, "text": "", "answer": "7"} for source in sources]
    older = {"problem": "p", "answer": "7" if rows else None, "text": "", "status": "solved", "plan": None, "candidates": rows}
    solution = Solution.model_validate(older)
    assert (solution.certainty, solution.plan) == (certainty, Plan())


def test_a_solution_reads_well() -> None:
    made = Candidate(source="draft", text="Half: \\(x\\) is\n\\[\\frac12\\]", answer="\\frac12")
    solution = Solution(problem="p", answer=made.answer, text=made.text, status="answered", candidates=(made,))
    doubt = "single: one solution, nothing confirms it"
    assert str(solution) == f"{made.text}\n\nAnswer: \\frac12 ({doubt})"
    assert solution._repr_markdown_() == f"Half: $x$ is\n$$\\frac12$$\n\n**Answer:** $\\frac12$\n\n*{doubt}*"
    assert str(solution.model_copy(update={"answer": None, "text": "", "certainty": "none"})).startswith("Answer: none found (")
