"""The strategy `program`: one call, and what the program prints is the answer."""

from __future__ import annotations

from reasonflux_agent import ReasonFlux
from reasonflux_agent.testing import FakeModel

PROBLEM = "What is 3 + 4?"


def test_what_the_program_prints_is_the_answer() -> None:
    flux = ReasonFlux(FakeModel(respond=lambda _: "```python\nprint('Sum:', 3 + 4)\n```"), strategy="program")
    solution = flux.solve(PROBLEM)
    assert (solution.answer, solution.strategy, sum(used.calls for used in solution.usage.values())) == ("7", "program", 1)
    assert "```output\nSum: 7\n```" in solution.text


def test_a_program_that_fails_is_written_anew() -> None:
    replies = iter(["```python\n1 / 0\n```", "```python\nprint(7)\n```"])
    solution = ReasonFlux(FakeModel(respond=lambda _: next(replies)), strategy="program").solve(PROBLEM)
    assert (solution.answer, sum(used.calls for used in solution.usage.values())) == ("7", 2)


def test_without_programs_it_reasons_in_text() -> None:
    flux = ReasonFlux(FakeModel(respond=lambda _: "It is \\boxed{7}."), strategy="program", programs=False)
    solution = flux.solve(PROBLEM)
    assert (solution.answer, sum(used.calls for used in solution.usage.values())) == ("7", 1)
    assert solution.candidates[0].source == "direct"
