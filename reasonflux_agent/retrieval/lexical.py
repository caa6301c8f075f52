"""BM25 over the texts of a library: the words and the formulas that a static embedding blurs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable

K1, B = 1.2, 0.75
"""Saturation of repeated words and strength of the length correction: the usual values."""

_WORD = re.compile(r"[^\W\d_]{2,}")


def words(text: str) -> list[str]:
    """Lower-case words of two letters and more, cut to six letters: 'divisors' and 'divisor', 'counting' and 'counts'."""
    return [word[:6] for word in _WORD.findall(text.lower())]


_LATEX = (
    (re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}"), r"(\1)/(\2)"),
    (re.compile(r"\\(?:cdot|times|left|right|quad|[,;!])"), " "),
    (re.compile(r"\\geq?(?![a-z])|≥|>=|\\leq?(?![a-z])|≤|<="), ">"),
    (re.compile(r"\\([a-zA-Z]+)"), r" \1 "),
    (re.compile(r"[${}]"), " "),
)
_SUBSCRIPT = re.compile(r"_\{\s*([a-z])\s*([-+])\s*(\d)\s*\}")
_FORMULA = re.compile(r"(?:(?<![A-Za-z])(?:[A-Za-z]|log|ln|sin|cos|tan|sqrt|mod)(?![A-Za-z])|\d+|[-+*/^_=<>()|]|[₀-₉₊₋]|\s)+")
_RATIO = re.compile(r"(?:\(#/#\)|\(#\)/\(#\))(?=s_)")
_LOWERED = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")
_GRAM = 5
"""Characters of a piece of a formula: of 3, 4 and 5 the best by a hair."""


def formulas(text: str) -> list[str]:
    """The formulas of a text, plain or LaTeX, with numbers, signs and names of sequences blurred, each once.

    `b_{n+1} = 4 b_n + 9` and `a_{n+1} = 2a_n - 5` are the same, `a_{n+2} = 2a_n - 5` and `a_{n+1} = a_n + 2n` are others.
    """
    text = _SUBSCRIPT.sub(lambda m: f"_{m[1]}{(m[2] + m[3]).translate(_LOWERED)}", text)  # how far back it reaches
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    found = []
    for run in _FORMULA.findall(text):
        run = re.sub(r"\s+|\*", "", run).replace("-", "+")
        if len(run) < 5 or not re.search(r"[=^_<>+/|]|[a-z]{2}", run):
            continue
        run = re.sub(r"\([^()>]*>[^()]*\)", "", re.sub(r"\d+", "#", run))  # (n >= 1) says where, not what
        run = re.sub("[abcuvst](?=_)", "s", run)
        found.append(f"<{_RATIO.sub('#', run)}>")
    return list(dict.fromkeys(found))


def shapes(text: str) -> list[str]:
    """The formulas of a text in pieces of five characters, and whole."""
    return [piece for run in formulas(text) for piece in (*_pieces(run), run)]


def _pieces(run: str) -> list[str]:
    return [run[i : i + _GRAM] for i in range(max(1, len(run) - _GRAM + 1))]


class Bm25:
    """Scores texts by the tokens that they share with a query, rare ones first."""

    def __init__(self, texts: Iterable[str], tokens: Callable[[str], list[str]] = words) -> None:
        self._tokens = tokens
        counts = [Counter(tokens(text)) for text in texts]
        lengths = [sum(count.values()) for count in counts]
        mean = sum(lengths) / max(len(lengths), 1) or 1.0
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for row, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            for word, times in count.items():
                weight = times * (K1 + 1) / (times + K1 * (1 - B + B * length / mean))
                self._postings.setdefault(word, []).append((row, weight))
        for word, posting in self._postings.items():
            rarity = math.log(1 + (len(counts) - len(posting) + 0.5) / (len(posting) + 0.5))
            self._postings[word] = [(row, rarity * weight) for row, weight in posting]

    def scores(self, query: str) -> dict[int, float]:
        """Row -> score, for the rows that share a token with the query."""
        found: dict[int, float] = {}
        for word in set(self._tokens(query)):
            for row, weight in self._postings.get(word, ()):
                found[row] = found.get(row, 0.0) + weight
        return found
