"""Threads from Python: resuming with what the run was begun with, what is told of them, and who may run them."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from reasonflux_agent import ReasonFlux
from reasonflux_agent.errors import InputError, ThreadError
from reasonflux_agent.runs.record import read_record
from reasonflux_agent.runs.threads import (
    alock_thread,
    aopen_checkpointer,
    database,
    list_threads,
    lock_thread,
    open_checkpointer,
    read_thread,
)
from tests.graph.fakes import Scripted, Shelf
from tests.ticking import ticking

PROBLEM = "What is 3 + 4?"
ON_ONE: Any = {"configurable": {"thread_id": "one"}}
FAILS_ONCE: Any = [RuntimeError("out of order"), "So it is \\boxed{7}."]


class Seeded(Scripted):
    """Is told the options of a call, as OpenAI's models are."""

    seeds: list[Any] = []

    @property
    def _llm_type(self) -> str:
        return "openai-chat"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        self.seeds.append((kwargs.get("seed"), kwargs.get("max_tokens")))
        return super()._generate(messages, stop, run_manager)


def test_a_stopped_run_is_resumed_by_another_object_in_its_own_context() -> None:
    saver = InMemorySaver()
    first = Seeded({"solve_step": RuntimeError("out of order")})
    with pytest.raises(Exception, match="out of order"):
        ReasonFlux(first, retriever=Shelf(), checkpointer=saver).solve(
            PROBLEM, config=ON_ONE, granularity="step", direct_samples=0, seed=5, reviews=1, max_tokens=77
        )
    assert first.nodes == ["plan", "solve_step"]
    second = Seeded()
    flux = ReasonFlux(second, retriever=Shelf(), checkpointer=saver, seed=99)
    solution = flux.resume("one")
    assert (solution.status, solution.answer, solution.total.calls) == ("answered", "7", 7)
    assert second.nodes == ["solve_step", "review"] * 3
    assert (5, 77) in second.seeds
    assert {seed for seed, _ in second.seeds} == {5}
    assert flux.resume("one") == solution
    assert len(second.asked) == 6


async def test_and_on_the_event_loop(tmp_path: Path) -> None:
    model = Scripted({"solve_step": FAILS_ONCE})
    async with aopen_checkpointer(str(tmp_path / "t.sqlite")) as saver:
        flux = ReasonFlux(model, retriever=Shelf(), checkpointer=saver)
        with pytest.raises(Exception, match="out of order"):
            await flux.asolve(PROBLEM, config=ON_ONE, effort="low")
        assert (await flux.aresume("one")).answer == "7"
        with pytest.raises(ThreadError, match=r"no thread 'two'\. There are: one"):
            await flux.aresume("two")
    assert model.nodes == ["plan", "solve_step", "solve_step"]


def test_what_cannot_be_resumed_is_refused() -> None:
    saver = InMemorySaver()
    flux = ReasonFlux(Scripted(), retriever=Shelf(), checkpointer=saver)
    with pytest.raises(ThreadError, match=r"no thread 'one'\. None is kept yet"):
        flux.resume("one")
    flux.solve(PROBLEM, config=ON_ONE)
    broken = ReasonFlux(Scripted({"plan": RuntimeError("gone")}), retriever=Shelf(), checkpointer=saver)
    with pytest.raises(Exception, match="gone"):
        broken.solve(PROBLEM, config={"configurable": {"thread_id": "two"}})
    other = ReasonFlux(Scripted(), strategy="direct", checkpointer=saver)
    with pytest.raises(ThreadError, match="begun with the strategy 'navigator', not 'direct'"):
        other.resume("two")
    with pytest.raises(InputError, match="without a checkpointer"):
        ReasonFlux(Scripted()).resume("one")


def test_time_before_the_stop_counts_and_time_in_between_does_not() -> None:
    """The plan takes two calls, a slow one that is kept and one that fails: the node begins anew when the run is resumed."""
    saver = InMemorySaver()
    slow = Scripted({"plan": ["unreadable", RuntimeError("gone")]}, delay=0.4)
    with pytest.raises(Exception, match="gone"):
        ReasonFlux(slow, retriever=Shelf(), checkpointer=saver).solve(PROBLEM, config=ON_ONE, deadline=1.5, effort="low")
    time.sleep(1.5)
    quick = Scripted()
    solution = ReasonFlux(quick, retriever=Shelf(), checkpointer=saver).resume("one")
    assert solution.status == "answered"
    assert solution.usage["plan"].calls == 2
    assert 0.4 <= solution.usage["plan"].seconds < 1.4
    assert quick.nodes == ["plan", "solve_step"]
    late = Scripted({"plan": ["unreadable", RuntimeError("gone")]}, delay=1.0)
    with pytest.raises(Exception, match="gone"):
        ReasonFlux(late, retriever=Shelf(), checkpointer=saver).solve(
            PROBLEM, config={"configurable": {"thread_id": "two"}}, deadline=1.8, effort="low"
        )
    late.script["plan"] = "1. Look\n2. End"
    spent = ReasonFlux(late, retriever=Shelf(), checkpointer=saver).resume("two")
    assert spent.status == "exhausted"
    assert "deadline of 1.8 s" in spent.reason


def test_the_record_goes_on_in_one_file(tmp_path: Path) -> None:
    saver = InMemorySaver()
    broken = Scripted({"plan": ["unreadable", RuntimeError("gone")]})
    with pytest.raises(Exception, match="gone"):
        ReasonFlux(broken, retriever=Shelf(), checkpointer=saver, record=tmp_path).solve(PROBLEM, config=ON_ONE, effort="low")
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b'{"type": "call", "no')  # as a kill leaves it
    ReasonFlux(Scripted(), retriever=Shelf(), checkpointer=saver, record=tmp_path).resume("one")
    assert [path] == list(tmp_path.iterdir())
    text = path.read_text()
    assert text.count('"type": "unparsed"') == 2  # the node began anew
    record = read_record(path)
    assert [event.type for event in record.events].count("unparsed") == 1
    assert [(call.error is not None, call.node) for call in record.calls] == [
        (False, "plan"),
        (True, "plan"),
        (False, "plan"),
        (False, "solve_step"),
    ]
    assert record.solution is not None


def test_what_is_told_of_threads(tmp_path: Path) -> None:
    url = str(tmp_path / "new" / "t.sqlite")
    assert list_threads(url) == []
    with open_checkpointer(url) as saver:
        given: Any = {"retriever": Shelf(), "checkpointer": saver}
        flux = ReasonFlux(Scripted(), effort="high", granularity="step", **given)
        solution = flux.solve(PROBLEM, config={"configurable": {"thread_id": "done"}})
        broken = ReasonFlux(Scripted({"solve_step": RuntimeError("gone")}), direct_samples=0, **given)
        with pytest.raises(Exception, match="gone"):
            broken.solve("What is 5 + 2?", config={"configurable": {"thread_id": "stopped"}})
        with pytest.raises(Exception, match="gone"):  # a finished thread takes another problem
            broken.solve("What is 6 + 1?", config={"configurable": {"thread_id": "done"}})
        again = read_thread(saver, "done")
    assert again is not None
    assert (again.problem, again.state, again.calls) == ("What is 6 + 1?", "interrupted", 1)
    stopped = list_threads(url)[1]
    assert (stopped.id, stopped.problem, stopped.state, stopped.calls) == ("stopped", "What is 5 + 2?", "interrupted", 1)
    assert stopped.tokens > 100
    assert solution.total.calls > 2


def test_a_thread_whose_run_made_no_call_takes_another_problem() -> None:
    saver = InMemorySaver()
    model = Scripted({"plan": [RuntimeError("gone"), "1. End it"]})
    flux = ReasonFlux(model, retriever=Shelf(), checkpointer=saver)
    with pytest.raises(InputError, match="at most 20,000"):
        flux.solve("x" * 20_001, config=ON_ONE)
    begun = read_thread(saver, "one")
    assert begun is not None
    assert (begun.state, begun.calls, begun.problem[:3]) == ("interrupted", 0, "xxx")
    with pytest.raises(Exception, match="gone"):
        flux.solve("What is 1 + 1?", config=ON_ONE)
    solution = flux.solve(PROBLEM, config=ON_ONE)
    assert (solution.problem, solution.status) == (PROBLEM, "answered")
    again = read_thread(saver, "one")
    assert again is not None
    assert again.solution == solution


class Full(InMemorySaver):
    """A disk that is full at its n-th write."""

    def __init__(self, fails_at: int) -> None:
        super().__init__()
        self.left = [fails_at]  # LangGraph may work on a shallow copy
        self.lock = threading.Lock()

    def put(self, *given: Any) -> Any:
        self._write()
        return super().put(*given)

    def put_writes(self, *given: Any) -> None:
        self._write()
        super().put_writes(*given)

    def _write(self) -> None:
        with self.lock:
            self.left[0] -= 1
            full = self.left[0] == 0
        if full:
            raise OSError("no space left on device")


def test_a_write_that_failed_is_made_good_whichever_it_was() -> None:
    """The state that a kill can leave between any two writes of the checkpointer, one after the other."""
    given: Any = {"granularity": "step", "direct_samples": 0, "reviews": 1}
    writes = 0
    for fails_at in range(1, 100):
        saver, model = Full(fails_at), Scripted()
        flux = ReasonFlux(model, retriever=Shelf(), checkpointer=saver, **given)
        try:
            flux.solve(PROBLEM, config=ON_ONE)
        except OSError:
            writes += 1
        if not list(saver.list(ON_ONE)):
            continue  # it was the first one
        solution = flux.resume("one")
        assert (solution.status, solution.answer, solution.total.calls) == ("answered", "7", 7)
        assert len(model.asked) <= 8
        if saver.left[0] > 0:
            break
    assert writes > 20


def test_the_python_block_of_the_docs_runs(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    (block,) = re.findall(r"```python\n(.*?)```", (root / "docs" / "durability.md").read_text(encoding="utf-8"), re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-c", block],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.stdout, run.returncode) == ("7\n", 0), run.stderr


def test_one_process_at_a_time(tmp_path: Path) -> None:
    url = str(tmp_path / "t.sqlite")
    with open_checkpointer(url) as saver, pytest.raises(Exception, match="gone"):
        ReasonFlux(Scripted({"plan": RuntimeError("gone")}), retriever=Shelf(), checkpointer=saver).solve(
            PROBLEM, config=ON_ONE
        )
    holds = "import sys, time; from reasonflux_agent.runs.threads import lock_thread\n"
    holds += "with lock_thread(sys.argv[1], 'one'):\n    print('held', flush=True)\n    time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", holds, url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ThreadError, match="'one' is under way in another process"), lock_thread(url, "one"):
            pass
        assert list_threads(url)[0].state == "running"
        with lock_thread(url, "other"):
            holder.kill()
    with lock_thread(url, "one"):
        assert list_threads(url)[0].state == "running"
    assert list_threads(url)[0].state == "interrupted"


@pytest.mark.parametrize("committing", [True, False])
async def test_writes_of_a_cancelled_run_do_not_lock_the_database(tmp_path: Path, committing: bool) -> None:
    url = str(tmp_path / "t.sqlite")
    metadata: Any = {"source": "loop", "step": 1, "parents": {}}
    place: Any = {"configurable": {"thread_id": "one", "checkpoint_ns": ""}}
    async with aopen_checkpointer(url) as saver:
        assert isinstance(saver, AsyncSqliteSaver)
        unread = await saver.conn.execute("SELECT 1 UNION SELECT 2")  # as a task leaves it that is cancelled while reading
        assert await unread.fetchone() == (1,)
        if committing:
            under_way = asyncio.create_task(saver.aput(place, empty_checkpoint(), metadata, {}))
            while not saver.conn.in_transaction:
                await asyncio.sleep(0)
        else:
            await saver.conn.execute("INSERT INTO writes VALUES ('one', '', '', '', '', 0, '', '', '')")
    with closing(sqlite3.connect(url, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM checkpoints").fetchone() == (int(committing),)
        assert other.execute("SELECT count(*) FROM writes").fetchone() == (0,)
    if committing:
        await under_way


async def test_a_list_that_was_left_half_read_does_not_keep_a_database_open(tmp_path: Path) -> None:
    async with asyncio.timeout(20), aopen_checkpointer(str(tmp_path / "t.sqlite")) as saver:
        place: Any = {"configurable": {"thread_id": "one", "checkpoint_ns": ""}}
        for _ in range(2):
            await saver.aput(place, empty_checkpoint(), {"source": "loop", "step": 1, "parents": {}}, {})
        left = saver.alist(place)
        await anext(left)
    with pytest.raises(ValueError, match="Connection closed"):
        await left.aclose()  # type: ignore[attr-defined]


async def test_waiting_for_a_thread_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    url = str(tmp_path / "t.sqlite")

    async def held() -> None:
        async with alock_thread(url, "one"):
            pass

    with lock_thread(url, "one"):
        async with ticking(0.01) as loop:
            with pytest.raises(ThreadError, match="under way in another process"):
                await held()
    assert loop.ticks > 10
    await held()


def test_where_threads_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert database() == str(tmp_path / ".local/share/reasonflux/threads.sqlite")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert database() == "/data/reasonflux/threads.sqlite"
    monkeypatch.setenv("REASONFLUX_CHECKPOINTS", "postgresql://host/name")
    assert database() == "postgresql://host/name"
    assert database("~/own.sqlite") == str(tmp_path / "own.sqlite")
    with pytest.raises(ThreadError, match=r"cannot be kept in 'mysql://me:\*\*\*@host/x'"):
        database("mysql://me:hidden@host/x")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.sqlite").write_text("these are no checkpoints, and long enough to be looked at" * 20)
    with pytest.raises(ThreadError, match=r"t.sqlite, cannot be used: file is not a database"):
        list_threads(str(tmp_path / "t.sqlite"))
    with pytest.raises(ThreadError, match="The folder of"):
        list_threads(str(tmp_path / "t.sqlite" / "inside"))
    with pytest.raises(ThreadError, match="The folder of"), lock_thread(str(tmp_path / "t.sqlite" / "inside"), "one"):
        pass


@pytest.mark.parametrize(("extra", "url"), [("sqlite", "x.sqlite"), ("postgres", "postgresql://h/x")])
def test_a_missing_package_is_named(tmp_path: Path, extra: str, url: str) -> None:
    code = f"import sys; sys.modules['langgraph.checkpoint.{extra}'] = None\n"
    code += f"from reasonflux_agent.runs.threads import list_threads; list_threads({url!r})"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"MissingExtraError: Keeping threads in {'SQLite' if extra == 'sqlite' else 'PostgreSQL'} needs" in run.stderr
    assert f"pip install 'reasonflux-agent[{extra}]'" in run.stderr
