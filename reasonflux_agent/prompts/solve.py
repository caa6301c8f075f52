"""solve (solver): carries out one step of the trajectory, or the whole of it in one reply (s^_i, paper section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reasonflux_agent.prompts import Message, ParseError, Prompt, brief, user
from reasonflux_agent.schema import Plan, StepResult, Template

BOXED = "put your final answer within \\boxed{}."
REASON = f"Please reason step by step, and {BOXED}"
LONGEST_EXAMPLE = 4000
"""Characters of a template's example that is shown as turns; the published ones have some 1,500 at most."""
REDO = "An earlier try was rejected: {feedback} Do better."


def text(reply: str) -> str:
    """The reply as it is. Raises ParseError if there is nothing in it."""
    if not reply.strip():
        raise ParseError("it is empty.")
    return reply.strip()


def demonstrate(template: Template) -> list[Message]:
    """A template as an earlier turn of the conversation: its example, solved along its flow.

    Small models follow what they are shown, and hardly what they are told. Empty without a worked example, or for one that
    would fill the prompt.
    """
    example = template.example
    if not (example and example.steps and example.answer):
        return []
    worked = "\n".join((f"Method: {template.name}.", *example.steps, f"The answer is $\\boxed{{{example.answer}}}$."))
    if len(example.problem) + len(worked) > LONGEST_EXAMPLE:
        return []
    return [*user(brief(example.problem), REASON), {"role": "assistant", "content": worked}]


def render_whole(
    problem: str,
    templates: Mapping[str, str] | None = None,
    plan: Plan | None = None,
    feedback: str = "",
    shown: Sequence[Template] = (),
) -> list[Message]:
    """The request for a complete solution: `shown` templates as turns, best last; others, and the plan, as text."""
    turns = [message for template in reversed(shown) for message in demonstrate(template)]
    redo = REDO.format(feedback=feedback) if feedback else ""
    return turns + user(brief(problem, templates=templates, plan=plan), REASON, redo)


def render_step(
    problem: str,
    plan: Plan,
    step: int,
    templates: Mapping[str, str] | None = None,
    results: Sequence[StepResult] = (),
    feedback: str = "",
) -> list[Message]:
    """The request to carry out step `step` (0-based) alone, given the results of those before it."""
    task = f"Task: carry out step {step + 1} of the plan, and no other step: {plan.steps[step].purpose}"
    last = step == len(plan.steps) - 1
    end = f"This is the last step: {BOXED}" if last else "End with the result of this step in one line."
    redo = REDO.format(feedback=feedback) if feedback else ""
    return user(brief(problem, templates=templates, plan=plan, results=results), f"{task}\n{end}", redo)


WHOLE: Prompt[str] = Prompt("solve", "solver", render_whole, text)
STEP: Prompt[str] = Prompt("solve", "solver", render_step, text)
