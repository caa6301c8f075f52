"""Prompts: one file each, holding its prompt, `render` and `parse`, and no I/O.

Training data are rendered by these very functions. The prompts of one run share a `brief` (problem, methods, plan, work so
far) and end with the task. The plan's three examples, and the templates shown as turns, come before it; `direct` has the bare
problem. A server's prefix cache serves what begins alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from reasonflux_agent.schema import Plan, StepResult, Template
from reasonflux_agent.templates import render_template

T = TypeVar("T")
Role = Literal["navigator", "solver"]
Message = dict[str, str]
"""{"role": "user" | "assistant" | "system", "content": text}"""

RESULT_CHARS = 2400
"""An earlier step's text is cut to its last so many characters in prompts."""


class ParseError(ValueError):
    """A reply does not have the form that was asked for; the text tells the model what was wrong."""


@dataclass(frozen=True)
class Prompt(Generic[T]):
    """A question to a model and the reading of its reply, as two pure functions."""

    name: str
    role: Role
    render: Callable[..., list[Message]]
    parse: Callable[[str], T]
    max_tokens: int | None = None
    """Completion tokens at most; None: the context's `max_tokens`."""
    stop: tuple[str, ...] = ()


def brief(
    problem: str,
    *,
    templates: Sequence[Template | str] = (),
    plan: Plan | None = None,
    results: Sequence[StepResult] = (),
) -> str:
    """Return the part that the prompts of one run share, in the order in which it grows.

    A template of the library is rendered here; a text is one that a retriever of the caller's found.
    """
    parts = [f"Problem:\n{problem.strip()}"]
    if templates:
        parts.append(
            "Methods that may help:\n" + "\n\n".join(t if isinstance(t, str) else render_template(t) for t in templates)
        )
    if plan and plan.steps:
        parts.append("Plan:\n" + "\n".join(f"{i}. {step.purpose}" for i, step in enumerate(plan.steps, 1)))
    parts += [f"Work on step {r.index + 1}:\n{r.text.strip()[-RESULT_CHARS:]}" for r in results]
    return "\n\n".join(parts)


def user(*parts: str) -> list[Message]:
    """One user message, its parts set apart by blank lines."""
    return [{"role": "user", "content": "\n\n".join(part for part in parts if part)}]


_CONTROL = re.compile(
    r"<(?=\|[^|<>\s]{1,40}\|>|\uff5c[^\uff5c<>]{1,40}\uff5c>|/?s>|(?:start|end)_of_turn>|(?:bos|eos|pad|unk)>"
    r"|/?(?:think|tool_call|tool_response)>)|\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\])"
)
"""What begins a control token of a chat template: ChatML, Llama, DeepSeek, Gemma, Mistral, Phi."""


def plain(messages: Sequence[Message]) -> list[Message]:
    """The messages, with a blank inside whatever a server would read as a control token (`< |im_start|>`).

    llama.cpp, vLLM and transformers make one of it wherever it stands: a problem or a template could end its message and
    begin another in the system's name.
    """
    return [{**message, "content": _CONTROL.sub(r"\g<0> ", message["content"])} for message in messages]


def correction(reply: str, error: ParseError) -> list[Message]:
    """What is added to an exchange whose reply did not parse."""
    return [
        {"role": "assistant", "content": reply[-RESULT_CHARS:] or "(nothing)"},
        {"role": "user", "content": f"That does not have the form asked for: {error} Reply again, in that form only."},
    ]
