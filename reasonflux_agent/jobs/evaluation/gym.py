"""Rows of reasoning-gym's generated families: `gym:base_conversion:0-40`, as many as you like, scored by the family itself.

The rows of a family are numbered. Row i is made from the seed i, so that ranges that do not overlap hold different rows. A row
is made anew when it is scored, so it needs no more than its id.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from reasonflux_agent.errors import InputError, MissingExtraError

NAME = "gym"
ROWS = 100
"""Rows of a family that is named without a range."""
EVALUATING = {
    "binary_matrix",
    "codeio",
    "countdown",
    "intermediate_integration",
    "n_queens",
    "polynomial_multiplication",
    "puzzle24",
    "simple_integration",
    "spiral_matrix",
    "string_insertion",
}
"""Families whose scorers run the model's answer as Python."""
LISTED = {"acre", "gsm_symbolic", "list_functions", "word_ladder"}
"""Families that make all rows at once, or allow only few. Each has SHORT rows here."""
SHORT = 10_000
UNSCORED = {"boxnet", "game_of_life_halting", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"}
"""Families without a right answer in their rows, or whose scorer accepts any text."""
NO_FAMILY = {"composite"}
"""A mixture of families, which has no rows of its own."""
_LARGEST = 2**31


def rows(family: str, begin: int = 0, end: int = ROWS) -> Iterator[dict[str, Any]]:
    """Yield the rows `begin` to `end` (excluded) of a family, equal texts once.

    Raises InputError for a family that does not exist or cannot be scored, and for rows that it does not have;
    MissingExtraError without reasoning-gym.

    >>> next(rows("leg_counting"))["id"]  # doctest: +SKIP
    'gym/leg_counting/0'
    """
    made, seen = _family(family), set[str]()
    if end > made.size:
        raise InputError(
            f"The benchmark {NAME}:{family} has the rows 0 to {made.size}; {begin}-{end} was asked for. Next: name others."
        )
    for number in range(begin, end):
        entry = made[number]
        problem = entry["question"].strip()
        if (text := hashlib.sha256(problem.encode()).hexdigest()) not in seen:
            seen.add(text)
            id = f"{NAME}/{family}/{number}"
            yield {"id": id, "problem": problem, "answer": str(entry["answer"]), "group": family, "scorer": NAME}


def score(row: Mapping[str, Any], answer: str) -> float:
    """Return what the family's own scorer says of an answer, or of the same answer without LaTeX, whichever is more.

    Solvers box their answers, so they write `\\times` and `\\text{Monday}`, which most families' scorers do not read. A scorer
    of reasoning-gym that raises means 0.
    """
    _, family, number = row["id"].split("/")
    made, best = _family(family), 0.0
    for text in dict.fromkeys((answer, _plain(answer))):
        with suppress(Exception):  # whatever a family's scorer raises over a text that it cannot read
            best = max(best, float(made.score_answer(text, _entry(family, int(number)))))
    return best


def _plain(answer: str) -> str:
    return " ".join(_SPACE.sub(" ", _FONT.sub(r"\1", answer)).replace(r"\times", "×").split())


_FONT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|operatorname)\{([^{}]*)\}")
_SPACE = re.compile(r"\\[ ,;:!]|\\quad\b|~")


@lru_cache(maxsize=4096)
def _entry(family: str, number: int) -> Any:
    return _family(family)[number]


@lru_cache(maxsize=128)
def _family(name: str) -> Any:
    try:
        from reasoning_gym.factory import DATASETS, create_dataset
    except ImportError:
        raise MissingExtraError(f"The benchmark {NAME}:{name}", "reasoning-gym", "gym") from None
    usable = sorted(set(DATASETS) - EVALUATING - UNSCORED - NO_FAMILY)
    if name not in usable:
        why = "There is no such family."
        if name in EVALUATING:
            why = "Its scorer would run the model's answer as Python."
        elif name in UNSCORED:
            why = "Its scorer cannot tell right answers."
        raise InputError(f"The benchmark {NAME}:{name} cannot be used. {why} There are: {', '.join(usable)}. Next: name one.")
    return create_dataset(name, seed=0, size=SHORT if name in LISTED else _LARGEST)
