"""Compares final answers without a computer algebra system: numbers, formulas, words, choices, and structures of these.

What counts as the same, where one could argue:
- `50%` is both 50 and 0.5. A currency sign, a degree sign and a unit may be missing (`18` is `$18` and `18 dollars`), but
  two known units must agree (`5 cm` is not `5 m`).
- A list without brackets has no order: `1,2` is `2,1` and `{2,1}`; it is also `(1,2)`, in this order. `(1,2)`, `[1,2]`
  and `(1,2]` differ.
- A decimal is not rounded: 0.333 is not 1/3. A numeral with its base (`25_8`) equals only itself, a ratio or a time of day
  (`10:30`) only the same parts.
- `x = 5` is `5`, but not `y = 5`. `\\pm 2` is the list of both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from reasonflux_agent import formulas
from reasonflux_agent.arithmetic import FormulaError
from reasonflux_agent.formulas import Formula

_REWRITTEN = [
    (re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])"), ""),
    (re.compile(r"\\\$|\\[()!]|\\(?:left|right|displaystyle|limits|[bB]ig+[lr]?)(?![a-zA-Z])|[$€£`]"), ""),
    (re.compile(r"\\(?:[,;: ]|qquad(?![a-zA-Z])|quad(?![a-zA-Z]))|~|\s+"), " "),
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\^ ?(?:\\circ|\{ ?\\circ ?\})|\\degree"), "°"),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"[−–]"), "-"),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\+ ?(?=\\infty|∞)"), ""),
    (re.compile(r"∞|\binfinity\b"), r"\\infty "),
    (re.compile(r"∪"), r"\\cup "),
    (re.compile(r"±"), r"\\pm "),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\l(?:angle|paren)(?![a-zA-Z])"), "("),
    (re.compile(r"\\r(?:angle|paren)(?![a-zA-Z])"), ")"),
    (re.compile(r"\\(?:text(?:bf|it|rm)?|mbox|mathrm|mathbf|operatorname)(?![a-zA-Z]) ?\{([^{}]*)\}"), r" \1 "),
    (re.compile(r" +"), " "),
]

_CHOICE = re.compile(r"(?:(?:option|choice|answer)\s*:?\s*)?(?:\(([A-J])\)|([A-J])(?=[.):]|$)[.):]?)(?:\s.*)?", re.IGNORECASE)
_NAMED = re.compile(r"((?:[a-zA-Z]|\\[a-z]+)(?:_(?:\w|\{[^{}]*\}))?(?: ?\( ?[a-z] ?\))?) ?(?:=|\\in(?![a-z])|∈) ?(?=\S)")
_THOUSANDS = re.compile(r"-? ?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![,\d]).*")
_MATRIX = re.compile(r"\\begin ?\{([pbv]?matrix|array)\}(?:\{[clr|]*\})?(.*)\\end ?\{\1\}")
_BASED = re.compile(r"(\w+) ?_ ?\{? ?(\w+) ?\}?")
_CLOCK = re.compile(r"\d+(?: ?: ?\d+)+")
_SEPARATOR = re.compile(r"\\.|[\[\](){},;]| (?:and|or) ")
_OPEN, _CLOSE = ("(", "[", "{", r"\{"), (")", "]", "}", r"\}")

_UNITS = {
    "%": "percent percentage",
    "degree": "° degrees deg",
    "dollar": "dollars usd buck bucks",
    "cent": "cents",
    "mm": "millimeter millimeters millimetre millimetres",
    "cm": "centimeter centimeters centimetre centimetres",
    "meter": "meters metre metres",
    "km": "kilometer kilometers kilometre kilometres",
    "inch": "inches",
    "foot": "feet ft",
    "yard": "yards yd",
    "mile": "miles",
    "second": "seconds sec",
    "minute": "minutes min mins",
    "hour": "hours hr hrs",
    "day": "days",
    "week": "weeks",
    "month": "months",
    "year": "years",
    "kg": "kilogram kilograms",
    "gram": "grams",
    "pound": "pounds lb lbs",
    "liter": "liters litre litres",
    "mph": "",
}
_UNIT = {spelling: unit for unit, others in _UNITS.items() for spelling in (unit, *others.split())}
_MEASURED = re.compile(rf"(.*?[\d)}}!]) ?(%|°|{'|'.join(sorted(_UNIT, key=len, reverse=True))})(?![a-zA-Z])( .*|\^.*)?", re.IGNORECASE)
_COUNTED = re.compile(r"(.*[\d)}]) ((?:square |cubic )?[a-zA-Z][a-z]{2,}\b)[a-zA-Z/ ]*(?:\^ ?\{? ?\d ?\}?)?")


def normal(text: str) -> str:
    """One spelling for what LaTeX and people spell in many ways; words keep one space between them."""
    text = text.strip().strip("*")
    for pattern, plain in _REWRITTEN:
        text = pattern.sub(plain, text)
    return text.strip().rstrip(".,;:").strip()


def latex(text: str) -> str:
    """A normalised answer as LaTeX, for Math-Verify: plain `sqrt(3)` and `2^(n+1)` get their backslash and braces."""
    text = re.sub(r"(?<![\\a-z])(sqrt|sin|cos|tan|ln|log|pi)(?![a-z])", r"\\\1 ", text.replace("°", ""))
    return re.sub(r"(\\sqrt|\^) ?\(([^()]*)\)", r"\1{\2}", text)


def compare(a: str, b: str) -> bool | None:
    """Whether two normalised answers are the same; None when that cannot be told here."""
    if a.replace(" ", "") == b.replace(" ", ""):
        return True
    first, second = _CHOICE.fullmatch(a), _CHOICE.fullmatch(b)
    if first and second and min(len(a), len(b)) < 4:
        return (first[1] or first[2]).upper() == (second[1] or second[2]).upper()
    a, b = _unnamed(a, b)
    kinds, items = zip(_parts(a), _parts(b), strict=True)
    if kinds == ("", ""):
        return _single(a, b)
    if "" in kinds:
        return None if re.search(r"[<>=]|\\[lg]e|\\neq?|\\mid|\|", a + b) else _wrapped(kinds, items)
    if kinds[0] == kinds[1] == "list" and _THOUSANDS.fullmatch(a) and _THOUSANDS.fullmatch(b) and _single(a, b):
        return True
    if len(items[0]) != len(items[1]):
        return False
    if set(kinds) <= {"list", "{}"} or kinds == ("union", "union"):
        return _unordered(*items)
    if kinds[0] == kinds[1] or set(kinds) == {"list", "()"}:
        return _all(compare(*pair) for pair in zip(*items, strict=True))
    return False
