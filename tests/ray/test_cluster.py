"""`reasonflux batch --engine ray` on real Ray clusters: nodes, drivers and processes that are killed in the middle.

They run where REASONFLUX_TEST_RAY is set (the extra `ray` is needed): to start a process takes Ray some seconds.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.testing import mathematician, serve_fake
from tests.batch.test_command import begin, lines, until
from tests.batch.test_runner import rows_of, sums, written
from tests.plugins.test_plugins import fake_package
from tests.ray.nodes import Node, head, session

pytestmark = pytest.mark.skipif(not os.environ.get("REASONFLUX_TEST_RAY"), reason="REASONFLUX_TEST_RAY is not set")

DEADLY = """
import os, signal
from reasonflux_agent.hookspecs import hookimpl
from reasonflux_agent.node import sequence
from reasonflux_agent.strategies.direct import reason as answer

@hookimpl
def register_strategies(register):
    register("deadly", lambda parts: sequence(parts, reason))

async def reason(state, run):
    if "poison" in state["problem"]:
        with open({deaths!r}, "a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return await answer(state, run)
"""


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[Node]:
    """One node, with the strategy `deadly` installed."""
    fake_package(home, "deadly", DEADLY.format(deaths=str(home / "deaths")))
    with head(home) as node:
        yield node


class Asked(Counter[str]):
    """Answers sums, a while after they came, and counts them; nothing before `first` requests are there."""

    def __init__(self, first: int = 1) -> None:
        super().__init__()
        self.first, self.begun = first, threading.Event()

    def __call__(self, prompt: str) -> str:
        self[prompt.split("Add ")[-1].split(" ")[0]] += 1
        if sum(self.values()) >= self.first:
            self.begun.set()
        self.begun.wait(300)
        time.sleep(0.1)
        return mathematician(prompt)


def check(rows: list[dict[str, Any]], count: int) -> None:
    """Every row is answered, and is there once."""
    assert Counter(row["id"] for row in rows) == {f"s{n}": 1 for n in range(count)}
    assert {row["id"]: row["answer"] for row in rows} == {f"s{n}": str(n + 3) for n in range(count)}


def test_a_node_that_dies_costs_no_row(cluster: Node, home: Path, tmp_path: Path) -> None:
    problems, out, asked = written(tmp_path / "p", sums(80)), tmp_path / "o", Asked(first=8)  # four of each process
    second = Node(home / "second.log", f"--address={cluster.address}")
    try:
        with (
            serve_fake(asked) as url,
            begin(
                *(problems, "-o", out, "-m", f"vllm:fake@{url}", "--strategy", "direct", "-c", 8),
                *("--engine", "ray", "--address", cluster.address, "--workers", 2),
            ) as run,
        ):
            until(lambda: lines(out) >= 20, 300)
            done = [row["id"] for row in rows_of(out)]
            second.kill()
            _, said = run.communicate(timeout=300)
    finally:
        second.kill()
    assert run.returncode == 0, said
    check(rows_of(out), 80)
    assert "80 row(s) done, 0 of them failed; 2 process(es) at once, 1 died" in said
    assert [id for id in done if asked[id.removeprefix("s")] != 1] == []
    assert sum(asked.values()) <= 80 + 4  # what was under way on the node


def test_a_driver_that_dies_leaves_the_cluster_free_and_goes_on(cluster: Node, tmp_path: Path) -> None:
    problems, out, asked = written(tmp_path / "p", sums(40)), tmp_path / "o", Asked()
    with serve_fake(asked) as url:
        arguments = (problems, "-o", out, "-m", f"vllm:fake@{url}", "--strategy", "direct", "-c", 3)
        arguments += ("--engine", "ray", "--address", cluster.address, "--ordered")
        with begin(*arguments) as first:
            until(lambda: lines(out) >= 10, 300)
            first.kill()
        done = {row["id"] for row in rows_of(out)}
        with begin(*arguments) as second:  # the one CPU is free again, or nothing could be solved
            _, said = second.communicate(timeout=300)
    assert second.returncode == 0, said
    check(rows_of(out), 40)
    assert [row["id"] for row in rows_of(out)] == [f"s{n}" for n in range(40)]
    assert 10 <= len(done) < 40
    assert f"{40 - len(done)} row(s) done, 0 of them failed; 1 process(es) at once, 0 died" in said
    assert [id for id in done if asked[id.removeprefix("s")] != 1] == []
    assert sum(asked.values()) <= 40 + 3


def test_a_row_that_kills_its_process_is_one_failure_and_costs_no_other_row(cluster: Node, home: Path, tmp_path: Path) -> None:
    rows = sums(12)
    rows[2]["problem"] = "Add poison."
    problems, out = written(tmp_path / "p", rows), tmp_path / "o"
    with (
        serve_fake() as url,
        begin(
            *(problems, "-o", out, "-m", f"vllm:fake@{url}", "--strategy", "deadly", "-c", 4),
            *("--engine", "ray", "--address", cluster.address, "--workers", 1),
        ) as run,
    ):
        _, said = run.communicate(timeout=600)
    assert run.returncode == 1, said  # a row has failed
    found = {row["id"]: row for row in rows_of(out)}
    assert len(rows_of(out)) == len(found) == 12
    assert {id: row["answer"] for id, row in found.items() if not row["error"]} == {
        f"s{n}": str(n + 3) for n in range(12) if n != 2
    }
    assert re.match("ModelError: 3 processes died while they solved this row, the last one with no other", found["s2"]["error"])
    assert (home / "deaths").read_text() == "xxx"
    assert "12 row(s) done, 1 of them failed; --retry-failed does them again; 1 process(es) at once, 3 died" in said


def test_a_process_has_a_server_of_its_own_and_both_end_together(cluster: Node, tmp_path: Path) -> None:
    problems, out, engines = written(tmp_path / "p", sums(60)), tmp_path / "o", tmp_path / "engines"
    engines.mkdir()
    serve = shlex.join([sys.executable, str(Path(__file__).with_name("engine.py")), str(engines)])
    arguments = (problems, "-o", out, "-m", "vllm:fake", "--strategy", "direct", "-c", 4, "--workers", 1)
    with begin(*arguments, "--engine", "ray", "--address", cluster.address, "--serve", serve) as run:
        until(lambda: lines(out) >= 10, 300)
        (first,) = [int(path.name) for path in engines.iterdir()]
        os.kill(first, signal.SIGKILL)
        _, said = run.communicate(timeout=300)
    assert run.returncode == 0, said
    check(rows_of(out), 60)
    assert "60 row(s) done, 0 of them failed; 1 process(es) at once, 1 died" in said
    (second,) = {int(path.name) for path in engines.iterdir()} - {first}
    until(lambda: not Path(f"/proc/{second}").exists(), 60)


def test_a_server_that_does_not_start_is_said_in_one_line(cluster: Node, tmp_path: Path) -> None:
    arguments = (written(tmp_path / "p", sums(1)), "-o", tmp_path / "o", "-m", "vllm:fake", "--engine", "ray")
    with begin(*arguments, "--address", cluster.address, "--serve", "sh -c 'echo no such model; false'") as run:
        _, said = run.communicate(timeout=300)
    assert run.returncode == 2, said
    assert "ended before it was ready: no such model Next: read /tmp" in said.splitlines()[-1]


def test_work_that_no_process_can_do_is_said_in_one_line(cluster: Node, tmp_path: Path) -> None:
    written(tmp_path / "p", sums(1))
    model = "openai:nonsense"  # there may be such a model; what is missing is its key
    with begin(*("p", "-o", "o", "-m", model, "--engine", "ray", "--address", cluster.address), cwd=tmp_path) as run:
        _, said = run.communicate(timeout=300)
    assert run.returncode == 2
    assert [line for line in said.splitlines() if line.startswith("Error: ")] == [said.splitlines()[-1]]
    assert "Error: A process of the Ray cluster cannot do the work. SpecError: The model 'openai:nonsense'" in said


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1:9", "Ray cannot be used at 127.0.0.1:9: .* Next: ray start --head"),
        ("ray://x:1", "ray://x:1 is for Ray's client"),
    ],
)
def test_an_address_of_no_cluster_is_said_in_one_line(tmp_path: Path, address: str, says: str) -> None:
    arguments = (written(tmp_path / "p", sums(1)), "-o", tmp_path / "o", "-m", "vllm:fake@http://127.0.0.1:9/v1")
    with begin(*arguments, "--engine", "ray", "--address", address) as run:
        _, said = run.communicate(timeout=300)
    assert run.returncode == 2
    assert re.search(f"^Error: {says}", said, re.MULTILINE)
    assert "Traceback" not in said


NO_ROOM = """
import asyncio, sys
from pathlib import Path
from reasonflux_agent.jobs.batch.cluster import Work, ray_engine
from reasonflux_agent.jobs.batch.runner import Output, run_batch
async def run(problems, out, address):
    engine = ray_engine(Work("direct", None, None, {}), 1, address=address, gpus=1, patience=2)
    with open(problems, "rb") as source, Output(out, source) as output:
        await run_batch(source, output, engine)
asyncio.run(run(*sys.argv[1:]))
"""


def test_a_cluster_without_room_is_not_waited_for_for_ever(cluster: Node, tmp_path: Path) -> None:
    arguments = [written(tmp_path / "p", sums(1)), tmp_path / "o", cluster.address]
    run = subprocess.run([sys.executable, "-c", NO_ROOM, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert "ModelError: The Ray cluster found no room for a process in 2 s. In all it has 1 CPU(s) and 0 GPU(s)." in run.stderr


def test_without_an_address_ray_is_started_here_and_ends_with_the_batch(home: Path, tmp_path: Path) -> None:
    problems, out, asked = written(tmp_path / "p", sums(40)), tmp_path / "o", Asked()
    with serve_fake(asked) as url:
        arguments = (problems, "-o", out, "-m", f"vllm:fake@{url}", "--strategy", "direct", "-c", 2, "--engine", "ray")
        with begin(*arguments, start_new_session=True) as run:
            until(lambda: lines(out) >= 5, 300)
            run.send_signal(signal.SIGINT)
            _, said = run.communicate(timeout=120)
        assert (run.returncode, said.splitlines()[-1]) == (130, "interrupted")
        until(lambda: session(run.pid) == [], 300)
    assert 5 <= lines(out) < 40
    assert sum(asked.values()) <= lines(out) + 2
