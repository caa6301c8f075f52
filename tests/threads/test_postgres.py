"""Threads in a real PostgreSQL server, which the tests start (REASONFLUX_TEST_POSTGRES=1; see postgres.py)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent import ReasonFlux
from reasonflux_agent.errors import ThreadError
from reasonflux_agent.runs.threads import delete_thread, list_threads, lock_thread, open_checkpointer
from reasonflux_agent.testing import mathematician, serve_fake
from tests.graph.fakes import Scripted, Shelf
from tests.serving.servers import ENVIRONMENT
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
            broken.solve("What is 5 + 2?", config={"configurable": {"thread_id": "stopped"}}, direct_samples=0)
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


@pytest.mark.parametrize("verb", ["solve", "resume"])
def test_a_server_that_is_lost_in_the_middle_is_our_error_and_nothing_else(database: str, verb: str) -> None:
    """At the default effort, whose branches write at once: no message of the driver, of LangGraph or of Python."""
    import psycopg

    asked, go = threading.Semaphore(0), threading.Event()

    def respond(prompt: str) -> str:
        asked.release()
        go.wait(60)
        return mathematician(prompt)

    def lose() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}".encode())

    def run(*args: str) -> tuple[int, str]:
        go.clear()
        command = [sys.executable, "-m", "reasonflux_agent.cli", *args, "--checkpoints", database]
        environment = {**ENVIRONMENT, "REASONFLUX_CACHE": os.environ["REASONFLUX_CACHE"]}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
            assert all(asked.acquire(timeout=60) for _ in range(3))
            lose()
            go.set()
            _, said = process.communicate(timeout=60)
        return process.returncode, said

    with serve_fake(respond) as url:
        code, said = run("solve", "What is 3 + 4?", "--thread", "lost", "--model", f"vllm:fake@{url}")
        if verb == "resume":
            code, said = run("resume", "lost")
    assert code == 2
    ours = r"(\[(draft|attempt) \d\] )?(Trajectory|Candidate|Program)|  |Effort |Going on with |What is done so far is kept"
    lines = [line for line in said.splitlines() if not re.match(ours, line)]
    assert len(lines) == 1, said
    assert lines[0].startswith("Error: The database of the threads, postgresql://tester:***@"), said
