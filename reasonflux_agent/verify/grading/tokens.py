"""Cuts the text of a formula into tokens: one spelling for the many ways in which LaTeX, Unicode and Python write one."""

from __future__ import annotations

import re

from reasonflux_agent.verify.grading import arithmetic
from reasonflux_agent.verify.grading.arithmetic import FormulaError
from reasonflux_agent.verify.grading.latex import plain_characters
from reasonflux_agent.verify.grading.tables import rewritten

Token = tuple[str, str]
"""Kind (number, name, command, sign, end) and text; a command is a LaTeX one or a function's name, without backslash."""


def tokens(text: str) -> list[Token]:
    """The tokens of a formula; the last one is of the kind `end`. Raises FormulaError on what no formula holds."""
    text = _PERIODIC.sub(_periodic, rewritten(plain_characters(text), "formula"))
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        value = match[kind]
        if len(value) > MAX_DIGITS:
            raise FormulaError("too large")
        product = kind == "word" and value not in _FUNCTIONS
        if kind == "other" or (product and len(value) > 3):
            raise FormulaError(f"{value!r} is not understood")
        if product:
            found += [("name", letter) for letter in value]
        elif kind == "command" and _GREEK.fullmatch(value):
            found.append(("name", value))
        else:
            found.append(("command" if kind == "word" else kind, value))
    return [*found, ("end", "")]


def _periodic(match: re.Match[str]) -> str:
    """`0.1\\overline{6}` as the fraction that it is."""
    before, digits, period = match.groups()
    whole = int(before + digits)
    return f"({int(before + digits + period) - whole}/{'9' * len(period)}{'0' * len(digits)})"


MAX_DIGITS = 400
"""Characters of one number."""

_TOKEN = re.compile(
    r"(?P<number>\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3}(?![\da-zA-Z]))?)"
    r"|\\(?P<command>[a-zA-Z]+)|(?P<word>[a-zA-Z]+)|(?P<sign>[-+*/^!°()\[\]{}|_])|(?P<other>\S)"
)
_FUNCTIONS = frozenset({"pi", "log", "sqrt", *arithmetic.BARE, *arithmetic.BRACKETED})
"""Words that are no product of letters, with or without a backslash."""
_PERIODIC = re.compile(r"(\d{1,99})\.(\d{0,99})\\overline ?\{ ?(\d{1,99}) ?\}")
_GREEK = re.compile(
    "(?:var)?(?:alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|chi|psi|omega)|ell"
    "|Gamma|Delta|Theta|Lambda|Phi|Psi|Omega"
)
