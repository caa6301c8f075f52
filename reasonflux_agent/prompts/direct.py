"""direct (solver): one chain of thought, asked for as the publishers of Qwen, DeepSeek and ReasonFlux-F1 recommend."""

from __future__ import annotations

from reasonflux_agent.prompts import Message, Prompt, user
from reasonflux_agent.prompts.solve import REASON, text


def render(problem: str) -> list[Message]:
    return user(problem.strip(), REASON)


DIRECT: Prompt[str] = Prompt("direct", "solver", render, text)
