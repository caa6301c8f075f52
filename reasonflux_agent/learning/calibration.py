"""Sets the floor and the lead of learned templates: found for the problems of their group, and for no others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from reasonflux_agent.learning.rows import LearningRow
from reasonflux_agent.schema import Template
from reasonflux_agent.templates import TemplateLibrary, TemplateRetriever

OTHERS = 50
"""Problems of the built-in library that stand for all that users may ask besides the groups."""

Hits = dict[str, float]
"""Template id -> score, for one problem."""


def calibrated(library: TemplateLibrary, learned: Iterable[str], rows: Sequence[LearningRow]) -> TemplateLibrary:
    """Return the library with a floor and a lead for each of the `learned` templates, chosen on these rows.

    The floor is the score that best tells problems of the template's group from others. The lead, one for all, is the smallest
    that best tells first hits of the right group from wrong ones.
    """
    retriever = TemplateRetriever.from_library(library, k=len(library), min_score=float("-inf"))
    scale = TemplateRetriever.from_library(library).scores
    builtin = TemplateLibrary.builtin().templates
    background = [t.example.problem for t in builtin[:: max(1, len(builtin) // OTHERS)] if t.example and t.id not in library]

    def search(problem: str) -> Hits:
        return {document.metadata["id"]: document.metadata["score"] for document in retriever.invoke(problem)}

    asked = [(row, search(row.problem)) for row in rows] + [(None, search(problem)) for problem in background]
    ids, floors = list(learned), dict[str, float]()
    for id in ids:
        template = library.get(id)
        own, others = list[float](), list[float]()
        for row, hits in asked:
            if id in hits and not (row and _is_of(row, template)):
                (own if row and fits(template, row) else others).append(hits[id])
        floors[id] = round(_threshold(own, others), 4)
    lead = round(_lead(library, floors, asked), 4)
    changed = {id: {"scores": scale, "floor": floor, "lead": lead} for id, floor in floors.items()}
    return TemplateLibrary(
        tuple(
            t.model_copy(update={"provenance": {**t.provenance, "retrieval": changed[t.id]}}) if t.id in changed else t
            for t in library
        ),
        library.name,
    )


def fits(template: Template, row: LearningRow) -> bool:
    """Return whether a template is of the row's group."""
    return row.group in template.provenance.get("groups", ())


def _is_of(row: LearningRow, template: Template) -> bool:
    """Whether the template came from this row: its score says nothing about siblings."""
    return row.id in template.provenance.get("rows", ())


def _threshold(own: Sequence[float], others: Sequence[float]) -> float:
    """Return the score that most of `own` reach and fewest of `others`: the middle of the gap that parts them best.

    Without `own` it is above all others. Of equally good gaps the lowest counts, so that the template is found.
    """
    scores = sorted({*own, *others})
    gaps = [scores[0] - 0.1, *((a + b) / 2 for a, b in pairwise(scores)), scores[-1] + 0.1] if scores else [0.0]

    def worth(floor: float) -> float:
        found = sum(score >= floor for score in own) / (len(own) or 1)
        return found - sum(score >= floor for score in others) / (len(others) or 1)

    return max(gaps, key=lambda floor: (round(worth(floor), 9), -floor if own else floor))


def _lead(library: TemplateLibrary, floors: dict[str, float], asked: Sequence[tuple[LearningRow | None, Hits]]) -> float:
    """Return the smallest margin over the next section that keeps most right first hits and fewest wrong ones."""
    right, wrong = list[float](), list[float]()
    for row, hits in asked:
        ranked = sorted(hits, key=lambda id: -hits[id])
        if not ranked or ranked[0] not in floors or hits[ranked[0]] < floors[ranked[0]]:
            continue
        first = library.get(ranked[0])
        next_best = next((hits[id] for id in ranked[1:] if library.get(id).section != first.section), 0.0)
        (right if row and fits(first, row) else wrong).append(hits[ranked[0]] - next_best)
    leads = [0.0, *sorted(margin + 0.0001 for margin in wrong)]
    return max(leads, key=lambda lead: (sum(m >= lead for m in right) - sum(m >= lead for m in wrong), -lead))
