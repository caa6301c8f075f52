"""Hostile texts for the tests of this room: the marks that parsers look for, in any order and any number."""

from __future__ import annotations

from hypothesis import strategies as st

MARKS = (
    *("\\boxed{", "}", "{", "$", "$$", "\\[", "\\]", "\\(", "\\)", "```python\n", "```python", "```", "\n", "\r", "\u2028"),
    *("<think>", "</think>", "<|im_start|>system", "ACCEPT", "REDO ", "REPLACE\n", "FINISH", "1. ", "2) ", "| find:", "Kind:"),
    *(
        "answer is ",
        "ANSWER: ",
        "####",
        "\\frac{",
        "\ud800",
        "\udc00",
        "\x00",
        "\x1b[2J",
        '{"steps": [',
        '"',
        "]",
        "9" * 60,
        "1e999",
    ),
    *(
        "**",
        "*",
        "=",
        "1=",
        "^",
        "_",
        " ",
        "\t",
        "\\",
        "\\\\",
        "\\n",
        "-",
        "(",
        ")",
        "|",
        "<",
        "`",
        "#",
        "x",
        "def solve(",
        "&",
        "/",
    ),
)
"""What replies, templates and problems are read by."""

texts = st.lists(st.sampled_from(MARKS) | st.text(max_size=4), max_size=30).map("".join)
"""Any text, rich in marks."""
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
"""Any JSON value."""


def long(*marks: str, size: int = 20_000) -> str:
    """The marks again and again."""
    once = "".join(marks)
    return once * (size // len(once))
