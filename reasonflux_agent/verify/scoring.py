"""Decides whether an answer is right: by a task's own scorer where it has one, else by the grader (`grading`).

A scorer is a function `score(row, answer) -> float`. `row` is the row of the data file, with its `problem` and its `answer`
(one that is right, of perhaps many). An answer is right only at 1.0; partial credit counts as wrong.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from reasonflux_agent.errors import InputError
from reasonflux_agent.verify.grading import verdict

Scorer = Callable[[Mapping[str, Any], str], float]


def score(row: Mapping[str, Any], answer: str | None, scorer: str | None = None, seconds: float = 5.0) -> bool | None:
    """Return whether an answer is right for a row; None where it could not be decided (the scorer or the grader failed).

    `scorer` is the name of one (see `load_scorer`); without it the row's own `scorer` counts, and without that the grader
    compares with the row's `answer`, with its `unit` or without. A missing answer is wrong. Raises InputError for a scorer
    that does not exist.

    >>> score({"problem": "Name an even number.", "answer": "2"}, "2.0")
    True
    """
    if answer is None:
        return False
    name = scorer or row.get("scorer")
    if name is None:
        return verdict(answer, row["answer"], row.get("unit"), problem=row.get("problem", ""), seconds=seconds)
    judge = load_scorer(name)
    try:
        return float(judge(row, answer)) == 1.0
    except Exception:  # whatever a scorer raises over a text that a model wrote
        return None


@cache
def load_scorer(name: str) -> Scorer:
    """Return a scorer by its registered name, or by `package.module:function`, which is imported.

    Raises InputError where there is no such scorer.
    """
    from reasonflux_agent.plugins import registered

    known = registered("scorers")
    if name in known:
        found: Scorer = known[name][1]
        return found
    module, _, function = name.partition(":")
    try:
        if not function:
            raise AttributeError("no function is named")
        found = getattr(importlib.import_module(module), function)
        if not callable(found):
            raise AttributeError(f"{function!r} is no function")
    except Exception as error:  # whatever importing the user's module raises
        raise InputError(
            f"There is no scorer {name!r} ({error}). Registered are: {', '.join(known)}. "
            "Next: name one of them, or package.module:function with score(row, answer) -> float."
        ) from None
    return found


def check_scorer(name: object) -> str:
    """Return the name of a registered scorer, as a row of a data file may hold it: data must not import code.

    Raises ValueError.
    """
    from reasonflux_agent.plugins import registered

    known = registered("scorers")
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"field 'scorer': {name!r} is not registered; there are {', '.join(known)}")
    return name
