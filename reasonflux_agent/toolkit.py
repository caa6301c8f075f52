"""Tools for agents: `reason` solves a problem, `check_answer` checks an answer. They take plain text, so MCP can serve them.

The third one, `search_templates`, is `retrieval.template_search_tool`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.checks import meaning, objection, run_checks
from reasonflux_agent.errors import InputError
from reasonflux_agent.grading import equivalent
from reasonflux_agent.schema import Solution

FORMAL = frozenset({"complete", "answered", "not_repeating"})
"""Checks of a reply's form: that an answer passes them says nothing about whether it is right."""


def reason_tool(flux: ReasonFlux) -> BaseTool:
    """`reason(problem)`: the worked solution as text; the artifact is the `Solution` as a dict.

    A problem that cannot be taken is told to the caller; ModelError is raised.
    """

    def reason(problem: str) -> tuple[str, dict[str, Any]]:
        try:
            return _with_artifact(flux.solve(problem))
        except InputError as error:
            raise ToolException(str(error)) from error

    async def areason(problem: str) -> tuple[str, dict[str, Any]]:
        try:
            return _with_artifact(await flux.asolve(problem))
        except InputError as error:
            raise ToolException(str(error)) from error

    return StructuredTool.from_function(
        func=reason,
        coroutine=areason,
        name="reason",
        description="Solve a hard mathematics problem by planning with thought templates. Give the whole problem as text.",
        response_format="content_and_artifact",
        handle_tool_error=True,
    )


def told(solution: Solution) -> str:
    """A solution as a tool tells it: its text, the answer apart, and how far to trust it."""
    return f"{solution.text}\n\nAnswer: {solution.answer or 'none found'} ({solution.status}: {solution.reason})".strip()


def _with_artifact(solution: Solution) -> tuple[str, dict[str, Any]]:
    return told(solution), solution.model_dump(mode="json")


def check_answer_tool() -> BaseTool:
    """`check_answer(problem, answer, work="", expected="")`: what can be said of an answer without a model, as lines."""

    def check_answer(problem: str, answer: str, work: str = "", expected: str = "") -> str:
        """Check an answer to a mathematics problem by calculation alone: it is put back into the problem where that is
        possible, the numbers of `work` (the solution's text) are recomputed, and it is compared with `expected`."""
        verdicts = run_checks(problem, work or answer, answer)
        lines = [
            f"yes: {meaning(name)}" if passed else f"NO: {objection(name, problem, work or answer, answer)}"
            for name, passed in verdicts.items()
            if not (passed and name in FORMAL)
        ]
        if expected.strip():
            verdict = "yes" if equivalent(answer, expected, problem=problem) else "NO"
            lines.append(f"{verdict}: It means the same as {expected.strip()}.")
        return "\n".join(lines) or "Nothing about this answer can be checked by calculation."

    async def acheck_answer(problem: str, answer: str, work: str = "", expected: str = "") -> str:
        return await asyncio.to_thread(check_answer, problem, answer, work, expected)

    return StructuredTool.from_function(func=check_answer, coroutine=acheck_answer, name="check_answer")
