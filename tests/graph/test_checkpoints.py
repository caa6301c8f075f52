"""Checkpoints hold plain JSON, and a run that was killed goes on in a new process without repeating a finished call."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from reasonflux_agent import create_reasonflux
from reasonflux_agent.testing import mathematician, serve_fake
from tests.graph.fakes import Scripted, Shelf

PROBLEM = "What is 3 + 4?"
CONFIG: Any = {"configurable": {"thread_id": "one"}}


@pytest.mark.parametrize("granularity", ["whole", "step"])
@pytest.mark.parametrize("strategy", ["navigator", "original", "direct", "propose", "recall"])
def test_the_state_is_plain_json_at_every_checkpoint(strategy: str, granularity: str) -> None:
    graph = create_reasonflux(navigator=Scripted({"review": "REDO: no"}), retriever=Shelf(), strategy=strategy)
    saver = InMemorySaver()
    compiled = graph.compile(checkpointer=saver)
    context = {"granularity": granularity, "direct_samples": 2, "refine": True}
    compiled.invoke({"problem": PROBLEM}, CONFIG, context=context)
    history = list(compiled.get_state_history(CONFIG))
    assert len(history) >= 4
    for snapshot in history:
        plain = {name: value for name, value in snapshot.values.items() if name != "messages"}
        assert json.loads(json.dumps(plain)) == plain
    # what the attempts themselves checkpointed, in their own namespaces, and the results of the model calls
    stored = [saver.serde.loads_typed(value) for value in saver.blobs.values() if value[0] != "empty"]
    stored += [saver.serde.loads_typed(write[2]) for writes in saver.writes.values() for write in writes.values()]
    assert len(stored) > 20
    assert not [type(value) for value in stored if type(value).__module__.startswith("reasonflux_agent")]


STRICT = """
import sys, warnings
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from reasonflux_agent import create_reasonflux
from tests.graph.fakes import Scripted, Shelf

warnings.simplefilter("error")
config = {"configurable": {"thread_id": "one"}}
graph = create_reasonflux(navigator=Scripted({"review": "REDO: no"}), retriever=Shelf())
with SqliteSaver.from_conn_string(sys.argv[1]) as sqlite:
    for saver in (InMemorySaver(), sqlite):
        compiled = graph.compile(checkpointer=saver)
        compiled.invoke({"problem": "3 + 4"}, config, context={"effort": "high", "granularity": "step"})
        states = [s.values for s in compiled.get_state_history(config)]
        print(len(states) > 3, states[0]["solution"]["answer"], states[0]["messages"][-1].type)
"""


def test_strict_checkpoints_need_no_registered_type(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", STRICT, str(tmp_path / "strict.sqlite")],
        env={**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["True 7 ai"] * 2
    assert "unregistered" not in run.stderr
    assert "Blocked" not in run.stderr


def test_a_failed_run_goes_on_where_it_failed() -> None:
    replies: Any = [RuntimeError("out of order"), "So it is \\boxed{7}."]
    model = Scripted({"solve_step": replies})
    context = {"direct_samples": 0, "refine": True, "reviews": 1, "llm_review": True}
    compiled = create_reasonflux(navigator=model, retriever=Shelf()).compile(checkpointer=InMemorySaver())
    with pytest.raises(Exception, match="out of order"):
        compiled.invoke({"problem": PROBLEM}, CONFIG, context=context)
    state = compiled.invoke(None, CONFIG, context=context)
    assert state["solution"]["status"] == "answered"
    assert model.nodes == ["plan", "refine", "solve_step", "solve_step", "review"]


WORKER = """
import sys
from langgraph.checkpoint.sqlite import SqliteSaver
from reasonflux_agent import create_reasonflux
from reasonflux_agent.schema import Solution
from tests.graph.fakes import Shelf

path, url, resume = sys.argv[1:]
graph = create_reasonflux(navigator=f"vllm:fake@{url}", retriever=Shelf())
with SqliteSaver.from_conn_string(path) as saver:
    state = graph.compile(checkpointer=saver).invoke(
        None if resume == "resume" else {"problem": "What is 3 + 4?"},
        {"configurable": {"thread_id": "one"}},
        context={"granularity": "step", "direct_samples": 1, "refine": True, "reviews": 1},
        durability="sync",
    )
solution = Solution.model_validate(state["solution"])
print(solution.status, solution.answer, solution.total.calls, len(solution.candidates))
"""
CALLS = 1 + 2 + 2 * 2
"""Of that run: one draft; plan and refinement; two steps, each reviewed."""


def work(path: Path, url: str, resume: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(path), url, resume], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_run_that_is_killed_again_and_again_repeats_no_finished_call(tmp_path: Path) -> None:
    """Each kill comes while a call is under way and so many are done; only the one under way is made again."""
    answered: list[str] = []
    kills = [1, 3, 6]
    waiting, killed = threading.Event(), threading.Event()

    def respond(prompt: str) -> str:
        if kills and len(answered) >= kills[0]:
            waiting.set()
            killed.wait(120)
            return "nobody reads this"
        answered.append(prompt)
        return mathematician(prompt)

    path = tmp_path / "run.sqlite"
    with serve_fake(respond) as url:
        while kills:
            worker = work(path, url, "resume" if answered else "start")
            assert waiting.wait(120), worker.communicate()
            assert _settle(path)
            worker.kill()
            worker.communicate()
            assert worker.returncode == -signal.SIGKILL
            assert len(answered) == kills.pop(0)
            killed.set()
            time.sleep(0.1)  # the handlers of the killed calls go
            waiting.clear()
            killed.clear()
        worker = work(path, url, "resume")
        out, err = worker.communicate(timeout=120)
    assert worker.returncode == 0, err
    assert out.split() == ["answered", "7", str(CALLS), "2"]
    assert len(answered) == len(set(answered)) == CALLS  # the prompts of this run all differ: none was asked twice


def _settle(path: Path) -> int:
    """Waits until the worker has written what it knows; the number of rows that it wrote."""
    rows, quiet = -1, 0
    while quiet < 5:
        time.sleep(0.1)
        with sqlite3.connect(path) as connection:
            now = connection.execute("select count(*) from writes").fetchone()[0]
        rows, quiet = now, quiet + 1 if now == rows else 0
    return rows
