"""A library's templates as documents and vectors: what is embedded, and the vectors that are kept from run to run."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from reasonflux_agent.errors import ModelError
from reasonflux_agent.models.local.store import models_dir
from reasonflux_agent.schema import Template
from reasonflux_agent.templates import TemplateLibrary, render_template, write_atomically
from reasonflux_agent.templates.retrieval.embeddings import KeyedEmbeddings, load_embeddings
from reasonflux_agent.templates.retrieval.vectorstore import FaissStore


def template_text(t: Template) -> str:
    """What is embedded of a template: what it is about and its example's problem, not how it goes on."""
    return "\n".join(filter(None, (subject(t), t.example.problem if t.example else "")))


def template_document(t: Template) -> Document:
    """A template in a store: as it stands in a prompt, with the metadata that filters ask for."""
    metadata = {"name": t.name, "kind": t.kind, "chapter": t.chapter, "section": t.section, "tags": list(t.tags)}
    return Document(id=t.id, page_content=render_template(t), metadata=metadata)


def subject(t: Template) -> str:
    """What words are compared with: names and occasions. The example's own words (apples, trains) only distract them."""
    return "\n".join(filter(None, (t.name, ", ".join(t.tags), t.description, *t.scenario)))


def index_library(library: TemplateLibrary, embeddings: str | Embeddings, *, cache_dir: str | Path | None = None) -> FaissStore:
    """A store over the library's templates (document id = template id), encoding only what was never encoded before.

    Vectors are kept under `cache_dir` (default: $REASONFLUX_CACHE, else reasonflux in $XDG_CACHE_HOME or ~/.cache) by
    embedder and by the text that they stand for. An Embeddings object that is not a KeyedEmbeddings is asked anew each time.
    """
    embedder = load_embeddings(embeddings)
    texts = [template_text(template) for template in library]
    store = FaissStore(embedder)
    store.add_vectors(vectors_of(texts, embedder, cache_dir), [template_document(template) for template in library])
    return store


def add_templates(store: FaissStore, templates: Iterable[Template], *, batch: int = 10_000) -> int:
    """Encodes templates and adds them to a store, so many at a time; returns how many.

    For more templates than a TemplateLibrary should hold in memory. One whose id is taken replaces the one that had it.
    """
    left, added = iter(templates), 0
    while some := list(islice(left, batch)):
        rows = _encode([template_text(template) for template in some], store.embeddings)
        added += len(store.add_vectors(rows, [template_document(template) for template in some]))
    return added


def vectors_of(texts: Sequence[str], embedder: Embeddings, cache_dir: str | Path | None) -> Any:
    """n x d float32, from the cache where it holds them."""
    import numpy as np

    if not isinstance(embedder, KeyedEmbeddings):
        return _encode(texts, embedder)
    root = Path(cache_dir) if cache_dir else models_dir().parent
    path = root / "index" / embedder.key / "vectors.npy"
    keys = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in texts]
    known = _read_cache(path)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        rows = _encode(list(missing.values()), embedder)
        if any(len(row) != rows.shape[1] for row in known.values()):  # another model under the same key: start anew
            missing, known, rows = dict(zip(keys, texts, strict=True)), {}, _encode(texts, embedder)
        known |= dict(zip(missing, rows, strict=True))
        # One file, so that keys and vectors cannot part; of two processes that add at once the later one wins, whole.
        table = np.zeros(len(known), dtype=[("key", "V32"), ("vector", "<f4", (rows.shape[1],))])
        table["key"], table["vector"] = list(known), list(known.values())
        buffer = io.BytesIO()
        np.save(buffer, table, allow_pickle=False)
        with suppress(OSError):  # a cache that cannot be written costs time, not the search
            write_atomically(path, buffer.getvalue())
    return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 1), dtype=np.float32)


def _encode(texts: Sequence[str], embedder: Embeddings) -> Any:
    """n x d float32, one row a text. Raises ModelError when the embedder returns anything else."""
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
