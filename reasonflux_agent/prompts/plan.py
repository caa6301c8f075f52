"""plan (navigator): abstraction a(x) and trajectory T of problem x (paper, section 3.2).

Small models copy a placeholder, or a single example, word for word. So the form is shown in three short conversations from
three fields. They come first and never change, so that a server keeps them cached.
"""

from __future__ import annotations

from reasonflux_agent.prompts import Message, Prompt, brief, user
from reasonflux_agent.prompts.steps import read_plan, write_steps
from reasonflux_agent.schema import Plan, Step

TASK = """Task: write a short plan for solving the problem: its kind, then 2 to 4 numbered steps, one line each, and for each
step what to look up in a collection of methods. Do not solve the problem and compute nothing."""

SHOWN: tuple[tuple[str, Plan], ...] = (
    (
        "Nora reads 12 pages a day for 5 days and then twice as many a day until page 180. How many days does it take her?",
        Plan(
            abstraction="word problem with a rate that changes",
            steps=(
                Step(purpose="Count the pages of the first stage", query="amount from rate and time"),
                Step(purpose="Divide the pages that are left by the new rate", query="time for a remaining amount"),
                Step(purpose="Add the days of both stages", query="total over several stages"),
            ),
        ),
    ),
    (
        "Find all real x with log_2(x) + log_2(x - 2) = 3.",
        Plan(
            abstraction="equation with logarithms",
            steps=(
                Step(purpose="Join the two logarithms into one and remove it", query="equation with a sum of logarithms"),
                Step(purpose="Solve the quadratic equation for x", query="quadratic equation"),
                Step(purpose="Keep the roots for which both logarithms exist", query="extraneous roots"),
            ),
        ),
    ),
    (
        "How many four-digit numbers have digits that increase from left to right?",
        Plan(
            abstraction="counting selections whose order is fixed",
            steps=(
                Step(purpose="See that a set of four digits fixes the number", query="order fixed: count subsets"),
                Step(purpose="Count the sets of four digits without 0", query="combinations"),
            ),
        ),
    ),
)
"""Our own problems and their plans: the earlier turns of the conversation."""


def render(problem: str) -> list[Message]:
    """Return the request for a trajectory."""
    messages: list[Message] = []
    for shown, plan in SHOWN:
        task = "" if messages else TASK
        messages += [*user(task, brief(shown)), {"role": "assistant", "content": write_steps(plan)}]
    return messages + user(brief(problem))


PLAN: Prompt[Plan] = Prompt("plan", "navigator", render, read_plan, max_tokens=200)
