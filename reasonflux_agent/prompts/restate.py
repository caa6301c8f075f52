"""restate (navigator): the last turn of a conversation as a problem that needs no conversation.

The turns are quoted, so that none of them can pass for another one, or for the task. Small models follow what they are shown,
so three short conversations come first; they never change, and a server keeps them cached.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reasonflux_agent.conversation import Conversation, Turn, numbers
from reasonflux_agent.prompts import Message, ParseError, Prompt, user

TASK = """Task: rewrite the last message of a conversation as one problem that is complete by itself. Put in the numbers,
names, units and wishes that it refers to, with their values. Do not solve it. Repeat a message that is complete already."""
SHOWN: tuple[tuple[tuple[Turn, ...], str, str], ...] = (
    (
        (
            Turn("user", "A box holds 6 eggs. How many eggs are in 4 boxes?"),
            Turn("assistant", "4 boxes hold 4 * 6 = 24 eggs. The answer is 24."),
        ),
        "And with 9 boxes?",
        "A box holds 6 eggs. How many eggs are in 9 boxes?",
    ),
    (
        (
            Turn("user", "Please give all lengths in metres. How long is a rope of 2 km and 500 m?"),
            Turn("assistant", "2 km are 2000 m, so the rope is 2500 m long."),
        ),
        "Cut off 300 m of it. How long is it then?",
        "A rope is 2500 m long. How long is it after 300 m are cut off? Give the length in metres.",
    ),
    (
        (Turn("user", "Solve x + 4 = 9 for x."), Turn("assistant", "Subtract 4 from both sides: x = 5.")),
        "Which prime numbers lie between 20 and 30?",
        "Which prime numbers lie between 20 and 30?",
    ),
)
"""Our own conversations: turns, last message, and its restatement."""
LONGEST = 1_200
"""Characters of a last turn at most that a model is asked to restate: a longer one would cost more than it is worth."""
SMALL = {str(value) for value in (*range(13), 100)}
"""Numbers that a restatement may write for words: `twice`, `a dozen`, `percent`."""
_LABEL = re.compile(r"\A\W*(?:restated |rewritten |complete )?(?:problem|message|question|task)\W*:\s*", re.IGNORECASE)


def quoted(text: str) -> str:
    """Return the text with a mark before each line."""
    return "\n".join(f"> {line}" for line in text.strip().splitlines())


def transcript(turns: Sequence[Turn]) -> str:
    """Return the turns as text, each quoted under who said it."""
    return "\n".join(f"{turn.role.capitalize()}:\n{quoted(turn.text)}" for turn in turns)


def flattened(said: Conversation) -> str:
    """Return the whole conversation as one problem: what is solved if a restatement is of no use."""
    if not said.turns:
        return said.last
    return f"Earlier conversation:\n{transcript(said.turns)}\n\nAnswer this last message:\n{said.last}"


def _asked(turns: Sequence[Turn], last: str) -> str:
    return f"Conversation:\n{transcript(turns) or '(nothing)'}\n\nLast message:\n{quoted(last)}"


def render(said: Conversation) -> list[Message]:
    """Return the request to restate the last turn."""
    messages: list[Message] = []
    for turns, last, restated in SHOWN:
        messages += [*user("" if messages else TASK, _asked(turns, last)), {"role": "assistant", "content": restated}]
    return messages + user(_asked(said.turns, said.last))


def parse(reply: str, said: Conversation) -> str:
    """Return the restated problem.

    Raises ParseError if it is empty, lacks a number of the last turn, has one that nobody named, or is an answer.
    """
    text = _LABEL.sub("", re.sub(r"^> ?", "", reply.strip(), flags=re.MULTILINE)).strip()
    if not re.search(r"\w", text):
        raise ParseError("it is empty.")
    if "\\boxed" in text or "```" in text:
        raise ParseError("it is an answer, not a problem.")
    if lost := numbers(said.last) - numbers(text):
        raise ParseError(f"it leaves out {', '.join(sorted(lost)[:5])} of the last message.")
    known = set().union(*(numbers(part) for part in (said.last, said.system, *(turn.text for turn in said.turns))))
    if new := numbers(text) - known - SMALL:
        raise ParseError(f"it names {', '.join(sorted(new)[:5])}, which nobody has said.")
    return text


def restate_prompt(said: Conversation) -> Prompt[str]:
    """Return the prompt for this conversation, whose `parse` knows what must not be lost."""
    return Prompt("restate", "navigator", lambda: render(said), lambda reply: parse(reply, said), max_tokens=400)
