"""Words and formulas that a query shares with templates: what a static embedding blurs."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from reasonflux_agent.templates.library import TemplateLibrary
from reasonflux_agent.templates.rendering import subject, template_text

WORDS = 0.02
"""What a point of BM25 counts beside the cosine (the best hits have about 18 points and a cosine of 0.5)."""
FORMULAS = 0.015
"""What a point of BM25 over pieces of formulas counts beside that."""
SAME_FORMULA = 0.5
"""What a formula counts that the template states too, up to numbers, signs and names; docs/retrieval.md has measurements."""
LONG = 10
"""Characters from which on a blurred formula says anything (`a_1 = 3` is everywhere)."""
K1, B = 1.2, 0.75
"""Saturation of repeated words and strength of the length correction in BM25: the usual values."""
GRAM = 5
"""Characters of a piece of a formula: of 3, 4 and 5 the best by a hair."""

_WORD = re.compile(r"[^\W\d_]{2,}")
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


class Overlap:
    """Scores the templates of a library by the words and formulas that they share with a query."""

    def __init__(self, library: TemplateLibrary) -> None:
        stated = [formulas(template_text(t)) for t in library]
        self._words = Bm25(words(subject(t)) for t in library)
        self._formulas = Bm25(map(pieces, stated))
        self._rows = {template.id: row for row, template in enumerate(library)}
        self._stating: dict[str, list[str]] = {}
        """Blurred formula of at least LONG characters -> ids of the templates that state it."""
        for template, found in zip(library, stated, strict=True):
            for formula in found:
                if len(formula) >= LONG:
                    self._stating.setdefault(formula, []).append(template.id)

    def add(self, query: str, scores: dict[str, float]) -> None:
        """Add to the scores, by template id, in place. A template that states a formula of the query joins with score 0."""
        asked = formulas(query)
        same = [id for formula in asked for id in self._stating.get(formula, ())]
        for id in same:
            scores[id] = scores.get(id, 0.0) + SAME_FORMULA
        known = [id for id in scores if id in self._rows]
        rows = [self._rows[id] for id in known]
        points = WORDS * self._words.scores(words(query), rows) + FORMULAS * self._formulas.scores(pieces(asked), rows)
        for id, more in zip(known, points.tolist(), strict=True):
            scores[id] += more


def words(text: str) -> list[str]:
    """Return the lower-case words of two letters and more, cut to six letters: 'divisors' and 'divisor' are one."""
    return [word[:6] for word in _WORD.findall(text.lower())]


def formulas(text: str) -> list[str]:
    """Return the formulas of a text, plain or LaTeX, with numbers, signs and names of sequences blurred, each once.

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


def pieces(runs: Iterable[str]) -> list[str]:
    """Return formulas in pieces of GRAM characters, and whole."""
    return [piece for run in runs for piece in (*(run[i : i + GRAM] for i in range(max(1, len(run) - GRAM + 1))), run)]


class Bm25:
    """Scores texts by the tokens that they share with a query; rare tokens count more.

    The tokens of each text lie in arrays of numbers, so a query costs time by the texts that it is compared with, and not by
    the texts that there are.
    """

    def __init__(self, texts: Iterable[Iterable[str]]) -> None:
        """Take each text as its tokens."""
        import numpy as np

        self._vocabulary: dict[str, int] = {}
        ids, times, ends, lengths = array("i"), array("H"), array("q", [0]), array("i")
        for tokens in texts:
            count = Counter(tokens)
            ids.extend(self._vocabulary.setdefault(token, len(self._vocabulary)) for token in count)
            times.extend(min(number, 0xFFFF) for number in count.values())
            ends.append(len(ids))
            lengths.append(sum(count.values()))
        self._ids, self._times, self._ends, sizes = map(np.array, (ids, times, ends, lengths))
        mean = sizes.sum() / max(len(sizes), 1) or 1.0
        self._norms = K1 * (1 - B + B * sizes / mean)
        holding = np.bincount(self._ids, minlength=len(self._vocabulary))
        self._rarity = np.log(1 + (len(sizes) - holding + 0.5) / (holding + 0.5))

    def scores(self, query: Iterable[str], rows: Sequence[int]) -> Any:
        """Return the scores of the texts at `rows` for the tokens of a query, as an array of len(rows) float64."""
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
