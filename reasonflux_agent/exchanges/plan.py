"""plan (navigator): abstraction a(x) and trajectory T of problem x (paper, section 3.2)."""

from __future__ import annotations

from reasonflux_agent.exchanges import Exchange, Message, brief, user
from reasonflux_agent.exchanges.steps import read_plan
from reasonflux_agent.schema import Plan

TASK = """Task: write a plan for solving the problem above. Do not solve it and compute nothing.
This is how the plan of another problem looks, "At what price do 40 shirts sold and 10 dollars less than twice as many at
half the price bring in the same?":
Kind: word problem with one unknown price
1. Let x be the price and write both revenues in x | find: revenue as price times quantity
2. Set the revenues equal and solve for x | find: linear equation in one unknown
3. Check that the price is positive and state it | find: checking a solution
Write the plan for the problem above in that form: a line "Kind:", then 2 to 4 numbered lines, each about this problem."""


def render(problem: str) -> list[Message]:
    """The request for a trajectory."""
    return user(brief(problem), TASK)


def parse(reply: str) -> Plan:
    """The trajectory. Raises ParseError if the reply holds no step."""
    return read_plan(reply)


PLAN: Exchange[Plan] = Exchange("plan", "navigator", render, parse, max_tokens=300)
