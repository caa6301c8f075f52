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
_FORMULA = re.compile(r"(?:(?<![A-Za-z])(?:[A-Za-z]|log|ln|sin|cos|tan|sqrt|mod)(?![A-Za-z])|\d+|[-+*/^_=<>()|]|\s)+")
_GRAM = 5
"""Characters of a piece of a formula: of 3, 4 and 5 the best by a hair."""


def shapes(text: str) -> list[str]:
    """The formulas of a text, plain or LaTeX, in pieces and whole, with numbers, signs and names of sequences blurred.

    `b_{n+1} = 4 b_n + 9` and `a_{n+1} = 2a_n - 5` have the same shape, `a_{n+1} = a_n + 2n` has another.
    """
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    found = []
    for run in _FORMULA.findall(text):
        run = re.sub(r"\s+|\*", "", run).replace("-", "+")
        if len(run) < 5 or not re.search(r"[=^_<>+/|]|[a-z]{2}", run):
            continue
        run = re.sub(r"\([^()>]*>[^()]*\)", "", re.sub(r"\d+", "#", run))  # (n >= 1) says where, not what
        run = f"<{re.sub('[abcuvst](?=_)', 's', run)}>"
        found += [run[i : i + _GRAM] for i in range(max(1, len(run) - _GRAM + 1))] + [run]
    return found


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
