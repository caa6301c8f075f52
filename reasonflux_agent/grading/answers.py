"""Compares final answers without a computer algebra system: numbers, formulas, words, choices, and structures of these.

What counts as the same, where one could argue:
- `50%` is both 50 and 0.5. A currency sign, a degree sign and a unit may be missing (`18` is `$18` and `18 dollars`),
  but two known units must agree (`5 cm` is not `5 miles`).
- A list without brackets has no order: `1,2` is `2,1` and `{2,1}`; it is also `(1,2)`, in this order. `(1,2)`, `[1,2]`
  and `(1,2]` differ.
- A decimal is not rounded: 0.333 is not 1/3. A numeral with its base (`25_8`) equals only itself, a ratio or a time of
  day (`10:30`) only the same parts.
- `x = 5` is `5`, but not `y = 5`. `\\pm 2` is the list of both.
"""

from __future__ import annotations

import re
from itertools import pairwise

from reasonflux_agent.grading import formulas
from reasonflux_agent.grading.arithmetic import FormulaError
from reasonflux_agent.grading.formulas import Formula

_REWRITTEN = [
    (re.compile(r"^\$*\\(?:boxed|fbox) ?\{(.*)\}[.$]*$", re.DOTALL), r"\1"),
    (re.compile(r"(?<=\d)\\[,;!](?=\d{3}(?!\d))"), ""),
    (re.compile(r"(?<!\\)\\(?:[$()!]|(?:left|right|displaystyle|limits|[bB]ig+[lr]?)(?![a-zA-Z]))|[$€£`]"), ""),
    (re.compile(r"(?<!\\)\\(?:[,;: ]|q?quad(?![a-zA-Z]))|~|\s+"), " "),
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\^ ?(?:\\circ|\{ ?\\circ ?\})|\\degree"), "°"),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"[−–]"), "-"),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\+ ?(?=\\infty|∞)"), ""),
    (re.compile(r"∞|\binfinity\b"), r"\\infty "),
    (re.compile(r"∪"), r"\\cup "),
    (re.compile(r"∅|\\varnothing(?![a-z])"), r"\\emptyset "),
    (re.compile(r"±"), r"\\pm "),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\l(?:angle|paren)(?![a-zA-Z])"), "("),
    (re.compile(r"\\r(?:angle|paren)(?![a-zA-Z])"), ")"),
    (re.compile(r"\\(?:text(?:bf|it|rm)?|mbox|mathrm|mathbf|operatorname)(?![a-zA-Z]) ?\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\leq(?:slant)?(?![a-z])|≤"), r"\\le "),
    (re.compile(r"\\geq(?:slant)?(?![a-z])|≥"), r"\\ge "),
    (re.compile(r" +"), " "),
]

_CHOICE = re.compile(r"(?:(?:[Oo]ption|[Cc]hoice) )?(?:\( ?([A-Ja-j]) ?\)|([A-J])(?=[.):]|$))[.):]*(?: .*)?")
_NAMED = re.compile(r"((?:[a-zA-Z]|\\[a-z]+)(?: ?_ ?(?:\w|\{[^{}]*\}))?(?: ?\( ?[a-z] ?\))?) ?(?:=|\\in(?![a-z])|∈) ?([^=]+)")
_MATRIX = re.compile(r"\\begin ?\{([pbv]?matrix|array)\}(?:\{[clr|]*\})?(.*?)\\end ?\{\1\}")
_RANGE = re.compile(r"(?:([^<>,]+?) ?(<|\\le) ?)?([a-zA-Z]) ?(<|>|\\le|\\ge) ?([^<>,]+)")
_BASED = re.compile(r"(\d\w*) ?_ ?(?:(\d+)|\{ ?(\w+) ?\})")
_CLOCK = re.compile(r"(\d+(?: ?: ?\d+)+)(?: ?([ap])\.? ?m\.?)?", re.IGNORECASE)
_BRACKET = re.compile(r"\\?[({\[]|\\?[)}\]]|\\[a-zA-Z]+|\\.")
_COMMA = r"[,;]| (?:and|or) "
_UNGROUPED = r"(?<!\d),|,(?!\d{3}(?!\d))|;| (?:and|or) "
_OPEN = {"(": "(", "[": "[", "{": "{", r"\{": "{", r"\[": "["}
_CLOSE = {")": ")", "]": "]", "}": "}", r"\}": "}", r"\]": "]"}

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
    "km/h": "kph",
    "m/s": "",
}
_UNIT = {spelling: unit for unit, others in _UNITS.items() for spelling in (unit, *others.split())}
_SPELLINGS = "|".join(sorted(_UNIT, key=len, reverse=True))
_MEASURED = re.compile(
    rf"(.*[\d)}}!]) ?(?:(?:square|cubic|sq) )?({_SPELLINGS})(?![a-z])(?:[ a-z/]|\^ ?\{{? ?\d ?\}}?)*", re.IGNORECASE
)
_COUNTED = re.compile(r"(.*[\d)}!]) [a-zA-Z][a-zA-Z /-]{2,}")
_WORD = re.compile(r"(?<!\\)[a-zA-Z]{4,}")

MAX_DEPTH = 3
"""Structures inside one another that are compared here: sets of tuples, say."""


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


def compare(a: str, b: str, depth: int = 0) -> bool | None:
    """Whether two normalised answers are the same; None when that cannot be told here."""
    if a.replace(" ", "") == b.replace(" ", "") or (a.casefold() == b.casefold() and a.isalpha() and len(a) > 1):
        return True
    if depth > MAX_DEPTH:
        return None
    first, second = _CHOICE.fullmatch(a), _CHOICE.fullmatch(b)
    if first and second and min(len(a), len(b)) <= len("(B)"):
        return (first[1] or first[2]).upper() == (second[1] or second[2]).upper()
    first, second = _NAMED.fullmatch(a), _NAMED.fullmatch(b)
    if first and second and first[1] != second[1] and len(first[1]) == len(second[1]) == 1:
        return False if _is_number(first[2]) and _is_number(second[2]) else None
    if first and (second or "=" not in b):
        a = first[2]
    if second and (first or "=" not in a):
        b = second[2]
    # `1,000` is a thousand, unless only the list of 1 and 000 makes the two the same (`100,200` and `200,100`)
    verdict = _structured(_parts(a, _UNGROUPED), _parts(b, _UNGROUPED), depth)
    if verdict is False and "," in a and "," in b:
        verdict = _structured(_parts(a, _COMMA), _parts(b, _COMMA), depth)
    return verdict


def listed(text: str) -> list[str]:
    """The single values of an answer, without names and set braces: `x = 1` or `x = -2` gives `1` and `-2`."""
    items = [text]
    for _ in range(2):  # a named list, or a list of named values
        named = [_NAMED.fullmatch(normal(item)) for item in items]
        items = [match[2] if match else normal(item) for match, item in zip(named, items, strict=True)]
        if len(items) == 1 and (parts := _parts(items[0], _UNGROUPED))[0] in ("list", "{}"):
            items = parts[1]
    return items


Parts = tuple[str, list[str]]
"""Kind and items: `("()", ["1", "2"])`. Kinds: list, union, pairs of brackets, matrix sizes; "" for a single value."""


def _parts(text: str, separator: str) -> Parts:
    if matrix := _MATRIX.fullmatch(text):
        rows = [row.split("&") for row in matrix[2].strip().removesuffix("\\\\").split("\\\\")]
        columns = max(map(len, rows))
        return "()" if columns == 1 else f"{matrix[1]} {columns}", [cell.strip() for row in rows for cell in row]
    if "\\pm" in text or "\\mp" in text:
        upper = re.sub(r"\\pm(?![a-z])", "+", re.sub(r"\\mp(?![a-z])", "-", text))
        lower = re.sub(r"\\mp(?![a-z])", "+", re.sub(r"\\pm(?![a-z])", "-", text))
        return "list", [upper.removeprefix("+").strip(), lower.removeprefix("+").strip()]
    if (bounds := _RANGE.fullmatch(text)) and not (bounds[1] and bounds[4] in (">", "\\ge")):
        return _interval(*bounds.groups())
    flat = _flat(text)
    for kind, pattern in (("union", r"\\cup(?![a-z])"), ("list", separator)):
        if len(items := _cut(text, flat, pattern)) > 1:
            return kind, items
    opening, closing = re.match(r"\\?[({\[]", text), re.search(r"\\?[)}\]]$", text)
    if opening and closing and flat.strip("\0") == "" and not re.search(r"\||\\mid|:", text):
        kind, inner = _OPEN[opening[0]] + _CLOSE[closing[0]], text[opening.end() : closing.start()].strip()
        items = _cut(inner, _flat(inner), separator)
        if len(items) > 1 or kind == "{}":
            return kind, items
    return "", [text]


def _interval(low: str | None, first: str | None, name: str, sign: str, limit: str) -> Parts:
    """`-2 <= x < 7` and `x > 5` as intervals."""
    if low is not None:
        return ("[" if first == "\\le" else "(") + ("]" if sign == "\\le" else ")"), [low, limit]
    if sign in ("<", "\\le"):
        return "(" + ("]" if sign == "\\le" else ")"), ["-\\infty", limit]
    return ("[" if sign == "\\ge" else "(") + ")", [limit, "\\infty"]


def _flat(text: str) -> str:
    """The text with all that stands in brackets blanked out (the brackets, too), character by character."""
    flat, depth, at = [], 0, 0
    for match in _BRACKET.finditer(text):
        flat.append(text[at : match.start()] if depth == 0 else "\0" * (match.start() - at))
        at, opens, closes = match.end(), match[0] in _OPEN, match[0] in _CLOSE
        flat.append("\0" * len(match[0]) if depth or opens or closes else match[0])
        depth = max(0, depth + opens - closes)
    flat.append(text[at:] if depth == 0 else "\0" * (len(text) - at))
    return "".join(flat)


def _cut(text: str, flat: str, separator: str) -> list[str]:
    """The pieces of a text between the separators that stand outside of brackets."""
    ends = [(0, 0), *(match.span() for match in re.finditer(separator, flat)), (len(text), len(text))]
    return [text[end:start].strip() for (_, end), (start, _) in pairwise(ends)]


def _structured(left: Parts, right: Parts, depth: int) -> bool | None:
    (kind, items), (other, others) = left, right
    if not kind and not other:
        return _single(items[0], others[0])
    if not kind or not other:
        if re.search(r"[<>=|]|\\[lg]e(?![a-z])|\\neq?|\\mid|\\mathbb", " ".join(items + others)):
            return None
        alone = len(items) == len(others) == 1
        return compare(items[0], others[0], depth + 1) if alone else False
    if len(items) != len(others):
        return False
    kinds = {kind, other}
    if kinds <= {"list", "{}"} or kinds == {"union"}:
        return _unordered(items, others, depth)
    if len(kinds) == 1 or kinds in ({"list", "()"}, {"list", "[]"}):
        return _all([compare(a, b, depth + 1) for a, b in zip(items, others, strict=True)])
    return False


def _all(verdicts: list[bool | None]) -> bool | None:
    return False if False in verdicts else None if None in verdicts else True


def _unordered(items: list[str], others: list[str], depth: int) -> bool | None:
    """Whether the items can be paired off. Many of them, or nested ones, are left undecided: the work is bounded."""
    if len(items) > 20 >> 2 * depth:
        return None
    rest, unsure = list(others), False
    for item in items:
        verdicts = [compare(item, other, depth + 1) for other in rest]
        if True in verdicts:
            del rest[verdicts.index(True)]
        elif None in verdicts:
            unsure = True
        else:
            return False
    return None if unsure else True


def _single(a: str, b: str) -> bool | None:
    """Two answers without structure: numerals with a base, times, quantities, formulas, words."""
    for alike in (_same_numeral, _same_time, _same_infinity):
        if (verdict := alike(a, b)) is not None:
            return verdict
    (a, unit), (b, other) = _measured(a), _measured(b)
    if unit and other and unit != other:
        return False
    left, right = _formula(a), _formula(b)
    if left and right:
        verdict = formulas.same(left, right)
        if verdict is False and {unit, other} == {"%", ""}:
            percent, share = (a, right) if unit else (b, left)
            return formulas.same(formulas.read(f"({percent})/100"), share)
        return verdict
    words = [bool(_WORD.search(text)) and "\\" not in text for text in (a, b)]
    return a.casefold() == b.casefold() if (left or words[0]) and (right or words[1]) else None


def _same_numeral(a: str, b: str) -> bool | None:
    first, second = _BASED.fullmatch(a), _BASED.fullmatch(b)
    if first and second:
        return first[1] == second[1] and (first[2] or first[3]) == (second[2] or second[3])
    return False if first or second else None


def _same_time(a: str, b: str) -> bool | None:
    first, second = _CLOCK.fullmatch(a), _CLOCK.fullmatch(b)
    if first and second:
        parts = [[int(part) for part in match[1].split(":")] for match in (first, second)]
        halves = {match[2].lower() for match in (first, second) if match[2]}
        return parts[0] == parts[1] and len(halves) < 2
    return False if first or second else None


def _same_infinity(a: str, b: str) -> bool | None:
    """The texts are known to differ, so a bare infinity on one side settles it."""
    bare = [re.fullmatch(r"-? ?\\infty", text) for text in (a, b)]
    return False if any(bare) else None


def _measured(text: str) -> tuple[str, str]:
    """A quantity's number and its unit; the unit is empty when there is none, or one that is not in the table."""
    if (match := _MEASURED.fullmatch(text)) and not re.search(r"sin|cos|tan|cot|sec|csc", match[1]):
        return match[1].strip(), _UNIT[match[2].lower()]
    if _formula(text) is None and (match := _COUNTED.fullmatch(text)):
        return match[1].strip(), ""
    return text, ""


def _formula(text: str) -> Formula | None:
    try:
        return formulas.read(text)
    except FormulaError:
        return None


def _is_number(text: str) -> bool:
    formula = _formula(text)
    return formula is not None and not formula.names
