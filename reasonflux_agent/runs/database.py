"""The database of the threads: how to open it, and how to hold one thread of it.

A database is a SQLite file or a `postgresql://` URL. Each kind has a backend: `open` and `aopen` give a checkpointer whose
tables are there; `lock` returns what holds a thread until it is closed, or None; `was_held` says whether a lock can exist.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from reasonflux_agent.errors import MissingExtraError, ThreadError

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from psycopg import Connection

    Saver = BaseCheckpointSaver[Any]

GRACE = 2.0
"""Seconds to wait for a thread that another process holds: the system takes a moment to release what a killed one held."""
POLL = 0.05
"""Seconds between two tries to hold something."""


def database(given: str | None = None) -> str:
    """Return `given`, else REASONFLUX_CHECKPOINTS, else reasonflux/threads.sqlite in XDG_DATA_HOME or ~/.local/share.

    Raises ThreadError for a URL other than postgresql://.
    """
    named = given or os.environ.get("REASONFLUX_CHECKPOINTS")
    if not named:
        named = os.path.join(os.environ.get("XDG_DATA_HOME") or "~/.local/share", "reasonflux", "threads.sqlite")
    if _is_postgres(named):
        return named
    if "://" in named:
        by = "" if given else "REASONFLUX_CHECKPOINTS: "
        raise ThreadError(
            f"{by}Threads cannot be kept in {named!r}. Next: give the path of a SQLite file, or postgresql://USER@HOST/NAME."
        )
    return os.path.abspath(os.path.expanduser(named))


@contextmanager
def open_checkpointer(url: str) -> Iterator[Saver]:
    """Open the checkpointer of a database for `invoke` and `stream`; tables that are missing are made.

    `url` is a path or a postgresql:// URL. Raises MissingExtraError, and ThreadError, also for what fails later.
    """
    with _backend(url) as backend, backend.open() as saver:
        yield _strict(saver)


@asynccontextmanager
async def aopen_checkpointer(url: str) -> AsyncIterator[Saver]:
    """Open the checkpointer of a database for `ainvoke` and `astream`; see `open_checkpointer`."""
    with _backend(url) as backend:
        async with backend.aopen() as saver:
            yield _strict(saver)


@contextmanager
def lock_thread(url: str, id: str) -> Iterator[None]:
    """Hold a thread, so that one process at a time runs it. The system releases it however the process ends.

    Raises ThreadError if another process holds it for longer than GRACE.
    """
    until = time.monotonic() + GRACE
    with _backend(url) as backend:
        while not (held := backend.lock(id)):
            _wait_for(id, until)
            time.sleep(POLL)
        with closing(held):
            yield


@asynccontextmanager
async def alock_thread(url: str, id: str) -> AsyncIterator[None]:
    """Hold a thread as `lock_thread` does, and wait without blocking the event loop."""
    until = time.monotonic() + GRACE
    with _backend(url) as backend:
        while not (held := backend.lock(id)):
            _wait_for(id, until)
            await asyncio.sleep(POLL)
        with closing(held):
            yield


def is_held(url: str, id: str) -> bool:
    """Return whether a process holds a thread."""
    with _backend(url) as backend:
        if not backend.was_held(id):
            return False
        if held := backend.lock(id):
            held.close()
        return not held


def _wait_for(id: str, until: float) -> None:
    if time.monotonic() > until:
        raise ThreadError(f"The thread {id!r} is under way in another process. Next: wait for it, or use another thread.")


def _strict(saver: Saver) -> Saver:
    """Return the checkpointer, restricted to messages and plain values. LangGraph's default imports and calls whatever a
    checkpoint names: a database from elsewhere could run code."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    saver.serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    return saver


def _is_postgres(url: str) -> bool:
    return url.startswith(("postgresql://", "postgres://"))


@contextmanager
def _backend(url: str) -> Iterator[_Sqlite | _Postgres]:
    """Give the backend of a database; what the database raises meanwhile becomes a ThreadError."""
    kind = _Postgres if _is_postgres(url) else _Sqlite
    try:
        backend = kind(url)
    except ImportError:
        raise MissingExtraError(f"Keeping threads in {kind.name}", kind.package, kind.extra) from None
    try:
        yield backend
    except backend.failure as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise ThreadError(
            f"The database of the threads, {url}, cannot be used: {text}. Next: correct --checkpoints or "
            "REASONFLUX_CHECKPOINTS (a SQLite file or a postgresql:// URL), or see to the database."
        ) from error


class _Sqlite:
    """A file. A thread is held by an open transaction on an empty database beside it: such locks work on every system."""

    name, package, extra = "SQLite", "langgraph-checkpoint-sqlite", "sqlite"
    failure = sqlite3.Error

    def __init__(self, path: str) -> None:
        from langgraph.checkpoint.sqlite import SqliteSaver
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        self._path, self._saver, self._async_saver = path, SqliteSaver, AsyncSqliteSaver

    @contextmanager
    def open(self) -> Iterator[Saver]:
        _make_folder(self._path)
        with self._saver.from_conn_string(self._path) as saver:
            saver.setup()
            yield saver

    @asynccontextmanager
    async def aopen(self) -> AsyncIterator[Saver]:
        _make_folder(self._path)
        async with self._async_saver.from_conn_string(self._path) as saver:
            await saver.setup()
            try:
                yield saver
            finally:
                # A cancelled graph may still be writing, and SQLite closes a connection when its last cursor is gone, which
                # the cancelled task's traceback keeps: a write before its commit would lock the database until then.
                try:
                    async with asyncio.timeout(GRACE), saver.lock:
                        await saver.conn.rollback()
                except TimeoutError:  # a list of checkpoints that was left half read has the lock
                    await saver.conn.rollback()

    def lock(self, id: str) -> sqlite3.Connection | None:
        file = self._lock_file(id)
        _make_folder(file)
        connection = sqlite3.connect(file, timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
            return connection
        except sqlite3.OperationalError:
            connection.close()
            return None

    def was_held(self, id: str) -> bool:
        return os.path.exists(self._lock_file(id))

    def _lock_file(self, id: str) -> str:
        return os.path.join(f"{self._path}.locks", hashlib.sha256(id.encode()).hexdigest()[:32])


def _make_folder(file: str) -> None:
    try:
        os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
    except OSError as error:
        raise ThreadError(f"The folder of {file} cannot be made: {error}. Next: name another with --checkpoints.") from None


class _Postgres:
    """A server. A thread is held by an advisory lock of a connection."""

    name, package, extra = "PostgreSQL", "langgraph-checkpoint-postgres with psycopg[binary]", "postgres"

    def __init__(self, url: str) -> None:
        import psycopg
        from langgraph.checkpoint.postgres import PostgresSaver
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

        self._url, self._saver, self._async_saver, self._connect = url, PostgresSaver, AsyncPostgresSaver, psycopg.connect
        self.failure = psycopg.Error
        # Our error says what the driver says of a lost connection. Without a handler Python would print that as well.
        driver = logging.getLogger("psycopg")
        if not driver.handlers:
            driver.addHandler(logging.NullHandler())

    def open(self) -> AbstractContextManager[Saver]:
        self._make_tables()
        return self._saver.from_conn_string(self._url)

    @asynccontextmanager
    async def aopen(self) -> AsyncIterator[Saver]:
        await asyncio.to_thread(self._make_tables)
        async with self._async_saver.from_conn_string(self._url) as saver:
            yield saver

    def _make_tables(self) -> None:
        """Make the tables once: of processes that come together, one makes them, and the others wait."""
        while not (held := self._advisory_lock("setup")):  # a waiting lock would block the making of the indices
            time.sleep(POLL)
        with closing(held), self._saver.from_conn_string(self._url) as saver:
            saver.setup()

    def lock(self, id: str) -> Connection[Any] | None:
        return self._advisory_lock(f"thread:{id}")

    def was_held(self, id: str) -> bool:
        return True

    def _advisory_lock(self, name: str) -> Connection[Any] | None:
        number = int.from_bytes(hashlib.sha256(f"reasonflux:{name}".encode()).digest()[:8], "big", signed=True)
        connection = self._connect(self._url, autocommit=True)
        if connection.execute("SELECT pg_try_advisory_lock(%s)", (number,)).fetchone() == (True,):
            return connection
        connection.close()
        return None
