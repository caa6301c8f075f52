"""review (navigator): judges the last result and says how to go on (delta_i, paper section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reasonflux_agent.exchanges import Exchange, Message, ParseError, brief, user
from reasonflux_agent.exchanges.steps import FORM, read_plan
from reasonflux_agent.schema import Plan, Review, StepResult, Verdict

TASK = f"""Task: you are the reviewer. Check the work on step {{number}} against the problem: is every equation right, and is
what is asked answered? Reply with exactly one of these:
ACCEPT
REDO: the first mistake, in one sentence
REPLACE: why another way is needed, in one sentence, then numbered steps of the form "{FORM}"
FINISH (when the final answer is there and right)"""

_VERDICT = re.compile(r"^\W*(ACCEPT|REDO|REPLACE|FINISH)(?:ED)?\b\W*(.*)", re.I | re.S)
_ANYWHERE = re.compile(r"^[^\w\n]*(ACCEPT|REDO|REPLACE|FINISH)(?:ED)?\b\W*(.*)", re.M | re.S)


def render(
    problem: str, plan: Plan, results: Sequence[StepResult], templates: Mapping[str, str] | None = None
) -> list[Message]:
    """The request for a judgement of the last of `results`."""
    common = brief(problem, templates=templates, plan=plan, results=results)
    return user(common, TASK.format(number=results[-1].index + 1))


def parse(reply: str) -> Review:
    """The judgement, its `index` 0 (the node knows the step). Raises ParseError if there is no verdict."""
    match = _VERDICT.match(reply) or _ANYWHERE.search(reply)
    if not match:
        raise ParseError("it does not begin with ACCEPT, REDO, REPLACE or FINISH.")
    verdict: Verdict = match[1].lower()  # type: ignore[assignment]
    rest = match[2].strip()
    if verdict != "replace":
        return Review(index=0, verdict=verdict, feedback=rest[:600])
    return Review(index=0, verdict=verdict, feedback=rest.splitlines()[0][:600] if rest else "", steps=read_plan(rest).steps)


REVIEW: Exchange[Review] = Exchange("review", "navigator", render, parse, max_tokens=250)
