"""refine (navigator): rewrites the trajectory with the templates found (T_rag; paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

from reasonflux_agent.prompts import Message, Prompt, brief, user
from reasonflux_agent.prompts.steps import read_plan
from reasonflux_agent.schema import Plan, Template

TASK = """Task: rewrite the plan so that it says how to solve this very problem with the methods above, where they fit. Leave
out a method that does not fit. Do not solve the problem. Reply with 2 to 4 numbered lines, each about this problem."""


def render(problem: str, templates: Sequence[Template | str], plan: Plan) -> list[Message]:
    return user(brief(problem, templates=templates, plan=plan), TASK)


REFINE: Prompt[Plan] = Prompt("refine", "navigator", render, read_plan, max_tokens=300)
