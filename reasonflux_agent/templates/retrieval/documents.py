"""The documents of a vector store: the added ones in memory, the saved ones in a SQLite file that is read where it lies."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from reasonflux_agent.errors import InputError

Filter = Mapping[str, Any] | Callable[[Document], bool]
"""Which documents count: a function of the document, or what the metadata must hold, key by key: a value or a list of
values, one of which it must be. Metadata that are lists (tags) hold each of their entries."""

_TABLES = """
CREATE TABLE about (value TEXT NOT NULL);
CREATE TABLE documents (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, text BLOB NOT NULL, metadata TEXT NOT NULL);
CREATE TABLE facts (fact INTEGER, number INTEGER, PRIMARY KEY (fact, number)) WITHOUT ROWID;
"""
"""`facts` holds, for each value of a document's metadata, a digest of key and value: by it a filter is looked up."""
_TEMPORARY = """
CREATE TEMP TABLE gone (number INTEGER PRIMARY KEY);
CREATE TEMP TABLE stated (fact INTEGER, number INTEGER);
"""
_MAPPED = 1 << 40
"""Bytes of the file that SQLite may map into memory; it cuts this to its own limit."""


class Documents:
    """Documents by number and by id. Numbers are given once, by the store."""

    def __init__(self, saved: Path | None = None) -> None:
        """None yet, or those of a file that `write` made. Raises InputError."""
        self._saved = saved
        self._file: sqlite3.Connection | None = None
        self._kept = 0
        self._gone: set[int] = set()
        """Numbers in the file that were removed since."""
        self._added: dict[int, Document] = {}
        self._numbers: dict[str, int] = {}
        self.about: dict[str, Any] = {}
        """What `describe` noted in the file."""
        if saved is not None:
            with self._reading():
                # Immutable: such a file is replaced as a whole, never changed; so no process needs to lock it.
                uri = f"{saved.absolute().as_uri()}?immutable=1"
                self._file = sqlite3.connect(uri, uri=True, check_same_thread=False)
                self._file.execute(f"PRAGMA mmap_size = {_MAPPED}")
                ((whole,),) = self._file.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
                if saved.stat().st_size != whole:
                    raise ValueError("it is not as long as it was written")
                ((about,),) = self._file.execute("SELECT value FROM about")
                self.about = json.loads(about)
                self._kept = int(self.about["documents"])

    def __len__(self) -> int:
        return self._kept - len(self._gone) + len(self._added)

    def add(self, number: int, document: Document) -> None:
        """Keeps a copy; the id must not be taken."""
        self._added[number] = copied(document)
        self._numbers[document.id or ""] = number

    def numbers(self, ids: Iterable[str]) -> list[int]:
        """The numbers of the ids that are known, in their order."""
        return [number for id in ids if (number := self._number(id)) is not None]

    def _number(self, id: str) -> int | None:
        if id in self._numbers:
            return self._numbers[id]
        found = self._query("SELECT number FROM documents WHERE id = ?", _bytes(id))
        return next((number for (number,) in found if number not in self._gone), None)

    def remove(self, numbers: Iterable[int]) -> None:
        """Forgets documents that exist."""
        for number in numbers:
            if number in self._added:
                del self._numbers[self._added.pop(number).id or ""]
            else:
                self._gone.add(number)

    def get(self, number: int) -> Document:
        """A copy of a document that exists, so that what a caller does to it leaves the store alone."""
        if number in self._added:
            return copied(self._added[number])
        for _, document in self._documents("WHERE number = ?", number):
            return document
        raise InputError(f"The documents in {self._saved} are damaged: number {number}, which has a vector, is not there.")

    def matching(self, filter: Filter) -> Any:
        """The numbers of all documents that pass, as an int64 array. A function looks at each one: seconds for a million."""
        import numpy as np

        fits = predicate(filter)
        if callable(filter):
            saved = (number for number, document in self._documents() if filter(document))
        else:
            each = (f"SELECT number FROM facts WHERE fact IN ({','.join(map(str, want))})" for want in _wanted(filter))
            saved = (number for (number,) in self._query(" INTERSECT ".join(each)))
        found = [number for number in saved if number not in self._gone]
        found += (number for number, document in self._added.items() if fits(document))
        with self._reading():
            return np.asarray(found, dtype=np.int64)

    def write(self, path: Path) -> None:
        """Writes the file that can be opened, once it is described. Raises InputError for metadata that JSON cannot hold."""
        with closing(sqlite3.connect(path)) as file, file:
            file.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")  # it is renamed when it is whole
            if self._file is None:
                file.executescript(_TABLES)
            else:
                with self._reading():
                    self._file.backup(file)
            file.executescript(_TEMPORARY)
            if self._gone:
                file.executemany("INSERT INTO gone VALUES (?)", ((number,) for number in self._gone))
                for table in ("documents", "facts"):
                    file.execute(f"DELETE FROM {table} WHERE number IN (SELECT number FROM gone)")
            file.executemany("INSERT INTO documents VALUES (?, ?, ?, ?)", map(_row, self._added.items()))
            stated = ((fact, number) for number, document in self._added.items() for fact in _facts(document.metadata))
            file.executemany("INSERT INTO stated VALUES (?, ?)", stated)
            file.execute("INSERT INTO facts SELECT DISTINCT fact, number FROM stated ORDER BY fact, number")

    def describe(self, path: Path, about: dict[str, Any]) -> None:
        """Notes in a file that was just written what its store is."""
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("DELETE FROM about")
            file.execute("INSERT INTO about VALUES (?)", (json.dumps({**about, "documents": len(self)}),))

    def _documents(self, where: str = "", *given: Any) -> Iterator[tuple[int, Document]]:
        for number, *row in self._query(f"SELECT number, id, text, metadata FROM documents {where}", *given):
            with self._reading():
                document = _document(*row)
            yield number, document

    def _query(self, sql: str, *given: Any) -> Iterator[tuple[Any, ...]]:
        """Rows of the file, if there is one. Raises InputError where it is damaged."""
        if self._file is not None:
            with self._reading():
                yield from self._file.execute(sql, given)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InputError(f"The documents in {self._saved} cannot be read: {error}.") from error


def predicate(filter: Filter) -> Callable[[Document], bool]:
    """The filter as a function of a document. Raises InputError for a filter that means nothing."""
    if callable(filter):
        return filter
    wanted = _wanted(filter)
    return lambda document: all(not want.isdisjoint(_facts(document.metadata)) for want in wanted)


def copied(document: Document) -> Document:
    """A copy whose metadata can be changed."""
    return document.model_copy(update={"metadata": dict(document.metadata)})


def _wanted(filter: Mapping[str, Any]) -> list[set[int]]:
    """Per key, the facts one of which a document must state."""
    for key, value in filter.items():
        if not all(map(_plain, _entries(value))):
            raise InputError(
                f"The filter asks of {key!r} what cannot be looked up: {value!r}. Give a text, a number, a truth value, None, "
                "or a list of such; for anything else a function of the document."
            )
    return [set(_facts({key: value})) for key, value in filter.items()]


def _facts(metadata: Mapping[str, Any]) -> Iterator[int]:
    return (_fact(str(key), each) for key, value in metadata.items() for each in _entries(value) if _plain(each))


def _entries(value: Any) -> Iterable[Any]:
    return value if isinstance(value, (list, tuple)) else (value,)


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


@lru_cache(maxsize=1 << 12, typed=True)  # chapters and tags come again and again
def _fact(key: str, value: str | float | None) -> int:
    digest = blake2b(json.dumps([key, value]).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _row(item: tuple[int, Document]) -> tuple[int, bytes, bytes, str]:
    number, document = item
    try:
        metadata = json.dumps(document.metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"The document {document.id!r} cannot be saved: its metadata is not JSON-plain ({error}).") from error
    return number, _bytes(document.id or ""), _bytes(document.page_content), metadata


def _document(id: bytes, text: bytes, metadata: str) -> Document:
    return Document(
        id=id.decode("utf-8", "surrogatepass"),
        page_content=text.decode("utf-8", "surrogatepass"),
        metadata=json.loads(metadata),
    )


def _bytes(text: str) -> bytes:
    """As bytes, because SQLite takes no lone surrogates, which the text of a model can hold."""
    return text.encode("utf-8", "surrogatepass")
