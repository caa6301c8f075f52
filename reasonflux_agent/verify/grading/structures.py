"""Cuts a normalised answer into its parts: lists, tuples, sets, intervals, unions, matrices, named values."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

_GREEK = (
    r"\\(?:alpha|beta|gamma|delta|epsilon|theta|lambda|mu|nu|xi|rho|sigma|tau|phi|varphi|psi|omega|ell|eta|zeta|kappa|pi"
    r"|[GDTLPO]\w+)(?![a-zA-Z])"
)
_LETTER = rf"(?:[a-zA-Z]|{_GREEK})(?: ?_ ?(?:\w|\{{[^{{}}]*\}}))?'*"
_LHS = (
    rf"(?:{_LETTER}(?: ?\( ?(?:\w+|{_GREEK})(?: ?, ?\w+)* ?\))?|(?![a-z] ?[a-z] ?=)[a-zA-Z][a-zA-Z ]*"
    rf"|\( ?{_LETTER}(?: ?, ?{_LETTER})+ ?\)"
    r"|\\(?:angle|triangle|overline|vec|hat|bar|mathbf|mathcal)(?![a-z]) ?\{?[A-Za-z]+\}?|\|[A-Z]+\|"
    rf"|{_LETTER} ?: ?{_LETTER})"
)
_NAMED = re.compile(rf"({_LHS}) ?(?:=|\\in(?![a-z])) ?([^=]+)|([a-zA-Z][a-zA-Z ]+|[a-zA-Z](?= ?:[^:]*$)) ?: ?([^=:]+)")
_CHAIN = re.compile(rf"({_LHS}) ?=(?:(?! or | and )[^,;\n])*= ?([^=,;\n]+)")
_TABLE = r"(?:[pbB]?(?:small)?matrix|array)"
_MATRIX = re.compile(
    rf"(.*?)[\[({{]? ?\\begin ?\{{{_TABLE}\}}(?: ?\{{[clr| ]*\}})?(.*?)\\end ?\{{{_TABLE}\}} ?[\])}}]?", re.DOTALL
)
_CASES = re.compile(r"\\begin ?\{cases\}(.*)\\end ?\{cases\}", re.DOTALL)
_LIMIT = r"((?:(?!\\(?:[lg]e|in)(?![a-z])| or | and )[^<>=,\n])+)"
_LESS = r"(<|\\le(?![a-z])) ?"
_VARIABLE = rf"({_LETTER}(?: ?\( ?{_LETTER} ?\))?)"
_RANGE = re.compile(rf"{_LIMIT}{_LESS}{_VARIABLE} ?(?:{_LESS}{_LIMIT})?|{_VARIABLE} ?{_LESS}{_LIMIT}")
_BUILDER = re.compile(
    rf"\\?\{{ ?({_LETTER})(?: ?\\in ?(?:\\mathbb\{{R\}}|\(-\\infty,\\infty\)))? ?"
    r"(?:\\mid(?![a-z])|\\vert(?![a-z])|\||:) ?(.*?) ?\\?\}",
    re.DOTALL,
)
_APART = re.compile(
    rf"{_VARIABLE} ?\\ne(?![a-z]) ?([^a-z,]+|[^a-z,]*\\(?:frac|sqrt|pi)[^a-z,]*)"
    r"|\\mathbb\{R\} ?(?:\\(?:setminus|backslash)(?![a-z])|-) ?\\?\{"
    r" ?((?:\\(?:frac|sqrt|pi)(?:\{[^{}]*\}){0,2}|[^,{}a-z])+?) ?\\?\}"
)
"""All numbers but one: `x \\ne 2`, `\\mathbb{R} \\setminus \\{2\\}`."""
_BRACKET = re.compile(r"\\?[({\[]|\\?[)}\]]|\\[a-zA-Z]+|\\.")
_GREATER = re.compile(r" ?(>|\\ge(?![a-z])) ?")
_ENDS = ((1, "\\infty"), (0, "-\\infty"))
COMMA = r"[,;\n]| (?:and|or) "
UNGROUPED = r"(?<!\d),|,(?!\d{3}(?!\d))|[;\n]| (?:and|or) "
_OPEN = {"(": "(", "[": "[", "{": "{", r"\{": "{", r"\[": "["}
_CLOSE = {")": ")", "]": "]", "}": "}", r"\}": "}", r"\]": "]"}


class Pieces(NamedTuple):
    """What an answer is made of.

    Kinds: `list`, `lines`, `union`, pairs of brackets, `column`, `matrix 2` (columns), `named`; "" for one value.
    """

    kind: str
    items: list[str]
    names: tuple[str, ...] = ()
    """The names of named values."""


def named(text: str) -> tuple[str, str] | None:
    """Name and value of `x = 5`, `f(x) = 2x`, `(x, y) = (1, 2)`, `Alice: 5`; None for an equation of more than a name."""
    match = _NAMED.fullmatch(text) or _CHAIN.fullmatch(text)
    if not match:
        return None
    name, value = (group.strip() for group in match.groups() if group)
    name = re.sub(r"[ {}]", "", name)
    if len(name) == 1 and ("=" in text or "\\in" in text) and re.search(rf"(?<![a-zA-Z\\]){name}(?![a-zA-Z])", value):
        return None  # x = 2x + 1
    return name, value


def parts(text: str, separator: str = UNGROUPED) -> Pieces:
    """The parts of a normalised answer, cut at separators outside of brackets."""
    if (matrix := _MATRIX.fullmatch(text)) and "\\begin" not in matrix[1] + matrix[2]:
        return _matrix(matrix[1].strip(), matrix[2])
    if cases := _CASES.fullmatch(text):
        return _gathered([cell.strip(" &") for cell in re.split(r"\\\\|\n", cases[1]) if cell.strip(" &")], "list")
    if (builder := _BUILDER.fullmatch(text)) and builder[1] in builder[2]:
        text = builder[2]
    if apart := _APART.fullmatch(text):
        value = (apart[2] or apart[3]).strip()
        return Pieces("union", [f"(-\\infty,{value})", f"({value},\\infty)"])
    text = less_first(text)
    if bounds := _RANGE.fullmatch(text):
        return _interval(bounds)
    flat = _flat(text)
    if ";" in flat and "," in flat:
        separator = ";"
    for kind, pattern in (("union", r"\\cup(?![a-z])"), ("list", separator)):
        if len(items := _cut(text, flat, pattern)) > 1:
            items = [item for item in items if item]  # 1, 2, and 3
            if kind == "list" and _are_ranges(items):
                return _both(items) if " and " in flat else Pieces("union", items)
            lines = kind == "list" and "\n" in flat and "," not in flat
            return _gathered(_signs(items), "lines" if lines else kind)
    if len(items := _signs([text])) > 1:
        return Pieces("list", items)
    numbers = text.split()
    if len(numbers) > 2 and all(re.fullmatch(r"-?\d+(?:\.\d+)?", number) for number in numbers):
        return Pieces("lines", numbers)
    return _bracketed(text, separator)


def _are_ranges(items: list[str]) -> bool:
    """Whether the items are inequalities of one variable, or values of it: `a < -2 or a = 1`."""
    ranges, values = [range_name(item) for item in items], [found and found[0] for found in map(named, items)]
    names = {name or other for name, other in zip(ranges, values, strict=True)}
    return any(ranges) and len(names) == 1


def _both(items: list[str]) -> Pieces:
    """`x > 1 and x < 2` as the interval that it is; of another form, a kind of its own."""
    lower, upper = ([bounds for bounds in map(parts, items) if bounds.items[side] == end] for side, end in _ENDS)
    if len(items) == 2 and len(lower) == len(upper) == 1 and lower != upper:
        return Pieces(lower[0].kind[0] + upper[0].kind[1], [lower[0].items[0], upper[0].items[1]])
    return Pieces("both", items)


def _bracketed(text: str, separator: str) -> Pieces:
    opening, closing = re.match(r"\\?[({\[]", text), re.search(r"\\?[)}\]]$", text)
    if not (opening and closing and _closes_last(text)) or re.search(r"\||\\mid", text):
        return Pieces("", [text])
    kind, inner = _OPEN[opening[0]] + _CLOSE[closing[0]], text[opening.end() : closing.start()].strip()
    items = [item for cut in _cut(inner, _flat(inner), separator) for item in _signs([cut])]
    items = items[:-1] if len(items) > 1 and not items[-1] else items
    rows = [parts(item) for item in items] if kind == "[]" and all(item.startswith("[") for item in items) else []
    if rows and len({len(row.items) for row in rows}) == 1 and all(row.kind == "[]" for row in rows):
        cells = [cell for row in rows for cell in row.items]
        return Pieces("column" if len(rows[0].items) == 1 else f"matrix {len(rows[0].items)}", cells)
    if kind == "{}":
        return _gathered(items, kind)
    return Pieces(kind, items) if len(items) > 1 or kind == "[]" else Pieces("", [text])


def _closes_last(text: str) -> bool:
    """Whether the first bracket is closed by the last one, and not before: `(1,2),(3,4)` is no tuple."""
    depth = 0
    for match in _BRACKET.finditer(text):
        depth += (match[0] in _OPEN) - (match[0] in _CLOSE)
        if depth == 0:
            return match.end() == len(text)
    return False


def _gathered(items: list[str], kind: str) -> Pieces:
    """Items that all have a name: values of one variable (`x = 1 or x = 2`, `x_1 = 1, x_2 = 2`), or named values."""
    if kind == "union" or not (found := [pair for pair in map(named, items) if pair]) or len(found) < len(items):
        return Pieces(kind, items)
    if len({name for name, _ in found}) == 1 or len({re.sub(r"_.*", "", name) for name, _ in found}) == 1:
        return Pieces("list", [value for _, value in found])
    return Pieces("named", [value for _, value in found], tuple(name for name, _ in found))


def _signs(items: list[str]) -> list[str]:
    """The items, each with `\\pm` as two."""
    found = []
    for item in items:
        if not re.search(r"\\(?:pm|mp)(?![a-z])", item):
            found.append(item)
            continue
        name = f"{pair[0]} = " if (pair := named(item)) else ""
        for plus, minus in ("+-", "-+"):
            text = re.sub(r"\\mp(?![a-z])", minus, re.sub(r"\\pm(?![a-z])", plus, item))
            value = named(text)
            found.append(name + (value[1] if value else text).strip().removeprefix("+").strip())
    return found


def _matrix(factor: str, body: str) -> Pieces:
    """Rows and cells, each multiplied by what stands before the matrix."""
    lines = re.split(r"\\\\(?:\[[^\]]*\])?|\n", body.strip().removesuffix("\\\\").strip())
    rows = [row.split("&") for row in lines if row.strip()] or [[""]]
    factor = re.sub(r" ?(?:\\cdot|\\times|\*)$", "", factor)
    factor = "-1" if factor == "-" else factor
    cells = [f"({factor})*({cell.strip()})" if factor else cell.strip() for row in rows for cell in row]
    columns = set(map(len, rows))
    return Pieces("column" if columns == {1} else "ragged" if len(columns) > 1 else f"matrix {max(columns)}", cells)


def sides(text: str) -> list[str]:
    """What stands between the equals signs outside of brackets."""
    return _cut(text, _flat(text), "=")


def less_first(text: str) -> str:
    """A chain of relations with the smaller side first: `7 \\ge x \\ge -2` as `-2\\le x\\le 7`."""
    if not re.search(r">|\\ge(?![a-z])", text) or re.search(r"->|<|\\le(?![a-z])|[,;\n=]| and | or |\\cup(?![a-z])", text):
        return text
    pieces = _GREATER.split(text)
    turned = ["<" if piece == ">" else r"\le " if piece == "\\ge" else piece for piece in pieces[::-1]]
    return "".join(turned) if all(piece.strip() for piece in pieces) else text


def range_name(text: str) -> str | None:
    """The variable of an inequality like `-2 < x < 7`; None if it is none."""
    match = _RANGE.fullmatch(less_first(text))
    return (match[3] or match[6]) if match else None


def _interval(match: re.Match[str]) -> Pieces:
    low, first, _, second, high, name, below, limit = match.groups()
    if name:
        return Pieces("(" + ("]" if below == "\\le" else ")"), ["-\\infty", limit.strip()])
    closing = "]" if second == "\\le" else ")"
    return Pieces(("[" if first == "\\le" else "(") + closing, [low.strip(), high.strip() if high else "\\infty"])


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
