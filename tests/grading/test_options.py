"""Options that a problem lists: an answer that equals one option's text is that option."""

from __future__ import annotations

import pytest

from reasonflux_agent import ReasonFlux
from reasonflux_agent.jobs.evaluation.benchmarks import Item
from reasonflux_agent.jobs.evaluation.solving import judged
from reasonflux_agent.testing import FakeModel, mathematician
from reasonflux_agent.verify import grading

SUM = "What is 1/2 + 1/2? (A) 1 (B) 2 (C) 1/2"
NAMES = "Who is the tallest?\nOptions:\n(A) Alice\n(B) Bob\n(C) Claire"
DATES = "What is the date tomorrow?\n\nA. 05/01/2021\nB. 06/01/2021\n\nAnswer with a letter."
AMC = r"Find $x$. $\textbf{(A) }1 \qquad \textbf{(B) }\frac{1}{2}\qquad\textbf{(C)}\ \sqrt{2} \qquad \textbf{(D)}\ \text{none}$"


@pytest.mark.parametrize(
    ("problem", "listed"),
    [
        (SUM, {"A": "1", "B": "2", "C": "1/2"}),
        (NAMES, {"A": "Alice", "B": "Bob", "C": "Claire"}),
        (DATES, {"A": "05/01/2021", "B": "06/01/2021"}),
        (AMC, {"A": "1", "B": r"\frac{1}{2}", "C": r"\sqrt{2}", "D": r"\text{none}"}),
        ("Solve x + 1 = 3.", {}),
        ("A car drives 5 km. (A) is a label without others.", {}),
        ("", {}),
    ],
)
def test_the_options_of_a_problem(problem: str, listed: dict[str, str]) -> None:
    assert grading.options(problem) == listed


@pytest.mark.parametrize(
    ("problem", "a", "b", "verdict"),
    [
        (SUM, "1", "A", True),
        (SUM, "1", "(A)", True),
        (SUM, "0.5", "C", True),
        (SUM, "(A) 1", "1", True),
        (SUM, "2", "A", False),
        (SUM, "3", "A", False),
        (SUM, "a", "1", True),
        (NAMES, "Bob", "(B)", True),
        (NAMES, "Bob", "(A)", False),
        (DATES, "06/01/2021", "B", True),
        (AMC, "0.5", "B", True),
        (AMC, "none", r"\text{(D)}", True),
        ("Solve it.", "1", "A", False),
    ],
)
def test_an_options_text_is_the_option(problem: str, a: str, b: str, verdict: bool) -> None:
    assert grading.equivalent(a, b, problem=problem) is verdict
    assert grading.equivalent(b, a, problem=problem) is verdict


async def test_in_an_evaluation() -> None:
    item = Item(id="1", problem=NAMES, answer="(B)")
    assert await judged("Bob", item) is True
    assert await judged("Alice", item) is False


def _reply(prompt: str) -> str:
    """A text that states the option, a program that prints its text, and plans and their solutions that state another."""
    task = prompt.rsplit("Task:", 1)[-1]
    if "Python program" in task:
        return "```python\nprint(1)\n```"
    if "plan" in prompt.lower():
        return mathematician(prompt) if "Do not solve" in task or "high-level step" in task else r"It is \boxed{C}."
    return r"It is \boxed{A}."


def test_in_a_vote_with_the_default_settings() -> None:
    solution = ReasonFlux(FakeModel(respond=_reply)).solve(SUM)
    answers = [candidate.answer for candidate in solution.candidates]
    assert answers[:2] == ["A", "1"]
    assert solution.answer == "A"
    assert solution.votes == pytest.approx(2 / len(answers))
