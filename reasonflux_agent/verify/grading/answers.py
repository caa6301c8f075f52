"""Compares final answers without a computer algebra system: like with like, and textually what is no formula.

What counts as the same, where one could argue:
- `50%` is both 50 and 0.5; `5 million` is 5000000, but not 5, and not `5 billion`.
- A currency sign, a degree sign and a unit may be missing (`18` is `$18` and `18 dollars`), but two known units must agree
  (`5 cm` is not `5 miles`), after conversion (`5 m` is `500 cm`). `5\\text{ m}` is five metres, `5m` a product.
- A space joins groups of three digits only: `1 000` is 1000, `1 1/2` is 3/2, and `3 4` is no number.
- A list of values without brackets has no order: `1,2` is `2,1` and `{2,1}`; it is also `(1,2)`, in this order. `(1,2)`,
  `[1,2]` and `(1,2]` differ. A list of words, or one value per line, has an order, named values (`x = 2, y = 3`) have names.
- A decimal is not rounded: 0.333 is not 1/3, but 0.3333333333333333 is: from 12 digits on, it is what a computer printed.
- A numeral with its base (`25_8`) equals only itself, a date or a time of day only the same one. `3:4` is `6:8`, not 3/4.
  A range or score (`3-1`) is no difference.
- Letters alone are a word (`IV`, `tea`), letters with numbers or signs a product (`2ab`, `ab/2`). `f(x)` applies a function.
- `x = 5` is `5`, but not `y = 5`; an equation (`2x + y = 5`) is not its right side. `\\pm 2` is the list of both.
"""

from __future__ import annotations

import re
from collections import Counter

from reasonflux_agent.verify.grading import formulas, notation, quantities, words
from reasonflux_agent.verify.grading.latex import latex, normal
from reasonflux_agent.verify.grading.structures import COMMA, Pieces, less_first, named, parts, sides

__all__ = ["MAX_DEPTH", "bare", "compare", "latex", "listed", "normal"]

MAX_DEPTH = 3
"""Structures inside one another that are compared here: sets of tuples, say."""

_RELATION = re.compile(r"[<>=]|\\(?:[lg]e|ne|equiv|in|subset|approx|sim|mid|cup|cap|setminus|begin)(?![a-z])")
_ALGEBRA = re.compile(
    r"(?:\\(?:int|sum|prod|lim|frac|sqrt|cdot|times|div|ln|log|exp|a?r?c?(?:sin|cos|tan|cot|sec|csc)h?|arc[a-z]+|pi|infty|to|binom|left|right"
    r"|alpha|beta|gamma|delta|epsilon|theta|lambda|mu|nu|xi|rho|sigma|tau|phi|varphi|psi|omega|[GDTLPO][a-z]+|ell|begin|end|mathbb|cup|cap|setminus"
    r"|le|ge|in|l?floor|r?floor|l?ceil|rceil|prime|partial|circ|quad|lvert|rvert|vert|det|min|max|bmod|[{},;! \\])"
    r"(?![a-zA-Z])|(?:[pbv]?matrix|array)(?=\})|(?<![a-zA-Z])[a-zA-Z]{1,2}(?![a-zA-Z])|(?:sqrt|a?(?:sin|cos|tan)|log|ln|exp|pi)(?![a-zA-Z])"
    r"|[\d\s.,+\-*/^_(){}\[\]|!=<>&°])+"
)
"""What the worker is asked about: formulas that this process cannot read; nothing with words in it."""
_NO_PRODUCT = re.compile(
    r"(?<![a-zA-Z\\])[a-zA-Z]+\d|\d\.\d+\.|\.\.|(?<![_^])\d \d|\\dots"
    r"|(?<![a-zA-Z\\])(?:or|and|if|mod|of|to|is|in|on)(?![a-zA-Z])"
)


_ORDERED = ({"list", "()", "lines"}, {"list", "[]", "lines"})
_VECTORS = {"column", "()", "[]", "list"}


def compare(a: str, b: str, depth: int = 0) -> bool | None:
    """Whether two normalised answers are the same; None when that cannot be told here."""
    if _packed(a) == _packed(b) or _packed(less_first(a)) == _packed(less_first(b)):
        return True
    if depth > MAX_DEPTH:
        return None
    if _decimal_comma(a) == b or _decimal_comma(b) == a:
        return True
    for same in (words.same_choice, words.same_opinion, notation.same):
        if (verdict := same(a, b)) is not None:
            return verdict
    if not re.search(r"\w", a) or not re.search(r"\w", b):
        return re.sub(r"[\s,\"'\\]", "", a) == re.sub(r"[\s,\"'\\]", "", b)
    if len(sides(a)) > 1 or len(sides(b)) > 1 or "\\in" in a or "\\in" in b or ":" in a or ":" in b:
        return _named(a, b, depth)
    return _unnamed(a, b, depth)


def bare(a: str, b: str) -> tuple[str, str]:
    """Two answers without the names of their values, as the worker is asked about them; equations stay."""
    first, second = named(a), named(b)
    one = first[1] if first and (second or len(sides(b)) == 1) else a
    return one, second[1] if second and (first or len(sides(a)) == 1) else b


def listed(text: str) -> list[str]:
    """The single values of an answer, without names and set braces: `x = 1` or `x = -2` gives `1` and `-2`."""
    items = [text]
    for _ in range(2):  # a named list, or a list of named values
        pairs = [named(normal(item)) for item in items]
        items = [pair[1] if pair else normal(item) for pair, item in zip(pairs, items, strict=True)]
        if len(items) == 1 and (found := parts(items[0])).kind in ("list", "{}", "lines"):
            items = found.items
    return items


def _packed(text: str) -> str:
    """The text without spaces, but for those between digits, and without the marks of units."""
    return re.sub(r"(?<!\d)\s|\s(?!\d)", "", re.sub(r"\\unit\{(\w+)\}", r"\1", text))


def _named(a: str, b: str, depth: int) -> bool | None:
    """Answers of which at least one is an equation or has a name."""
    first, second = (None if pair and _is_product(*pair) else pair for pair in map(named, (a, b)))
    if first and second and _mutual(first, second):
        first = second = None
    left, right = first[1] if first else a, second[1] if second else b
    if first and second:
        names = first[0], second[0]
        if names[0] == names[1] or "\\in" in a + b:
            return compare(left, right, depth + 1)
        if sorted(names[0]) == sorted(names[1]) and "," in names[0]:
            return False  # (a, b) = (3, 4) and (b, a) = (3, 4)
        if _number(left) and _number(right):  # roots in a list are numbered in any order
            return compare(left, right, depth + 1) if depth and all("_" in name for name in names) else False
        if any(name == "y" or name.endswith(")") or "_" in name for name in names) or min(map(len, names)) > 1:
            return compare(left, right, depth + 1)
    elif (first or second) and (first or len(sides(a)) == 1) and (second or len(sides(b)) == 1):
        return _unnamed(left, right, depth)
    if any(len(parts(text, COMMA).items) > 1 for text in (a, b)):
        return _unnamed(left, right, depth)
    fewer, more = sorted((sides(a), sides(b)), key=len)
    if len(fewer) == len(more) == 2:
        return _same_equation(fewer, more)
    if (len(fewer), len(more)) == (1, 2):  # `2 * 12 = 24` states what `2 * 12` does, but an equation is not its right side
        return _worked(*more, *fewer)
    return _unnamed(a, b, depth)


def _mutual(first: tuple[str, str], second: tuple[str, str]) -> bool:
    """Whether two equations are solved for one another's variable: `x = 2y` and `y = x/2`."""
    values = [formulas.read_or_none(value) for _, value in (first, second)]
    return all(found and name in found.names for found, (name, _) in zip(values, (second, first), strict=True))


def _is_product(name: str, value: str) -> bool:
    """Whether what looks like a name is a product in an equation: `PV = nRT`, but not `AB = 5`."""
    found = formulas.read_or_none(value) if len(name) > 1 and name.isupper() and name.isalpha() else None
    return found is not None and bool(found.names)


def _same_equation(first: list[str], second: list[str]) -> bool | None:
    (left, right), (other, another) = ([formulas.read_or_none(side) for side in sides] for sides in (first, second))
    if not (left and right and other and another):
        return None if all(_algebra("=".join(sides)) for sides in (first, second)) else False
    a, b = left.minus(right), other.minus(another)
    if not a.names and not b.names:
        return bool(formulas.same(right, another)) and _numbers(first[0]) == _numbers(second[0])
    if formulas.proportional(a, b):
        return True
    return None if a.names == b.names else False


def _worked(left: str, right: str, bare: str) -> bool:
    """Whether arithmetic with its result is the bare arithmetic, of the same numbers."""
    one, result, other = (formulas.read_or_none(side) for side in (left, right, bare))
    if not (one and result and other) or one.names | result.names | other.names or _numbers(left) != _numbers(bare):
        return False
    return bool(formulas.same(one, result) and formulas.same(other, result))


def _numbers(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d+(?:\.\d+)?", text))


def _unnamed(a: str, b: str, depth: int) -> bool | None:
    if quantities.is_compound(a) or quantities.is_compound(b):
        return _single(a, b)
    # `1,000` is a thousand, unless only the list of 1 and 000 makes the two the same (`100,200` and `200,100`)
    verdict = _structured(parts(a), parts(b), depth)
    if not verdict and "," in a and "," in b and (parts(a, COMMA) != parts(a) or parts(b, COMMA) != parts(b)):
        verdict = _structured(parts(a, COMMA), parts(b, COMMA), depth) or verdict
    return verdict


def _structured(left: Pieces, right: Pieces, depth: int) -> bool | None:
    (kind, items, names), (other, others, other_names) = left, right
    if not kind and not other:
        return _single(items[0], others[0])
    texts = [", ".join(part.items) for part in (left, right)]
    if all(map(_wordy, texts)) and not (names and other_names):
        return _same_wordlist(left, right)
    if not kind or not other:
        if all(map(_algebra, texts)) and any(map(_RELATION.search, texts)):
            return None
        alone = len(items) == len(others) == 1
        return compare(items[0], others[0], depth + 1) if alone and "\\emptyset" not in texts else False
    if len(items) != len(others) or (names and other_names and set(names) != set(other_names)):
        return False
    if names and other_names:
        found = dict(zip(other_names, others, strict=True))
        return _all([compare(value, found[name], depth + 1) for name, value in zip(names, items, strict=True)])
    kinds = {kind, other} - {"named"}
    sets = kinds <= {"list", "{}", "[]"} and kinds not in ({"[]"}, {"{}", "[]"}) and "named" not in (kind, other)
    if sets or kinds in ({"union"}, {"lines", "list"}):
        return _unordered(items, others, depth)
    if len(kinds) <= 1 or any(kinds <= ordered for ordered in _ORDERED) or (kinds <= _VECTORS and "column" in kinds):
        return _all([compare(a, b, depth + 1) for a, b in zip(items, others, strict=True)])
    return False


def _wordy(text: str) -> bool:
    if re.search(r"\d|\\", text) or not re.search(r"[a-zA-Z]", text):
        return False
    return formulas.read_or_none(text.replace(",", "")) is None or bool(re.fullmatch("[A-Z, ]+", text))


def _same_wordlist(left: Pieces, right: Pieces) -> bool:
    """Words in a list have an order, unless a set's braces or a mere `and` between two of them take it away."""
    joined = [" , ".join(part.items) for part in (left, right)]
    if words.same_words(*joined):
        return True
    if left.kind == right.kind == "{}":
        return Counter(map(str.casefold, left.items)) == Counter(map(str.casefold, right.items))
    letters = [re.sub(r"[ ,]", "", text) for text in joined]
    return all(re.fullmatch("[A-J]+", text) for text in letters) and letters[0] == letters[1]


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
    """Two answers without structure: quantities, formulas, words."""
    if words.is_run(a) and words.is_run(b):
        return words.same_words(a, b)
    a, b = map(_in_digits, (a, b))
    if re.fullmatch(r"-? ?\\infty", a) or re.fullmatch(r"-? ?\\infty", b):
        return _packed(a) == _packed(b)
    first, second = quantities.read(a), quantities.read(b)
    if first and second:
        verdict, left, right = quantities.same(first, second), formulas.read_or_none(a), formulas.read_or_none(b)
        if verdict is not True and left and right and "\\unit" not in a + b:
            verdict = formulas.same(left, right)  # in a plain `5 m` the m may be a variable
        if verdict is not None:
            return verdict
    if all(_algebra(text) for text in (a, b)):
        return None
    return words.same_words(a, b) if not (first and second) else False


def _in_digits(text: str) -> str:
    """The text with its number in digits: `twenty percent`, `five apples`."""
    number, _, noun = text.rpartition(" ")
    return words.spelled_number(text) or (f"{found} {noun}" if (found := words.spelled_number(number)) else text)


def _decimal_comma(text: str) -> str:
    """`1000,99` with a point; `1,234` is a thousand and more."""
    return re.sub(r"^(-?(?:0,\d+|\d+,(?:\d\d?|\d{4,})))$", lambda match: match[1].replace(",", "."), text)


def _algebra(text: str) -> bool:
    """Whether a text is nothing but mathematics, so that the worker may be asked about it."""
    return bool(_ALGEBRA.fullmatch(text)) and not _NO_PRODUCT.search(text) and not words.is_run(text)


def _number(text: str) -> bool:
    found = quantities.read(text)
    return found is not None and not found.amount.names - {formulas.LOG, "i"}
