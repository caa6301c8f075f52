"""Tools for agents: `reason` solves a problem, `check_answer` checks an answer. They take plain text, so MCP can serve them.

The third one, `search_templates`, is `retrieval.template_search_tool`.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BeforeValidator

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.errors import InputError
from reasonflux_agent.schema import Solution
from reasonflux_agent.verify.grading import equivalent
from reasonflux_agent.verify.verifiers import description, failure, run_verifiers

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


def _with_artifact(solution: Solution) -> tuple[str, dict[str, Any]]:
    return str(solution), solution.model_dump(mode="json")


def _as_text(value: object) -> object:
    return "" if value is None else str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_as_text)]
"""An argument that models give as a number, or as nothing, where a text is asked for."""


def check_answer_tool() -> BaseTool:
    """`check_answer(problem, answer, work="", expected="")`: what can be said of an answer without a model, as lines."""

    def check_answer(problem: str, answer: Text, work: Text = "", expected: Text = "") -> str:
        verdicts = run_verifiers(problem, work or answer, answer)
        if not work.strip():  # an answer alone is no text that could run in circles: digits may
            verdicts.pop("not_repeating", None)
        right = [description(name) for name, passed in verdicts.items() if passed and name not in FORMAL]
        failed = [name for name, passed in verdicts.items() if not passed]
        wrong = [failure(name, problem, work or answer, answer) for name in failed]
        if not expected.strip():
            lines = [f"yes: {text}" for text in right] + [f"NO: {text}" for text in wrong]
            return "\n".join(lines) or "Nothing about this answer can be checked by calculation."
        same = equivalent(answer, expected, problem=problem)
        verdict = f"{'yes: It means' if same else 'NO: It does not mean'} the same as {expected.strip()}."
        lines = [verdict, *(f"Apart from that: {text}" for text in right + wrong)]
        if same and not FORMAL | {"arithmetic"} >= set(failed):
            lines.append("What is said of the answer is true of the expected one: look at the problem again.")
        return "\n".join(lines)

    async def acheck_answer(problem: str, answer: Text, work: Text = "", expected: Text = "") -> str:
        return await asyncio.to_thread(check_answer, problem, answer, work, expected)

    return StructuredTool.from_function(
        func=check_answer,
        coroutine=acheck_answer,
        name="check_answer",
        description="Check an answer to a mathematics problem by calculation alone: it is put back into the problem where "
        "that is possible, the numbers of `work` (the solution's text) are recomputed, and it is compared with `expected`, "
        "which then decides.",
    )
