"""Cuts the text of a formula into tokens: one spelling for the many ways in which LaTeX, Unicode and Python write one."""

from __future__ import annotations

import re
from collections.abc import Callable

from reasonflux_agent.verify.grading import arithmetic
from reasonflux_agent.verify.grading.arithmetic import FormulaError

Token = tuple[str, str]
"""Kind (number, name, command, sign, end) and text; a command is a LaTeX one or a function's name, without backslash."""


def tokens(text: str) -> list[Token]:
    """The tokens of a formula; the last one is of the kind `end`. Raises FormulaError on what no formula holds."""
    for pattern, plain in _REWRITTEN:
        text = pattern.sub(plain, text)
    text = _PERIODIC.sub(_periodic, text)
    found: list[Token] = []
    for part in text.split():
        at = 0
        while at < len(part):
            match = _TOKEN.match(part, at)
            if match is None:
                raise FormulaError(f"{part[at]!r} is not understood")
            found += _classified(str(match.lastgroup), match[str(match.lastgroup)])
            at = match.end()
    return [*found, ("end", "")]


def _classified(kind: str, text: str) -> list[Token]:
    if len(text) > MAX_DIGITS:
        raise FormulaError("too large")
    if kind == "word" and text not in _FUNCTIONS:
        if len(text) > 3:
            raise FormulaError(f"{text!r} is not understood")
        return [("name", letter) for letter in text]
    if kind == "command" and _GREEK.fullmatch(text):
        return [("name", text)]
    return [("command" if kind == "word" else kind, text)]


def _periodic(match: re.Match[str]) -> str:
    """`0.1\\overline{6}` as the fraction that it is."""
    before, digits, period = match.groups()
    whole = int(before + digits)
    return f"({int(before + digits + period) - whole}/{'9' * len(period)}{'0' * len(digits)})"


def _derivative(match: re.Match[str]) -> str:
    """`dy/dx` as a variable of its own, `D_{yx}`."""
    order, of, by = match.groups()
    return f" D_{{{(order or '').strip('^ ')}{of}{by}}} "


MAX_DIGITS = 400
"""Characters of one number."""

_REWRITTEN: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(r"\\unit\{[$€£¥₹]\}"), ""),
    (re.compile(r"\\frac ?\{ ?d(\^ ?\w)? ?([a-zA-Z]?) ?\} ?\{ ?d ?([a-zA-Z])(?: ?\^ ?\w)? ?\}"), _derivative),
    (
        re.compile(r"\\frac ?\{ ?\\partial ?(\^ ?\w)? ?([a-zA-Z]?) ?\} ?\{ ?\\partial ?([a-zA-Z])(?: ?\^ ?\w)? ?\}"),
        lambda match: _derivative(match).replace("D", "P"),
    ),
    (re.compile(r"(?<![a-zA-Z])d(\^ ?\w)?([a-zA-Z]) ?/ ?d([a-zA-Z])(?: ?\^ ?\w)?(?![a-zA-Z])"), _derivative),
    (re.compile(r"[×·⋅∗]"), "*"),
    (re.compile(r"[−–]"), "-"),
    (re.compile(r"Abs(?=\()"), "abs"),
    (re.compile(r"√"), r"\\sqrt "),
    (re.compile(r"π"), r"\\pi "),
    (re.compile(r"²"), "^2"),
    (re.compile(r"³"), "^3"),
    (re.compile(r"\\!"), ""),
    (re.compile(r"\^ ?(?:\\circ(?![a-z])|\{ ?\\circ ?\})"), "°"),
    (re.compile(r"\\(?:left|right|displaystyle|limits|qquad|quad|[bB]ig+[lr]?)(?![a-zA-Z])|\\[,;: ]|~|\s+"), " "),
    (re.compile(r"(?<=\d)\{,\}(?=\d{3}(?!\d))"), ","),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\\(?:cdot|times|ast)(?![a-zA-Z])"), "*"),
    (re.compile(r"\\div(?![a-zA-Z])|÷"), "/"),
    (re.compile(r"\\[lr]?vert(?![a-zA-Z])"), "|"),
    (re.compile(r"\\(?:mathrm|operatorname) ?\{ ?([a-z]+) ?\}"), r"\\\1 "),
    (re.compile(r"\\[dtc](frac|binom)(?![a-zA-Z])"), r"\\\1"),
    (re.compile(r"\\(frac|binom) ?(\d)(?=[\d {])"), r"\\\1{\2}"),
    (re.compile(r"(\\(?:frac|binom) ?\{[^{}]*\}) ?([\da-zA-Z])"), r"\1{\2}"),
    (re.compile(r"(?<![\d.,^_}a-zA-Z/])(\d+) ?(\\frac ?\{ ?\d+ ?\} ?\{ ?\d+ ?\})"), r"(\1+\2)"),
    (re.compile(r"(?<![\d.,^_}a-zA-Z/])(\d+) (\d+ ?/ ?\d+)(?![\d.])"), r"(\1+\2)"),
]
"""In order: signs, spacing, operators, the braces that `\\frac25` leaves out, mixed numbers (`1\\frac45`, `1 4/5`)."""

_TOKEN = re.compile(
    r"(?P<number>\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3}(?![\da-zA-Z]))?)"
    r"|\\(?P<command>[a-zA-Z]+)|(?P<word>[a-zA-Z]+)|(?P<sign>[-+*/^!°()\[\]{}|_])"
)
_FUNCTIONS = frozenset({"pi", "log", "sqrt", *arithmetic.BARE, *arithmetic.BRACKETED})
"""Words that are no product of letters, with or without a backslash."""
_PERIODIC = re.compile(r"(\d{1,99})\.(\d{0,99})\\overline ?\{ ?(\d{1,99}) ?\}")
_GREEK = re.compile(
    "(?:var)?(?:alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|chi|psi|omega)|ell"
    "|Gamma|Delta|Theta|Lambda|Phi|Psi|Omega"
)
