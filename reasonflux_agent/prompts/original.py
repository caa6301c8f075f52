"""The five prompts of ReasonFlux v1 as released: analyse, lay out, adjust once; then instruct and follow for each step.

For n steps these are 3 + 2n calls. The wording is ours; what each call is given and asked for is the original's.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasonflux_agent.prompts import Message, Prompt, brief, user
from reasonflux_agent.prompts.solve import BOXED, text
from reasonflux_agent.prompts.steps import read_plan
from reasonflux_agent.schema import Plan, StepResult

Turn = tuple[str, StepResult]
"""The navigator's instruction for a step, and the solver's work on it."""


def _dialogue(turns: Sequence[Turn]) -> str:
    return "\n\n".join(f"Instruction {r.index + 1}: {told}\nWork {r.index + 1}: {r.text}" for told, r in turns)


def render_analyse(problem: str) -> list[Message]:
    return user(brief(problem), "Task: name the core idea of the problem and the knowledge it calls for, in three sentences.")


def render_lay_out(problem: str, analysis: str) -> list[Message]:
    """Return the request for a trajectory, each step with the name of a method to look up."""
    return user(
        brief(problem),
        f"Analysis:\n{analysis}",
        'Task: lay out 2 to 4 numbered steps, one line each, and behind each " | find: " with a method to look up.',
    )


def render_adjust(problem: str, plan: Plan, template: str) -> list[Message]:
    """Return the request to adjust the trajectory to the one template found; `template` is empty if none was."""
    return user(
        brief(problem, templates=[template] if template else (), plan=plan),
        f"Task: {'adjust the plan to the method above' if template else 'make the plan more precise'}. "
        "Reply with 2 to 4 numbered steps, one line each.",
    )


def render_instruct(problem: str, plan: Plan, step: int, turns: Sequence[Turn]) -> list[Message]:
    """Return the request that a teacher instructs a student for a step (0-based), after the dialogue so far."""
    task = f"Task: tell a student how to carry out step {step + 1} of the plan for this problem. Do not do it yourself."
    return user(brief(problem, plan=plan), _dialogue(turns), task)


def render_follow(problem: str, instruction: str, turns: Sequence[Turn], last: bool) -> list[Message]:
    end = f"This is the last step: {BOXED}" if last else ""
    return user(brief(problem), _dialogue(turns), f"Your teacher says: {instruction}", f"Task: do just that. {end}")


ANALYSE: Prompt[str] = Prompt("analyse", "navigator", render_analyse, text, max_tokens=250)
LAY_OUT: Prompt[Plan] = Prompt("lay_out", "navigator", render_lay_out, read_plan, max_tokens=300)
ADJUST: Prompt[Plan] = Prompt("adjust", "navigator", render_adjust, read_plan, max_tokens=300)
INSTRUCT: Prompt[str] = Prompt("instruct", "navigator", render_instruct, text, max_tokens=250)
FOLLOW: Prompt[str] = Prompt("follow", "solver", render_follow, text)
