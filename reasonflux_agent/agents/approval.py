"""The questions of `agents.review` in LangChain's human-in-the-loop form, so that agent chat UIs draw their buttons for them.

The form is that of `langchain.agents.middleware.human_in_the_loop`: a question has `action_requests` and `review_configs` (a
`HITLRequest`), and the answer is `{"decisions": [decision]}` (a `HITLResponse`). The trajectory is one text of numbered lines,
since such UIs edit an argument as a text.
"""

from __future__ import annotations

import re
from typing import Any

from reasonflux_agent.errors import InputError
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.steps import read_plan, write_steps
from reasonflux_agent.schema import Plan, Step

JSON = dict[str, Any]
NAMES = {"plan": "carry_out_trajectory", "review": "go_on_after_review"}
"""Question -> name of the action that a person decides about."""
REJECTED = {"plan": "ends the run", "review": "has the last step done again, with your message"}
"""Question -> what a rejection does."""


def human_request(asked: JSON) -> JSON:
    """Return the fields of a `HITLRequest` for a question (an `agents.review.Question` as a dict)."""
    name = NAMES[asked["question"]]
    request = {"name": name, "args": {"trajectory": _lines(asked)}, "description": _description(asked)}
    config = {"action_name": name, "allowed_decisions": ["approve", "edit", "reject"]}
    return {"action_requests": [request], "review_configs": [config]}


def read_decisions(answer: object, asked: JSON) -> object:
    """Return an answer in LangChain's form as an `agents.review.Decision` in a dict; any other answer as it is.

    A step of an edited trajectory whose line is unchanged keeps its templates and its work. Raises InputError.
    """
    if not isinstance(answer, dict) or "decisions" not in answer:
        return answer
    given = answer["decisions"]
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], dict):
        raise InputError('The answer holds `decisions`, which must be a list of one: {"decisions": [{"type": "approve"}]}.')
    match given[0]:
        case {"type": "approve"}:
            return {"action": "approve"}
        case {"type": "reject"} if asked["question"] == "plan":
            return {"action": "stop"}
        case {"type": "reject", **rest}:
            return {"action": "redo", "feedback": str(rest.get("message") or "").strip() or "it is not right."}
        case {"type": "edit", "edited_action": {"args": {"trajectory": str(text)}}}:
            return {"action": "edit", "steps": _edited(text, asked)}
    raise InputError(
        f"The decision {str(given[0])[:200]} cannot be read. Forms that work: the types 'approve' and 'reject', and 'edit' "
        "with the numbered lines in edited_action.args.trajectory."
    )


def _lines(asked: JSON) -> str:
    steps = (Step(purpose=" ".join(step["purpose"].split()), query=step["query"]) for step in asked["steps"])
    return write_steps(Plan(steps=tuple(steps)))


def _edited(text: str, asked: JSON) -> list[JSON]:
    """Return the steps of an edited text, one a line; its numbers do not count, since lines are moved without them."""
    lines = [bare for line in text.splitlines() if (bare := re.sub(r"^\s*\d+[.)]", "", line).strip())]
    text = "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))
    try:
        steps, before = read_plan(text).steps, read_plan(_lines(asked)).steps
    except ParseError as error:
        raise InputError(f"The edited trajectory cannot be read: {error}") from None
    known = {(step.purpose, step.query): old for step, old in zip(before, asked["steps"], strict=False)}
    return [known.pop((s.purpose, s.query), None) or {"purpose": s.purpose, "query": s.query} for s in steps]


def _description(asked: JSON) -> str:
    """Return what a person reads, as Markdown."""
    parts = [f"**Your last answer cannot be used:** {asked['error']}"] if asked["error"] else []
    parts.append(f"**Problem:** {asked['problem']}")
    parts += [f"**Work up to step {n}:**\n\n{step['work']}" for n, step in enumerate(asked["steps"], 1) if step["work"]]
    if review := asked["review"]:
        parts.append(f"**Proposed:** {review['verdict']}. {review['feedback']}".strip())
    does = REJECTED[asked["question"]]
    parts.append(f"Approve goes on as proposed, edit goes on with your trajectory, and reject {does}.")
    return "\n\n".join(parts)
