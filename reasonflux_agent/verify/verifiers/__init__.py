"""What can be verified of a solution without a model.

A verifier is a pure function `verify(problem, text, answer)` of the problem, the solution's text and its answer (None: it has
none). It returns True or False only where that is sure, and None where it does not apply. Instead of False it may return a
sentence that says what is wrong: the model that tries again is shown it. The first line of its docstring says what it stands
for. The built-in verifiers are registered by the hook `register_verifiers`, like those of any plugin (hookspecs.py).
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from reasonflux_agent.plugins import manager, registered
from reasonflux_agent.verify.grading import answers, formulas
from reasonflux_agent.verify.grading.arithmetic import Number
from reasonflux_agent.verify.grading.tables import words
from reasonflux_agent.verify.verifiers import equalities, substitution

Verdict = bool | str | None
"""Passed, failed (or what is wrong, in words), or None: does not apply."""
Verifier = Callable[[str, str, str | None], Verdict]
"""`verify(problem, text, answer)` -> its verdict."""

logger = logging.getLogger(__name__)


def run_verifiers(problem: str, text: str, answer: str | None, *, truncated: bool = False) -> dict[str, bool]:
    """Return the name of each verifier that applies, and whether the solution passed it.

    `truncated`: the model was cut off at its token limit, so `complete` fails. A plugin's verifier that raises counts as one
    that does not apply, and the log says so. Raises PluginError where two plugins register one name.

    >>> run_verifiers("Solve 2x + 3 = 11.", "2x = 8, and 8 / 2 = 4.", "4")["substitution"]
    True
    """
    verdicts = {"complete": not truncated}
    for name in _registered():
        if (verdict := _verdict(name, problem, text, answer)) is not None:
            verdicts[name] = verdict is True
    return verdicts


def description(name: str) -> str:
    """What a verifier stands for, in one sentence: the first line of its docstring."""
    _, verify = _registered().get(name, ("", None))
    return ((verify.__doc__ if verify else "") or "The text goes on to its end.").strip().splitlines()[0]


def failure(name: str, problem: str, text: str, answer: str | None) -> str:
    """What is wrong with a solution that did not pass a verifier: its own sentence, or else what it stands for."""
    verdict = None if name == "complete" else _verdict(name, problem, text, answer)
    return verdict if isinstance(verdict, str) else f"This does not hold: {description(name)}"


def _verdict(name: str, problem: str, text: str, answer: str | None) -> Verdict:
    plugin, verify = _registered()[name]
    try:
        verdict = verify(problem, text, answer)
    except Exception:
        logger.exception("The verifier %r of the plugin %r failed and is passed over", name, plugin)
        return None
    return verdict if verdict is None or isinstance(verdict, str) else bool(verdict)


def _registered() -> dict[str, tuple[str, Verifier]]:
    """Name -> (plugin, verifier)."""
    return _collected(frozenset(manager().get_plugins()))


@lru_cache(maxsize=1)
def _collected(plugins: frozenset[Any]) -> dict[str, tuple[str, Verifier]]:
    """The registered verifiers, collected anew only when the plugins have changed."""
    return registered("verifiers")


def answered(problem: str, text: str, answer: str | None) -> bool | None:
    """There is a final answer."""
    return bool(answer and answer.strip())


def not_repeating(problem: str, text: str, answer: str | None) -> bool | None:
    """The text does not run in circles: no line eight times over, no stretch that the end repeats five times."""
    lines = Counter(line.strip() for line in text.splitlines())
    if any(count >= 8 and len(line) >= 20 for line, count in lines.items()):
        return False
    end = text.rstrip()[-1_500:]
    return not any(
        end.endswith(end[-period:] * 5) and re.search(r"[^\W_]", end[-period:]) for period in range(8, len(end) // 5 + 1)
    )


_OTHER_ARITHMETIC = re.compile(words("other_arithmetic"), re.IGNORECASE)


def arithmetic(problem: str, text: str, answer: str | None) -> Verdict:
    """Every numeric equality that the text writes out is true when recomputed."""
    written = dict.fromkeys(equalities.equalities(text))
    verdicts = {found: verdict for found in written if (verdict := equalities.holds(*found)) is not None}
    wrong = list(dict.fromkeys(f"{found.left} = {found.right}" for found, true in verdicts.items() if not true))
    if wrong and _OTHER_ARITHMETIC.search(f"{problem}\n{text}"):
        return None
    if wrong:
        return f"It is not true that {'; '.join(wrong[:3])}."
    return True if verdicts else None


_COUNTED = re.compile(
    r"\bhow many (?:(?:more|different|distinct|total|other|such|of the|positive|whole|new) )*(\w+)", re.IGNORECASE
)
_MEASURES = re.compile(words("measures"), re.IGNORECASE)
_BROKEN = re.compile(r"average|mean\b|fraction|decimal|mixed number|nearest", re.IGNORECASE)


def integral(problem: str, text: str, answer: str | None) -> bool | None:
    """Where the problem asks how many things there are, a plain number must be a whole one, and not negative."""
    questions = _COUNTED.findall(problem)
    value = _number(answer)
    if value is None or len(questions) != 1 or _MEASURES.fullmatch(questions[0]) or _BROKEN.search(problem):
        return None
    return value == int(value) and value >= 0


_PROBABILITY = re.compile(r"\b(?:what is|find|compute|determine|calculate) the (?:\w+ )?probability\b", re.IGNORECASE)
_REMAINDER = re.compile(
    r"(?:(?:what is|find|determine|compute) the|what) remainder (?:is )?when [^.?]*? is divided by \$?(\d{1,9})\$?\s*[?.]",
    re.IGNORECASE,
)


def in_range(problem: str, text: str, answer: str | None) -> bool | None:
    """A probability lies between 0 and 1; a remainder modulo m is a whole number from 0 to m - 1."""
    value = _number(answer)
    if value is None:
        return None
    remainders = _REMAINDER.findall(problem)
    if len(remainders) == 1:
        return value == int(value) and 0 <= value < int(remainders[0])
    if _PROBABILITY.search(problem) and not re.search(r"percent|%|\+|in terms of|form", problem):
        return 0 <= value <= 1
    return None


def _number(answer: str | None) -> Number | None:
    """The answer's value if it is a plain number, without a unit that could be part of a larger one."""
    formula = formulas.read_or_none(answers.normal(answer or ""))
    return formula.value_or_none() if formula and not formula.names else None


VERIFIERS: dict[str, Verifier] = {
    "answered": answered,
    "not_repeating": not_repeating,
    "arithmetic": arithmetic,
    "integral": integral,
    "range": in_range,
    "substitution": substitution.substitution,
}
"""The built-in verifiers by name."""
