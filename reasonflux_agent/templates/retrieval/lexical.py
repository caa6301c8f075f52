"""BM25 over the texts of a library: the words and the formulas that a static embedding blurs."""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

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
    return pieces(formulas(text))


def pieces(runs: Iterable[str]) -> list[str]:
    """Formulas in pieces of five characters, and whole."""
    return [piece for run in runs for piece in (*(run[i : i + _GRAM] for i in range(max(1, len(run) - _GRAM + 1))), run)]


class Bm25:
    """Scores texts by the tokens that they share with a query, rare ones first.

    What a text holds lies text by text in arrays of numbers: a query costs time by the texts that it is compared with, and
    not by the texts that there are.
    """

    def __init__(self, texts: Iterable[Iterable[str]]) -> None:
        """Each text as its tokens."""
        import numpy as np

        self._vocabulary: dict[str, int] = {}
        ids, times, ends, lengths = array("i"), array("H"), array("q", [0]), array("i")
        for tokens in texts:
            count = Counter(tokens)
            ids.extend(self._vocabulary.setdefault(token, len(self._vocabulary)) for token in count)
            times.extend(min(number, 0xFFFF) for number in count.values())
            ends.append(len(ids))
            lengths.append(sum(count.values()))
        self._ids, self._times = np.array(ids), np.array(times)
        self._ends, lengths_ = np.array(ends), np.array(lengths)
        mean = sum(lengths) / max(len(lengths), 1) or 1.0
        self._norms = K1 * (1 - B + B * lengths_ / mean)
        holding = np.bincount(self._ids, minlength=len(self._vocabulary)).tolist()
        self._rarity = np.array([math.log(1 + (len(lengths) - n + 0.5) / (n + 0.5)) for n in holding])

    def scores(self, query: Iterable[str], rows: Sequence[int]) -> Any:
        """The score of each of these texts (by its place) for a query of these tokens, as an array."""
        import numpy as np

        wanted = [self._vocabulary[token] for token in dict.fromkeys(query) if token in self._vocabulary]
        places = np.asarray(rows, dtype=np.int64)
        if not wanted or not len(places):
            return np.zeros(len(places))
        begins, counts = self._ends[places], self._ends[places + 1] - self._ends[places]
        of = np.repeat(np.arange(len(places)), counts)  # the tokens of all rows, one after the other: whose, and where
        where = np.arange(len(of)) + np.repeat(begins - (np.cumsum(counts) - counts), counts)
        shared = np.isin(self._ids[where], wanted)
        of, where = of[shared], where[shared]
        times = self._times[where]
        points = self._rarity[self._ids[where]] * (times * (K1 + 1) / (times + self._norms[places[of]]))
        return np.bincount(of, points, len(places))
