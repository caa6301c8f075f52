"""Prompts: one file each, with its text, `render` and `parse`, and no I/O. Training data are rendered by the same functions.

The prompts of one run begin with the same `brief` (problem, methods, plan, work so far), so that a server's prefix cache
serves them, and end with the task. The examples of `plan` and the templates shown as turns come before it; `direct` has none.
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
    """A reply does not have the form that was asked for. The text is sent to the model: it says what is wrong."""


@dataclass(frozen=True)
class Prompt(Generic[T]):
    """How to ask a model (`render`) and how to read its reply (`parse`, which raises ParseError): two pure functions."""

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
    """Return the text that the prompts of one run share; what becomes known later stands later.

    A template of the library is rendered here; one that the caller's retriever found is given as text.
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
    """Return one user message: the parts that are not empty, with blank lines between them."""
    return [{"role": "user", "content": "\n\n".join(part for part in parts if part)}]


_CONTROL = re.compile(
    r"<(?=\|[^|<>\s]{1,40}\|>|\uff5c[^\uff5c<>]{1,40}\uff5c>|/?s>|(?:start|end)_of_turn>|(?:bos|eos|pad|unk)>"
    r"|/?(?:think|tool_call|tool_response)>)|\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\])"
)
"""The first character of a control token of a chat template: ChatML, Llama, DeepSeek, Gemma, Mistral, Phi."""


def plain(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with a blank in each control token (`< |im_start|>`).

    llama.cpp, vLLM and transformers read control tokens anywhere in a text: a problem or a template could end its message and
    begin one of the system.
    """
    return [{**message, "content": _CONTROL.sub(r"\g<0> ", message["content"])} for message in messages]


def correction(reply: str, error: ParseError) -> list[Message]:
    """Return the messages that send a reply back which did not parse, with what is wrong."""
    return [
        {"role": "assistant", "content": reply[-RESULT_CHARS:] or "(nothing)"},
        {"role": "user", "content": f"That does not have the form asked for: {error} Reply again, in that form only."},
    ]


# A backslash that begins a LaTeX command. Before a letter nobody means a backspace, a form feed or a return; a tab or a
# line break may be meant, so there the command must be known.
_LATEX = re.compile(
    r"\\\\|\\(?=[bfr][A-Za-z]"
    r"|t(?:anh?|au|bar|binom|frac|heta|herefore|hinspace|ilde|imes|op?|riangle\w*|ext[a-z]*)(?![a-z])"
    r"|n(?:abla|atural|e|earrow|eg|eq|exists|geq|gtr|leq|less|mid|ot|otin|parallel|prec|sim|subseteq|succ|u|warrow)(?![a-z])"
    r"|u(?![0-9a-fA-F]{4})|[^\"\\/bfnrtu])"
)


def with_latex(text: str) -> str:
    r"""Return JSON text in which each backslash of a LaTeX command is escaped, so that reading it keeps the command.

    Inside JSON strings `\frac`, `\theta`, `\beta`, `\nabla` and `\rho` are legal escapes, which destroy the formula.
    """
    return _LATEX.sub(r"\\\\", text)  # a pair of backslashes is matched as well, and stays a pair
