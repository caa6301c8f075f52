"""The store for up to a million templates: vectors sorted into cells, documents in SQLite, both read where they lie on disk.

Nothing imports this module when the package is imported. docs/retrieval.md has its recall, time and memory.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from reasonflux_agent.errors import InputError
from reasonflux_agent.files import atomic_path
from reasonflux_agent.templates.filters import Filter, facts_of, wanted
from reasonflux_agent.templates.store import FaissStore, import_faiss

FORMAT = "reasonflux-faiss-2"
FILE = "store.sqlite"
_TABLES = """
CREATE TABLE about (value TEXT NOT NULL);
CREATE TABLE documents (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, text BLOB NOT NULL, metadata TEXT NOT NULL);
CREATE TABLE facts (fact INTEGER, number INTEGER, PRIMARY KEY (fact, number)) WITHOUT ROWID;
"""
"""`facts` holds a digest of each value of a document's metadata: by it a filter is looked up."""


class LargeStore(FaissStore):
    """A FaissStore that can be saved, and that stays fast beyond tens of thousands of documents. Metadata must be JSON-plain.

    An opened store is read where it lies. Its first change copies it into memory; the folder changes only by another `save`.
    """

    exact_up_to = 50_000
    """So many vectors are compared one by one; above, they lie in cells as 16-bit floats, and the nearest are searched."""
    cells = 1024
    """How many: the vectors that are there when they are first needed are clustered into so many; later ones only join."""
    probes = 16
    """How many cells a search looks into: more probes, more recall."""

    def __init__(self, embeddings: Embeddings) -> None:
        super().__init__(embeddings)
        self._lock = threading.Lock()
        self._opened: Path | None = None
        """The database file that is read where it lies; None once the store is in memory."""
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.executescript(_TABLES)

    def save(self, folder: str | Path) -> None:
        """Write `store.sqlite` and the FAISS file that it names. A reader finds the old state or the new one.

        All is written again, a million templates in some seconds: add many, then save. Raises OSError.
        """
        folder = Path(folder)
        self._make_changeable()
        key = getattr(self._embeddings, "key", None)
        about = {"format": FORMAT, "next": self._next, "embedder": key, "documents": len(self)}
        with ExitStack() as whole:
            database = whole.enter_context(atomic_path(folder / FILE))
            if len(self):
                name = f"vectors-{uuid.uuid4().hex}.faiss"
                vectors = whole.enter_context(atomic_path(folder / name))
                import_faiss().write_index(self._index, str(vectors))
                about |= {"vectors": name, "bytes": vectors.stat().st_size}
            with closing(sqlite3.connect(database)) as file, file:
                file.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")  # it is renamed when it is whole
                self._database.backup(file)
                file.execute("DELETE FROM about")
                file.execute("INSERT INTO about VALUES (?)", (json.dumps(about),))
            replaced = None
            with suppress(InputError, KeyError, TypeError):
                replaced = os.path.basename(str(_open(folder / FILE)[1]["vectors"]))
        if replaced is not None:  # only that one goes: another file may be what a second writer just wrote
            with suppress(OSError):  # Windows keeps a file that someone reads
                (folder / replaced).unlink()

    @classmethod
    def load(cls, folder: str | Path, embeddings: Embeddings) -> Self:
        """Return the store that `save` wrote, read where it lies: it opens in milliseconds and little memory at any size.

        `embeddings` is the model that made its vectors. Raises InputError.
        """
        folder, seen = Path(folder), None
        while True:
            before, seen = seen, _stamp(folder / FILE)
            try:
                store = cls(embeddings)
                store._read(folder)
                return store
            except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
                if seen == before:  # else another process saved, and took away what was being read: read again
                    raise InputError(
                        f"No vector store can be read from {folder}: {error}. Next: build it again, and save it there."
                    ) from error

    def _read(self, folder: Path) -> None:
        self._opened = folder / FILE
        self._database, about = _open(self._opened)
        key = getattr(self._embeddings, "key", None)
        if about.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        if key and about["embedder"] and key != about["embedder"]:
            raise ValueError(f"its vectors were made by {about['embedder']!r}, and {key!r} is to search them")
        self._next = int(about["next"])
        if about["documents"]:
            path = folder / os.path.basename(about["vectors"])
            if path.stat().st_size != about["bytes"]:
                raise ValueError(f"{path.name} is not as long as it was written")
            faiss = import_faiss()
            mapped = hasattr(faiss, "OnDiskInvertedLists")  # not on Windows
            self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if mapped else 0)
            if self._cells and mapped:
                faiss.downcast_InvertedLists(self._index.invlists).prefetch_nthread = 0  # else 32 threads start a search
        if len(self) != about["documents"]:
            raise ValueError(f"it holds {about['documents']} documents and {len(self)} vectors")

    def add_vectors(self, vectors: Any, documents: Sequence[Document]) -> list[str]:
        """As in FaissStore. Raises InputError for metadata that JSON cannot hold too."""
        for document in documents:
            _metadata(document)  # before anything changes
        return super().add_vectors(vectors, documents)

    def _make_changeable(self) -> None:
        """Copy the files of an opened store into memory, and drop the map that `_rows` makes."""
        if self._cells:
            self._index.set_direct_map_type(import_faiss().DirectMap.NoMap)
        if self._opened is None:
            return
        memory = sqlite3.connect(":memory:", check_same_thread=False)
        with _reading(self._opened):
            self._database.backup(memory)
        self._database, self._opened = memory, None
        if self._cells:
            faiss = import_faiss()
            there = faiss.downcast_InvertedLists(self._index.invlists)
            here = faiss.ArrayInvertedLists(there.nlist, there.code_size)
            there.copy_subset_to(here, faiss.InvertedLists.SUBSET_TYPE_ID_RANGE, 0, 2**62)
            self._index.replace_invlists(here, True)
            here.this.disown()

    # Vectors by number

    @property
    def _cells(self) -> int:
        """Into how many cells the vectors are sorted; 0: they are compared one by one."""
        return getattr(self._index, "nlist", 0)

    def _add_rows(self, rows: Any, numbers: Any) -> None:
        import numpy as np

        self._make_changeable()
        if not self._cells and len(self) + len(rows) > self.exact_up_to:
            faiss, old = import_faiss(), self._index
            if old is not None:
                rows = np.concatenate([old.index.reconstruct_n(0, old.ntotal), rows])
                numbers = np.concatenate([faiss.vector_to_array(old.id_map), numbers])
            cells = max(1, min(self.cells, len(rows) // 39))  # with fewer vectors a cell, faiss warns
            self._index = faiss.index_factory(rows.shape[1], f"IVF{cells},SQfp16", faiss.METRIC_INNER_PRODUCT)
            self._index.cp.max_points_per_centroid = 64  # more cost time and change nothing
            self._index.train(rows)
        super()._add_rows(rows, numbers)

    def _rows(self, numbers: list[int]) -> Any:
        with self._lock:
            if self._cells and self._index.direct_map.no():
                self._index.set_direct_map_type(import_faiss().DirectMap.Hashtable)
        return super()._rows(numbers)

    def _parameters(self, k: int, selection: dict[str, Any]) -> Any:
        if not self._cells:
            return super()._parameters(k, selection)
        enough = -(-4 * k * self._cells // len(self))  # for the cells to hold k with ease
        probes = self._cells if selection else max(self.probes, enough)
        return import_faiss().SearchParametersIVF(nprobe=probes, **selection)

    # Documents by number

    def _add_documents(self, documents: dict[int, Document]) -> None:
        rows = ((n, _bytes(d.id or ""), _bytes(d.page_content), _metadata(d)) for n, d in documents.items())
        with self._database as file:
            file.executemany("INSERT INTO documents VALUES (?, ?, ?, ?)", rows)
            file.executemany("INSERT INTO facts VALUES (?, ?)", _facts(documents))

    def _remove_documents(self, numbers: list[int]) -> None:
        self._make_changeable()
        facts = _facts({number: self._document(number) for number in numbers})
        with self._database as file:
            file.executemany("DELETE FROM facts WHERE fact = ? AND number = ?", facts)
            file.executemany("DELETE FROM documents WHERE number = ?", ((number,) for number in numbers))

    def _known(self, ids: Iterable[str]) -> list[int]:
        return [n for id in ids for (n,) in self._query("SELECT number FROM documents WHERE id = ?", _bytes(id))]

    def _document(self, number: int) -> Document:
        for row in self._query("SELECT id, text, metadata FROM documents WHERE number = ?", number):
            return self._made(*row)
        raise InputError(f"The documents in {self._opened} are damaged: number {number}, which has a vector, is not there.")

    def _matching(self, filter: Filter) -> list[int]:
        """Look a dict up, or show each document to a function: seconds for a million."""
        if callable(filter):
            rows = self._query("SELECT number, id, text, metadata FROM documents")
            return [number for number, *row in rows if filter(self._made(*row))]
        each = (f"SELECT number FROM facts WHERE fact IN ({','.join(map(str, facts))})" for facts in wanted(filter))
        return [number for (number,) in self._query(" INTERSECT ".join(each))]

    def _query(self, sql: str, *given: Any) -> Iterator[tuple[Any, ...]]:
        with _reading(self._opened):
            yield from self._database.execute(sql, given)

    def _made(self, id: bytes, text: bytes, metadata: str) -> Document:
        with _reading(self._opened):
            known, content = (part.decode("utf-8", "surrogatepass") for part in (id, text))
            return Document(id=known, page_content=content, metadata=json.loads(metadata))


def _open(path: Path) -> tuple[sqlite3.Connection, dict[str, Any]]:
    """Return the database of a saved store, and what it says about the store. Raises InputError."""
    with _reading(path):
        # Immutable: such a file is replaced as a whole, never changed; so no process needs to lock it.
        file = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, check_same_thread=False)
        file.execute(f"PRAGMA mmap_size = {1 << 40}")  # bytes; SQLite cuts this to its own limit
        ((whole,),) = file.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        if path.stat().st_size != whole:
            raise ValueError("it is not as long as it was written")
        ((about,),) = file.execute("SELECT value FROM about")
        return file, json.loads(about)


@contextmanager
def _reading(path: Path | None) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"The documents in {path} cannot be read: {error}.") from error


def _facts(documents: dict[int, Document]) -> list[tuple[int, int]]:
    return sorted({(fact, number) for number, document in documents.items() for fact in facts_of(document.metadata)})


def _metadata(document: Document) -> str:
    try:
        return json.dumps(document.metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"The document {document.id!r} cannot be stored: its metadata is not JSON-plain ({error}).") from error


def _bytes(text: str) -> bytes:
    """Return the text as bytes: SQLite takes no lone surrogates, which the text of a model can hold."""
    return text.encode("utf-8", "surrogatepass")


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes when the file is replaced."""
    with suppress(OSError):
        stat = path.stat()
        return stat.st_ino, stat.st_mtime_ns
    return None
