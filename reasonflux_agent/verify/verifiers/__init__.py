"""What can be checked of a solution without a model.

A check is a pure function of the problem, the solution's text and its answer; it says True or False only where that is
sure, and None where it does not apply. In place of False it may say in words what is wrong, which is what a redo is told.
The built-in ones are registered like those of any plugin (hookspecs.py).
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
from reasonflux_agent.verify.grading.arithmetic import FormulaError, Number
from reasonflux_agent.verify.verifiers import equalities, substitution

Verdict = bool | str | None
"""Passed, failed (or what is wrong, in words), or None: does not apply."""
Check = Callable[[str, str, str | None], Verdict]
"""`check(problem, text, answer)` -> its verdict."""

logger = logging.getLogger(__name__)


def run_checks(problem: str, text: str, answer: str | None, *, truncated: bool = False) -> dict[str, bool]:
    """Name of each check that applies -> whether it passed. `truncated`: the model was cut off at its token limit.

    A plugin's check that raises counts as one that does not apply; the log says so.
    """
    verdicts = {"complete": not truncated}
    for name in _checks():
        verdict = _verdict(name, problem, text, answer)
        if verdict is not None:
            verdicts[name] = bool(verdict) and not isinstance(verdict, str)
    return verdicts


def meaning(name: str) -> str:
    """What a check stands for, in one sentence: the first line of its docstring."""
    _, check = _checks().get(name, ("", None))
    return ((check.__doc__ if check else "") or "The text goes on to its end.").strip().splitlines()[0]


def objection(name: str, problem: str, text: str, answer: str | None) -> str:
    """What a check that failed has against a solution: in its own words, else what it stands for."""
    verdict = None if name == "complete" else _verdict(name, problem, text, answer)
    return verdict if isinstance(verdict, str) else f"This does not hold: {meaning(name)}"


def _verdict(name: str, problem: str, text: str, answer: str | None) -> Verdict:
    plugin, check = _checks()[name]
    try:
        return check(problem, text, answer)
    except Exception:
        logger.exception("The check %r of the plugin %r failed and is passed over", name, plugin)
        return None


def _checks() -> dict[str, tuple[str, Check]]:
    """Name -> (plugin, check)."""
    return _registered(frozenset(manager().get_plugins()))


@lru_cache(maxsize=1)
def _registered(plugins: frozenset[Any]) -> dict[str, tuple[str, Check]]:
    """The registered checks, collected anew only when the plugins have changed."""
    return registered("checks")


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


_OTHER_ARITHMETIC = re.compile(
    r"\bmod|\\[bp]?mod|\\equiv|≡|congruen|residue|\bbases?\b|binary|octal|decimal system|\boperation|\bclock|\bdefine|\d_\{?\d"
    r"|(?:units?|last|ones) digit"
    r"|[a-z] ?(?:[*#@]|\\(?:star|ast|diamond|clubsuit|spadesuit|heartsuit|oplus|otimes|odot|circ)) ?[a-z] ?=",
    re.IGNORECASE,
)
"""Words of texts in which `7 * 3 = 1` may well be true."""


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
_MEASURES = re.compile(
    r"(?:milli|centi|kilo)?(?:met(?:er|re)|lit(?:er|re)|gram)s?|times?|hours?|minutes?|seconds?|days?|weeks?|months?|years?"
    r"|inch(?:es)?|feet|foot|yards?|miles?|acres?|ounces?|pounds?|tons?|cups?|gallons?|quarts?|pints?|\w*spoons?|dollars?"
    r"|cents?|degrees?|radians?|percent|percentage|units?|square|cubic|cm|mm|km|kg|ft|ml|calories|pages?|liquid|fluid|nautical|light",
    re.IGNORECASE,
)
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
    try:
        formula = formulas.read(answers.normal(answer or ""))
        return None if formula.names else formula.value()
    except FormulaError:
        return None


CHECKS: dict[str, Check] = {
    "answered": answered,
    "not_repeating": not_repeating,
    "arithmetic": arithmetic,
    "integral": integral,
    "range": in_range,
    "substitution": substitution.substitution,
}
"""The built-in checks by name."""
