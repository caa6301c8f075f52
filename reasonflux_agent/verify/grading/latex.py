"""One spelling for what LaTeX, Unicode, Python and people spell in many ways: answers are compared in it (answers.py)."""

from __future__ import annotations

import re
import unicodedata

from reasonflux_agent.verify.grading.tables import rewritten, table

MAX_LENGTH = 2_000
"""Characters of an answer."""

_FRACTION = re.compile(r"(\d{0,9})([¼½¾⅐-⅞])")
_LATEX = table("latex")
_CHARACTERS = str.maketrans(
    {char: plain for chars, plain in _LATEX["characters"] for char in chars}
    | {letter: f"\\{name} " for letter, name in zip(_LATEX["greek"], _LATEX["greek_names"].split(), strict=True)}
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₍₎", "0123456789+-()")

_ANNOUNCED = re.compile(
    r"[*_\s]*(?:(?:so|thus|hence|therefore),? )?(?:the )?(?:final |correct |right |best )?(?:answer|choice|option)[*_]*"
    r"(?: is[*_]*:?|[*_]*:|[*_]* =)[*_]*\s+(?=\S)|[*_\s]*(?:answer|option|choice) (?=\(?[A-Za-z]\)?\.?$|[A-Z][.:] )"
    r"|(?:final )?answer\s+(?=\\\[|\$)|^(?:= *|\\(?:therefore|Rightarrow|implies)(?![a-z]) *|∴ *|(?:so|thus|hence"
    r"|therefore|it(?: is|'s)),? )(?=[^=\s])"
    r"|(?:the )?(?:solutions?|values?|roots?) (?:are|is):? (?=[-\d$\\])",
    re.IGNORECASE,
)
_WRAPPED = re.compile(
    r"\\begin\{(?:equation|align|gather|displaymath|center)\*?\}(.*)\\end\{\w+\*?\}|<(?:b|strong|i|em|u)>(.*)</\w+>"
    r"|_([^_{}]+)_|\\\[(.*)\\\]|\\\((.*)\\\)|\$\$(.*)\$\$|`+(.*?)`+|\*\*(.*)\*\*"
    r"|\"([^\"]*)\"|'([^']*)'|\\(?:text(?:tt|bf|it|rm)?|emph) ?\{((?:(?!\} ?[_^])[^\\])*)\}|\$([^$]*)\$",
    re.DOTALL,
)
_BOX = re.compile(r"\$*\\(?:boxed|fbox) ?\{((?:(?!\\boxed|\\fbox).)*)\}[.$]*", re.DOTALL)

_PRINTED = re.compile(r"^\[[\[\]\d\s.;e+-]*\d\.?[ \n;]+[\[\]\d\s.;e+-]*\]$")


def stated(text: str) -> str:
    """The answer without what announces and wraps it: `**Answer:** $42$.` is `42`; quotes, boxes and backticks go, too."""
    text = text.strip()
    for _ in range(6):
        before = text
        if announced := _ANNOUNCED.match(text):
            text = text[announced.end() :].strip()
        if match := _BOX.fullmatch(text) or _WRAPPED.fullmatch(text.rstrip(".") if text[:1] in "\\$`*\"'" else text):
            text = next(group for group in match.groups() if group is not None).strip()
        if text == before:
            break
    return text


def normal(text: str) -> str:
    """One spelling of an answer. Words keep one space between them, lines one newline; money is marked `\\unit{$}5`.

    A text of more than `MAX_LENGTH` characters is no answer, and is left as it is.
    """
    if len(text) > MAX_LENGTH:
        return text.strip()
    text = _dollars(re.sub(r"(?<!\.)\.$", "", stated(plain_characters(text))))
    text = rewritten(_PRINTED.sub(_rows, text), "answer").strip()
    if announced := _ANNOUNCED.match(text):
        text = text[announced.end() :]
    text = text.strip().removesuffix("\\")
    return text.strip().rstrip(".,;:!" if text.strip()[-2:-1].isalpha() else ".,;:").strip()


def plain_characters(text: str) -> str:
    """The text in plain characters: raised digits as powers, fractions of one character spelled out, full width narrowed."""
    text = text.translate(_CHARACTERS)
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ]+", lambda match: f"^{{{match[0].translate(_RAISED)}}}", text)
    text = re.sub("[₀-₎]+", lambda match: f"_{{{match[0].translate(_LOWERED)}}}", text)
    text = _FRACTION.sub(_fraction, text)
    text = re.sub("[μµ](?![a-zA-Z])", r"\\mu ", text)  # before a letter it is a unit's micro
    return unicodedata.normalize("NFKC", text).replace("μ", "µ") if not text.isascii() else text


def _rows(match: re.Match[str]) -> str:
    """A vector or a matrix as NumPy and Octave print it: `[1. 2.]`, `[[1 2]\\n [3 4]]`, `[1 2; 3 4]`."""
    rows = [re.sub(r"\.(?!\d)", "", ", ".join(row.split())) for row in re.findall(r"[^\[\];]*\d[^\[\];]*", match[0])]
    return f"({rows[0]})" if len(rows) == 1 else "[" + ", ".join(f"[{row}]" for row in rows) + "]"


def _fraction(match: re.Match[str]) -> str:
    top, bottom = unicodedata.normalize("NFKC", match[2]).split("⁄")
    return rf"{match[1]}\frac{{{top}}}{{{bottom}}}"


def _dollars(text: str) -> str:
    """A dollar sign before an amount is marked as a unit; those around mathematics go later."""
    signs = re.findall(r"(?<!\\)\$(-?\.?\d)?", text)
    if signs and all(signs) and not text.endswith("$"):
        return re.sub(r"(?<!\\)\$", r"\\unit{$}", text)
    return text


def latex(text: str) -> str:
    """A normalised answer as LaTeX, for Math-Verify: plain `sqrt(3)` and `2^(n+1)` get their backslash and braces."""
    text = re.sub(r"\\unit\{[$€£¥₹]\}", "", text.replace("°", ""))
    text = re.sub(r"(?<![\\a-z])a(sin|cos|tan)(?![a-z])", r"\\arc\1 ", text)
    text = re.sub(r"(?<![\\a-z])(sqrt|sin|cos|tan|ln|log|pi|exp)(?![a-z])", r"\\\1 ", text)
    return re.sub(r"(\\sqrt|\^) ?\(([^()]*)\)", r"\1{\2}", text).replace(r"\unit{", r"\text{")
