"""answer (solver): asks for the final answer of a trajectory whose steps do not state it."""

from __future__ import annotations

from collections.abc import Sequence

from reasonflux_agent.prompts import Message, Prompt, brief, user
from reasonflux_agent.prompts.solve import BOXED, text
from reasonflux_agent.schema import Plan, StepResult, Template

TASK = f"Task: the steps are done. State the result that the problem asks for, in one or two sentences, and {BOXED}"


def render(problem: str, plan: Plan, results: Sequence[StepResult], templates: Sequence[Template | str] = ()) -> list[Message]:
    return user(brief(problem, templates=templates, plan=plan, results=results), TASK)


ANSWER: Prompt[str] = Prompt("answer", "solver", render, text, max_tokens=300)
