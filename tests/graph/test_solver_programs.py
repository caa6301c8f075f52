"""A solver that writes a program sees what it really prints."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import Field

from reasonflux_agent import ReasonFlux
from reasonflux_agent.schema import Solution
from tests.graph.fakes import Line, Sampled, Scripted, Shelf

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
    (event,) = [e for e in flux.stream(PROBLEM) if e.type == "program"]
    assert (event.output, event.error) == ("338350", None)
    assert event.code.startswith("print(sum")


def test_a_solver_that_only_writes_programs_is_stopped() -> None:
    model, solution = run({"solve_step": IMAGINED})
    assert model.nodes == ["plan", *["solve_step"] * 3]
    assert solution.status == "answered"  # its third reply is taken as it is


def test_an_error_is_shown_to_the_solver() -> None:
    broken = "```python\nprint(undefined)\n```\nIt prints 5: \\boxed{5}"
    model, solution = run({"solve_step": [broken, "I see. So \\boxed{6}."]})
    assert "NameError" in model.prompts("solve_step")[1]
    assert solution.answer == "6"


class Embedded(Sampled):
    """Goes by the spec of an embedded model; keeps the strings that end its replies."""

    spec: str = "local:small"
    stops: list[tuple[str, list[str]]] = Field(default_factory=list)

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        self.stops.append((run_manager.metadata["reasonflux_node"], stop or []))
        return super()._generate(messages, stop, run_manager, **kwargs)


BROKEN = "```python\nprint(undefined)\n```"


@pytest.mark.parametrize("failing", [BROKEN, "```python\nx = 5\n```"])
def test_an_embedded_model_replies_anew_where_its_program_fails(failing: str) -> None:
    model = Embedded({"solve_step": [failing, PROGRAM, "So it is \\boxed{338350}."]})
    solution = ReasonFlux(model, retriever=Shelf(), effort="low", seed=7).solve(PROBLEM)
    first, anew, last = model.prompts("solve_step")
    assert first == anew
    assert "NameError" not in last
    assert solution.answer == "338350"
    assert "undefined" not in solution.text
    greedy, sample, on = [(temperature, seed) for node, temperature, seed in model.drawn if node == "solve_step"]
    assert greedy[0] == 0
    assert sample[0] > 0
    assert len({seed for _, seed in (greedy, sample, on)}) == 3  # with the same one a server repeats the reply


def test_an_embedded_model_is_shown_the_error_of_its_last_program() -> None:
    model = Embedded({"solve_step": [BROKEN, BROKEN, "By hand: \\boxed{338350}."]})
    solution = ReasonFlux(model, retriever=Shelf(), effort="low").solve(PROBLEM)
    assert "NameError" in model.prompts("solve_step")[2]
    assert solution.answer == "338350"


def test_a_draft_whose_program_fails_is_drawn_anew() -> None:
    programs = iter([BROKEN, "```python\nprint(338350)\n```"])

    def draft(prompt: str, _: int) -> str:
        return next(programs) if "Python program" in prompt else "Thus \\boxed{5}."

    model, solution = run({"draft": draft}, direct_samples=2, trajectories=0)
    assert [(c.source, c.answer) for c in solution.candidates] == [("draft", "5"), ("program", "338350")]
    assert len(model.prompts("draft")) == 3


def test_replies_stop_at_an_imagined_output_where_programs_are_run() -> None:
    model = Embedded({"solve_step": [PROGRAM, "So it is \\boxed{338350}."]})
    ReasonFlux(model, retriever=Shelf()).solve(PROBLEM)  # the default: two drafts beside the plan
    stops = {(node, tuple(stop)) for node, stop in model.stops}
    assert ("solve_step", ("```output",)) in stops
    assert {stop for node, stop in stops if node == "draft"} == {("```output",), ()}  # the draft in text runs no program
    model = Embedded({"solve_step": IMAGINED})
    ReasonFlux(model, retriever=Shelf(), programs=False, direct_samples=0).solve(PROBLEM)
    assert not any("```output" in stop for _, stop in model.stops)


def test_without_leave_no_program_is_run() -> None:
    model, solution = run({"solve_step": IMAGINED}, programs=False)
    assert model.nodes == ["plan", "solve_step"]
    assert solution.answer == "338351"
    _, drafted = run({}, programs=False, direct_samples=2, trajectories=0)
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
    if "print" not in code and "SystemExit" not in code:  # an exit is an end like another
        assert "Error" in model.prompts("solve_step")[1]


def test_a_whole_solution_may_be_a_program() -> None:
    def draft(prompt: str, _: int) -> str:
        return f"```python\n{'print(338350)'}\n```" if "Python program" in prompt else "Thus \\boxed{5}."

    _, solution = run({"draft": draft}, direct_samples=2, trajectories=0)
    assert [(c.source, c.answer) for c in solution.candidates] == [("draft", "5"), ("program", "338350")]


@pytest.mark.parametrize("code", ["print()", "1/0", "import nowhere", ""])
def test_a_program_without_output_is_a_candidate_without_answer(code: str) -> None:
    def draft(prompt: str, _: int) -> str:
        return f"```python\n{code}\n```" if "Python program" in prompt else "Thus \\boxed{5}."

    _, solution = run({"draft": draft}, direct_samples=2, trajectories=0)
    assert {c.source: c.answer for c in solution.candidates} == {"draft": "5", "program": None}
    assert solution.answer == "5"
