"""A library as a searchable index: its templates as documents, and their vectors, which are kept from run to run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from reasonflux_agent.errors import ModelError
from reasonflux_agent.files import atomic_path, cache_root
from reasonflux_agent.schema import Template
from reasonflux_agent.templates.embeddings import KeyedEmbeddings, load_embeddings
from reasonflux_agent.templates.library import TemplateLibrary
from reasonflux_agent.templates.rendering import render_template, template_text
from reasonflux_agent.templates.store import FaissStore

EXACT_UP_TO = 50_000
"""So many templates are compared one by one; a larger library is indexed by the large store."""


def index_library(library: TemplateLibrary, embeddings: str | Embeddings, *, cache_dir: str | Path | None = None) -> FaissStore:
    """Return a store over the library's templates, whose document ids are template ids. Only new texts are encoded.

    Vectors are kept under `cache_dir` (default: `cache_root()`) by embedder and by the text that they stand for. An
    Embeddings object that is not a KeyedEmbeddings is asked anew each time. The store is a LargeStore for more than
    EXACT_UP_TO templates. Raises SpecError, MissingExtraError, ModelError.
    """
    embedder = load_embeddings(embeddings)
    kind = FaissStore
    if len(library) > EXACT_UP_TO:
        from reasonflux_agent.templates.large import LargeStore

        kind = LargeStore
    store = kind(embedder)
    vectors = vectors_of([template_text(template) for template in library], embedder, cache_dir)
    store.add_vectors(vectors, [template_document(template) for template in library])
    return store


def add_templates(store: FaissStore, templates: Iterable[Template], *, batch: int = 10_000) -> int:
    """Encode templates and add them to a store, `batch` at a time; return how many were added.

    Use it for more templates than a TemplateLibrary should hold in memory. A template whose id is taken replaces the old one.
    Raises ModelError.
    """
    left, added = iter(templates), 0
    while some := list(islice(left, batch)):
        rows = _encode([template_text(template) for template in some], store.embeddings)
        added += len(store.add_vectors(rows, [template_document(template) for template in some]))
    return added


def template_document(t: Template) -> Document:
    """Return a template as a document: its id, its text as it stands in a prompt, and the metadata that filters ask for."""
    metadata = {"name": t.name, "kind": t.kind, "chapter": t.chapter, "section": t.section, "tags": list(t.tags)}
    return Document(id=t.id, page_content=render_template(t), metadata=metadata)


def vectors_of(texts: Sequence[str], embedder: Embeddings, cache_dir: str | Path | None) -> Any:
    """Return the embedded texts, n x d float32, from the cache where it holds them. Raises ModelError."""
    import numpy as np

    if not isinstance(embedder, KeyedEmbeddings) or not texts:
        return _encode(texts, embedder)
    path = Path(cache_dir or cache_root()) / "index" / embedder.key / "vectors.npy"
    keys = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in texts]
    known = _read_cache(path)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        rows = _encode(list(missing.values()), embedder)
        if any(len(row) != rows.shape[1] for row in known.values()):  # another model under the same key: start anew
            missing, known = dict(zip(keys, texts, strict=True)), {}
            rows = _encode(list(missing.values()), embedder)
        known |= dict(zip(missing, rows, strict=True))
        # One file, so that keys and vectors cannot part; of two processes that add at once the later one wins, whole.
        table = np.zeros(len(known), dtype=[("key", "V32"), ("vector", "<f4", (rows.shape[1],))])
        table["key"], table["vector"] = list(known), list(known.values())
        # A cache that cannot be written costs time, not the search.
        with suppress(OSError), atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, table, allow_pickle=False)
    return np.stack([known[key] for key in keys])


def _encode(texts: Sequence[str], embedder: Embeddings) -> Any:
    """Return n x d float32, one row a text. Raises ModelError where the embedder returns anything else."""
    import numpy as np

    if not texts:
        return np.zeros((0, 1), dtype=np.float32)
    rows = np.asarray(embedder.embed_documents(list(texts)), dtype=np.float32)
    if rows.ndim != 2 or len(rows) != len(texts):
        raise ModelError(
            f"The embedder {getattr(embedder, 'key', type(embedder).__name__)!r} was asked for {len(texts)} vectors and "
            f"returned an array of the shape {rows.shape}. Next: check the model behind it."
        )
    return rows


def _read_cache(path: Path) -> dict[bytes, Any]:
    import numpy as np

    try:
        table = np.load(path, allow_pickle=False)
        return dict(zip((bytes(key) for key in table["key"]), table["vector"], strict=True))
    except (OSError, ValueError, EOFError, KeyError, IndexError):  # absent, or not ours: it is only a cache
        return {}
