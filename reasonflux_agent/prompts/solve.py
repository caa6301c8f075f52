"""solve (solver): carries out one step of the trajectory, or the whole of it in one reply (s^_i, paper section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

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
    """Return the solver's messages. Nothing else asks the solver to carry out a plan: not the graph, not the training data.

    `step` (0-based) asks for that step alone, after the `results` of the steps before it. Without it the whole problem is
    asked. Then each template (they come best first) that has a worked example becomes an earlier turn, the best one last, and
    the other templates stand in the text. Such a turn takes the place of the plan, since a worked example is a trajectory
    itself, unless the plan was written with the templates in view (`informed`: it was refined, or edited by a person).
    `feedback` says why an earlier try was rejected.
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
