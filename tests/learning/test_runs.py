"""Learning with a model behind a fake server: a stranger's path, and a run that is killed at random moments."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from reasonflux_agent import TemplateLibrary, learn
from reasonflux_agent.cli.exits import UNPROVEN
from reasonflux_agent.errors import InputError
from reasonflux_agent.testing import serve_fake
from tests.learning.tasks import respond, rows, write
from tests.learning.worker import start


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reasonflux_agent", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_strangers_path(tmp_path: Path) -> None:
    """Ten rows in a file, learned from, and the library used for a new problem."""
    file, out = write(tmp_path / "examples.jsonl", rows(10)), tmp_path / "mine.json"
    with serve_fake(respond) as url:
        model = f"vllm:fake@{url}"
        forecast = command("learn", str(file), "--dry-run")
        assert forecast.returncode == 0, forecast.stderr
        assert re.search(r"About \d+ model calls\.", forecast.stdout)
        assert not (tmp_path / "learned.json").exists()
        learned = command("learn", str(file), "-o", str(out), "-m", model)
        assert learned.returncode == 0, learned.stdout + learned.stderr
        assert re.search(r"On 10 rows that chose nothing: 10 right with the library, 2 without; 8 won, 0 lost", learned.stdout)
        assert "Proven: libraries that are learned in this way" in learned.stdout
        assert re.search(r"0 row\(s\) are done of \d+", learned.stderr)
        problem = "Write the letters of the word summer from the last to the first."
        for options, answer in ([], "summer"), (["--library", str(out)], "remmus"):
            solved = command("solve", "-q", "--strategy", "recall", "-m", model, *options, problem)
            assert (solved.returncode, solved.stdout) == (0, f"{answer}\n"), solved.stderr
    about = [template.provenance for template in TemplateLibrary.load(out)]
    assert about
    assert all(row["proven"] and row["claim"]["wins"] == 8 and row["model"] == model for row in about)


def test_what_is_not_shown_to_help_is_called_so(tmp_path: Path) -> None:
    """The model is right without the library as well: nothing can be won, and nothing is written."""
    file, out = write(tmp_path / "examples.jsonl", rows(10)), tmp_path / "mine.json"
    with serve_fake(lambda prompt: respond("I go through the letters from the end." + prompt)) as url:
        learned = command("learn", str(file), "-o", str(out), "-m", f"vllm:fake@{url}")
    assert learned.returncode == UNPROVEN == 6, learned.stderr
    assert "Unproven: no template did better than none, and no library is written." in learned.stdout
    assert not out.exists()


def test_a_rows_own_solution_is_shown_where_the_model_is_never_right(tmp_path: Path) -> None:
    given = [{**row, "solution": f"I go through the letters from the end.\nSo \\boxed{{{row['answer']}}}."} for row in rows(12)]

    def never_by_itself(prompt: str) -> str:
        return respond(prompt) if "letters from the end" in prompt else "It is \\boxed{no}."

    with serve_fake(never_by_itself) as url:
        learned = learn(given, tmp_path / "mine.json", model=f"vllm:fake@{url}")
    assert learned.proven
    assert learned.winners["letters backwards"].arm.name == "solution"
    assert (learned.claim.wins, learned.claim.losses) == (12, 0)


def test_the_ledger_says_what_was_tried_and_refuses_another_model(tmp_path: Path) -> None:
    with serve_fake(respond) as url:
        learned = learn(rows(8), tmp_path / "mine.json", model=f"vllm:fake@{url}")
        header, *lines = map(json.loads, (tmp_path / "mine.ledger.jsonl").read_text().splitlines())
        assert header["settings"]["model"] == f"vllm:fake@{url}"
        assert {line["outcome"]["right"] for line in lines} == {True, False}
        assert {line["way"].split("/")[0] for line in lines} >= {"direct", "program"}
        assert sum(line["outcome"]["calls"] for line in lines) == learned.calls
        with pytest.raises(InputError, match=r"settings\.model was .* is .*Next"):
            learn(rows(8), tmp_path / "mine.json", model=f"vllm:other@{url}")


class Killer:
    """Answers, and kills the process that asks, after a random number of requests: before the reply, or soon after it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.asked, self.kills, self.pid = 0, 0, 0
        self.due = self.random.randint(10, 40)
        self.armed = True
        self._lock = threading.Lock()

    def respond(self, prompt: str) -> str:
        with self._lock:
            self.asked += 1
            self.due -= 1
            if self.armed and self.due <= 0 and self.pid:
                pid, self.pid = self.pid, 0
                self.kills += 1
                self.due = self.random.randint(10, 40)
                threading.Timer(self.random.choice([0.0, 0.001, 0.005, 0.02, 0.05]), _kill, [pid]).start()
        return respond(prompt)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("seed", "at_once"), [(1, 1), (2, 3)])
def test_a_run_that_is_killed_goes_on_and_repeats_no_call(tmp_path: Path, seed: int, at_once: int) -> None:
    file, whole, parts = write(tmp_path / "rows.jsonl", rows(10)), tmp_path / "whole.json", tmp_path / "parts.json"
    undisturbed, killer = Killer(0), Killer(seed)
    with serve_fake(undisturbed.respond) as url:
        expected = learn(file, whole, model=f"vllm:fake@{url}", concurrency=at_once)
    with serve_fake(killer.respond) as url:
        for _ in range(40):
            process = start(str(file), str(parts), f"vllm:fake@{url}", at_once)
            killer.pid = process.pid or 0
            process.join(120)
            failure = Path(f"{parts}.error")
            assert process.exitcode in (0, -signal.SIGKILL), failure.read_text() if failure.exists() else process.exitcode
            if process.exitcode == 0:
                break
        after = killer.asked
        again = learn(file, parts, model=f"vllm:fake@{url}", concurrency=at_once)
        assert killer.asked == after
    assert killer.kills >= 2
    assert expected.calls == again.calls
    # a kill loses the calls under way, and no other is made twice
    assert undisturbed.asked <= after <= undisturbed.asked + killer.kills * at_once
    told = [re.sub(r"127\.0\.0\.1:\d+", "", path.read_text()) for path in (whole, parts)]
    assert told[0] == told[1]
