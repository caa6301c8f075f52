"""The database of the threads, a SQLite file or a `postgresql://` URL: opening it, and holding one thread of it.

Errors of a database, or of its package, become ours.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reasonflux_agent.errors import MissingExtraError, ThreadError

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

Saver = TypeVar("Saver", bound="BaseCheckpointSaver[Any]")
GRACE = 2.0
"""Seconds to wait for a thread that another process holds: a killed one is let go of by the system, but not at once."""


def database(given: str | None = None) -> str:
    """`given`, else REASONFLUX_CHECKPOINTS, else reasonflux/threads.sqlite in XDG_DATA_HOME or ~/.local/share."""
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
def open_checkpointer(url: str) -> Iterator[BaseCheckpointSaver[Any]]:
    """The checkpointer of a database for `invoke` and `stream`; its tables are made where they are missing.

    `url` is a path or a postgresql:// URL. Raises ThreadError, also for what fails later, and MissingExtraError.
    """
    with _explained(url):
        if _is_postgres(url):
            _set_up_postgres(url)
            from langgraph.checkpoint.postgres import PostgresSaver

            with PostgresSaver.from_conn_string(url) as kept:
                yield _strict(kept)
        else:
            _check_sqlite(url)
            from langgraph.checkpoint.sqlite import SqliteSaver

            with SqliteSaver.from_conn_string(url) as saver:
                saver.setup()
                yield _strict(saver)


@asynccontextmanager
async def aopen_checkpointer(url: str) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """As `open_checkpointer`, for `ainvoke` and `astream`."""
    with _explained(url):
        if _is_postgres(url):
            await asyncio.to_thread(_set_up_postgres, url)
            from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

            async with AsyncPostgresSaver.from_conn_string(url) as kept:
                yield _strict(kept)
        else:
            _check_sqlite(url)
            from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

            async with AsyncSqliteSaver.from_conn_string(url) as saver:
                await saver.setup()
                try:
                    yield _strict(saver)
                finally:
                    # A cancelled graph may still be writing, and SQLite closes a connection when its last cursor is gone, which
                    # the cancelled task's traceback keeps: a write before its commit would lock the database until then.
                    try:
                        async with asyncio.timeout(GRACE), saver.lock:
                            await saver.conn.rollback()
                    except TimeoutError:  # who left a list of checkpoints half read has the lock
                        await saver.conn.rollback()


def _strict(saver: Saver) -> Saver:
    """The same, which makes of a checkpoint nothing but messages and plain values. LangGraph's own default imports and calls
    whatever a checkpoint names, so that a database from elsewhere could run code."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    saver.serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    return saver


@contextmanager
def lock_thread(url: str, id: str, patience: float = GRACE) -> Iterator[None]:
    """Holds a thread, so that no two processes run it at once. The system lets go of it when the process ends, however it
    ends. Raises ThreadError where another one holds it, after `patience` seconds."""
    with _explained(url), (_lock_postgres if _is_postgres(url) else _lock_sqlite)(url, id, patience):
        yield


@asynccontextmanager
async def alock_thread(url: str, id: str) -> AsyncIterator[None]:
    """As `lock_thread`, without holding up the event loop."""
    until = time.monotonic() + GRACE
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(lock_thread(url, id, patience=0))
                break
            except ThreadError:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(0.05)
        yield


def _is_postgres(url: str) -> bool:
    return url.startswith(("postgresql://", "postgres://"))


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turns what the database, or a package that is not there, raises into our errors."""
    failures: tuple[type[Exception], ...] = (sqlite3.Error,)
    if _is_postgres(url):
        try:
            import langgraph.checkpoint.postgres  # noqa: F401
            import psycopg
        except ImportError:
            package = "langgraph-checkpoint-postgres with psycopg[binary]"
            raise MissingExtraError("Keeping threads in PostgreSQL", package, "postgres") from None
        failures = (psycopg.Error,)
        # What the driver says of a lost connection is in our error. Without a handler Python would print it before that one.
        driver = logging.getLogger("psycopg")
        if not driver.handlers:
            driver.addHandler(logging.NullHandler())
    try:
        yield
    except failures as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise ThreadError(
            f"The database of the threads, {url}, cannot be used: {text}. Next: correct --checkpoints or "
            "REASONFLUX_CHECKPOINTS (a SQLite file or a postgresql:// URL), or see to the database."
        ) from error


def _check_sqlite(path: str) -> None:
    try:
        import langgraph.checkpoint.sqlite  # noqa: F401
    except ImportError:
        raise MissingExtraError("Keeping threads in SQLite", "langgraph-checkpoint-sqlite", "sqlite") from None
    _make_folder(Path(path))


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ThreadError(f"The folder of {path} cannot be made: {error}. Next: name another with --checkpoints.") from None


def _set_up_postgres(url: str) -> None:
    """Makes the tables, once: processes that come at the same time wait for the one that makes them."""
    import psycopg
    from langgraph.checkpoint.postgres import PostgresSaver

    with psycopg.connect(url, autocommit=True) as connection:
        while not _try_lock(connection, "setup"):  # a waiting lock would block the making of the indices
            time.sleep(0.05)
        with PostgresSaver.from_conn_string(url) as saver:
            saver.setup()


@contextmanager
def _lock_postgres(url: str, id: str, patience: float) -> Iterator[None]:
    import psycopg

    until = time.monotonic() + patience
    with psycopg.connect(url, autocommit=True) as connection:
        while not _try_lock(connection, f"thread:{id}"):
            if time.monotonic() > until:
                raise _under_way(id)
            time.sleep(0.05)
        yield


def _try_lock(connection: Any, name: str) -> bool:
    return bool(connection.execute("SELECT pg_try_advisory_lock(%s)", (_key(name),)).fetchone()[0])


def _key(name: str) -> int:
    """The number of an advisory lock."""
    return int.from_bytes(hashlib.sha256(f"reasonflux:{name}".encode()).digest()[:8], "big", signed=True)


@contextmanager
def _lock_sqlite(path: str, id: str, patience: float) -> Iterator[None]:
    """An open transaction on an empty database beside the threads': SQLite's locks work on every system."""
    file = _lock_file(path, id)
    _make_folder(file)
    with closing(sqlite3.connect(file, timeout=patience, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise _under_way(id) from None
        yield


def _lock_file(path: str, id: str) -> Path:
    return Path(f"{path}.locks") / hashlib.sha256(id.encode()).hexdigest()[:32]


def _under_way(id: str) -> ThreadError:
    return ThreadError(f"The thread {id!r} is under way in another process. Next: wait for it, or use another thread.")


def is_held(url: str, id: str) -> bool:
    """Whether a process is at a thread."""
    if not _is_postgres(url) and not _lock_file(url, id).exists():
        return False
    try:
        with lock_thread(url, id, patience=0):
            return False
    except ThreadError:
        return True
