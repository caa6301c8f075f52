"""solve (solver): carries out one step of the trajectory, or all of it in one reply (s^_i; paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

from reasonflux_agent.prompts import Message, ParseError, Prompt, brief, user
from reasonflux_agent.schema import Plan, StepResult, Template

BOXED = "put your final answer within \\boxed{}."
REASON = f"Please reason step by step, and {BOXED}"
LONGEST_EXAMPLE = 4000
"""Characters of the longest example that is shown as a turn; the published ones have 1,500 at most."""
REDO = "An earlier try was rejected: {feedback} Do better."


def text(reply: str) -> str:
    """Return the reply, stripped. Raises ParseError if it is empty."""
    if not reply.strip():
        raise ParseError("it is empty.")
    return reply.strip()


def demonstrate(template: Template) -> list[Message]:
    """Return a template as an earlier turn of the conversation: its worked example, since small models follow examples.

    The list is empty for a template without one, or with one that would fill the prompt.
    """
    example = template.example
    if not (example and example.steps and example.answer):
        return []
    worked = "\n".join((f"Method: {template.name}.", *example.steps, f"The answer is $\\boxed{{{example.answer}}}$."))
    if len(example.problem) + len(worked) > LONGEST_EXAMPLE:
        return []
    return [*user(brief(example.problem), REASON), {"role": "assistant", "content": worked}]


def solver_prompt(
    problem: str,
    plan: Plan | None = None,
    templates: Sequence[Template | str] = (),
    *,
    informed: bool = False,
    step: int | None = None,
    results: Sequence[StepResult] = (),
    feedback: str = "",
) -> list[Message]:
    """Return the solver's messages. The graph and the training builders call this one function.

    `step` (0-based) asks for that step alone, after the `results` of the steps before it. Without it the whole problem is
    asked: templates (given best first) with a worked example become earlier turns, the best one last; the others stand in the
    text. Such turns replace the plan, unless it was written with the templates in view (`informed`: refined, or edited by a
    person). `feedback` says why an earlier try was rejected.
    """
    redo = REDO.format(feedback=feedback) if feedback else ""
    if step is not None and plan is not None:
        task = f"Task: carry out step {step + 1} of the plan, and no other step: {plan.steps[step].purpose}"
        last = step == len(plan.steps) - 1
        end = f"This is the last step: {BOXED}" if last else "End with the result of this step in one line."
        return user(brief(problem, templates=templates, plan=plan, results=results), f"{task}\n{end}", redo)
    worked = worked_examples(templates)
    turns = [message for template in reversed(worked) for message in demonstrate(template)]
    rest = [template for template in templates if template not in worked]
    if worked and not informed:
        plan = None
    return turns + user(brief(problem, templates=rest, plan=plan), REASON, redo)


def worked_examples(templates: Sequence[Template | str]) -> list[Template]:
    """Return the templates that can be shown as turns."""
    return [template for template in templates if isinstance(template, Template) and demonstrate(template)]


SOLVE: Prompt[str] = Prompt("solve", "solver", solver_prompt, text)
