"""review (navigator): judges the last result and says how to go on (delta_i, paper section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reasonflux_agent.exchanges import Exchange, Message, ParseError, brief, user
from reasonflux_agent.exchanges.steps import is_step, read_plan
from reasonflux_agent.schema import Plan, Review, StepResult, Verdict

TASK = """Task: you are the reviewer of {work}. Recompute its decisive calculation yourself, in at most three
short lines. Then end with a line that begins with one word:
ACCEPT if the work is right,
REDO if a calculation is wrong, followed by what is right instead,
REPLACE if this way cannot lead to the answer, followed by numbered lines of a new plan for this problem,
FINISH if the final answer is there and right."""

_VERDICT = re.compile(r"^[^\w\n]*(ACCEPT|REDO|REPLACE|FINISH)(?:ED)?\b\W*(.*)", re.M | re.S | re.I)


def render(
    problem: str,
    plan: Plan,
    results: Sequence[StepResult],
    templates: Mapping[str, str] | None = None,
    whole: bool = False,
) -> list[Message]:
    """The request for a judgement of the last of `results`: a step, or a `whole` solution, which is shown uncut."""
    last = results[-1]
    if whole:
        common = brief(problem, templates=templates, plan=plan)
        return user(common, f"Solution:\n{last.text.strip()}", TASK.format(work="the solution"))
    common = brief(problem, templates=templates, plan=plan, results=results)
    return user(common, TASK.format(work=f"the work on step {last.index + 1}"))


def parse(reply: str) -> Review:
    """The judgement, its `index` 0 (the node knows the step). Raises ParseError if there is no verdict."""
    lines = reply.splitlines(keepends=True)
    # the verdict is the last line that begins with one; what follows it belongs to it
    starts = (i for i in range(len(lines) - 1, -1, -1) if _VERDICT.match(lines[i]))
    match = _VERDICT.match("".join(lines[next(starts, len(lines)) :]))
    if not match:
        raise ParseError("no line of it begins with ACCEPT, REDO, REPLACE or FINISH.")
    verdict: Verdict = match[1].lower()  # type: ignore[assignment]
    rest = match[2].strip()
    if verdict != "replace":
        return Review(index=0, verdict=verdict, feedback=rest[:600])
    first = next(iter(rest.splitlines()), "")
    remark = "" if is_step(first) else first[:600]  # the form that is asked for goes on with the first step
    return Review(index=0, verdict=verdict, feedback=remark, steps=read_plan(rest).steps)


REVIEW: Exchange[Review] = Exchange("review", "navigator", render, parse, max_tokens=250)
