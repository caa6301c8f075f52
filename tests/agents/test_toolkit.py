"""The tools for agents, called as agents and MCP servers call them: with plain text."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from reasonflux_agent import ReasonFlux, testing, toolkit
from reasonflux_agent.schema import Solution
from reasonflux_agent.toolkit import check_answer_tool, reason_tool
from tests.graph.fakes import Scripted, Shelf


async def called(tool: Any, asynchronous: bool, **args: Any) -> Any:
    call = {"name": tool.name, "args": args, "id": "1", "type": "tool_call"}
    return await tool.ainvoke(call) if asynchronous else tool.invoke(call)


def reason(**script: Any) -> Any:
    return reason_tool(ReasonFlux(Scripted(script), retriever=Shelf(), effort="low"))


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_reason_answers_in_text_and_hands_the_solution_on(asynchronous: bool) -> None:
    message = await called(reason(), asynchronous, problem="What is 3 + 4?")
    assert message.text == "So it is \\boxed{7}.\n\nAnswer: 7 (single: one solution, nothing confirms it)"
    assert Solution.model_validate(message.artifact).answer == "7"


async def test_reason_says_that_it_found_nothing() -> None:
    message = await called(reason(solve_step="I do not know."), False, problem="What is 3 + 4?")
    assert "Answer: none found (no solution states an answer)" in message.text


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_problem_that_cannot_be_taken_is_told_and_not_raised(asynchronous: bool) -> None:
    message = await called(reason(), asynchronous, problem=" ")
    assert message.status == "error"
    assert "non-empty" in message.text


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("args", "lines"),
    [
        ({"problem": "Solve x + 2 = 5 for x.", "answer": "3"}, ["yes: The answer satisfies the recurrence, or the equation"]),
        ({"problem": "Solve x + 2 = 5 for x.", "answer": "4"}, ["NO: x = 4 does not satisfy x + 2 = 5."]),
        ({"problem": "Add.", "answer": "8", "work": "3 + 4 = 8, so it is 8."}, ["NO: It is not true that 3 + 4 = 8."]),
        ({"problem": "Add.", "answer": ""}, ["NO: This does not hold: There is a final answer"]),
        ({"problem": "Write it.", "answer": "10" * 60}, ["Nothing about this answer can be checked by calculation."]),
        ({"problem": "Prove it.", "answer": "7"}, ["Nothing about this answer can be checked by calculation."]),
        ({"problem": "Halve 1.", "answer": "0.5", "expected": "\\frac{1}{2}"}, ["yes: It means the same as \\frac{1}{2}."]),
        (
            {"problem": "Halve 1.", "answer": "0.4", "expected": "\\frac{1}{2}"},
            ["NO: It does not mean the same as \\frac{1}{2}."],
        ),
        ({"problem": "Halve 1.", "answer": 0.5, "expected": "\\frac{1}{2}"}, ["yes: It means the same as \\frac{1}{2}."]),
        ({"problem": "Solve x + 2 = 5 for x.", "answer": 3, "expected": 3, "work": None}, ["yes: It means the same as 3."]),
        ({"problem": "Solve x + 2 = 5 for x.", "answer": 4, "expected": None}, ["NO: x = 4 does not satisfy x + 2 = 5."]),
    ],
)
async def test_check_answer_says_what_holds(args: dict[str, Any], lines: list[str], asynchronous: bool) -> None:
    text = (await called(check_answer_tool(), asynchronous, **args)).text
    for line in lines:
        assert line in text


@pytest.mark.parametrize(
    "problem", ["Solve x + 2 = 5 for x.", "How many dogs are there?", "What is the probability?", "Prove it."]
)
@pytest.mark.parametrize("answer", ["3", "4", "0.4", "-3", ""])
@pytest.mark.parametrize("expected", ["3", "4", "0.4", "-3"])
@pytest.mark.parametrize("work", ["", "3 + 4 = 8"])
def test_with_an_expected_answer_there_is_one_verdict(problem: str, answer: str, expected: str, work: str) -> None:
    given = {"problem": problem, "answer": answer, "expected": expected, "work": work}
    verdict, *more = check_answer_tool().invoke(given).splitlines()
    assert verdict.startswith("yes: It means the same" if answer == expected else "NO: It does not mean the same")
    assert not [line for line in more if line.startswith(("yes:", "NO:"))]


def test_an_expected_answer_that_is_wrong_is_told() -> None:
    text = check_answer_tool().invoke({"problem": "Solve x + 2 = 5 for x.", "answer": "4", "expected": "4"})
    assert text.splitlines() == [
        "yes: It means the same as 4.",
        "Apart from that: x = 4 does not satisfy x + 2 = 5.",
        "What is said of the answer is true of the expected one: look at the problem again.",
    ]


def test_the_tools_take_plain_text_alone() -> None:
    for tool in (reason(), check_answer_tool()):
        assert {field["type"] for field in tool.args.values()} == {"string"}
        assert tool.description


@pytest.mark.parametrize("module", [toolkit, testing])
def test_the_examples_of_the_docstrings_hold(module: Any) -> None:
    done = doctest.testmod(module)
    assert done.attempted > 5
    assert done.failed == 0
