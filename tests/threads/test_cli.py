"""`reasonflux solve --thread`, `threads` and `resume`, as processes of their own, one of them killed."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

from reasonflux_agent.runs.record import read_record
from reasonflux_agent.testing import mathematician, serve_fake
from tests.processes import heed_interrupts

CLI = [sys.executable, "-m", "reasonflux_agent.cli"]
PROBLEM = "What is 3 + 4?"


def start(folder: Path, *args: str) -> subprocess.Popen[str]:
    env = {**os.environ, "REASONFLUX_CHECKPOINTS": str(folder / "threads.sqlite")}
    pipe = subprocess.PIPE
    return subprocess.Popen([*CLI, *args], env=env, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed_interrupts)


def reasonflux(folder: Path, *args: str, status: int = 0) -> tuple[str, str]:
    """Standard output and standard error."""
    process = start(folder, *args)
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, (out, err)
    assert "Traceback" not in err
    return out, err


class Stuck:
    """A model that gets stuck at its fourth call."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waiting, self.go_on = threading.Event(), threading.Event()

    def respond(self, prompt: str) -> str:
        self.asked.append(prompt)
        if len(self.asked) == 4:
            self.waiting.set()
            self.go_on.wait(120)
        return mathematician(prompt)


def test_a_run_that_was_interrupted_says_how_to_go_on(tmp_path: Path) -> None:
    model = Stuck()
    with serve_fake(model.respond) as url:
        kept = ["--checkpoints", str(tmp_path / "own.sqlite")]
        given = ["--thread", "home work", *kept, "--drafts", "0", "--granularity", "step", "-m", f"vllm:fake@{url}"]
        worker = start(tmp_path, "solve", *given, PROBLEM)
        assert model.waiting.wait(120), worker.communicate()
        worker.send_signal(signal.SIGINT)
        _, err = worker.communicate(timeout=60)
        model.go_on.set()
        assert worker.returncode == 130
        hint = f"reasonflux resume 'home work' --checkpoints {tmp_path}/own.sqlite"
        assert f"To go on: {hint}\n" in err
        _, err = reasonflux(tmp_path, "solve", *given, "1", status=2)
        assert f"{hint}, or reasonflux threads delete" in " ".join(err.split())
        assert reasonflux(tmp_path, *shlex.split(hint)[1:], "-q") == ("7\n", "")


def test_a_run_that_was_killed_is_resumed(tmp_path: Path) -> None:
    model = Stuck()
    asked = model.asked
    with serve_fake(model.respond) as url:
        options = ["--drafts", "0", "--granularity", "step", "--record", str(tmp_path / "records"), "-m", f"vllm:fake@{url}"]
        worker = start(tmp_path, "solve", "--thread", "home work", *options, PROBLEM)
        assert model.waiting.wait(120), worker.communicate()
        (row,) = reasonflux(tmp_path, "threads", "--json")[0].splitlines()
        assert json.loads(row)["state"] == "running"
        _, err = reasonflux(tmp_path, "resume", "home work", status=2)
        assert err.startswith("Error: The thread 'home work' is under way in another process.")
        worker.kill()
        worker.communicate(timeout=60)
        model.go_on.set()

        _, err = reasonflux(tmp_path, "solve", "--thread", "home work", *options, "What is 1 + 1?", status=2)
        assert "has a run that is not finished: 'What is 3 + 4?'" in err
        (line,) = reasonflux(tmp_path, "threads")[0].splitlines()
        assert line.split("\t")[:4] == ["home work", "interrupted", "", "3"]

        assert len(asked) == 4
        out, err = reasonflux(tmp_path, "resume", "home work", "--json")
        solution = json.loads(out)
        assert (solution["status"], solution["answer"]) == ("answered", "7")
        assert "finished model calls: 3" in err
        assert len(asked) == 1 + sum(usage["calls"] for usage in solution["usage"].values()) == 6
        assert sorted(set(asked)) == sorted({*asked[:3], *asked[4:]})

        assert reasonflux(tmp_path, "resume", "home work", "-q") == ("7\n", "")
        assert len(asked) == 6
    (record,) = (tmp_path / "records").iterdir()
    assert len([call for call in read_record(record).calls if call.reply]) == 5
    assert read_record(record).solution is not None

    assert reasonflux(tmp_path, "threads", "delete", "home work") == ("", "")
    assert "No thread is kept" in reasonflux(tmp_path, "threads")[1]
    assert "There is no thread 'home work'" in reasonflux(tmp_path, "resume", "home work", status=2)[1]


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with serve_fake() as url:
        model = ["-m", f"vllm:fake@{url}"]
        err = reasonflux(tmp_path, "solve", *model, "--checkpoints", "x.sqlite", PROBLEM, status=2)[1]
        assert "no --thread is given" in err
        err = reasonflux(tmp_path, "solve", *model, "--thread", "t", "--checkpoints", "mysql://h/x", PROBLEM, status=2)[1]
        assert "postgresql://USER@HOST/NAME" in err
