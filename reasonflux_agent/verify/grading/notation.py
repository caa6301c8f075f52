"""Answers of digits that are no arithmetic: dates, times of day, ratios, ranges and scores, numerals with a base, addresses.

Each function says whether two normalised answers are the same, or None where neither of them is of its kind.
"""

from __future__ import annotations

import re
from fractions import Fraction

from reasonflux_agent.verify.grading.tables import table
from reasonflux_agent.verify.grading.words import NUMBER

_SPELLED_MONTHS = table("words")["months"].split()
_MONTHS = {name[:3]: number for number, name in enumerate(_SPELLED_MONTHS, 1)}
_MONTH = rf"({'|'.join(_SPELLED_MONTHS)})\.?"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? )?"
_DATES = [
    (re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})"), "ymd"),
    (re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})"), "mdy"),
    (re.compile(rf"{_WEEKDAY}{_MONTH} {_DAY}(?:(?:,| of)? ?(\d{{4}}))?", re.IGNORECASE), "mdy"),
    (re.compile(rf"{_WEEKDAY}(?:the )?{_DAY}(?: of)? {_MONTH}(?:,? (\d{{4}}))?", re.IGNORECASE), "dmy"),
    (re.compile(rf"{_MONTH},? (\d{{4}})", re.IGNORECASE), "my"),
]
_CLOCK = re.compile(
    r"(\d{1,2})(?: ?[:.] ?(\d\d))?(?: ?: ?(\d\d))? ?(?:([ap])\.? ?m\.?|(noon|midnight)|(o'?clock)|h(?:rs|ours)?)?",
    re.IGNORECASE,
)
_RATIO = re.compile(r"(\d+(?:\.\d+)?)((?: ?(?::| to ) ?\d+(?:\.\d+)?)+)")
_RANGE = re.compile(
    r"(?:pages?|pp\.|from|between|lines?|years?)? ?(\d+(?:\.\d+)?) ?(?:-|to|through|until) ?(\d+(?:\.\d+)?)", re.IGNORECASE
)
_BASED = re.compile(
    r"(?:\((\w+)\)|(\w+)) ?"
    r"(?:_ ?(?:(\d+)|\{ ?\(?(?:base )?(\w+)\)? ?\}|([a-z]+)|\((\w+)\))|,? ?\(?(?:in )?base[ -](\w+)\)?)",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"[\d:. ,]*(?: ?[apAP]\.?[mM]\.?)?")
_ADDRESS = re.compile(r"\d+(?:\.\d+){2,}|\d+(?:[-:/]\d+){2,}|[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{2}){2,}|\w+@[\w.]+|https?:\S+")


def same(a: str, b: str) -> bool | None:
    """Whether two answers are the same literal; None where neither is one."""
    for read in (_date, _numeral, _clock, _ratio, _range, _address):
        first, second = read(a), read(b)
        if read is _ratio and a.replace(" to ", ":") == b.replace(" to ", ":"):
            return True
        if first is not None and second is not None:
            return _matches(first, second)
        if first is not None or second is not None:
            other = b if first is not None else a
            if read is _clock and _ratio(other) is not None:
                continue
            if read is _clock and _date(other) is None:
                return False if all(map(_DIGITS.fullmatch, (a, b))) else None
            if read is _range and re.fullmatch(r".*[a-zA-Z\\(*/^+].*", other):
                return None
            return False
    return None


Literal = tuple[object, ...]


def _matches(first: Literal, second: Literal) -> bool:
    """Equal, where what one of them leaves open (the year, am or pm) may be anything."""
    return len(first) == len(second) and all(x == y or x is None or y is None for x, y in zip(first, second, strict=True))


def _date(text: str) -> Literal | None:
    weekday = re.match(r"mon|tue|wed|thu|fri|sat|sun", text, re.IGNORECASE)
    for pattern, order in _DATES:
        if not (match := pattern.fullmatch(text)):
            continue
        parts = dict(zip(order, match.groups(), strict=True))
        month = parts["m"] if parts["m"].isdigit() else _MONTHS[parts["m"][:3].lower()]
        day, year = parts.get("d"), parts.get("y")
        if order == "mdy" and int(month) > 12:
            month, day = day, month  # the day came first
        return ("date", weekday and weekday[0].lower(), year and int(year), int(month or 0), day and int(day))
    return None


def _numeral(text: str) -> Literal | None:
    """A numeral with its base (`25_8`); not `x_1`."""
    if prefixed := re.fullmatch(r"0(?:x([\da-f]+)|o([0-7]+)|b([01]+))", text, re.IGNORECASE):
        found = next(filter(None, prefixed.groups()))
        return ("numeral", found.upper(), {"x": 16, "o": 8, "b": 2}[text[1].lower()])
    match = _BASED.fullmatch(text)
    if not match:
        return None
    digits = match[1] or match[2]
    base = next(group for group in match.groups()[2:] if group is not None).lower()
    if not re.search(r"\d", digits) and not (len(digits) > 1 and base.isdigit()):
        return None
    return ("numeral", digits.upper(), NUMBER[base] if base in NUMBER else int(base) if base.isdigit() else base)


def _clock(text: str) -> Literal | None:
    """Hour and minute on the dial, and which half of the day, if that is said."""
    text = re.sub(r"^(noon|midnight)$", r"12 \1", text, flags=re.IGNORECASE)
    match = _CLOCK.fullmatch(text)
    if not match or not ((match[2] and ":" in text) or match[4] or match[5] or match[6]):
        return None
    hour, minute, second = (int(part or 0) for part in match.group(1, 2, 3))
    if hour > 24 or minute > 59:
        return None
    said = match[4] or match[5]
    half = said.lower() in ("p", "noon") if said else True if hour > 12 else None
    return ("clock", hour % 12, minute, second, half)


def _ratio(text: str) -> Literal | None:
    match = _RATIO.fullmatch(text)
    if not match or (":" not in text):
        return None
    parts = [Fraction(part) for part in re.findall(r"\d+(?:\.\d+)?", text)]
    return ("ratio", *(part / parts[0] if parts[0] else part for part in parts))


def _range(text: str) -> Literal | None:
    match = _RANGE.fullmatch(text)
    return ("range", Fraction(match[1]), Fraction(match[2])) if match else None


def _address(text: str) -> Literal | None:
    return ("address", text.lower()) if _ADDRESS.fullmatch(text) else None
