"""direct (solver): one chain of thought, with the prompt that the publishers of the Qwen and DeepSeek models give.

ReasonFlux-F1 is used this way too: its chat template opens the thought by itself.
"""

from __future__ import annotations

from reasonflux_agent.prompts import Message, Prompt, user
from reasonflux_agent.prompts.solve import REASON, text


def render(problem: str) -> list[Message]:
    """The problem and the publisher's instruction, nothing else."""
    return user(problem.strip(), REASON)


DIRECT: Prompt[str] = Prompt("direct", "solver", render, text)
