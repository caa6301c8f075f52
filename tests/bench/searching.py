"""Retrieval beside the original's search, which embeds each candidate string anew and compares string by string."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np

from reasonflux_agent.templates import TemplateLibrary, TemplateRetriever
from reasonflux_agent.templates.embeddings import load_embeddings
from tests.bench.timing import Row, interleave

SIZES = (500, 10_000)
QUERIES = ("sum of an arithmetic sequence", "remainder of a large power", "at least one success", "tangent to a circle")


def library(size: int) -> TemplateLibrary:
    """So many templates: the built-in ones, then variants of them in chapters of their own."""
    own = list(TemplateLibrary.builtin())
    made = []
    for number in range(size):
        round, template = divmod(number, len(own))
        mark = f" ({round + 1})" if round else ""
        changes: dict[str, Any] = {"name": own[template].name + mark, "chapter": own[template].chapter + mark}
        made.append(own[template].model_copy(update={**changes, "id": own[template].id + mark} if mark else {}))
    return TemplateLibrary(tuple(made), "bench")


def per_string(templates: TemplateLibrary, embedder: Any, query: str) -> str:
    """The walk of ReasonFlux v1: the nearest chapter, its two nearest sections, their nearest name."""
    vector = np.asarray(embedder.embed_query(query))

    def near(text: str) -> float:
        other = np.asarray(embedder.embed_query(text))
        return float(vector @ other / (np.linalg.norm(vector) * np.linalg.norm(other) + 1e-12))

    tree: dict[str, dict[str, list[str]]] = {}
    for template in templates:
        tree.setdefault(template.chapter, {}).setdefault(template.section, []).append(template.name)
    sections = tree[max(tree, key=near)]
    chosen = sorted(sections, key=near, reverse=True)[:2]
    return max((name for section in chosen for name in sections[section]), key=near)


async def measure(repeats: int) -> list[Row]:
    """Milliseconds a query: by our index, by the walk, and by comparing with all names."""
    embedder, rows = load_embeddings("wordllama"), []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as cache:
            templates = library(size)
            ours: dict[str, TemplateRetriever] = {
                mode: TemplateRetriever.from_library(templates, embedder, mode=mode, cache_dir=cache)  # type: ignore[arg-type]
                for mode in ("flat", "hybrid")
            }

            async def search(retriever: TemplateRetriever) -> None:
                for query in QUERIES:
                    retriever.invoke(query)

            async def walk(templates: TemplateLibrary = templates) -> None:
                for query in QUERIES:
                    per_string(templates, embedder, query)

            async def all_names(templates: TemplateLibrary = templates) -> None:
                for query in QUERIES:
                    vector = np.asarray(embedder.embed_query(query))
                    max(float(vector @ np.asarray(embedder.embed_query(template.name))) for template in templates)

            variants: dict[str, Any] = {mode: (lambda r=retriever: search(r)) for mode, retriever in ours.items()}
            timed = await interleave({**variants, "walk": walk, "all_names": all_names}, repeats)
            per_query = {name: t.scaled(1000 / len(QUERIES)) for name, t in timed.items()}
            rows.append(
                {
                    "templates": size,
                    **{f"{name}_ms": [round(value, 3) for value in t] for name, t in per_query.items()},
                    "hybrid_beside_walk": round(per_query["walk"].median / per_query["hybrid"].median, 1),
                    "flat_beside_all_names": round(per_query["all_names"].median / per_query["flat"].median, 1),
                }
            )
    return rows
