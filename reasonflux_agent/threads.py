"""Threads: runs whose checkpoints are kept in a database, so that what was stopped or killed goes on in another process.

A database is a SQLite file or a `postgresql://` URL. What a run was begun with is kept as checkpoint metadata, under `BEGUN`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from reasonflux_agent.errors import MissingExtraError, ThreadError
from reasonflux_agent.schema import Solution, Usage, Value

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

Saver = TypeVar("Saver", bound="BaseCheckpointSaver[Any]")
BEGUN = "reasonflux_begun"
"""Key of the checkpoint metadata that says, as JSON, what a run was begun with: strategy, library, record, context."""
GRACE = 2.0
"""Seconds to wait for a thread that another process holds: a killed one is let go of by the system, but not at once."""


class Thread(Value):
    """A kept run: the last one of its thread."""

    id: str
    problem: str
    state: Literal["running", "interrupted", "finished"]
    """`running`: a process is at it; `interrupted`: it can be resumed."""
    updated: str
    """When its last checkpoint was written, ISO 8601."""
    calls: int = 0
    """Finished model calls."""
    tokens: int = 0
    """Their prompt and completion tokens."""
    run: str = ""
    """Id of the run, which is the name of its record."""
    begun: str = ""
    """What it was begun with, as JSON; see `BEGUN`."""
    solution: Solution | None = None
    """Of a finished run."""


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


def list_threads(url: str) -> list[Thread]:
    """The threads of a database, the one written last first."""
    with open_checkpointer(url) as saver:
        threads = [thread for id in thread_ids(saver) if (thread := read_thread(saver, id))]
    held = _held(url, {thread.id for thread in threads if thread.state == "interrupted"})
    threads = [thread.model_copy(update={"state": "running"}) if thread.id in held else thread for thread in threads]
    return sorted(threads, key=lambda thread: thread.updated, reverse=True)


def thread_ids(saver: BaseCheckpointSaver[Any]) -> list[str]:
    """The ids of the threads that hold a run of ours."""
    with _understood("the database"):
        begins = list(saver.list(None, filter={"source": "input", "step": -1}))
        return list(dict.fromkeys(t.config["configurable"]["thread_id"] for t in begins if BEGUN in t.metadata))


def read_thread(saver: BaseCheckpointSaver[Any], id: str) -> Thread | None:
    """What is kept of a thread; None if nothing is. Whether a process is at it, the checkpoints do not say.

    Raises ThreadError for what this package has not written.
    """
    with _understood(f"the thread {id!r}"):
        return _read(saver, id)


@contextmanager
def _understood(what: str) -> Iterator[None]:
    """Turns what checkpoints of another make, or damaged ones, raise into our error."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, NotImplementedError, RecursionError) as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        text = f"What is kept of {what} cannot be read: {why}. Next: name another database, or delete what is damaged."
        raise ThreadError(text) from None


def _read(saver: BaseCheckpointSaver[Any], id: str) -> Thread | None:
    last = saver.get_tuple({"configurable": {"thread_id": id, "checkpoint_ns": ""}})
    if last is None:
        return None
    values = last.checkpoint["channel_values"]
    given: dict[str, Any] = values.get("__start__") or {}
    begins = last.metadata["source"] == "input"  # then the other values are those of the thread's former run
    solution = Solution.model_validate(values["solution"]) if values.get("solution") and not begins else None
    usage = solution.total if solution else Usage() if begins else _usage(saver, id)
    return Thread(
        id=id,
        problem=given.get("problem") or values.get("problem") or values.get("asked") or "",
        state="finished" if solution else "interrupted",
        updated=last.checkpoint["ts"],
        calls=usage.calls,
        tokens=usage.tokens,
        run="" if begins else values.get("run", ""),
        begun=dict(last.metadata).get(BEGUN, ""),
        solution=solution,
    )


def unknown_thread(id: str, known: Iterable[str]) -> ThreadError:
    """The error for an id that no thread has."""
    ids = ", ".join(known)
    exist = f"There are: {ids}." if ids else "None is kept yet. Next: reasonflux solve --thread ID PROBLEM."
    return ThreadError(f"There is no thread {id!r}. {exist}")


def delete_thread(url: str, id: str) -> None:
    """Deletes all that is kept of a thread. Raises ThreadError for one that is unknown, or under way."""
    with lock_thread(url, id), open_checkpointer(url) as saver:
        if read_thread(saver, id) is None:
            raise unknown_thread(id, thread_ids(saver))
        saver.delete_thread(id)


def _usage(saver: BaseCheckpointSaver[Any], id: str) -> Usage:
    """What the finished model calls cost since the thread's last input, in the graph and in its attempts."""
    replies = [result["reply"] for result in finished_calls(saver, id)]
    read, wrote = (sum(reply[name] for reply in replies) for name in ("prompt_tokens", "completion_tokens"))
    return Usage(calls=len(replies), prompt_tokens=read, completion_tokens=wrote)


def finished_calls(saver: BaseCheckpointSaver[Any], id: str) -> list[dict[str, Any]]:
    """The results of the model calls since the thread's last input (see calls.py), in order, each once."""
    checkpoints = sorted(saver.list({"configurable": {"thread_id": id}}), key=_when)
    inputs = [t for t in checkpoints if t.metadata["source"] == "input" and not t.config["configurable"]["checkpoint_ns"]]
    since = max(map(_when, inputs), default="")
    written = [write for t in checkpoints if _when(t) >= since for write in t.pending_writes or ()]
    results = [value for _, channel, value in written if channel == "__return__" and "reply" in value]
    return [result for result in results if result.get("asked") != ""]  # empty: it was kept already


def _when(checkpoint: CheckpointTuple) -> str:
    """Its id: ids are ordered by time."""
    return str(checkpoint.config["configurable"]["checkpoint_id"])


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


def _held(url: str, ids: set[str]) -> set[str]:
    """Those of the threads that a process is at."""
    if not _is_postgres(url):
        return {id for id in ids if _lock_file(url, id).exists() and _is_held(url, id)}
    import psycopg

    with _explained(url), psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("SELECT classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory'")
        keys = {row[0] for row in rows}
    return {id for id in ids if _key(f"thread:{id}") in keys}


def _is_held(path: str, id: str) -> bool:
    try:
        with _lock_sqlite(path, id, patience=0):
            return False
    except ThreadError:
        return True
