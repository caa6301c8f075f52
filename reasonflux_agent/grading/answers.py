"""Compares final answers without a computer algebra system: numbers, formulas, words, choices, and structures of these.

What counts as the same, where one could argue:
- `50%` is both 50 and 0.5; `5 million` is both 5000000 and 5 (problems ask "how many millions"), but not `5 billion`.
- A currency sign, a degree sign and a unit may be missing (`18` is `$18` and `18 dollars`), but two known units must agree
  (`5 cm` is not `5 miles`). `5\\text{ m}` is five metres, `5m` a product.
- A space joins groups of three digits only: `1 000` is 1000, `1 1/2` is 3/2, and `3 4` is no number.
- A list without brackets has no order: `1,2` is `2,1` and `{2,1}`; it is also `(1,2)`, in this order. `(1,2)`, `[1,2]`
  and `(1,2]` differ.
- A decimal is not rounded: 0.333 is not 1/3. A numeral with its base (`25_8`) equals only itself, a ratio or a time of
  day (`10:30`) only the same parts.
- `x = 5` is `5`, but not `y = 5`. `\\pm 2` is the list of both.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

from reasonflux_agent.grading import formulas
from reasonflux_agent.grading.arithmetic import FormulaError
from reasonflux_agent.grading.formulas import Formula

_REWRITTEN = [
    (re.compile(r"^\$*\\(?:boxed|fbox) ?\{(.*)\}[.$]*$", re.DOTALL), r"\1"),
    (re.compile(r"(?<=\d)\\[,;!](?=\d{3}(?!\d))"), ""),
    (re.compile(r"(?<!\\)\\(?:[$()!]|(?:left|right|displaystyle|limits|[bB]ig+[lr]?)(?![a-zA-Z]))|[$€£`]"), ""),
    (re.compile(r"(?<!\\)\\(?:[,;: ]|q?quad(?![a-zA-Z]))|~|\s+"), " "),
    (re.compile(r"(?<![\w.,^}])(\d{1,3}) (?=\d{3}(?!\d| ?/))"), r"\1"),
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
    (  # a short word at the end of a quantity is a unit, and is marked as one
        re.compile(
            r"(?:(?<=[\d)}])|(?<=\\pi)) ?\\(?:text(?:rm)?|mbox|mathrm) ?\{ ?"
            r"([mgshlLNJWVK]|(?!(?:pi|[ap]m)\b)(?=[A-Z]*[a-z])[a-zA-Z]{2,3})\.? ?\}"
            r"(?=(?: ?\^ ?\{? ?[23] ?\}?)? ?(?:[.,;)\]]|$))"
        ),
        r" \\unit{\1}",
    ),
    (re.compile(r"\\(?:text(?:bf|it|rm)?|mbox|mathrm|mathbf|operatorname)(?![a-zA-Z]) ?\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\leq(?:slant)?(?![a-z])|≤"), r"\\le "),
    (re.compile(r"\\geq(?:slant)?(?![a-z])|≥"), r"\\ge "),
    (re.compile(r" +"), " "),
]

_LABEL = r"(?:(?<![a-zA-Z])\( ?[A-Ja-j] ?\)|\b[A-J]\b)"
_HEDGE = rf"(?:(?!{_LABEL}).)* (?:and|or|but|/|&) (?:(?:option|choice|maybe|perhaps|possibly|also) )?{_LABEL}"
"""The next option in the words behind one: `or (B)`, but not `Both A and B`, which is what an option says."""
_CHOICE = re.compile(rf"(?:(?:[Oo]ption|[Cc]hoice) )?(?:\( ?([A-Ja-j]) ?\)|([A-J])(?=[.):]|$))[.):]*(?:(?!{_HEDGE}) .*)?")
_NAMED = re.compile(r"((?:[a-zA-Z]|\\[a-z]+)(?: ?_ ?(?:\w|\{[^{}]*\}))?(?: ?\( ?[a-z] ?\))?) ?(?:=|\\in(?![a-z])|∈) ?([^=]+)")
_INDEXED = re.compile(r"[a-zA-Z] ?_ ?(?:\d|\{ ?\d+ ?\})")
_MATRIX = re.compile(r"\\begin ?\{([pbv]?matrix|array)\}(?:\{[clr|]*\})?(.*?)\\end ?\{\1\}")
_LIMIT = r"((?:(?!\\[lg]e(?![a-z])| or | and )[^<>,])+"
_RANGE = re.compile(rf"(?:{_LIMIT}?) ?(<|\\le) ?)?([a-zA-Z]) ?(<|>|\\le|\\ge) ?{_LIMIT})")
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
    "dozen": "dozens",
    "hundred": "hundreds",
    "thousand": "thousands",
    "million": "millions",
    "billion": "billions",
    "trillion": "trillions",
}
_UNIT = {spelling: unit for unit, others in _UNITS.items() for spelling in (unit, *others.split())}
_SPELLINGS = "|".join(sorted(_UNIT, key=len, reverse=True))
_SHORT = {"m": "meter", "g": "gram", "l": "liter", "s": "second", "h": "hour", "in": "inch", "mi": "mile", "yr": "year"}
"""Spellings that are units only where they are marked as one."""
_SCALES = {
    "%": Fraction(1, 100),
    "dozen": Fraction(12),
    "hundred": Fraction(100),
    "thousand": Fraction(10**3),
    "million": Fraction(10**6),
    "billion": Fraction(10**9),
    "trillion": Fraction(10**12),
}
_AMOUNT = r"(.*(?:[\d)}!]|\\pi))"
_MEASURED = re.compile(
    rf"{_AMOUNT} ?(?:(?:square|cubic|sq\.?) )?({_SPELLINGS})(?![a-z])(?:[ a-z/]|\^ ?\{{? ?\d ?\}}?)*", re.IGNORECASE
)
_MARKED = re.compile(rf"{_AMOUNT} ?\\unit\{{([a-zA-Z]{{1,3}})\}}(?: ?\^ ?\{{? ?[23] ?\}}?)?")
_COUNTED = re.compile(rf"{_AMOUNT} [a-zA-Z][a-zA-Z. /-]{{2,}}")
_OPERATED = re.compile(
    r" (?:than|plus|minus|over|divided|multiplied|squared|cubed|factorial|times [b-zB-Z]|if|unless|not|half$"
    r"|halves|thirds|(?:four|fif|six|seven|eigh|nin|ten|hundred|thousand)ths)\b"
)
"""Words that do something to the number before them: `5 less than x`, `2 thirds`. Quarters are coins as often as not."""
_JUXTAPOSED = re.compile(r"(?=.*\d \d)[-+\d.,/ ]+")
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
    return re.sub(r"(\\sqrt|\^) ?\(([^()]*)\)", r"\1{\2}", text).replace(r"\unit{", r"\text{")


def compare(a: str, b: str, depth: int = 0) -> bool | None:
    """Whether two normalised answers are the same; None when that cannot be told here."""
    if _packed(a) == _packed(b) or (a.casefold() == b.casefold() and a.isalpha() and len(a) > 1):
        return True
    if depth > MAX_DEPTH:
        return None
    first, second = _CHOICE.fullmatch(a), _CHOICE.fullmatch(b)
    if first and second and min(len(a), len(b)) <= len("(B)"):
        return (first[1] or first[2]).upper() == (second[1] or second[2]).upper()
    first, second = _NAMED.fullmatch(a), _NAMED.fullmatch(b)
    if first and second and len({re.sub("[ {}]", "", match[1]) for match in (first, second)}) == 2:
        numbers = _is_number(first[2]) and _is_number(second[2])
        if len(first[1]) == len(second[1]) == 1:
            return False if numbers else None
        # `S_1` and `S_2`; in a list these may be roots, which are numbered in any order
        if numbers and not depth and _INDEXED.fullmatch(first[1]) and _INDEXED.fullmatch(second[1]):
            return False
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


def _packed(text: str) -> str:
    """The text without the marks of units and without spaces, but for those between digits."""
    return re.sub(r"(?<!\d) | (?!\d)", "", _unmarked(text))


def _unmarked(text: str) -> str:
    """The text with the units that `normal` marked as plain letters."""
    return re.sub(r"\\unit\{(\w+)\}", r"\1", text)


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
            names = {match and match[3] for match in map(_RANGE.fullmatch, items)}
            either = len(names) == 1 and None not in names and not re.search("[,;]| and ", flat)
            return "union" if either else kind, items
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
    if kinds == {"list", "union"} and all(_RANGE.fullmatch(item) for item in items + others):
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
    both, plain = (a, b), (_unmarked(a), _unmarked(b))
    (a, unit), (b, other) = _measured(a), _measured(b)
    agree = unit == other or not unit or not other
    if not agree and not {unit, other} & _SCALES.keys():
        return False
    left, right = _formula(a), _formula(b)
    if left and right:
        verdict = formulas.same(left, right) if agree else False
        if verdict is False and {unit, other} & _SCALES.keys():
            verdict = formulas.same(*(f.times(_SCALES.get(u, Fraction(1))) for f, u in ((left, unit), (right, other))))
        # in a plain `5 m` the m is a variable: `5.0\text{ m}` may be meant the same way
        return _single(*plain) if verdict is False and plain != both else verdict
    if any(_JUXTAPOSED.fullmatch(text) and formula is None for text, formula in ((a, left), (b, right))):
        return False
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
    if match := _MARKED.fullmatch(text):
        unit = match[2].lower()
        return match[1].strip(), _UNIT.get(unit) or _SHORT.get(unit, unit)
    if _OPERATED.search(text):
        return text, ""
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
