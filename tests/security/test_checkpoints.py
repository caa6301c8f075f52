"""A database of threads from elsewhere: nothing that it names is called, and what is damaged is one typed error."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.serde.jsonplus import (
    EXT_CONSTRUCTOR_KW_ARGS,
    EXT_CONSTRUCTOR_POS_ARGS,
    EXT_CONSTRUCTOR_SINGLE_ARG,
    EXT_METHOD_SINGLE_ARG,
    EXT_PYDANTIC_V2,
)

from reasonflux_agent import ReasonFlux
from reasonflux_agent.errors import ReasonFluxError
from reasonflux_agent.runs.threads import aopen_checkpointer, list_threads, open_checkpointer, read_thread
from reasonflux_agent.testing import FakeModel

ON: Any = {"configurable": {"thread_id": "one"}}


def kept(database: Path) -> str:
    """A database with one finished thread."""
    with open_checkpointer(str(database)) as saver:
        ReasonFlux(FakeModel(), checkpointer=saver).solve("What is 3 + 4?", config=ON, effort="low", templates=0)
    return str(database)


def calling(target: Path) -> list[bytes]:
    """Checkpoints that make LangGraph's default reader call `os.mkdir(target)`, by each way that it has to call something."""
    touch = ["os", "mkdir", str(target)]
    payloads: list[tuple[int, list[Any]]] = [
        (EXT_CONSTRUCTOR_SINGLE_ARG, touch),
        (EXT_CONSTRUCTOR_POS_ARGS, ["os", "mkdir", [str(target)]]),
        (EXT_CONSTRUCTOR_KW_ARGS, ["os", "mkdir", {"path": str(target)}]),
        (EXT_METHOD_SINGLE_ARG, ["os", "path", str(target), "exists"]),
        (EXT_PYDANTIC_V2, ["os", "mkdir", {"path": str(target)}, "model_validate_json"]),
    ]
    return [ormsgpack.packb({"channel_values": ormsgpack.Ext(code, ormsgpack.packb(data))}) for code, data in payloads]


def put(database: str, checkpoint: bytes, kind: str = "msgpack") -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE checkpoints SET type = ?, checkpoint = ?", (kind, checkpoint))
        connection.execute("UPDATE writes SET type = ?, value = ?", (kind, checkpoint))


async def test_a_checkpoint_calls_nothing(tmp_path: Path) -> None:
    database, target = kept(tmp_path / "threads.sqlite"), tmp_path / "called"
    for payload in calling(target):
        put(database, payload)
        with open_checkpointer(database) as saver, pytest.raises(ReasonFluxError, match="cannot be read"):
            read_thread(saver, "one")
        with pytest.raises(ReasonFluxError):
            list_threads(database)
        async with aopen_checkpointer(database) as both:
            await both.aget_tuple(ON)
        assert not target.exists()


def test_the_payloads_are_live(tmp_path: Path) -> None:
    """Read as LangGraph reads by default, the first three of them do make the folder: the test above tests something."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    for number, payload in enumerate(calling(tmp_path / "called")[:3]):
        (tmp_path / "called").rmdir() if number else None
        JsonPlusSerializer(allowed_msgpack_modules=True).loads_typed(("msgpack", payload))
        assert (tmp_path / "called").exists()


COLUMNS = ("checkpoints.checkpoint", "checkpoints.metadata", "checkpoints.type", "writes.value")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database in one file, closed."""
    path = Path(kept(tmp_path_factory.mktemp("whole") / "threads.sqlite"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return path.read_bytes()


@settings(max_examples=60)
@given(
    st.tuples(st.sampled_from(COLUMNS), st.binary())
    | st.tuples(st.just("a byte of the file"), st.binary(min_size=3, max_size=3))
)
def test_a_damaged_database_is_a_typed_error(whole: bytes, damage: tuple[str, bytes]) -> None:
    where, what = damage
    content = bytearray(whole)
    if where not in COLUMNS:
        content[int.from_bytes(what[:2]) * len(content) >> 16] ^= what[2] | 1
    with TemporaryDirectory() as folder:
        database = Path(folder) / "threads.sqlite"
        database.write_bytes(content)
        if where in COLUMNS:
            table, _, column = where.partition(".")
            with closing(sqlite3.connect(database)) as connection, connection:
                connection.execute(f"UPDATE {table} SET {column} = ?", (what,))
        try:
            threads = list_threads(str(database))
            with open_checkpointer(str(database)) as saver:
                read_thread(saver, "one")
        except ReasonFluxError:
            return
    assert len(threads) <= 1
