"""A solver that writes a program sees what it really prints."""

from __future__ import annotations

import time
from typing import Any

import pytest

from reasonflux_agent import ReasonFlux
from reasonflux_agent.schema import Solution
from tests.graph.fakes import Line, Scripted, Shelf

PROBLEM = "What is the sum of the squares up to 100?"
PROGRAM = "Let me compute.\n```python\nprint(sum(n * n for n in range(101)))\n```"
IMAGINED = f"{PROGRAM}\nThis prints 338351, so \\boxed{{338351}}."


def run(script: dict[str, Line], **given: Any) -> tuple[Scripted, Solution]:
    model = Scripted(script)
    return model, ReasonFlux(model, retriever=Shelf(), effort="low", **given).solve(PROBLEM)


@pytest.mark.parametrize("strategy", ["navigator", "propose"])
def test_a_reply_is_cut_at_its_program_and_goes_on_from_the_real_output(strategy: str) -> None:
    node = "solve_step" if strategy == "navigator" else "reason"
    model, solution = run({node: [IMAGINED, "So it is \\boxed{338350}."]}, strategy=strategy)
    first, second = model.prompts(node)
    assert second.startswith(first)
    assert second.endswith("Go on from this output to the final answer in \\boxed{}.")
    assert "338350" in second
    assert "338351" not in second
    assert PROGRAM in second
    assert solution.answer == "338350"
    assert "338351" not in solution.text
    assert "```output\n338350\n```" in solution.text


def test_a_step_goes_on_from_its_program_to_its_own_result_and_only_the_last_to_the_answer() -> None:
    replies: Line = [PROGRAM, "It is 338350.", "It is right.", PROGRAM, "So it is \\boxed{338350}."]
    model, solution = run({"solve_step": replies}, granularity="step")
    prompts = model.prompts("solve_step")
    assert len(prompts) == 5
    assert prompts[1].endswith("Go on from this output to the result of this step, in one line.")
    assert "\\boxed" not in prompts[1]
    assert prompts[4].endswith("Go on from this output to the final answer in \\boxed{}.")
    assert solution.answer == "338350"


def test_the_program_is_an_event() -> None:
    flux = ReasonFlux(Scripted({"solve_step": [IMAGINED, "\\boxed{338350}"]}), retriever=Shelf(), effort="low")
    (event,) = [e for e in flux.stream(PROBLEM) if e["type"] == "program"]
    assert (event["output"], event["error"]) == ("338350", None)
    assert event["code"].startswith("print(sum")


def test_a_solver_that_only_writes_programs_is_stopped() -> None:
    model, solution = run({"solve_step": IMAGINED})
    assert model.nodes == ["plan", *["solve_step"] * 3]
    assert solution.status == "answered"  # its third reply is taken as it is


def test_an_error_is_shown_to_the_solver() -> None:
    broken = "```python\nprint(undefined)\n```\nIt prints 5: \\boxed{5}"
    model, solution = run({"solve_step": [broken, "I see. So \\boxed{6}."]})
    assert "NameError" in model.prompts("solve_step")[1]
    assert solution.answer == "6"


def test_without_leave_no_program_is_run() -> None:
    model, solution = run({"solve_step": IMAGINED}, programs=False)
    assert model.nodes == ["plan", "solve_step"]
    assert solution.answer == "338351"
    _, drafted = run({}, programs=False, drafts=2, trajectories=0)
    assert [c.source for c in drafted.candidates] == ["draft", "draft"]


HOSTILE = [
    "while True: pass",
    "x = 'a'\nwhile True: x += x",
    "import os\nos.system('touch /tmp/reasonflux-was-here')",
    "open('/etc/passwd').read()",
    "import socket\nsocket.socket().connect(('127.0.0.1', 9))",
    "__import__('subprocess').run(['true'])",
    "raise SystemExit(0)",
    "print('x' * 10_000_000)",
    "def f(): return f()\nf()",
]


@pytest.mark.parametrize("code", HOSTILE)
def test_a_hostile_program_costs_its_limit_only(code: str) -> None:
    reply = f"```python\n{code}\n```"
    started = time.monotonic()
    model, solution = run({"solve_step": [reply, "Then by hand: \\boxed{338350}."]})
    assert time.monotonic() - started < 30
    assert (solution.status, solution.answer) == ("answered", "338350")
    assert len(model.prompts("solve_step")[1]) < len(model.prompts("solve_step")[0]) + 10_000
    if "print" not in code:
        assert "Error" in model.prompts("solve_step")[1]


def test_a_whole_solution_may_be_a_program() -> None:
    def draft(prompt: str, _: int) -> str:
        return f"```python\n{'print(338350)'}\n```" if "Python program" in prompt else "Thus \\boxed{5}."

    _, solution = run({"draft": draft}, drafts=2, trajectories=0)
    assert [(c.source, c.answer) for c in solution.candidates] == [("draft", "5"), ("program", "338350")]


@pytest.mark.parametrize("code", ["print()", "1/0", "import nowhere", ""])
def test_a_program_without_output_is_a_candidate_without_answer(code: str) -> None:
    def draft(prompt: str, _: int) -> str:
        return f"```python\n{code}\n```" if "Python program" in prompt else "Thus \\boxed{5}."

    _, solution = run({"draft": draft}, drafts=2, trajectories=0)
    assert {c.source: c.answer for c in solution.candidates} == {"draft": "5", "program": None}
    assert solution.answer == "5"
