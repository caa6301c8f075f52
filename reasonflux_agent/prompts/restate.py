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
        (Turn("user", "A box holds 6 eggs. How many are in 4 boxes?"), Turn("assistant", "4 * 6 = 24")),
        "And in 9?",
        "A box holds 6 eggs. How many eggs are in 9 boxes?",
    ),
    (
        (Turn("user", "Combien font 9 fois 8 ?"), Turn("assistant", "La réponse est 72.")),
        "Et divisé par 6 ?",
        "Combien font 72 divisé par 6 ?",
    ),
    (
        (Turn("user", "Answer in capital letters. Spell tree backwards."), Turn("assistant", "EERT")),
        "Do the same with stone.",
        "Spell stone backwards. Answer in capital letters.",
    ),
    (
        (Turn("user", "Solve x + 4 = 9 for x."), Turn("assistant", "x = 5")),
        "Which prime numbers lie between 20 and 30?",
        "Which prime numbers lie between 20 and 30?",
    ),
)
"""Our own conversations: turns, last message, and its restatement."""
LONGEST = 1_200
"""Characters of a last turn at most that a model is asked to restate: a longer one would cost more than it is worth."""
SHORT = 80
"""Characters of a turn that says so little that, as it was, it may not be complete."""
SMALL = {str(value) for value in (*range(13), 100)}
"""Numbers that a restatement may write for words: `twice`, `a dozen`, `percent`."""
_LABEL = re.compile(r"\A\W*(?:restated |rewritten |complete )?(?:problem|message|question|task)\W*:[\s*_]*", re.IGNORECASE)


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
    messages: list[Message] = []
    for turns, last, restated in SHOWN:
        messages += [*user("" if messages else TASK, _asked(turns, last)), {"role": "assistant", "content": restated}]
    return messages + user(_asked(said.turns, said.last))


def parse(reply: str, said: Conversation) -> str:
    """Return the restated problem.

    Raises ParseError if it is empty, lacks a number of the last turn or names one that nobody said; if it shares no word and no
    number with that turn, since then it is an answer; and if it says nothing that a short turn does not say, or has none of the
    numbers that were said, since then it may still refer to them.
    """
    text = _LABEL.sub("", re.sub(r"^> ?", "", reply.strip(), flags=re.MULTILINE)).strip()
    asked = _words(said.last)
    if not re.search(r"\w", text):
        raise ParseError("it is empty.")
    shares = bool(asked & _words(text) or numbers(said.last))  # its numbers must all be there, see below
    if "\\boxed" in text or "```" in text or not shares or not re.search(r"[^\W\d_]|\d\W*[-+*/^=×÷·]", text):
        raise ParseError("it is an answer, not the last message as a problem.")
    adds_nothing = _words(text) <= asked and numbers(text) <= numbers(said.last) and len(text) < SHORT
    if adds_nothing and not (_words(text) == asked and len(numbers(text)) > 1):
        raise ParseError("it says no more than the last message, which may refer to the conversation.")
    if lost := numbers(said.last) - numbers(text):
        raise ParseError(f"it leaves out {', '.join(sorted(lost)[:5])} of the last message.")
    known = set().union(*(numbers(part) for part in (said.last, said.system, *(turn.text for turn in said.turns))))
    if known and not numbers(text):
        raise ParseError("it has none of the numbers that were said.")
    if new := numbers(text) - known - SMALL:
        raise ParseError(f"it names {', '.join(sorted(new)[:5])}, which nobody has said.")
    return text


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.casefold()))


def restate_prompt(said: Conversation) -> Prompt[str]:
    """Return the prompt for this conversation, whose `parse` knows what must not be lost."""
    return Prompt("restate", "navigator", lambda: render(said), lambda reply: parse(reply, said), max_tokens=400)
