"""A synthetic task, and a fake model that is right when it was shown the right worked turn, and seldom else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

WORDS = re.findall(
    r"\w+",
    """
    amber basin candle dragon ember forest garden hammer island jungle kettle ladder marble needle orange pepper quartz
    ribbon saddle timber umbrella velvet walnut yellow zipper anchor bottle cactus dollar engine feather guitar helmet
    insect jacket kitten lemon magnet nectar oyster parrot rabbit shadow tunnel violin window
    """,
)
ASKED = re.compile(r"Write the letters of the word (\w+) from the last to the first")
METHOD = "I go through the letters from the end."


def rows(count: int, words: Iterable[str] = WORDS) -> list[dict[str, Any]]:
    """Return rows of the task, of one group."""
    chosen = list(words)[:count]
    problem = "Write the letters of the word {} from the last to the first."
    return [{"problem": problem.format(word), "answer": word[::-1], "group": "letters backwards"} for word in chosen]


def write(path: Path, given: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    return path


def respond(prompt: str) -> str:
    """The fake: knows words that begin with a or e by itself, and any word after a worked turn with the method."""
    asked = ASKED.findall(prompt)
    if not asked or "Python program" in prompt:
        return "I do not know."
    word = asked[-1]
    if METHOD in prompt or word[0] in "ae":
        return f"{METHOD}\nThis gives \\boxed{{{word[::-1]}}}."
    return f"It is \\boxed{{{word}}}."
