"""The everyday vector store: documents in memory, compared one by one by a flat FAISS index. LangChain's VectorStore."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Self

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from reasonflux_agent.errors import InputError, MissingExtraError
from reasonflux_agent.templates.embeddings import unit_rows
from reasonflux_agent.templates.filters import Filter, predicate

GLANCE = 100
"""So many neighbours are looked at before all documents that pass a filter are looked up."""


def import_faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("The vector index", "faiss-cpu (or faiss-gpu)", "cpu") from error
    return faiss


class FaissStore(VectorStore):
    """Documents with their vectors in a FAISS index. Scores are cosines: 1 for the same direction, 0 for unrelated.

    Ids are texts; adding a document under an id that is taken replaces it. Searches take LangChain's `filter`: a function of
    the document, or a dict of what the metadata must hold (`{"chapter": "Probability", "tags": ["coins", "dice"]}`: that
    chapter, and one of those tags). Concurrent searches are safe; a change while another thread searches is not.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._index: Any = None
        self._next = 0
        """The number of the next document. In the index, vectors go by number."""
        self._documents: dict[int, Document] = {}
        self._numbers: dict[str, int] = {}

    @property
    def embeddings(self) -> Embeddings:
        return self._embeddings

    def __len__(self) -> int:
        return 0 if self._index is None else self._index.ntotal

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Embed and store texts; return their ids. Raises InputError where the lists differ in length."""
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
        """Store documents under vectors (n x d numbers) that were made elsewhere; return their ids.

        Every document needs an id; within one call the last document of an id counts. Raises InputError for a document
        without an id, and for vectors of another number, another width, or not finite.
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
        numbers = np.arange(self._next, self._next + len(keep), dtype=np.int64)
        self._next += len(keep)
        self._add_rows(rows if len(keep) == len(rows) else rows[keep], numbers)
        self._add_documents(dict(zip(numbers.tolist(), (documents[row] for row in keep), strict=True)))
        return ids

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Remove documents; unknown ids are ignored. Without ids, remove nothing and return False."""
        if ids is None:
            return False
        if gone := self._known(dict.fromkeys(ids)):
            self._remove_documents(gone)
            self._remove_rows(gone)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return [self._document(number) for number in self._known(ids)]

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score_by_vector(embedding, k, **kwargs)]

    def similarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        """Return the k nearest documents that pass `filter`, with their cosines, best first."""
        return self.similarity_search_with_score_by_vector(self._embeddings.embed_query(query), k, **kwargs)

    def similarity_search_with_score_by_vector(
        self, embedding: Any, k: int = 4, *, filter: Filter | None = None
    ) -> list[tuple[Document, float]]:
        """As `similarity_search_with_score`, for a vector of d numbers."""
        return [(self._document(number), score) for number, score in self._nearest(embedding, k, filter)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """Return k of the `fetch_k` nearest documents, each near the query and unlike those chosen before."""
        vector = self._embeddings.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, **kwargs)

    def max_marginal_relevance_search_by_vector(
        self, embedding: list[float], k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        import numpy as np
        from langchain_core.vectorstores.utils import maximal_marginal_relevance

        found = [number for number, _ in self._nearest(embedding, fetch_k, **kwargs)]
        rows = self._rows(found) if found else []
        chosen = maximal_marginal_relevance(np.array(embedding), rows, lambda_mult, k)
        return [self._document(found[i]) for i in chosen]

    def _select_relevance_score_fn(self) -> Any:
        return lambda cosine: min(max(cosine, 0.0), 1.0)

    @classmethod
    def from_texts(
        cls, texts: list[str], embedding: Embeddings, metadatas: list[dict[str, Any]] | None = None, **kwargs: Any
    ) -> Self:
        """Return a store of these texts. It takes the arguments of `add_texts`."""
        store = cls(embedding)
        store.add_texts(texts, metadatas, **kwargs)
        return store

    def _unit(self, vectors: Any) -> Any:
        """Return n x d float32 rows of length 1 (a zero row stays zero). Raises InputError for what does not fit."""
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

    def _nearest(self, embedding: Any, k: int, filter: Filter | None = None) -> list[tuple[int, float]]:
        """Return (document number, cosine) of the k nearest that pass the filter, best first."""
        query = self._unit([embedding])
        if not filter:
            return self._search(query, k)
        fits = predicate(filter)
        near = self._search(query, max(k, GLANCE))
        found = [hit for hit in near if fits(self._document(hit[0]))][:k]
        if len(found) == k or len(near) == len(self):
            return found
        return self._search(query, k, self._matching(filter))

    def _search(self, query: Any, k: int, among: list[int] | None = None) -> list[tuple[int, float]]:
        """Return (number, cosine) of the k nearest to a 1 x d query; with `among`, exactly those of these numbers."""
        k = min(k, len(self) if among is None else len(among))
        if k < 1:
            return []
        selection = {} if among is None else {"sel": import_faiss().IDSelectorBatch(among)}
        scores, numbers = self._index.search(query, k, params=self._parameters(k, selection))
        return [(n, s) for n, s in zip(numbers[0].tolist(), scores[0].tolist(), strict=True) if n >= 0]

    # What the large store does in its own way: vectors and documents by number

    def _add_rows(self, rows: Any, numbers: Any) -> None:
        if self._index is None:
            faiss = import_faiss()
            self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(rows.shape[1]))
        self._index.add_with_ids(rows, numbers)

    def _remove_rows(self, numbers: list[int]) -> None:
        self._index.remove_ids(import_faiss().IDSelectorBatch(numbers))
        if not self._index.ntotal:
            self._index = None

    def _rows(self, numbers: list[int]) -> Any:
        return self._index.reconstruct_batch(numbers)

    def _parameters(self, k: int, selection: dict[str, Any]) -> Any:
        return import_faiss().SearchParameters(**selection)

    def _add_documents(self, documents: dict[int, Document]) -> None:
        self._documents |= {number: _copied(document) for number, document in documents.items()}
        self._numbers |= {document.id or "": number for number, document in documents.items()}

    def _remove_documents(self, numbers: list[int]) -> None:
        for number in numbers:
            del self._numbers[self._documents.pop(number).id or ""]

    def _known(self, ids: Iterable[str]) -> list[int]:
        """Return the numbers of the ids that are known, in their order."""
        return [self._numbers[id] for id in ids if id in self._numbers]

    def _document(self, number: int) -> Document:
        """Return a copy, so that what a caller does to it leaves the store alone."""
        return _copied(self._documents[number])

    def _matching(self, filter: Filter) -> list[int]:
        fits = predicate(filter)
        return [number for number, document in self._documents.items() if fits(document)]


def _copied(document: Document) -> Document:
    return document.model_copy(update={"metadata": dict(document.metadata)})
