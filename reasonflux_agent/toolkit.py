"""Tools for agents: `reason` solves a problem, `check_answer` checks an answer. They take plain text, so MCP can serve them.

A third one, `search_templates`, is made by `templates.template_search_tool`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BeforeValidator

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.errors import InputError
from reasonflux_agent.schema import Solution
from reasonflux_agent.verify.grading import equivalent
from reasonflux_agent.verify.verifiers import description, failure, run_verifiers

FORMAL = frozenset({"complete", "answered", "not_repeating"})
"""Verifiers of a reply's form: an answer that passes them can be wrong."""


Text = Annotated[str, BeforeValidator(lambda v: "" if v is None else str(v) if isinstance(v, int | float) else v)]
"""A text argument; models also give a number, or null."""


@contextmanager
def input_errors_told() -> Iterator[None]:
    """Raise an InputError as a ToolException, whose text a tool with `handle_tool_error` returns to the model."""
    try:
        yield
    except InputError as error:
        raise ToolException(str(error)) from error


def reason_tool(flux: ReasonFlux) -> BaseTool:
    r"""Return the tool `reason(problem, effort="", deadline="")`, whose artifact is the `Solution` as a dict.

    It returns the solution as text. `effort` and `deadline` (seconds) are over those of `flux`. A problem that cannot be used
    is told to the model. Raises ModelError.

    >>> from reasonflux_agent.testing import FakeModel
    >>> tool = reason_tool(ReasonFlux(FakeModel(), templates=0, effort="low"))
    >>> print(tool.invoke({"problem": "What is 30 + 4?"}))
    Adding the numbers gives $\boxed{34}$.
    <BLANKLINE>
    Answer: 34 (single: one solution, nothing confirms it)
    """

    def given(effort: str, deadline: str) -> dict[str, Any]:
        return {name: value for name, value in (("effort", effort), ("deadline", deadline)) if value}

    def reason(problem: str, effort: str = "", deadline: Text = "") -> tuple[str, dict[str, Any]]:
        with input_errors_told():
            return _with_artifact(flux.solve(problem, **given(effort, deadline)))

    async def areason(problem: str, effort: str = "", deadline: Text = "") -> tuple[str, dict[str, Any]]:
        with input_errors_told():
            return _with_artifact(await flux.asolve(problem, **given(effort, deadline)))

    return StructuredTool.from_function(
        reason,
        areason,
        description="Solve a hard mathematics problem by planning with thought templates. Give the whole problem as text. "
        "Optional: effort (low, medium, high, auto) and deadline (seconds).",
        response_format="content_and_artifact",
        handle_tool_error=True,
    )


def _with_artifact(solution: Solution) -> tuple[str, dict[str, Any]]:
    return str(solution), solution.model_dump(mode="json")


def check_answer_tool() -> BaseTool:
    """Return the tool `check_answer(problem, answer, work="", expected="")`: what calculation alone tells about an answer.

    Its artifact is a dict: `holds` (true, false, or null where nothing can be said), and `checks` (verifier -> passed).

    >>> tool = check_answer_tool()
    >>> print(tool.invoke({"problem": "Solve x + 2 = 5 for x.", "answer": "4"}))
    NO: x = 4 does not satisfy x + 2 = 5.
    >>> print(tool.invoke({"problem": "Halve 1.", "answer": "0.5", "expected": "1/2"}))
    yes: It means the same as 1/2.
    """

    def check_answer(problem: str, answer: Text, work: Text = "", expected: Text = "") -> tuple[str, dict[str, Any]]:
        verdicts = run_verifiers(problem, work or answer, answer)
        if not work.strip():
            verdicts.pop("not_repeating", None)  # the digits of an answer alone may repeat
        right = [description(name) for name, passed in verdicts.items() if passed and name not in FORMAL]
        failed = [name for name, passed in verdicts.items() if not passed]
        wrong = [failure(name, problem, work or answer, answer) for name in failed]
        if not expected.strip():
            lines = [f"yes: {text}" for text in right] + [f"NO: {text}" for text in wrong]
            holds = False if set(failed) - FORMAL else True if right else None
            said = "\n".join(lines) or "Nothing about this answer can be checked by calculation."
            return said, {"holds": holds, "checks": verdicts}
        same = equivalent(answer, expected, problem=problem)
        verdict = f"{'yes: It means' if same else 'NO: It does not mean'} the same as {expected.strip()}."
        lines = [verdict, *(f"Apart from that: {text}" for text in right + wrong)]
        if same and not FORMAL | {"arithmetic"} >= set(failed):
            lines.append("What is said of the answer is true of the expected one: look at the problem again.")
        return "\n".join(lines), {"holds": same, "checks": verdicts}

    return StructuredTool.from_function(
        check_answer,
        description="Check an answer to a mathematics problem by calculation alone: it is put back into the problem where "
        "that is possible, the numbers of `work` (the solution's text) are recomputed, and it is compared with `expected`, "
        "which then decides.",
        response_format="content_and_artifact",
    )
