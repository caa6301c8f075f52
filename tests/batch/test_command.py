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
from reasonflux_agent.runs.record import read_record
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
        how = f"What is done so far is kept in {out}. To go on: reasonflux batch {problems} -o {out} -m vllm:fake@{url} --str"
        assert (how in said) == (number == signal.SIGINT)
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


def test_settings_stand_in_each_row_and_a_file_is_no_mixture(tmp_path: Path) -> None:
    """As `eval` refuses a folder of another configuration."""
    own = {"problem": "Add 7 and 3.", "id": "own", "settings": {"effort": "high", "direct_samples": 1}}
    problems, out = written(tmp_path / "p", [*sums(2), own]), tmp_path / "o"
    with serve_fake() as url:
        spec = f"vllm:fake@{url}"
        arguments = (problems, "-o", out, "-m", spec, "--effort", "low", "--templates", 0, "--record", tmp_path / "r")
        with begin(*arguments) as run:
            _, said = run.communicate(timeout=120)
        assert run.returncode == 0, said
        usual = {
            "strategy": "navigator",
            "library": "builtin",
            "navigator": spec,
            "solver": spec,
            "effort": "low",
            "templates": 0,
        }
        rows = {row["id"]: row for row in rows_of(out)}
        assert {id: row["settings"] for id, row in rows.items()} == {
            "s0": usual,
            "s1": usual,
            "own": usual | {"effort": "high", "direct_samples": 1},
        }
        context = read_record(tmp_path / "r" / f"{rows['own']['run']}.jsonl").header["context"]
        assert (context["effort"], context["direct_samples"], context["templates"]) == ("high", 1, 0)
        written(problems, [*sums(3), own])
        before = out.read_bytes()
        with begin(*arguments, "--effort", "medium", "--seed", 3) as other:
            _, said = other.communicate(timeout=120)
        assert other.returncode == 2
        assert "rows that were solved with other settings" in said
        assert "effort was 'low', is 'medium'; seed was None, is 3. Next: give the same options, or name another" in said
        assert out.read_bytes() == before
        with begin(*arguments) as again:
            _, said = again.communicate(timeout=120)
        assert (again.returncode, lines(out)) == (0, 4), said


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"effort": "hgih"}, "effort = 'hgih'"),
        ({"efort": "high"}, "no field 'efort'"),
        ({"solver": "nonsense"}, "'nonsense' names no model"),
        ("high", "its 'settings' are 'high', not an object"),
        (["effort"], "not an object"),
    ],
)
def test_settings_of_no_use_are_that_rows_error_before_any_call(tmp_path: Path, settings: Any, says: str) -> None:
    asked = Counter[str]()

    def respond(prompt: str) -> str:
        asked[prompt] += "Add 9" in prompt
        return mathematician(prompt)

    problems = written(tmp_path / "p", [*sums(1), {"problem": "Add 9 and 9.", "settings": settings}])
    with serve_fake(respond) as url, begin(problems, "-o", tmp_path / "o", "-m", f"vllm:fake@{url}") as run:
        run.communicate(timeout=120)
    assert run.returncode == 1
    (error,) = (row["error"] for row in rows_of(tmp_path / "o") if row["error"])
    assert says in error
    assert error.startswith("InputError: line 2 is no row: ")
    assert not sum(asked.values())


def test_standard_output_holds_rows_and_nothing_else(tmp_path: Path) -> None:
    problems = written(tmp_path / "p", sums(5))
    with serve_fake() as url, begin(problems, "-o", "-", "-m", f"vllm:fake@{url}", "--strategy", "direct", cwd=tmp_path) as run:
        out, said = run.communicate(timeout=120)
    assert run.returncode == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert {row["id"]: row["answer"] for row in rows} == {f"s{n}": str(n + 3) for n in range(5)}
    assert "5 row(s) done, 0 of them failed. Output: standard output" in said
    assert {path.name for path in tmp_path.iterdir()} == {"p"}
    with begin(problems, "-o", "-", "--retry-failed", "-m", "vllm:fake@http://127.0.0.1:9/v1") as run:
        assert "Standard output holds no rows" in run.communicate(timeout=60)[1]
    assert run.returncode == 2


def test_rows_that_failed_make_the_exit_code_1_until_they_are_done_again(tmp_path: Path) -> None:
    problems, out = written(tmp_path / "p", [*sums(2), {"text": "no problem"}]), tmp_path / "o"
    with serve_fake() as url:
        arguments = (problems, "-o", out, "-m", f"vllm:fake@{url}", "--strategy", "direct")
        for says in (
            "3 row(s) done, 1 of them failed; --retry-failed does",
            "0 row(s) done, 0 of them failed, 1 failed earlier; ",
        ):
            with begin(*arguments) as run:
                _, said = run.communicate(timeout=120)
            assert run.returncode == 1
            assert says in said
        written(problems, sums(2))
        with begin(*arguments, "--retry-failed") as run:
            _, said = run.communicate(timeout=120)
    assert run.returncode == 0, said


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
        (["p", "-o", "o", "--workers", "2"], "--address, --workers, --gpus and --serve are for a Ray cluster"),
        (["p", "-o", "o", "--engine", "ray", "--serve", "vllm serve x", "-m", "vllm:x@http://a/v1"], "models without a URL"),
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


def test_a_full_disk_is_no_bug(tmp_path: Path) -> None:
    with serve_fake() as url, begin(written(tmp_path / "p", sums(1)), "-o", "/dev/full", "-m", f"vllm:fake@{url}") as run:
        _, said = run.communicate(timeout=120)
    assert run.returncode == 2
    assert "Error: What was to be kept cannot be written: [Errno 28] No space left on device" in said
    assert "a bug in" not in said


def test_without_ray_it_is_said_what_to_install(tmp_path: Path) -> None:
    written(tmp_path / "p", sums(1))
    code = "import sys; sys.modules['ray'] = None; from reasonflux_agent.cli import main; main()"
    arguments = ["batch", "p", "-o", "o", "--engine", "ray", "-m", "vllm:fake@http://127.0.0.1:9/v1"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
    )
    assert done.returncode == 5
    assert "Error: The engine 'ray' needs ray, which is not installed. Next: pip install 'reasonflux-agent[ray]'" in done.stderr
