"""Threads in a real PostgreSQL server, which the tests start (REASONFLUX_TEST_POSTGRES=1; see postgres.py)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent import ReasonFlux
from reasonflux_agent.errors import ThreadError
from reasonflux_agent.threads import delete_thread, list_threads, lock_thread, open_checkpointer
from tests.graph.fakes import Scripted, Shelf
from tests.threads.postgres import serve_postgres
from tests.threads.test_kills import RUNS, prove

pytestmark = pytest.mark.skipif(not os.environ.get("REASONFLUX_TEST_POSTGRES"), reason="REASONFLUX_TEST_POSTGRES is not set")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve_postgres() as url:
        yield url


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> str:
    """A database of the test's own."""
    import psycopg

    name = f"test_{abs(hash(request.node.name))}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.rpartition("/")[0] + "/" + name


@pytest.mark.parametrize(("context", "every", "branches", "asynchronous"), RUNS)
def test_kills(database: str, tmp_path: Path, context: dict[str, Any], every: int, branches: int, asynchronous: bool) -> None:
    assert prove(database, tmp_path, context, every, branches, asynchronous) >= 2


def test_many_processes_that_come_first_make_the_tables_once(database: str) -> None:
    errors: list[Exception] = []

    def come() -> None:
        try:
            with open_checkpointer(database) as saver:
                assert list(saver.list(None)) == []
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def test_threads_are_listed_locked_and_deleted(database: str) -> None:
    with open_checkpointer(database) as saver:
        flux = ReasonFlux(Scripted(), retriever=Shelf(), checkpointer=saver)
        flux.solve("What is 3 + 4?", config={"configurable": {"thread_id": "done"}}, effort="low")
        broken = ReasonFlux(Scripted({"solve_step": RuntimeError("gone")}), retriever=Shelf(), checkpointer=saver)
        with pytest.raises(Exception, match="gone"):
            broken.solve("What is 5 + 2?", config={"configurable": {"thread_id": "stopped"}}, drafts=0)
    assert [(t.id, t.state, t.calls) for t in list_threads(database)] == [
        ("stopped", "interrupted", 1),
        ("done", "finished", 2),
    ]
    with lock_thread(database, "stopped"):
        assert list_threads(database)[0].state == "running"
        with pytest.raises(ThreadError, match="'stopped' is under way in another process"):
            delete_thread(database, "stopped")
    delete_thread(database, "stopped")
    assert [t.id for t in list_threads(database)] == ["done"]


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(ThreadError, match=r"postgresql://me:\*\*\*@127.0.0.1:1/x, cannot be used") as caught:
        list_threads("postgresql://me:hidden@127.0.0.1:1/x")
    assert "hidden" not in str(caught.value)
