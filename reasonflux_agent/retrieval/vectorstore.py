"""A LangChain VectorStore over FAISS: cosine similarity, kept on disk as a FAISS file and JSON, without pickle."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from reasonflux_agent.errors import InputError, MissingExtraError
from reasonflux_agent.retrieval.embeddings import unit_rows

HNSW_LINKS, HNSW_BUILD, HNSW_SEARCH = 32, 80, 128
FORMAT = "reasonflux-faiss-1"


def import_faiss() -> Any:
    """The faiss module. Raises MissingExtraError."""
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("The vector index", "faiss-cpu (or faiss-gpu)", "cpu") from error
    return faiss


class FaissStore(VectorStore):
    """Documents with their vectors in a FAISS index. Scores are cosines: 1 for the same direction, 0 for unrelated.

    Ids are texts; adding a document under an id that is taken replaces it. Metadata must be JSON-plain to be saved.
    Not locked: concurrent searches are fine, a change while another thread searches is not.
    """

    exact_up_to = 50_000
    """So many vectors are compared one by one; above, a HNSW graph takes over: approximate, in a few milliseconds."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._index: Any = None
        self._docs: dict[int, Document] = {}
        self._keys: dict[str, int] = {}
        self._next = 0

    @property
    def embeddings(self) -> Embeddings:
        return self._embeddings

    def __len__(self) -> int:
        return len(self._docs)

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Embeds and stores texts; returns their ids. Raises InputError where the lists differ in length."""
        texts = list(texts)
        metadatas = metadatas if metadatas is not None else [{} for _ in texts]
        ids = ids if ids is not None else [None] * len(texts)
        if not len(texts) == len(metadatas) == len(ids):
            raise InputError(
                f"{len(texts)} texts came with {len(metadatas)} metadatas and {len(ids)} ids. Give one of each a text."
            )
        documents = [
            Document(id=id or uuid.uuid4().hex, page_content=text, metadata=metadata)
            for text, metadata, id in zip(texts, metadatas, ids, strict=True)
        ]
        return self.add_vectors(self._embeddings.embed_documents(texts), documents)

    def add_vectors(self, vectors: Any, documents: Sequence[Document]) -> list[str]:
        """Stores documents under vectors (n x d numbers) that were made elsewhere; every document needs an id.

        Within one call the last document of an id counts. Raises InputError for vectors of another width or not finite.
        """
        import numpy as np

        if not documents:
            return []
        rows = self._unit(vectors)
        if len(rows) != len(documents):
            raise InputError(f"{len(documents)} documents came with {len(rows)} vectors. Give one vector a document.")
        ids = [document.id or "" for document in documents]
        last = {id: row for row, id in enumerate(ids)}
        if "" in last:
            raise InputError("A document without an id cannot be stored with a vector of its own. Set Document.id.")
        self.delete(ids)
        keep = list(last.values())
        numbers = range(self._next, self._next + len(keep))
        self._next += len(keep)
        for number, row in zip(numbers, keep, strict=True):
            self._docs[number] = _copy(documents[row])
            self._keys[ids[row]] = number
        if self._index is None:
            self._index = self._new_index(rows.shape[1], len(keep))
        self._index.add_with_ids(rows[keep], np.asarray(numbers, dtype=np.int64))
        if len(self._docs) > self.exact_up_to and not self._approximate:
            self._rebuild()
        return ids

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Removes documents; unknown ids are ignored. Without ids, nothing is removed and False returned."""
        if ids is None:
            return False
        import numpy as np

        gone = [self._keys.pop(id) for id in dict.fromkeys(ids) if id in self._keys]
        for number in gone:
            del self._docs[number]
        if gone and not self._docs:
            self._index = None
        elif gone and not self._approximate:
            self._index.remove_ids(np.asarray(gone, dtype=np.int64))
        elif self._index is not None and self._index.ntotal > 1.1 * len(self._docs):
            # A HNSW graph cannot forget: what was deleted is skipped when searching, until it is worth building anew.
            self._rebuild()
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return [_copy(self._docs[self._keys[id]]) for id in ids if id in self._keys]

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score_by_vector(embedding, k)]

    def similarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        """The k nearest documents with their cosines, best first."""
        if not self._docs:
            return []
        return self.similarity_search_with_score_by_vector(self._embeddings.embed_query(query), k)

    def similarity_search_with_score_by_vector(self, embedding: Any, k: int = 4) -> list[tuple[Document, float]]:
        """As `similarity_search_with_score`, for a vector."""
        return [(_copy(self._docs[number]), score) for number, score in self._nearest(embedding, k)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """k of the `fetch_k` nearest documents, each chosen for being near the query and unlike those chosen before."""
        return self.max_marginal_relevance_search_by_vector(self._embeddings.embed_query(query), k, fetch_k, lambda_mult)

    def max_marginal_relevance_search_by_vector(
        self, embedding: list[float], k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        import numpy as np

        numbers = [number for number, _ in self._nearest(embedding, fetch_k)]
        if not numbers:
            return []
        rows = self._index.reconstruct_batch(np.asarray(numbers, dtype=np.int64))
        to_query, to_each = rows @ self._unit([embedding])[0], rows @ rows.T
        chosen: list[int] = []
        while len(chosen) < min(k, len(numbers)):
            near = to_each[:, chosen].max(axis=1) if chosen else np.zeros(len(numbers))
            value = lambda_mult * to_query - (1 - lambda_mult) * near
            value[chosen] = -np.inf
            chosen.append(int(value.argmax()))
        return [_copy(self._docs[numbers[i]]) for i in chosen]

    def _select_relevance_score_fn(self) -> Any:
        return lambda cosine: min(max(cosine, 0.0), 1.0)

    def save(self, folder: str | Path) -> None:
        """Writes `store.json` and the FAISS file that it names. A reader finds the old state or the new one.

        Raises InputError for metadata that JSON cannot hold.
        """
        from reasonflux_agent.library import write_atomically

        folder = Path(folder)
        name = f"vectors-{uuid.uuid4().hex}.faiss" if self._docs else None
        rows = [[number, doc.id, doc.page_content, doc.metadata] for number, doc in self._docs.items()]
        try:
            text = json.dumps({"format": FORMAT, "index": name, "next": self._next, "documents": rows}, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"The store cannot be saved to {folder}: metadata is not JSON-plain ({error}).") from error
        if name is not None:
            write_atomically(folder / name, import_faiss().serialize_index(self._index).tobytes())
        replaced = _index_named_in(folder)  # only that one goes: another file may be what a second writer just wrote
        write_atomically(folder / "store.json", text.encode())
        if replaced is not None:
            (folder / replaced).unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: str | Path, embeddings: Embeddings) -> FaissStore:
        """The store that `save` wrote; `embeddings` is the model that made its vectors. Raises InputError."""
        folder = Path(folder)
        try:
            for _ in range(4):
                with suppress(FileNotFoundError):  # perhaps another process saved between our two reads
                    return cls._read(folder, embeddings)
            return cls._read(folder, embeddings)
        except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
            raise InputError(
                f"No vector store can be read from {folder}: {error}. Next: build it again, and save it there."
            ) from error

    @classmethod
    def _read(cls, folder: Path, embeddings: Embeddings) -> FaissStore:
        import numpy as np

        data = _read_json(folder)
        store = cls(embeddings)
        store._next = int(data["next"])
        for number, id, text, metadata in data["documents"]:
            store._docs[number] = Document(id=id, page_content=text, metadata=metadata)
            store._keys[id] = number
        if store._docs:
            content = (folder / os.path.basename(data["index"])).read_bytes()
            store._index = import_faiss().deserialize_index(np.frombuffer(content, dtype=np.uint8))
            if store._index.ntotal < len(store._docs):
                raise ValueError("the index holds fewer vectors than there are documents")
        return store

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> FaissStore:
        store = cls(embedding)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @property
    def _approximate(self) -> bool:
        faiss = import_faiss()
        return self._index is not None and isinstance(faiss.downcast_index(self._index.index), faiss.IndexHNSW)

    def _nearest(self, embedding: Any, k: int) -> list[tuple[int, float]]:
        """(document number, cosine) of the k nearest, best first."""
        if self._index is None or k < 1:
            return []
        dead = self._index.ntotal - len(self._docs)
        scores, numbers = self._index.search(self._unit([embedding]), min(k + dead, self._index.ntotal))
        found = [(int(n), float(s)) for n, s in zip(numbers[0], scores[0], strict=True) if int(n) in self._docs]
        return found[:k]

    def _new_index(self, width: int, size: int) -> Any:
        faiss = import_faiss()
        if size <= self.exact_up_to:
            return faiss.IndexIDMap2(faiss.IndexFlatIP(width))
        graph = faiss.IndexHNSWFlat(width, HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = HNSW_BUILD, HNSW_SEARCH
        return faiss.IndexIDMap2(graph)

    def _rebuild(self) -> None:
        import numpy as np

        numbers = np.asarray(list(self._docs), dtype=np.int64)
        rows = self._index.reconstruct_batch(numbers)
        self._index = self._new_index(rows.shape[1], len(numbers))
        self._index.add_with_ids(rows, numbers)

    def _unit(self, vectors: Any) -> Any:
        """n x d float32 rows of length 1 (a zero row stays zero), checked against the index. Raises InputError."""
        import numpy as np

        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        if rows.ndim != 2 or not np.isfinite(rows).all():
            raise InputError(f"Vectors must be a row of finite numbers a text; not the shape {rows.shape}. Check the embedder.")
        if self._index is not None and rows.shape[1] != self._index.d:
            raise InputError(
                f"The index holds vectors of {self._index.d} numbers; these have {rows.shape[1]}. "
                "Next: use the embedder that built it."
            )
        return unit_rows(rows)


def _read_json(folder: Path) -> dict[str, Any]:
    data = json.loads((folder / "store.json").read_bytes())
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    return data


def _index_named_in(folder: Path) -> str | None:
    try:
        return str(os.path.basename(_read_json(folder)["index"]))
    except (OSError, ValueError, TypeError, KeyError):  # none, or not ours
        return None


def _copy(document: Document) -> Document:
    """So that what a caller does to a result leaves the store alone."""
    return document.model_copy(update={"metadata": dict(document.metadata)})
