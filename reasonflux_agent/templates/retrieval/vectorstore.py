"""A LangChain VectorStore over FAISS: cosine similarity, kept on disk as a FAISS file and a SQLite file, without pickle."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from reasonflux_agent.errors import InputError
from reasonflux_agent.templates import appearing
from reasonflux_agent.templates.retrieval.documents import Documents, Filter, predicate
from reasonflux_agent.templates.retrieval.vectors import Vectors

FORMAT = "reasonflux-faiss-2"
FILE = "store.sqlite"
GLANCE = 100
"""So many neighbours are looked at before all documents that pass a filter are looked up."""


class FaissStore(VectorStore):
    """Documents with their vectors in a FAISS index. Scores are cosines: 1 for the same direction, 0 for unrelated.

    Ids are texts; adding a document under an id that is taken replaces it. Metadata must be JSON-plain to be saved.
    Searches take LangChain's `filter`: a function of the document, or a dict of what the metadata must hold
    (`{"chapter": "Probability", "tags": ["coins", "dice"]}`: that chapter, and one of those tags).
    Not locked: concurrent searches are fine, a change while another thread searches is not.
    """

    exact_up_to = 50_000
    """So many vectors are compared one by one; above, they are sorted into cells, of which the nearest are searched."""
    cells = 1024
    """How many: the vectors that are there when they are first needed are clustered into so many; later ones only join."""
    probes = 16
    """How many cells a search looks into. docs/retrieval.md has the recall and the time of this and others."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._docs = Documents()
        self._vectors = Vectors(self.exact_up_to, self.cells, self.probes)
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
        rows = self._vectors.unit(vectors)
        if len(rows) != len(documents):
            raise InputError(f"{len(documents)} documents came with {len(rows)} vectors. Give one vector a document.")
        ids = [document.id or "" for document in documents]
        last = {id: row for row, id in enumerate(ids)}
        if "" in last:
            raise InputError("A document without an id cannot be stored with a vector of its own. Set Document.id.")
        self.delete(ids)
        keep = list(last.values())
        numbers = np.arange(self._next, self._next + len(keep), dtype=np.int64)
        self._next += len(keep)
        self._vectors.add(rows if len(keep) == len(rows) else rows[keep], numbers)
        for number, row in zip(numbers.tolist(), keep, strict=True):
            self._docs.add(number, documents[row])
        return ids

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Removes documents; unknown ids are ignored. Without ids, nothing is removed and False returned."""
        if ids is None:
            return False
        import numpy as np

        gone = self._docs.numbers(dict.fromkeys(ids))
        self._docs.remove(gone)
        if gone:
            self._vectors.remove(np.asarray(gone, dtype=np.int64))
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return [self._docs.get(number) for number in self._docs.numbers(ids)]

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score_by_vector(embedding, k, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, *, filter: Filter | None = None
    ) -> list[tuple[Document, float]]:
        """The k nearest documents that pass the filter, with their cosines, best first."""
        if not len(self):
            return []
        return self.similarity_search_with_score_by_vector(self._embeddings.embed_query(query), k, filter=filter)

    def similarity_search_with_score_by_vector(
        self, embedding: Any, k: int = 4, *, filter: Filter | None = None
    ) -> list[tuple[Document, float]]:
        """As `similarity_search_with_score`, for a vector."""
        return [(self._docs.get(number), score) for number, score in self._nearest(embedding, k, filter)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """k of the `fetch_k` nearest documents, each chosen for being near the query and unlike those chosen before."""
        vector = self._embeddings.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, **kwargs)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        import numpy as np

        found = self._nearest(embedding, fetch_k, filter)
        if not found:
            return []
        rows = self._vectors.get(np.asarray([number for number, _ in found], dtype=np.int64))
        to_query, to_each = rows @ self._vectors.unit([embedding])[0], rows @ rows.T
        chosen: list[int] = []
        while len(chosen) < min(k, len(found)):
            near = to_each[:, chosen].max(axis=1) if chosen else np.zeros(len(found))
            value = lambda_mult * to_query - (1 - lambda_mult) * near
            value[chosen] = -np.inf
            chosen.append(int(value.argmax()))
        return [self._docs.get(found[i][0]) for i in chosen]

    def _select_relevance_score_fn(self) -> Any:
        return lambda cosine: min(max(cosine, 0.0), 1.0)

    def save(self, folder: str | Path) -> None:
        """Writes `store.sqlite` and the FAISS file that it names. A reader finds the old state or the new one.

        All is written again, a million templates in some seconds: add many, then save. Raises InputError for metadata that
        JSON cannot hold.
        """
        folder = Path(folder)
        about = {"format": FORMAT, "next": self._next, "embedder": getattr(self._embeddings, "key", None)}
        with appearing(folder / FILE) as database:
            self._docs.write(database)
            if len(self):
                vectors = folder / f"vectors-{uuid.uuid4().hex}.faiss"
                with appearing(vectors) as temporary:
                    self._vectors.write(temporary)
                about |= {"vectors": vectors.name, "bytes": vectors.stat().st_size}
            self._docs.describe(database, about)
            replaced = _vectors_of(folder)  # only that one goes: another file may be what a second writer just wrote
        if replaced is not None:
            with suppress(OSError):  # Windows keeps a file that someone reads
                (folder / replaced).unlink()

    @classmethod
    def load(cls, folder: str | Path, embeddings: Embeddings) -> FaissStore:
        """The store that `save` wrote, read where it lies: opening takes milliseconds and little memory, whatever its size.

        `embeddings` is the model that made its vectors. What is added or deleted changes the folder only by another `save`.
        Raises InputError.
        """
        folder, seen = Path(folder), None
        while True:
            before, seen = seen, _stamp(folder / FILE)
            try:
                return cls._read(folder, embeddings)
            except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
                if seen == before:  # else another process saved, and took away what was being read: read again
                    raise InputError(
                        f"No vector store can be read from {folder}: {error}. Next: build it again, and save it there."
                    ) from error

    @classmethod
    def _read(cls, folder: Path, embeddings: Embeddings) -> FaissStore:
        store = cls(embeddings)
        store._docs = Documents(folder / FILE)
        about = store._docs.about
        if about.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        key = getattr(embeddings, "key", None)
        if key and about["embedder"] and key != about["embedder"]:
            raise ValueError(f"its vectors were made by {about['embedder']!r}, and {key!r} is to search them")
        store._next = int(about["next"])
        if len(store):
            path = folder / os.path.basename(about["vectors"])
            if path.stat().st_size != about["bytes"]:
                raise ValueError(f"{path.name} is not as long as it was written")
            store._vectors.read(path)
            if len(store._vectors) != len(store):
                raise ValueError(f"it holds {len(store)} documents and {len(store._vectors)} vectors")
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

    def _nearest(self, embedding: Any, k: int, filter: Filter | None) -> list[tuple[int, float]]:
        """(document number, cosine) of the k nearest that pass the filter, best first."""
        query = self._vectors.unit([embedding])
        if not filter:
            return self._vectors.search(query, k)
        fits = predicate(filter)
        near = self._vectors.search(query, max(k, GLANCE))
        found = [hit for hit in near if fits(self._docs.get(hit[0]))][:k]
        if len(found) == k or len(near) == len(self):
            return found
        return self._vectors.search(query, k, self._docs.matching(filter))


def _vectors_of(folder: Path) -> str | None:
    """The name of the vectors' file of the store that is there, if one is."""
    try:
        return os.path.basename(str(Documents(folder / FILE).about["vectors"]))
    except (InputError, KeyError, TypeError):
        return None


def _stamp(path: Path) -> tuple[int, int] | None:
    """Changes when the file is replaced."""
    with suppress(OSError):
        stat = path.stat()
        return stat.st_ino, stat.st_mtime_ns
    return None
