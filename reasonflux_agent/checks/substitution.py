"""Puts an answer back into its problem: the general term of a recurrence, the roots of an equation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction

from reasonflux_agent.grading import answers, formulas
from reasonflux_agent.grading.arithmetic import FormulaError, Number, close
from reasonflux_agent.grading.formulas import Formula

TERMS = 8
"""Terms beyond the given ones to which a general term is compared."""


def substitution(problem: str, text: str, answer: str | None) -> bool | str | None:
    """The answer satisfies the recurrence, or the equation, that the problem states.

    None unless all is clear.
    """
    if not answer or len(problem) > 5_000:
        return None
    try:
        verdict = _recurrence(problem, answer)
        return _equation(problem, answer) if verdict is None else verdict
    except FormulaError:
        return None


_END = (
    r"(?=[,;?$]|\.(?:\s|$)|\\[\])]|\\\\|\\q?quad|\\text|\\end|\s\(|\(\s*n\s*[\\<>≤≥]|\n"
    r"|\s(?:and|for|where|with|if|when|find|then)\b|$)"
)
_TERM = re.compile(rf"([a-zA-Z])_(?:\{{\s*(\d+)\s*\}}|(\d+))\s*=\s*([^=<>≤≥]+?)\s*{_END}")
_RULE = re.compile(rf"([a-zA-Z])_(?:\{{\s*n\s*(?:([+-])\s*(\d+)\s*)?\}}|n)\s*=\s*([^=<>≤≥]+?)\s*{_END}")
_ASKED = re.compile(
    r"general (?:term|formula)|(?:closed[- ]form|explicit formula)"
    r"|(?:find|express|determine|compute|formula (?:for|of)|expression for)\s+(?:the \w+ )?[a-zA-Z]_\{?n\}?(?!\s*[-+*/]|\w)",
    re.IGNORECASE,
)


def _recurrence(problem: str, answer: str) -> bool | str | None:
    """Iterates `a_1 = 3, a_{n+1} = 2a_n + 5` and compares each term with the answer's formula in n."""
    problem = re.sub(r"\\left|\\right|\\[{}!,]|\$", " ", problem)
    rules = [match.groups() for match in _RULE.finditer(problem)]
    given = {(name, int(a or b)): value for name, a, b, value in _TERM.findall(problem)}
    if len(rules) != 1 or not _ASKED.search(problem) or len(set(re.findall(r"([a-zA-Z])_", problem))) != 1:
        return None
    name, sign, distance, right = rules[0]
    rule, shift = formulas.read(right), int(f"{sign or ''}{distance or 0}")
    formula = formulas.read(re.sub(r"[,(]?\s*\(?\s*(?:for )?n\s*(?:>|≥|\\g|\\in).*", "", _right_side(answer)))
    backward = {term: _shift(term, name) for term in rule.names - {"n"}}
    terms: dict[int, Number] = {index: formulas.evaluate(value) for (_, index), value in given.items()}
    if not terms or not formula.names <= {"n"} or not all(at is not None and at < shift for at in backward.values()):
        return None
    for index in range(max(terms) + 1, max(terms) + 1 + TERMS):
        n = index - shift
        values = {term: terms.get(n + at) for term, at in backward.items() if at is not None}
        if None in values.values():
            return None
        terms[index] = rule.value({"n": Fraction(n), **{term: value for term, value in values.items() if value is not None}})
    for index, value in terms.items():
        if not _equal(formula, {"n": Fraction(index)}, value):
            return f"{name}_{index} is {value}, but the answer's formula does not give that."
    return True


def _right_side(answer: str) -> str:
    left, equals, right = answers.normal(answer).partition("=")
    return right if equals else left


def _shift(term: str, name: str) -> int | None:
    """How far `a_n-1` lies from a_n; None for what is no term of the sequence."""
    match = re.fullmatch(rf"{name}_n(?:([+-])(\d{{1,2}}))?", term)
    return int(f"{match[1] or ''}{match[2] or 0}") if match else None


def _equal(formula: Formula, point: Mapping[str, Number], value: Number) -> bool:
    """Whether the formula has this value there; a formula that has none is wrong."""
    try:
        return close(formula.value(point), value)
    except FormulaError:
        return False


_SOLVE = (
    r"\bsolve\b|\b(?:find|determine|compute|what (?:is|are))"
    r"(?:\s(?:all|the|real|positive|negative|possible|values?|solutions?|roots?|of|for|to))*\s\$?(?:\\\()?{name}(?![\w^*/+-])"
)
_ELSEWHERE = re.compile(
    r"sum|product|how many|number of|difference|express|terms of|form|smallest|largest|greatest|least|system|integer|ratio"
    r"|function|sequence|graph|area|mean\b|average|remainder|mod|approximat|nearest|round|complex|circle|length",
    re.IGNORECASE,
)
_MATH = re.compile(r"\$\$?([^$]+)\$\$?|\\\[(.+?)\\\]|\\\((.+?)\\\)", re.DOTALL)
_SIDE = r"(?:[-+*/^().\d\s]|(?<![a-zA-Z])[a-z](?![a-zA-Z]))+"
_PLAIN = re.compile(rf"(?<![\w$])({_SIDE}={_SIDE})")


def _equation(problem: str, answer: str) -> bool | str | None:
    """Substitutes each root into the one equation in one unknown that the problem asks to be solved."""
    if "=" not in problem or _ELSEWHERE.search(problem):
        return None
    pieces = [next(filter(None, groups), "") for groups in _MATH.findall(problem)] or _PLAIN.findall(problem)
    equations = [piece for piece in pieces if "=" in piece]
    if len(equations) != 1 or equations[0].count("=") != 1:
        return None
    left, right = (formulas.read(side.strip().rstrip(".,?")) for side in equations[0].split("="))
    names = left.names | right.names
    if len(names) != 1 or any(piece.strip() not in names for piece in pieces if "=" not in piece):
        return None
    (name,) = names
    if not re.search(_SOLVE.replace("{name}", re.escape(name)), problem, re.IGNORECASE):
        return None
    for root in answers.listed(answer):
        if not _satisfied(left, right, {name: formulas.evaluate(root)}):
            return f"{name} = {root} does not satisfy {equations[0].strip(' .')}."
    return None if _missing(left, right, name, answers.listed(answer)) else True


def _missing(left: Formula, right: Formula, name: str, roots: list[str]) -> bool:
    """Whether a small rational number is a root too: then what was asked for may be all of them, or one of some kind."""
    known = [formulas.evaluate(root) for root in roots]
    for point in {Fraction(p, q) for p in range(-60, 61) for q in range(1, 5)}:
        with suppress(FormulaError):  # not defined there
            if close(left.value({name: point}), right.value({name: point})) and not any(close(point, root) for root in known):
                return True
    return False


def _satisfied(left: Formula, right: Formula, point: Mapping[str, Number]) -> bool:
    """Equal at this point, to the six digits that a decimal root may have been rounded to."""
    a, b = left.value(point), right.value(point)
    try:
        return close(a, b) or abs(float(a) - float(b)) <= 1e-6 * max(1.0, abs(float(a)), abs(float(b)))
    except OverflowError:
        return False
