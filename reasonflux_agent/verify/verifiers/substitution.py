"""Puts an answer back into its problem: the general term of a recurrence, the roots of an equation.

A proof is exact, and complete. The roots of a rational equation are counted (rational.py), so that none is missing. The root of
another equation is proven where both sides are exact there and their difference only rises, or only falls, over sampled points.
What is near, but not exact, is neither proven nor refuted.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise

from reasonflux_agent.verify.grading import answers, formulas
from reasonflux_agent.verify.grading.arithmetic import FormulaError, Number
from reasonflux_agent.verify.grading.formulas import Formula
from reasonflux_agent.verify.grading.tables import rewritten, words
from reasonflux_agent.verify.verifiers import rational

TERMS = 8
"""Terms beyond the given ones to which a general term is compared at least; as many more are, where they stay small."""
LARGE = 10**15
"""A term above which no further one is looked at."""
MAX_PROBLEM, MAX_FORMULA = 5_000, 200
"""Characters of a problem, and of a side of its equation, rule or answer."""


def substitution(problem: str, text: str, answer: str | None) -> bool | str | None:
    """The answer satisfies the recurrence, or the equation, that the problem states.

    None unless all is clear.
    """
    if not answer or len(problem) > MAX_PROBLEM:
        return None
    try:
        verdict = _recurrence(problem, answer)
        return _equation(problem, answer) if verdict is None else verdict
    except FormulaError:
        return None


_END = (
    r"(?=[,;?$]|\.(?:\s|$)|\\[\])]|\\\\|\\q?quad|\\text|\\end|\s\(|\( ?n ?[\\<>≤≥]|\n"
    r"|\s(?:and|for|where|with|if|when|find|then)\b|$)"
)
_TERM = re.compile(rf"([a-zA-Z])_(?:\{{ ?(\d{{1,4}}) ?\}}|(\d{{1,4}}))\s?=\s?([^=<>≤≥]{{1,{MAX_FORMULA}}}?)\s?{_END}")
_RULE = re.compile(rf"([a-zA-Z])_(?:\{{ ?n ?(?:([+-]) ?(\d{{1,2}}) ?)?\}}|n)\s?=\s?([^=<>≤≥]{{1,{MAX_FORMULA}}}?)\s?{_END}")
_ASKED = re.compile(
    r"general (?:term|formula)|(?:closed[- ]form|explicit formula)"
    r"|(?:find|express|determine|compute|formula (?:for|of)|expression for)\s+(?:the \w+ )?[a-zA-Z]_\{?n\}?(?!\s*[-+*/]|\w)",
    re.IGNORECASE,
)


def _recurrence(problem: str, answer: str) -> bool | str | None:
    """Iterates `a_1 = 3, a_{n+1} = 2a_n + 5` and compares each term with the answer's formula in n."""
    problem = rewritten(problem, "recurrence")  # the patterns know single blanks only
    rules = [match.groups() for match in _RULE.finditer(problem)]
    given = {(name, int(a or b)): value for name, a, b, value in _TERM.findall(problem)}
    if len(rules) != 1 or not _ASKED.search(problem) or len(set(re.findall(r"([a-zA-Z])_", problem))) != 1:
        return None
    name, sign, distance, right = rules[0]
    rule, shift = formulas.read(right), int(f"{sign or ''}{distance or 0}")
    formula = _read(re.sub(r"[,(]? ?\(? ?(?:for )?n ?(?:>|≥|\\g|\\in).*", "", answers.normal(answer).split("=", 1)[-1]))
    backward = {term: _shift(term, name) for term in rule.names - {"n"}}
    terms: dict[int, Number] = {index: formulas.evaluate(value) for (_, index), value in given.items()}
    if not terms or not formula.names <= {"n"} or not all(at is not None and at < shift for at in backward.values()):
        return None
    first = max(terms) + 1
    for index in range(first, first + 3 * TERMS):
        n = index - shift
        values = {term: terms.get(n + at) for term, at in backward.items() if at is not None}
        if None in values.values():
            return None
        following = rule.value({"n": Fraction(n), **{term: value for term, value in values.items() if value is not None}})
        if not -LARGE <= following <= LARGE and index >= first + TERMS:
            break
        terms[index] = following
    exact = True
    for index, value in terms.items():
        found = formula.value_or_none({"n": Fraction(index)})
        if found is None or not _near(found, value):
            return f"{name}_{index} is {value}, but the answer's formula does not give that."
        exact = exact and (found == value or math.isclose(found, value, rel_tol=1e-12, abs_tol=1e-12))
    return True if exact else None


def _near(a: Number, b: Number) -> bool:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b
    try:
        return math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-6)
    except OverflowError:
        return False


def _shift(term: str, name: str) -> int | None:
    """How far `a_n-1` lies from a_n; None for what is no term of the sequence."""
    match = re.fullmatch(rf"{name}_n(?:([+-])(\d{{1,2}}))?", term)
    return int(f"{match[1] or ''}{match[2] or 0}") if match else None


def _read(text: str) -> Formula:
    """The formula. Raises FormulaError, also for one that is too long to be evaluated often."""
    if len(text) > MAX_FORMULA:
        raise FormulaError("too long")
    return formulas.read(text)


_SOLVE = (
    r"\bsolve\b|\b(?:find|determine|what are)\s[^.?$]{0,40}\b(?:solutions?|roots)\s(?:of|to)\b"
    r"|\b(?:find|determine|compute|what (?:is|are))"
    r"(?:\s(?:all|the|real|positive|negative|possible|values?|solutions?|roots?|of|for"
    r"|to))*\s\$?(?:\\\()?{name}(?![\w^*/+(-]|\s*(?:[*/+^-]|\\[a-z]))"
)
_ELSEWHERE = re.compile(words("not_roots"), re.IGNORECASE)
_MATH = re.compile(r"\$\$?([^$]+)\$\$?|\\\[(.{1,500}?)\\\]|\\\((.{1,500}?)\\\)", re.DOTALL)
_PLAIN = re.compile(r"(?:[-+*/^().\d\s=]|(?<![a-zA-Z])[a-z](?![a-zA-Z]))+")
_BEFORE = re.compile(
    r"(?:^|[:.,;?!]|\b(?:solve|equations?|that|if|satisf(?:y|ies|ying)|when|where|with|given|suppose|(?:solutions?"
    r"|roots?|values?) (?:of|to)))$",
    re.IGNORECASE,
)
_AFTER = re.compile(r"$|[:;?!]|\b(?:for|over|where|with|if|find|what|which|determine|solve|then|and|when)\b|[A-Z]|,")
"""What stands around an equation that is written without marks."""
_TWO_DIGITS = re.compile(r"\^ ?(\d)(\d+)(?= ?[\^a-z])")
"""`3^15^2` is 3 * 5^2 in LaTeX; some mean 3 to the 15th."""


def _equation(problem: str, answer: str) -> bool | str | None:
    """Substitutes each root into the one equation in one unknown that the problem asks to be solved."""
    if "=" not in problem or _ELSEWHERE.search(problem):
        return None
    pieces = [next(filter(None, groups), "") for groups in _MATH.findall(problem)]
    pieces = pieces or [match[0] for match in _PLAIN.finditer(problem) if "=" in match[0] and _stands_alone(problem, match)]
    equations = [piece for piece in pieces if "=" in piece]
    if len(equations) != 1:
        return None
    names = {piece.strip() for piece in pieces if "=" not in piece}
    verdict, other = (
        _solved(text, names, problem, answer) for text in (equations[0], _TWO_DIGITS.sub(r"^\1*\2", equations[0]))
    )
    return verdict if type(verdict) is type(other) else None


def _stands_alone(problem: str, match: re.Match[str]) -> bool:
    """Whether an equation without marks is whole: in `sin x = 0` and `the square of x = 9` a piece of it is a word."""
    before, after = problem[: match.start()].rstrip(), problem[match.end() :].lstrip()
    return bool(_BEFORE.search(before) and _AFTER.match(after))


def _solved(equation: str, asked: set[str], problem: str, answer: str) -> bool | str | None:
    """As `substitution`, for an equation in the names that are `asked` for."""
    sides = equation.split("=")
    if len(sides) != 2:
        return None
    left, right = (_read(side.strip().rstrip(".,?")) for side in sides)
    names = left.names | right.names
    if len(names) != 1 or not asked <= names:
        return None
    (name,) = names
    if not re.search(_SOLVE.replace("{name}", re.escape(name)), problem, re.IGNORECASE):
        return None

    def difference(point: Number) -> Number:
        try:
            return left.value({name: point}) - right.value({name: point})
        except OverflowError:
            raise FormulaError("too large") from None

    roots = {text: _read(text).value() for text in answers.listed(answer)}
    for text, root in roots.items():
        if _refuted(difference, text, root, left.value({name: root})):
            return f"{name} = {text} does not satisfy {equation.strip(' .')}."
    return _proven(difference, sorted(roots.values()), problem) or None


Difference = Callable[[Number], Number]
"""How far an equation's left side lies above its right one. Raises FormulaError where one of them has no value."""


def _refuted(difference: Difference, text: str, root: Number, size: Number) -> bool:
    """Whether it is neither a root, nor near one, nor a root that was rounded to the places shown."""
    off = difference(root)
    if off == 0 or (isinstance(off, float) and abs(off) <= 1e-6 * max(1.0, abs(float(size)))):
        return False
    places = re.search(r"\.(\d+)$", text)
    if not places:
        return True
    half = Fraction(1, 2 * 10 ** len(places[1]))
    try:
        return (difference(root - half) < 0) == (difference(root + half) < 0)
    except FormulaError:
        return False


def _proven(difference: Difference, roots: list[Number], problem: str) -> bool:
    """Whether these are roots, and all of those that the problem asks for: the complex ones too, unless it says which."""
    if any(b - a <= 1e-9 * max(1.0, abs(a)) for a, b in pairwise(map(float, roots))):
        return False
    kind = re.search(r"\b(real|positive|negative)\b", problem, re.IGNORECASE)
    sign = {"positive": 1, "negative": -1}.get(kind[1].lower(), 0) if kind else 0
    top, zero = rational.numerator(difference), Fraction(0)
    if top is None:
        return len(roots) == 1 and isinstance(roots[0], Fraction) and _only_one(difference, roots[0], bool(kind))
    if len(top) < 2 or any(root * sign < 0 for root in roots):
        return False
    free = rational.squarefree(top)
    if len(free) < len(top) and "multiplicit" in problem:
        return False
    count = rational.real_roots(free, zero if sign > 0 else None, zero if sign < 0 else None)
    if sign < 0 and rational.at(free, zero) == 0:
        count -= 1
    return len(roots) == count and (bool(kind) or count == len(free) - 1) and all(_is_root(free, root) for root in roots)


def _is_root(polynomial: rational.Polynomial, root: Number) -> bool:
    """A fraction is one exactly; a float stands for one where the sign changes within its last digits."""
    if isinstance(root, Fraction):
        return rational.at(polynomial, root) == 0
    exact = Fraction(root)
    width = Fraction(1, 10**12) * max(Fraction(1), abs(exact))
    return (rational.at(polynomial, exact - width) < 0) != (rational.at(polynomial, exact + width) < 0)


_SAMPLED = [*(Fraction(n, 2) for n in range(-24, 25)), *(Fraction(s * n) for n in (20, 50, 100, 999, 9_999) for s in (1, -1))]


def _only_one(difference: Difference, root: Fraction, real: bool) -> bool:
    """Whether the difference is exactly zero at the root, and there alone: over sampled points it never falls, or never rises.

    Ten of them must have a value. Where all values are exact there may be complex roots, unless only `real` ones are asked for.
    """
    values = []
    for point in sorted({*_SAMPLED, root, *(root + step for step in (Fraction(1, 1000), Fraction(-1, 1000)))}):
        with suppress(FormulaError):
            values.append(difference(point))
    steady = any(all(order(a, b) for a, b in pairwise(values)) for order in (operator.le, operator.ge))
    real = real or len(values) <= len(_SAMPLED) or not all(isinstance(value, Fraction) for value in values)
    value = difference(root)
    return isinstance(value, Fraction) and value == 0 == values.count(0) - 1 and len(values) >= 10 and steady and real
