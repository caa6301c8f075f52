"""Finds the thought templates that fit a problem or a step: index over a library, retriever, search tool."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.vectorstores import VectorStore
from pydantic import BaseModel, Field

from reasonflux_agent.embeddings import KeyedEmbeddings, load_embeddings
from reasonflux_agent.errors import InputError
from reasonflux_agent.library import TemplateLibrary, render_template, write_atomically
from reasonflux_agent.schema import Template
from reasonflux_agent.vectorstore import FaissStore

Mode = Literal["flat", "hierarchical"]

FLOORS: dict[str, float] = {}
"""Embedder (start of its key) -> cosine below which its best hit is more often wrong than right."""


def template_text(t: Template) -> str:
    """What is embedded of a template: what it is about, not how it goes on."""
    return "\n".join(filter(None, (t.name, ", ".join(t.tags), t.description, *t.scenario)))


def index_library(
    library: TemplateLibrary, embeddings: str | Embeddings, *, cache_dir: str | Path | None = None
) -> FaissStore:
    """A store over the library's templates (document id = template id), encoding only what was never encoded before.

    Vectors are kept under `cache_dir` (default: $REASONFLUX_CACHE, else ~/.cache/reasonflux) by embedder and by the
    text that they stand for. An Embeddings object that is not a KeyedEmbeddings is asked anew each time.
    """
    embedder = load_embeddings(embeddings)
    texts = [template_text(template) for template in library]
    store = FaissStore(embedder)
    documents = [Document(id=template.id, page_content=text) for template, text in zip(library, texts, strict=True)]
    store.add_vectors(_vectors(texts, embedder, cache_dir), documents)
    return store


def _vectors(texts: Sequence[str], embedder: Embeddings, cache_dir: str | Path | None) -> Any:
    """n x d float32, from the cache where it holds them."""
    import numpy as np

    if not isinstance(embedder, KeyedEmbeddings):
        return np.asarray(embedder.embed_documents(list(texts)), dtype=np.float32)
    root = Path(cache_dir or os.environ.get("REASONFLUX_CACHE") or Path.home() / ".cache" / "reasonflux")
    path = root / "index" / embedder.key / "vectors.npy"
    keys = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in texts]
    known = _read_cache(path)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        rows = np.asarray(embedder.embed_documents(list(missing.values())), dtype=np.float32)
        known = {key: row for key, row in known.items() if len(row) == rows.shape[1]}
        if any(
            key not in known and key not in missing for key in keys
        ):  # the model changed its width under the same key
            return np.asarray(embedder.embed_documents(list(texts)), dtype=np.float32)
        known |= dict(zip(missing, rows, strict=True))
        # One file, so that keys and vectors cannot part; of two processes that add at once the later one wins, whole.
        table = np.zeros(len(known), dtype=[("key", "V32"), ("vector", "<f4", (rows.shape[1],))])
        table["key"], table["vector"] = list(known), list(known.values())
        buffer = io.BytesIO()
        np.save(buffer, table, allow_pickle=False)
        write_atomically(path, buffer.getvalue())
    return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 1), dtype=np.float32)


def _read_cache(path: Path) -> dict[bytes, Any]:
    import numpy as np

    try:
        table = np.load(path, allow_pickle=False)
        return dict(zip((bytes(key) for key in table["key"]), table["vector"], strict=True))
    except (OSError, ValueError, EOFError, KeyError, IndexError):  # absent, or not ours: it is only a cache
        return {}


class TemplateRetriever(BaseRetriever):
    """Finds templates for a query; below the confidence floor it finds nothing, which is a valid answer."""

    library: TemplateLibrary
    store: VectorStore
    """Any LangChain store whose document ids are template ids; it answers with relevance scores."""
    k: int = Field(default=2, ge=1)
    min_score: float = 0.0
    """Relevance (cosine) below which a template is not returned."""
    mode: Mode = "flat"

    @classmethod
    def from_library(
        cls,
        library: TemplateLibrary | str | Path = "builtin",
        embeddings: str | Embeddings = "wordllama",
        k: int = 2,
        min_score: float | None = None,
        mode: Mode = "flat",
        cache_dir: str | Path | None = None,
    ) -> TemplateRetriever:
        """A retriever over a library. `min_score=None`: the floor that was measured for this embedder, or 0.

        Raises LibraryError, SpecError, MissingExtraError.
        """
        library = library if isinstance(library, TemplateLibrary) else TemplateLibrary.load(library)
        embedder = load_embeddings(embeddings)
        store = index_library(library, embedder, cache_dir=cache_dir)
        floor = floor_of(embedder) if min_score is None else min_score
        return cls(library=library, store=store, k=k, min_score=floor, mode=mode)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        k = self.k if k is None else k
        if k < 1:
            raise InputError(f"k is {k}; a retriever returns at least 1 template. Set k >= 1.")
        if not query.strip():
            return []
        found = self._flat(query, k)
        return [self._document(self.library.get(id), score) for id, score in found if score >= self.min_score]

    def _flat(self, query: str, k: int) -> list[tuple[str, float]]:
        hits = self.store.similarity_search_with_relevance_scores(query, k)
        return [(document.id or "", score) for document, score in hits]

    @staticmethod
    def _document(template: Template, score: float) -> Document:
        metadata = {
            "id": template.id,
            "name": template.name,
            "chapter": template.chapter,
            "section": template.section,
            "score": round(score, 4),
        }
        return Document(id=template.id, page_content=render_template(template), metadata=metadata)


def floor_of(embedder: Embeddings) -> float:
    """The measured confidence floor of an embedder; 0 for one that was never measured."""
    key = getattr(embedder, "key", "")
    return next((floor for name, floor in FLOORS.items() if key.startswith(name)), 0.0)


class _Query(BaseModel):
    query: str = Field(description="What to look up: the kind of problem, or the step to be done, in a few words.")


def template_search_tool(retriever: BaseRetriever) -> BaseTool:
    """A tool that looks templates up: a plain query in, readable text out. It takes only text, so MCP can serve it."""

    def show(documents: list[Document]) -> str:
        return (
            "\n\n".join(document.page_content for document in documents)
            or "No template of the library fits this query."
        )

    def search(query: str) -> str:
        return show(retriever.invoke(query))

    async def asearch(query: str) -> str:
        return show(await retriever.ainvoke(query))

    return StructuredTool.from_function(
        func=search,
        coroutine=asearch,
        name="search_templates",
        description="Look up thought templates (abstract steps and an example) that fit a mathematics problem.",
        args_schema=_Query,
    )
