"""The search of ReasonFlux v1, a baseline to compare with."""

from __future__ import annotations

from pathlib import Path

from langchain_core.embeddings import Embeddings

from reasonflux_agent.templates.embeddings import unit_rows
from reasonflux_agent.templates.index import vectors_of
from reasonflux_agent.templates.library import TemplateLibrary


class Names:
    """Finds the nearest chapter title, its two nearest sections, then the nearest template names.

    As published, a template's score is 0.9 of the similarity of its name and 0.1 of that of its section's title. There
    each section gave its best template and one was returned; here all of both are ranked, so that k can exceed 1.
    """

    def __init__(self, library: TemplateLibrary, embedder: Embeddings, cache_dir: Path | None) -> None:
        self._chapters, self._embedder = library.chapters, embedder
        names = list(dict.fromkeys(name for t in library for name in (t.chapter, t.section, t.name)))
        self._rows = dict(zip(names, unit_rows(vectors_of(names, embedder, cache_dir)), strict=True))

    def search(self, query: str) -> list[tuple[str, float]]:
        """Return (id, score) of the templates of the two sections, best first."""
        if not self._chapters:
            return []
        vector = unit_rows([self._embedder.embed_query(query)])[0]
        near = {name: float(row @ vector) for name, row in self._rows.items()}
        sections = self._chapters[max(self._chapters, key=near.__getitem__)]
        chosen = sorted(sections, key=near.__getitem__, reverse=True)[:2]
        found = [(t.id, 0.9 * near[t.name] + 0.1 * near[section]) for section in chosen for t in sections[section]]
        return sorted(found, key=lambda hit: -hit[1])
