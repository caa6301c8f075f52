"""The messages of a request: the problem, and what was said before it. Pure functions, no I/O."""

from __future__ import annotations

from reasonflux_agent.serving.refused import JSON, Refused, unknown, unread

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
"""OpenAI's roles -> those of a conversation here; what tools said is left out."""
INSTRUCTIONS = ("system", "developer")


def problem_of(messages: list[JSON]) -> str:
    """Return the text of the last user message. Raises Refused for a part of it that is no text.

    Whatever earlier messages hold (images, calls of tools) is left alone. Instructions after the user's message, which some
    clients add, are not the problem.
    """
    at = _last(messages)
    place, last = f"messages.{at}", messages[at]
    if last.get("role") != "user":
        text = f"The last message has the role {last.get('role')!r}; it must be the user's, and state the problem."
        raise Refused(text, param="messages")
    _only(last, ("role", "content", "name"), place)
    content = last.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise unread(f"{place}.content", "it must be a text, or a list of parts of the type 'text'")
    return "\n".join(_text(part, f"{place}.content.{number}") for number, part in enumerate(content))


def conversation_of(messages: list[JSON]) -> list[dict[str, str]]:
    """Return `role` and `content` (a text) of each message, the problem last. Raises Refused as `problem_of` does."""
    at = _last(messages)
    others = (*messages[:at], *messages[at + 1 :])
    told = [{"role": ROLES[turn["role"]], "content": said(turn)} for turn in others if _known(turn)]
    return [*told, {"role": "user", "content": problem_of(messages)}]


def _last(messages: list[JSON]) -> int:
    """The index of the last message that is no instruction."""
    at = len(messages) - 1
    while at and messages[at].get("role") in INSTRUCTIONS:
        at -= 1
    return at


def _known(turn: JSON) -> bool:
    return isinstance(turn.get("role"), str) and turn["role"] in ROLES


def said(turn: JSON) -> str:
    """Return the text of a message; what is no text is left out."""
    content = turn.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "\n".join(text for text in texts if isinstance(text, str))


def _text(part: object, place: str) -> str:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise unread(place, "a part is an object with a 'type'")
    if part["type"] != "text":
        raise unread(place, f"a part of the type {part['type']!r} cannot be read. Next: write what it shows as text")
    _only(part, ("type", "text"), place)
    if not isinstance(part.get("text"), str):
        raise unread(f"{place}.text", "it must be a text")
    return str(part["text"])


def _only(given: JSON, known: tuple[str, ...], place: str) -> None:
    """Refuse what else is set, so that a typing error is not missed. Empty fields and hints for a cache pass."""
    for name, value in given.items():
        if value not in (None, [], {}) and name not in (*known, "cache_control"):
            raise unknown(f"{place}.{name}", f" A user's message holds: {', '.join(known)}.")
