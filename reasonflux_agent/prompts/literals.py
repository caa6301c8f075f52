r"""Reads JSON, or what models write for it: Python's dicts, single quotes, comments, commas too many, an end that is missing.

Inside JSON strings `\frac`, `\theta`, `\beta`, `\nabla` and `\rho` are legal escapes that destroy the formula. Here a backslash
that begins a LaTeX command stays one.
"""

from __future__ import annotations

import json
import re
from typing import Any

DEPTH = 40
"""Brackets inside one another; what is deeper is no plan."""

# A backslash that begins a LaTeX command. Before a letter nobody means a backspace, a form feed or a return; a tab or a
# line break may be meant, so there the command must be known.
_LATEX = re.compile(
    r"\\\\|\\(?=[bfr][A-Za-z]"
    r"|t(?:anh?|au|bar|binom|frac|heta|herefore|hinspace|ilde|imes|op?|riangle\w*|ext[a-z]*)(?![a-z])"
    r"|n(?:abla|atural|e|earrow|eg|eq|exists|geq|gtr|leq|less|mid|ot|otin|parallel|prec|sim|subseteq|succ|u|warrow)(?![a-z])"
    r"|u(?![0-9a-fA-F]{4})|[^\"\\/bfnrtu])"
)
_BLANK = re.compile(r"(?:\s|//[^\n]*|#[^\n]*)*+")
_WORD = re.compile(r"[^\s\[\]{}(),:\"'#]++(?=\s*+(?:[,:\]})]|\Z))")
_QUOTE = re.compile(r"(?i:[rbfu]{0,2})(\"\"\"|'''|\"|')")
_CLOSE = {"[": "]", "{": "}", "(": ")"}


def read_literal(text: str, start: int = 0) -> tuple[Any, int]:
    """The value that begins at `start`, and where it ends: dicts, lists and texts; numbers and names are None.

    Raises ValueError.
    """
    reader = _Reader(text, start)
    return reader.value(0), reader.at


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self.text, self.at = text, at

    def value(self, depth: int) -> Any:
        char = self.text[self.at : self.at + 1]
        if char in _CLOSE:
            if depth == DEPTH:
                raise ValueError("too deep")
            self.at += 1
            return self.pairs(depth + 1) if char == "{" else self.items(_CLOSE[char], depth + 1)
        return self.string() if _QUOTE.match(self.text, self.at) else self.word() and None

    def items(self, close: str, depth: int) -> list[Any]:
        found = []
        while self.more(close):
            found.append(self.value(depth))
        return found

    def pairs(self, depth: int) -> dict[str, Any]:
        found = {}
        while self.more("}"):
            key = self.string() if _QUOTE.match(self.text, self.at) else self.word()
            self.blank()
            if self.text[self.at : self.at + 1] not in (":", ""):
                raise ValueError(f"no colon behind {key!r}")
            self.at += 1
            self.blank()
            if self.at < len(self.text):
                found[key] = self.value(depth)
        return found

    def more(self, close: str) -> bool:
        """Whether another element follows; the closing bracket, or the end of a text that was cut, is passed."""
        self.blank()
        while self.text.startswith(",", self.at):
            self.at += 1
            self.blank()
        if self.at < len(self.text) and not self.text.startswith(close, self.at):
            return True
        self.at += 1
        return False

    def blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def word(self) -> str:
        match = _WORD.match(self.text, self.at)
        if not match:
            raise ValueError(f"{self.text[self.at : self.at + 1]!r} begins no value")
        self.at = match.end()
        return match[0]

    def string(self) -> str:
        """A quoted text. A quote inside it that nobody escaped is known by what follows: it ends no element."""
        begin = _QUOTE.match(self.text, self.at)
        assert begin
        quote, start = begin[1], begin.end()
        ends = r"" if len(quote) == 3 else r"(?=[ \t]*+(?:[,:\]})\n\r#]|//|\Z))"
        end = next((m for m in re.compile(rf"\\.|{quote}{ends}", re.DOTALL).finditer(self.text, start) if m[0] == quote), None)
        raw = self.text[start : end.start() if end else len(self.text)]
        self.at = end.end() if end else len(self.text)
        return raw if "r" in begin[0][: -len(quote)].lower() else unescape(raw)


def with_latex(text: str) -> str:
    """Return JSON text in which each backslash of a LaTeX command is escaped, so that reading it keeps the command."""
    return _LATEX.sub(r"\\\\", text)  # a pair of backslashes is matched as well, and stays a pair


def unescape(raw: str) -> str:
    """What stands between the quotes, with its escapes resolved, and LaTeX left as it is."""
    raw = with_latex(raw.replace("\\'", "'"))
    quoted = re.sub(r'\\.|"', lambda match: '\\"' if match[0] == '"' else match[0], raw, flags=re.DOTALL)
    try:
        return str(json.loads(f'"{quoted}"', strict=False))
    except ValueError:  # the text was cut behind a backslash
        return raw
