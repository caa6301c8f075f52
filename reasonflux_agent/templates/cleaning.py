"""Repairs what libraries in circulation do to their texts: lost and doubled backslashes, written-out line breaks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

Counts = Counter[str]
"""What was normalised -> how often; becomes `TemplateLibrary.notes`."""

# A LaTeX command that went through one JSON decoding too many lost its backslash and first letter to a control
# character: \frac -> form feed + rac. Tab and carriage return are ordinary too, so a known command must follow them.
_LOST = {"\x07": r"\a", "\x08": r"\b", "\x0b": r"\v", "\x0c": r"\f"}
_LOST_TAB = re.compile(r"\t(?=(?:an|au|ext|extbf|extrm|frac|heta|herefore|ilde|imes|op|riangle)(?![a-z]))")
_LOST_RETURN = re.compile(r"\r(?=(?:angle|ceil|floor|ho|ight|ightarrow)(?![a-z]))")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\ufeff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Two backslashes right before a word or a brace are one that was escaped twice; before a blank they end a row.
# They are looked for from a run's beginning alone, else a long run takes the square of its length.
_DOUBLED = re.compile(r"(?<!\\)\\{2,}(?=[A-Za-z]{2}|[{}])")
_TRIPLED = re.compile(r"(?<!\\)\\{3,}(?=\s|$)")
# Backslash and n that were meant as a line break, unless they begin one of LaTeX's own commands.
_WRITTEN_BREAK = re.compile(
    r"\\n(?!(?:abla|atural|cong|e|earrow|eg|eq|ewline|exists|geq|gtr|leq|less|mid|olimits|onumber|ot|otin|parallel"
    r"|prec|sim|subseteq|succ|supseteq|u|warrow|[lL]eftarrow|[rR]ightarrow|Leftrightarrow|[vV][dD]ash)(?![a-z]))"
)
_WRITTEN_TAB = re.compile(r"\\t(?![a-z])")
# Outside an environment a row cannot end: there the backslashes before a break, and doubled breaks, are leavings too.
_ESCAPED_BREAK = re.compile(r"(?<!\\)(?:\\+(?=\\n(?![a-z]))|\\{2,} *(?=\n|$))")
_CODE = re.compile(r"(^[ \t]*```[^\n]*\n.*?(?:^[ \t]*```[ \t]*$|\Z))", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^\s*```", re.MULTILINE)


def clean(text: str, tally: Counts) -> str:
    """Return `text` with lost LaTeX backslashes, doubled backslashes and written-out line breaks repaired; idempotent.

    A fenced block is a program: it keeps its indentation and its backslashes.
    """
    if "\\" not in text and text.isprintable():
        return text.strip()
    pieces = _CODE.split(text) if "```" in text else [text]  # text and code in turn
    parts = [_verbatim(piece) if at % 2 else _repaired(piece, tally) for at, piece in enumerate(pieces)]
    return "\n".join(filter(None, parts))


def text_of(value: object, tally: Counts) -> str:
    """Return a cleaned text; None is an empty one. Raises TypeError for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError
    return clean(value, tally)


def texts_of(value: object, tally: Counts, *, split: bool = False) -> tuple[str, ...]:
    """Return a text (`split`: its lines) or a list of texts as cleaned, non-empty texts. Raises TypeError for anything else."""
    if value is None or isinstance(value, str):
        text = text_of(value, tally)
        return lines_of(text.split("\n") if split else [text], Counter())
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("is not made of texts")
    return lines_of(value, tally)


def lines_of(lines: Iterable[str], tally: Counts) -> tuple[str, ...]:
    """Return each line cleaned, without empty ones. Lines between an opening and a closing fence are a program."""
    cleaned, inside = list[str](), False
    for line in lines:
        odd = len(_FENCE.findall(line)) % 2 == 1
        cleaned.append(_verbatim(line) if inside and not odd else clean(line, tally))
        inside ^= odd
    return tuple(line for line in cleaned if line.strip())


def _verbatim(code: str) -> str:
    """Return lines of a program without the characters that no program holds."""
    return _CONTROL.sub("", _SURROGATE.sub("\ufffd", code.replace("\r\n", "\n"))).rstrip()


def _repaired(text: str, tally: Counts) -> str:
    before, fixed = text, _repaired_once(text)
    while fixed != before:  # one repair can lay bare another; each shortens the text or takes a control character
        before, fixed = fixed, _repaired_once(fixed)
    if fixed != text.strip():
        tally["texts repaired (written-out line breaks, doubled or lost backslashes, control characters)"] += 1
    return fixed


def _repaired_once(text: str) -> str:
    text = _SURROGATE.sub("\ufffd", text)
    for lost, command in _LOST.items():
        text = text.replace(lost, command)
    text = _LOST_RETURN.sub(r"\\r", _LOST_TAB.sub(r"\\t", text)).replace("\r\n", "\n").replace("\r", "\n")
    text = _CONTROL.sub("", text).replace("\t", " ")
    text = _TRIPLED.sub(r"\\\\", _DOUBLED.sub(r"\\", text))
    if r"\begin" not in text:
        text = _ESCAPED_BREAK.sub("", text)
    return _WRITTEN_TAB.sub(" ", _WRITTEN_BREAK.sub("\n", text)).strip()
