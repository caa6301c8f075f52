"""Answers in words: options (`(B)`), yes and no, names and lists of words, numbers spelled out."""

from __future__ import annotations

import re
from itertools import pairwise

from reasonflux_agent.verify.grading.tables import table

_LABEL = r"(?:(?<![a-zA-Z])[(\[] ?[A-Za-z] ?[)\]]|\b[A-Z]\b(?!['.]?[a-z]))"
_HEDGE = rf"(?:(?!{_LABEL}).)*(?: (?:and|or|but|nor)|/|&|,) ?(?:(?:option|choice|maybe|perhaps|possibly|also) )?{_LABEL}"
"""The next option in the words behind one: `or (B)`, but not `Both A and B`, which is what an option says."""
_CHOICE = re.compile(
    rf"(?:(?:the )?(?:option|choice|answer) )?(?:[(\[] ?([A-Za-z]) ?[)\]]|([A-Z])(?=[.):\\]|$| - |, [A-Z]| \(| is (?:the )?"
    rf"(?:correct|right|answer))|([a-z])$|([a-z])[.)]|([B-HJ-Z])(?= [A-Z][a-z]))\\?[.):]*(?:(?!{_HEDGE})[ ,-].*)?",
    re.DOTALL,
)
_NAMES_OF_VARIABLES = frozenset("xyzntrm")
_OPINION = re.compile(
    r"(yes|no|true|false)(?:$|[,.;:!] (?!(?:yes|no|true|false)\b|(?<=\. )\d).*| ?[-(].*| (?:because|since|as|it|there|the|this"
    r"|they|we|he|she) .*)",
    re.IGNORECASE | re.DOTALL,
)
_SEPARATED = re.compile(r"[\s,;]+|->|→|\\(?:to|rightarrow|Rightarrow|le)(?![a-z])|[<>]")
_RUN = re.compile(r"(?=.*[a-zA-Z] ?[a-zA-Z])[a-zA-Z]+(?: [a-zA-Z]+)*")
_FUNCTION = re.compile(r"\b(?:sin|cos|tan|cot|sec|csc|ln|log|lg|exp|sqrt|pi|arc\w+)\b")
_ARTICLE = re.compile(r"\b(?:the|a|an) (?=\w)", re.IGNORECASE)
NUMBER = dict(zip(table("words")["numbers"].split(), [*range(20), *range(20, 100, 10)], strict=True))
"""The numbers that are one word."""
_ORDINAL = {
    "first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12,
    **{f"{word}th": value for word, value in NUMBER.items()},
    **{f"{word[:-1]}ieth": value for word, value in NUMBER.items() if word.endswith("y")},
}  # fmt: skip
_PARTS = {"half": 2, "halve": 2, "quarter": 4, **{word: value for word, value in _ORDINAL.items() if value > 2}}
_LARGE = {"hundred": 100, "thousand": 1_000, "million": 1_000_000}
_SEQUENCE = re.compile(r"(\d+)(?:st|nd|rd|th|\^ ?\{? ?(?:st|nd|rd|th) ?\}?)")
_CHANCE = re.compile(r"(\d+) (?:in|out of) (\d+)")
_ROMAN = re.compile(r"(?=..)M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_VALUE = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}

_LISTED = re.compile(
    r"(?:(?:^|(?<=[\s.:;,?}$]))(?:\*\*)?|\\text(?:bf|rm|it)?\{ ?|\\math(?:bf|rm)\{ ?)"
    r"(?:\(([A-Z])\)|([A-Z])[.):])(?:\\?[ ~]|\*\*|\})*"
)
_SPACING = r"\\q?quad(?![a-z])|\\hspace\{[^}]*\}|\\[,;:!\\ ]|[~\s]"


def label(text: str) -> str | None:
    """The label of the option that an answer names, in capitals: `B` of `(b)`, `B. 12`, `B is correct`; else None."""
    match = _CHOICE.fullmatch(text)
    found = match and next(group for group in match.groups() if group)
    return found.upper() if found else None


def same_choice(a: str, b: str) -> bool | None:
    """Whether two answers name the same option; None unless both name one, and at least one does nothing else."""
    first, second = label(a), label(b)
    if first is None or second is None or min(len(a), len(b)) > len("[B]."):
        return None
    bare = len(a) == len(b) == 1
    if bare and a != b and a.upper() == b.upper() and a.lower() in _NAMES_OF_VARIABLES:
        return False
    return None if bare and a.islower() and b.islower() else first == second


def same_opinion(a: str, b: str) -> bool | None:
    """Whether two answers that begin with yes, no, true or false mean the same by it: a program prints `True` for yes.

    `T` and `F` are short for the last two.
    """
    first, second = _OPINION.fullmatch(a), _OPINION.fullmatch(b)
    if first and second:
        return _truth(first[1]) == _truth(second[1])
    for match, other in ((first, b), (second, a)):
        if match and other.upper() in ("T", "F"):
            return match[1][0].upper() == other.upper()
    return None


def _truth(word: str) -> bool:
    return word.lower() in ("yes", "true")


def same_words(a: str, b: str) -> bool:
    """Whether two texts are the same words in the same order, whatever separates them; case counts in short words only."""
    first, second = words(a), words(b)
    if len(first) == len(second) == 1 and max(len(a), len(b)) <= 3:
        return a == b or (a[1:] == b[1:] and len(a) > 1 and a[:1].upper() == b[:1].upper())
    return bool(first) and [word.casefold() for word in first] == [word.casefold() for word in second]


def words(text: str) -> list[str]:
    """The words of a text without quotes, outer brackets, articles and separators; `and` before the last is one, too."""
    text = re.sub(r"^\[(.*)\]$|^\(([^()]*)\)$", r"\1\2", text, flags=re.DOTALL)
    parts = [part.strip('"') for part in _SEPARATED.split(_ARTICLE.sub("", text))]
    return [part for index, part in enumerate(parts) if part and not (part == "and" and index == len(parts) - 2)]


def is_run(text: str) -> bool:
    """Whether a text is letters alone, two or more together: `tea`, `HHT`, `the cat`; words or codes, not a product."""
    return bool(_RUN.fullmatch(text)) and not _FUNCTION.search(text)


def spelled_number(text: str) -> str | None:
    """A number in words, an ordinal, a chance or a Roman numeral, in digits: `three quarters` is `3/4`, `1 in 6` is `1/6`."""
    if match := _SEQUENCE.fullmatch(text):
        return match[1]
    if match := _CHANCE.fullmatch(text):
        return f"{match[1]}/{match[2]}"
    if _ROMAN.fullmatch(text):
        values = [_VALUE[letter] for letter in text]
        return str(sum(-value if value < after else value for value, after in pairwise([*values, 0])))
    if text.startswith("-") and text[1:2].isalpha():
        found = spelled_number(text[1:])
        return found and f"-{found}"
    parts = [part for part in re.split(r"[ -]", text.lower()) if part not in ("and", "a", "an")]
    if not parts or len(parts) > 8:
        return None
    last = parts[-1].removesuffix("s") if parts[-1] != "s" else ""
    if last in _PARTS and (len(parts) > 1 or last in ("half",) or text.lower().startswith(("a ", "one "))):
        top = _whole(parts[:-1] or ["one"])
        return f"{top}/{_PARTS[last]}" if top is not None else None
    value = _ORDINAL.get(parts[0]) if len(parts) == 1 else None
    value = _whole(parts) if value is None else value
    return str(value) if value is not None else None


def _whole(parts: list[str]) -> int | None:
    total = group = 0
    for part in parts:
        if part in NUMBER:
            group += NUMBER[part]
        elif part == "hundred":
            group = (group or 1) * 100
        elif part in _LARGE:
            total, group = total + (group or 1) * _LARGE[part], 0
        else:
            return None
    return total + group if set(parts) - _LARGE.keys() else None


def options(problem: str) -> dict[str, str]:
    """The options that a problem lists, as label and text: `(A) 1 (B) 2`, `A. 1`, `\\textbf{(A)} 1`; empty without any.

    They are lettered from A on, at least two; of several such lists the last one counts.
    """
    marks = list(_LISTED.finditer(problem))
    start = next((i for i in reversed(range(len(marks))) if (marks[i][1] or marks[i][2]) == "A"), None)
    if start is None:
        return {}
    run = [marks[start]]
    for mark in marks[start + 1 :]:
        if (mark[1] or mark[2]) == chr(ord("A") + len(run)):
            run.append(mark)
    if len(run) < 2:
        return {}
    ends = [mark.start() for mark in run[1:]] + [len(problem)]
    found = {}
    for mark, end in zip(run, ends, strict=True):
        text = problem[mark.end() : end].strip()
        text = re.split(r"\n\s*\n", text)[0] if end == len(problem) else text
        text = re.sub(rf"^(?:{_SPACING}|\}})+|(?:{_SPACING}|\$)+$", "", text)
        found[mark[1] or mark[2]] = text.strip().strip(",;").strip()
    return found
