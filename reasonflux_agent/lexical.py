"""BM25 over the texts of a library: the words that a static embedding blurs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

K1, B = 1.2, 0.75
"""Saturation of repeated words and strength of the length correction: the usual values, not tuned here."""
RANK_OFFSET = 60
"""The usual constant of reciprocal-rank fusion: how little the very first ranks stand out."""

_DRAWING = re.compile(r"\[asy\].*?(?:\[/asy\]|$)", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{2,}")


def words(text: str) -> list[str]:
    """Lower-case words of two letters and more, cut to six letters: 'divisor', 'divisors' and 'divisible' meet."""
    return [word[:6] for word in _WORD.findall(_DRAWING.sub(" ", text).lower())]


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

    def rank(self, query: str) -> list[int]:
        """Rows that share a word with the query, best first."""
        scores: dict[int, float] = {}
        for word in set(words(query)):
            for row, weight in self._postings.get(word, ()):
                scores[row] = scores.get(row, 0.0) + weight
        return sorted(scores, key=lambda row: (-scores[row], row))


def fuse(*rankings: Sequence[str]) -> list[str]:
    """One ranking out of several by reciprocal ranks: what stands high in more of them comes first."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + 1 / (RANK_OFFSET + rank)
    return sorted(scores, key=lambda item: -scores[item])
