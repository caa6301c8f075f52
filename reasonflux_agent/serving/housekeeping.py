"""Requests that are not problems to solve: a task about a chat (its title, tags, follow-ups, a completion), with the chat
inside, or a change of files.

Such a request costs one plain call of the solver, which sees the messages unchanged. Source of the forms: the default prompts
of Open WebUI (a heading `Task:` and the chat between tags), of LibreChat (a title for a conversation), and of aider (changes
in a form of its own, commit messages, summaries). A vote would give aider another candidate than the one that holds the change.
"""

from __future__ import annotations

import re

from reasonflux_agent.serving.messages import INSTRUCTIONS, problem_of, said
from reasonflux_agent.serving.refused import JSON

_TASK = re.compile(r"\s*#{1,6} ?Task:?\s", re.IGNORECASE)
_CHAT = re.compile(r"<chat_history>.*</chat_history>", re.DOTALL)
_TITLE = re.compile(
    r"\W*(?:please )?(?:provide|generate|create|write|suggest)\b[^.\n]{0,60}\btitle\b.{0,600}"
    r"\b(?:conversation|chat history|chat)\b.{0,200}?\b(?:user|human|prompt)\b ?:",
    re.IGNORECASE | re.DOTALL,
)
_CODING = re.compile(
    r"\s*(?:Act as an expert (?:software developer|architect engineer)|You are an expert software engineer that generates"
    r"|\*Briefly\* summarize this partial conversation about programming)\b"
)


def is_housekeeping(messages: list[JSON]) -> bool:
    """Return whether a request asks for a chat's title, changed files and the like, and not for a problem's solution.

    >>> is_housekeeping([{"role": "user", "content": "### Task:\\nTag it.\\n<chat_history>\\nUSER: 2 + 3?\\n</chat_history>"}])
    True
    >>> is_housekeeping([{"role": "user", "content": "Task: add 2 and 3."}])
    False
    """
    if messages[0].get("role") in INSTRUCTIONS and _CODING.match(said(messages[0])):
        return True
    if any(message.get("role") == "assistant" for message in messages):
        return False  # the chat itself
    text = problem_of(messages)
    return bool((_TASK.match(text) and _CHAT.search(text)) or _TITLE.match(text))
