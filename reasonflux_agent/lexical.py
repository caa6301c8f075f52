"""BM25 over the texts of a library: the words that a static embedding blurs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

K1, B = 1.2, 0.75
"""Saturation of repeated words and strength of the length correction: the usual values."""

_WORD = re.compile(r"[^\W\d_]{2,}")


def words(text: str) -> list[str]:
    """Lower-case words of two letters and more, cut to six letters: 'divisors' and 'divisor', 'counting' and 'counts'."""
    return [word[:6] for word in _WORD.findall(text.lower())]


class Bm25:
    """Scores texts by the words that they share with a query, rare words first."""

    def __init__(self, texts: Iterable[str]) -> None:
        counts = [Counter(words(text)) for text in texts]
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
        """Row -> score, for the rows that share a word with the query."""
        found: dict[int, float] = {}
        for word in set(words(query)):
            for row, weight in self._postings.get(word, ()):
                found[row] = found.get(row, 0.0) + weight
        return found
