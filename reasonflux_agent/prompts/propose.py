"""propose (navigator): abstraction, conditions and high-level steps in one reply, as the proposer of ReasonFlux v2."""

from __future__ import annotations

import re

from reasonflux_agent.prompts import Message, Prompt, brief, user
from reasonflux_agent.prompts.steps import read_plan
from reasonflux_agent.schema import Plan

TASK = """Task: write down how such a problem is solved in general; do not solve it. First a line that begins with
"Kind:" and names the mathematical idea behind the problem, then a line that begins with "Conditions:" and says what is known
and what is asked, then 2 to 5 numbered lines, each a high-level step."""

_CONDITIONS = re.compile(r"^[^\w\n]*conditions[^\w\n:]*:(.+)$", re.IGNORECASE | re.MULTILINE)


def render(problem: str) -> list[Message]:
    return user(brief(problem), TASK)


def parse(reply: str) -> Plan:
    """Return the steps, with kind and conditions as the abstraction. Raises ParseError if there is no step."""
    plan = read_plan(reply)
    stated = _CONDITIONS.search(reply)
    conditions = f"Conditions: {stated[1].strip(' *')}" if stated else ""
    return plan.model_copy(update={"abstraction": f"{plan.abstraction} {conditions}".strip()})


PROPOSE: Prompt[Plan] = Prompt("propose", "navigator", render, parse, max_tokens=400)
