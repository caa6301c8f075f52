"""`reasonflux batch` as a process: killed, interrupted, piped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.cli.batch import _open
from reasonflux_agent.testing import mathematician, serve_fake
from tests.batch.test_runner import rows_of, sums, written
from tests.processes import heed_interrupts

COMMAND = [sys.executable, "-m", "reasonflux_agent.cli", "batch"]


def begin(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("REASONFLUX_")}
    own |= {"PYTHONUTF8": "1", "NO_COLOR": "1", "REASONFLUX_CACHE": os.environ["REASONFLUX_CACHE"]}
    options |= {"env": own, "preexec_fn": heed_interrupts}
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_batch_that_is_stopped_goes_on_where_it_was(tmp_path: Path, number: signal.Signals) -> None:
    problems, out, asked = written(tmp_path / "p", sums(40)), tmp_path / "o", Counter[str]()

    def respond(prompt: str) -> str:
        asked[prompt.split("Add ")[-1].split(" ")[0]] += 1
        time.sleep(0.05)
        return mathematician(prompt)

    with serve_fake(respond) as url:
        arguments = (problems, "-o", out, "-m", f"vllm:fake@{url}", "--strategy", "direct", "-c", 3)
        with begin(*arguments) as first:
            until(lambda: lines(out) >= 8)
            first.send_signal(number)
            _, said = first.communicate(timeout=60)
        assert first.returncode == (130 if number == signal.SIGINT else -number)
        assert ("interrupted" in said) == (number == signal.SIGINT)
        assert 8 <= lines(out) < 40
        done = {row["id"] for row in rows_of(out)}
        with begin(*arguments) as second:
            _, said = second.communicate(timeout=120)
        assert second.returncode == 0, said
    assert f"{len(done)} row(s) are done of 40" in said
    assert f"{40 - len(done)} row(s) done, 0 of them failed. Output: {out}" in said
    rows = rows_of(out)
    assert Counter(row["id"] for row in rows) == {f"s{n}": 1 for n in range(40)}
    assert {row["id"]: row["answer"] for row in rows} == {f"s{n}": str(n + 3) for n in range(40)}
    # what was written was not asked again; of the rest no more than what was under way
    assert [id for id in done if asked[id.removeprefix("s")] != 1] == []
    assert sum(asked.values()) <= 40 + 3


def test_a_pipe_of_problems_and_the_limits_of_a_context(tmp_path: Path) -> None:
    out = tmp_path / "o"
    with (
        serve_fake() as url,
        begin("-", "-o", out, "-m", f"vllm:fake@{url}", "--ordered", "--token-budget", 1, stdin=subprocess.PIPE) as run,
    ):
        _, said = run.communicate("".join(json.dumps(row) + "\n" for row in sums(3)), timeout=120)
    assert run.returncode == 0, said
    assert [(row["id"], row["status"]) for row in rows_of(out)] == [(f"s{n}", "exhausted") for n in range(3)]


def test_an_interrupt_does_not_wait_for_a_pipe_that_nobody_writes(tmp_path: Path) -> None:
    with serve_fake() as url, begin("-", "-o", tmp_path / "o", "-m", f"vllm:fake@{url}", stdin=subprocess.PIPE) as run:
        assert run.stdin is not None
        run.stdin.write(json.dumps({"problem": "Add 1 and 1."}) + "\n")
        run.stdin.flush()
        until(lambda: lines(tmp_path / "o") == 1)
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=20) == 130


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.jsonl", "-o", "o"], "The problems cannot be read: .*nowhere.jsonl"),
        (["p", "-o", "p"], "p is the input"),
        (["p", "-o", "o", "--effort", "much"], "effort = 'much'"),
        (["p", "-o", "o", "-m", "nonsense"], "'nonsense' names no model"),
        (["p", "-o", "o", "--engine", "cluster"], "--engine is 'cluster'"),
        (["p", "-o", "o", "--workers", "2"], "--address, --workers and --gpus are for a Ray cluster"),
        (["p", "-o", "o", "-m", "vllm:fake@http://127.0.0.1:9/v1"], "The batch was stopped: .*could not be reached"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    written(tmp_path / "p", sums(1))
    with begin(*arguments, cwd=tmp_path) as run:
        _, said = run.communicate(timeout=60)
    assert run.returncode == (4 if "stopped" in says else 2)
    errors = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "Traceback" not in said
    assert re.search(says, errors[0])


def test_an_output_that_fails_is_not_blamed_on_the_input(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"), _open(str(written(tmp_path / "p", sums(1)))):
        raise OSError(28, "No space left on device")


def test_without_ray_it_is_said_what_to_install(tmp_path: Path) -> None:
    written(tmp_path / "p", sums(1))
    code = "import sys; sys.modules['ray'] = None; from reasonflux_agent.cli import main; main()"
    arguments = ["batch", "p", "-o", "o", "--engine", "ray", "-m", "vllm:fake@http://127.0.0.1:9/v1"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
    )
    assert done.returncode == 5
    assert "Error: The engine 'ray' needs ray, which is not installed. Next: pip install 'reasonflux-agent[ray]'" in done.stderr
