"""A template as text: in a prompt, for the embedding model, and for the comparison of words."""

from __future__ import annotations

import re

from reasonflux_agent.schema import Template

_NUMBER = re.compile(r"^(?:step\s*\d+\s*[:.]\s*|\d+\s*[.)、:](?!\d)\s*|[①-⑳]\s*|[-•]\s+)+", re.IGNORECASE)


def render_template(t: Template, *, max_chars: int = 1000) -> str:
    """Return a template as it stands in a prompt: its name, its flow as numbered lines, and its example if that fits whole.

    The text has at most `max_chars` characters, and is the same for the same template every time: prompts are prefix-stable.
    """
    head = f"Template: {_line(t.name)}"
    flow = [_NUMBER.sub("", _line(step)) for step in t.flow]
    text = ""
    for width in (*range(400, 40, -40), 40):  # a long flow loses the ends of its lines before it loses a step
        text = "\n".join([head, *(f"{n}. {_shorten(line, width)}" for n, line in enumerate(flow, 1))])
        if len(text) <= max_chars:
            break
    if t.example is not None and t.example.problem:
        answer = [f"Answer: {t.example.answer}"] if t.example.answer else []
        parts = [f"Example: {t.example.problem}", *t.example.steps, *answer]
        whole = "\n".join([text, *map(_line, parts)])
        if len(whole) <= max_chars:
            return whole
    return _shorten(text, max_chars)


def template_text(t: Template) -> str:
    """Return what is embedded of a template: its subject and its example's problem, but not its flow."""
    return "\n".join(filter(None, (subject(t), t.example.problem if t.example else "")))


def subject(t: Template) -> str:
    """Return what words are compared with: name, tags, description, scenario. The example's words (apples) would distract."""
    return "\n".join(filter(None, (t.name, ", ".join(t.tags), t.description, *t.scenario)))


def _line(text: str) -> str:
    return " ".join(text.split())


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 3, 0)].rstrip() + "..."
