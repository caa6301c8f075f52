"""Reads the problem of a run from the graph's input: a `problem`, or messages whose last one is a human's."""

from __future__ import annotations

import hashlib

from langchain_core.messages import AnyMessage, HumanMessage

from reasonflux_agent.errors import InputError
from reasonflux_agent.state import State

MAX_PROBLEM = 20_000
"""Characters of a problem at most."""


def is_unread(state: State) -> bool:
    """Return whether the state holds a problem that `begin` has not read, because a person edited the state at a later node."""
    messages = state.get("messages") or []
    asks = messages and isinstance(messages[-1], HumanMessage) and mark(messages) != state.get("read")
    return bool(state.get("problem") or asks) or "asked" not in state


def mark(messages: list[AnyMessage]) -> str:
    """Return a digest of the last message; it changes if the message is edited."""
    return hashlib.sha256(f"{messages[-1].id} {messages[-1].content}".encode(errors="replace")).hexdigest() if messages else ""


def is_said(state: State, problem: str) -> bool:
    """Return whether the last message already says the problem."""
    messages = state.get("messages") or []
    return bool(messages) and isinstance(messages[-1], HumanMessage) and _clean(text_of(messages[-1])) == problem


def read_problem(state: State) -> str:
    """Return the problem of this call, not of an earlier call on the thread. Raises InputError."""
    given, messages = state.get("problem") or "", state.get("messages") or []
    text: object = given
    if messages and isinstance(messages[-1], HumanMessage):
        said = text_of(messages[-1])
        if not given:
            text = said
        elif said != given and mark(messages) != state.get("read"):  # an earlier turn that failed has read its message
            raise InputError(
                f"Two problems are given: `problem` is {given!r}, and the last message says {said[:200]!r}. Next: give one "
                "of them; a message that a refused call left on the thread counts until it is removed or answered. A graph "
                "around this one passes both on if its state has both keys; name its own key otherwise."
            )
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            "There is no problem to solve: give a non-empty `problem`, or `messages` whose last one is a human's. "
            f"Given: problem={given!r}, messages of the types {[message.type for message in messages]}."
        )
    if len(text) > MAX_PROBLEM:
        raise InputError(f"The problem has {len(text):,} characters; at most {MAX_PROBLEM:,} are taken.")
    return _clean(text)


def _clean(text: str) -> str:
    return text.strip().encode(errors="replace").decode()  # half of a surrogate pair, legal in JSON, is no text


def text_of(message: AnyMessage) -> str:
    """Return the text of a message, one line a part. Raises InputError for a part that is not text."""
    lines: list[str] = []
    for part in [message.content] if isinstance(message.content, str) else message.content:
        kind = "text" if isinstance(part, str) else part.get("type")
        text = part if isinstance(part, str) else part.get("text")
        if kind != "text" or not isinstance(text, str):
            raise InputError(
                f"Only text can be read; the last message has a part of the type {kind!r}. Next: write it as text."
            )
        lines.append(text)
    return "\n".join(lines)
