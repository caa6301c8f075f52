"""plan (navigator): abstraction a(x) and trajectory T of problem x (paper, section 3.2)."""

from __future__ import annotations

from reasonflux_agent.exchanges import Exchange, Message, brief, user
from reasonflux_agent.exchanges.steps import FORM, read_plan
from reasonflux_agent.schema import Plan

TASK = f"""Task: write a short plan for solving the problem. Do not solve it and compute nothing.
The first line is "Kind:" and the kind of problem in a few words. Then come 2 to 4 numbered steps, one line each, of the form
{FORM}
The last step ends in the answer that the problem asks for."""


def render(problem: str) -> list[Message]:
    """The request for a trajectory."""
    return user(brief(problem), TASK)


def parse(reply: str) -> Plan:
    """The trajectory. Raises ParseError if the reply holds no step."""
    return read_plan(reply)


PLAN: Exchange[Plan] = Exchange("plan", "navigator", render, parse, max_tokens=300)
