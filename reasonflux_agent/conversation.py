"""What was said before the problem: the earlier turns and the system prompt of a conversation. No I/O.

A follow-up ("now add 10 to that") means nothing without them. `needs_context` says, without a model call, whether the last turn
may be one; then the node `restate` has it written as a problem of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage

from reasonflux_agent.problem import text_of

HISTORY = 4_000
"""Characters of the earlier turns and the last one at most that a prompt holds: the oldest turns are left out. With a system
prompt and a reply they fit into the 4,096 tokens that a call of the embedded model has."""
TURN = 1_200
"""Characters of one earlier turn at most: of a longer one, its beginning and its end are kept."""
SYSTEM = 4_000
"""Characters of the system prompt at most, in the same way."""


class Turn(NamedTuple):
    role: Literal["user", "assistant"]
    text: str


class Conversation(NamedTuple):
    """A conversation that ends in a problem."""

    turns: tuple[Turn, ...]
    """The earlier turns that fit, oldest first."""
    last: str
    """The last message of the user."""
    system: str
    """The system prompt; empty if there is none."""


def read_conversation(messages: Sequence[AnyMessage], at: int) -> Conversation:
    """Return the conversation up to the human message at index `at`.

    Only texts are read: pictures, tool calls and the results of tools are left out. Raises InputError if that message is not
    text alone.
    """
    turns, last = list[Turn](), text_of(messages[at]).strip()
    left = max(TURN, HISTORY - len(last))
    for message in reversed(messages[:at]):
        if isinstance(message, HumanMessage | AIMessage) and (text := shortened(_text(message), TURN)):
            left -= len(text)
            if left < 0:
                break
            turns.append(Turn("user" if isinstance(message, HumanMessage) else "assistant", text))
    return Conversation(tuple(reversed(turns)), last, system_prompt(messages))


def system_prompt(messages: Sequence[AnyMessage]) -> str:
    """Return the texts of all system messages, wherever they stand; clients also put them behind the user's."""
    texts = (_text(message) for message in messages if isinstance(message, SystemMessage))
    return shortened("\n\n".join(filter(None, texts)), SYSTEM)


def _text(message: AnyMessage) -> str:
    return str(message.text).strip().encode(errors="replace").decode()  # half of a surrogate pair is no text


def shortened(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters: a longer one without its middle."""
    half = (limit - 3) // 2
    return text if len(text) <= limit else f"{text[:half]}...{text[-half:]}"


def needs_context(said: Conversation) -> bool:
    """Return whether the last turn may refer to what was said before it.

    Without earlier turns only a system prompt that holds numbers can complete it; in any case, all models are shown the system
    prompt.
    """
    return bool(said.turns or numbers(said.system)) and not stands_alone(said.last)


def stands_alone(text: str) -> bool:
    """Return whether a text is certainly complete: a calculation, a conversion or an equation, in words that are all known.

    A text with any other word, in any language, may refer to something, and so may "the sum" without what it is the sum of.

    >>> stands_alone("What is 15% of 80?"), stands_alone("Now add 10 to that."), stands_alone("Und mal 3?")
    (True, False, False)
    """
    text = " ".join(text.lower().split())
    words, values = re.findall(r"[^\W\d_]+", text), re.findall(r"\d+", text)
    unknowns = {word for word in words if len(word) == 1 and word.isascii()} - {"a"}
    known = KNOWN | unknowns if 0 < len(unknowns) <= text.count("=") else KNOWN
    if len(text) > 300 or not values or not known.issuperset(words) or not _BEGINS.match(text):
        return False
    if len(_DEFINITE.findall(text)) < words.count("the"):
        return False
    return bool(_UNARY.search(text) or (len(values) > 1 and _BINARY.search(text)))


KNOWN = frozenset(
    re.findall(
        r"\w+",
        """
        a an the is are was in of to for from by and or with what which how many much find compute calculate evaluate
        simplify solve determine please equal equals when if there can you tell me add multiply divide subtract plus
        minus times over divided multiplied raised squared cubed modulo mod sum product difference quotient remainder
        square cube root power factorial absolute value equation equations expression percent percentage greatest common
        divisor least multiple gcd lcm prime primes factors factorization number numbers integer integers digits average
        mean median sin cos tan log ln sqrt frac cdot pi between consecutive zero one two three four five six seven
        eight nine ten eleven twelve hundred thousand million convert km m cm mm mi ft kg g mg lb oz l ml h min s
        kilometre kilometres kilometer kilometers metre metres meter meters centimetre centimetres centimeter
        centimeters millimetres millimeters mile miles foot feet inch inches yard yards kilogram kilograms gram grams
        pound pounds ounce ounces litre litres liter liters second seconds minute minutes hour hours day days week weeks
        month months year years degrees celsius fahrenheit
        """,
    )
)
"""Words of complete calculations: no pronoun, and no "now". "Add 3 and 4" is complete, "add 10" is not (`_BEGINS`)."""
_BEGINS = re.compile(
    r"(?:please |can you |tell me )*"
    r"(?:what|which|how|find|compute|calculate|evaluate|simplify|solve|determine|convert|is|are|if|[\d(√$\\-]*\d|\(|[a-z]\b"
    r"|(?:add|multiply|divide|subtract) \S*\d\S* (?:and|by|from|with) \S*\d)"
)
_DEFINITE = re.compile(r"\bthe (?:(?:[a-z]+ ){1,4}?(?:of|between|when|if)\b|(?:equations?|expression|numbers?|integers) \S*\d)")
"""`the sum of`, `the equation 2x`: what it is stands behind it."""
_UNARY = re.compile(
    r"\b(?:square|cube|root|factorial|factors|factorization|digits) of \d|√\d|\d[!²]|\d prime\b"
    r"|\bhow many [a-z]+ (?:are |is )?(?:there )?in (?:a )?\d+ [a-z]|\bconvert \d[\d.,]* ?(?!to|in)[a-z°]"
)
"""What takes one operand."""
_BINARY = re.compile(
    r"\w *\)?[\^/*=×·÷%+-]+ *[\w(]|% of|\b(?:plus|minus|times|over|divided|multiplied|raised|modulo|mod|sum|product|difference"
    r"|quotient|remainder|percent|divisor|multiple|gcd|lcm|average|mean|median|between|add|multiply|divide|subtract)\b"
)
"""What takes two."""


def numbers(text: str) -> set[str]:
    """Return the groups of digits in a text: `1,200.5` has 1200 and 5."""
    joined = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    return {str(int(digits)) for digits in re.findall(r"\d+", joined[:100_000]) if len(digits) < 1_000}
