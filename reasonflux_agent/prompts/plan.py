"""plan (navigator): abstraction a(x) and trajectory T of problem x (paper, section 3.2).

Small models copy a placeholder, or a single example, word for word. So the form is shown in three short conversations from
three fields. They come first and never change, so that a server keeps them cached.
"""

from __future__ import annotations

from reasonflux_agent.prompts import Message, Prompt, brief, user
from reasonflux_agent.prompts.steps import read_plan
from reasonflux_agent.schema import Plan

TASK = """Task: write a short plan for solving the problem: its kind, then 2 to 4 numbered steps, one line each, and for each
step what to look up in a collection of methods. Do not solve the problem and compute nothing."""

SHOWN = (
    (
        "Nora reads 12 pages a day for 5 days and then twice as many a day until page 180. How many days does it take her?",
        """Kind: word problem with a rate that changes
1. Count the pages of the first stage | find: amount from rate and time
2. Divide the pages that are left by the new rate | find: time for a remaining amount
3. Add the days of both stages | find: total over several stages""",
    ),
    (
        "Find all real x with log_2(x) + log_2(x - 2) = 3.",
        """Kind: equation with logarithms
1. Join the two logarithms into one and remove it | find: equation with a sum of logarithms
2. Solve the quadratic equation for x | find: quadratic equation
3. Keep the roots for which both logarithms exist | find: extraneous roots""",
    ),
    (
        "How many four-digit numbers have digits that increase from left to right?",
        """Kind: counting selections whose order is fixed
1. See that a set of four digits fixes the number | find: order fixed: count subsets
2. Count the sets of four digits without 0 | find: combinations""",
    ),
)
"""Our own problems and their plans: the earlier turns of the conversation."""


def render(problem: str) -> list[Message]:
    messages: list[Message] = []
    for problem_shown, plan in SHOWN:
        messages += [*user("" if messages else TASK, brief(problem_shown)), {"role": "assistant", "content": plan}]
    return messages + user(brief(problem))


PLAN: Prompt[Plan] = Prompt("plan", "navigator", render, read_plan, max_tokens=200)
