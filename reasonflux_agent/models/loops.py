"""Finds out that a reply repeats itself and will not end, while it is written."""

from __future__ import annotations

import re

COPIES = 4
"""How often a passage stands at the end of a looping text, one behind the other."""
LENGTH = 600
"""Characters of all copies together, at least: a short pattern may repeat more often than `COPIES`."""
WINDOW = 6000
"""Characters of the end that are looked at."""
_PROBE = 40


def loops(text: str) -> bool:
    """Whether the end of `text` is one passage over and over, word for word.

    `text` is a model's reply without its prompt: a passage of the prompt may be repeated.
    """
    end = text[-WINDOW:]
    before = end.rfind(end[-_PROBE:], 0, len(end) - 1)
    if len(end) < LENGTH or before < 0:
        return False
    period = len(end) - _PROBE - before
    stretch = end[-max(COPIES * period, LENGTH) :]
    return (
        len(stretch) >= COPIES * period and stretch[period:] == stretch[:-period] and bool(re.search(r"\w", stretch[:period]))
    )
