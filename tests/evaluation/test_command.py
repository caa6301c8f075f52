"""`reasonflux eval` as its users run it: real processes against a local server with a fake model behind it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reasonflux_agent.testing import mathematician, serve_fake
from tests.cli.test_cli import COMMAND, environment, run
from tests.processes import heed_interrupts


@pytest.fixture(scope="module")
def fake() -> Iterator[str]:
    def slow(prompt: str) -> str:
        time.sleep(0.05)
        return mathematician(prompt)

    with serve_fake(slow) as url:
        yield f"vllm:fake@{url}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory with a part of gsm8k, as one would have it."""
    rows = [{"id": f"gsm8k/{n}", "problem": f"Add {n} and 3.", "answer": str(n + 3 if n else 9)} for n in range(12)]
    (tmp_path / "gsm8k_dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_methods_are_compared_reported_and_compared_again(fake: str, folder: Path) -> None:
    arguments = ["gsm8k", "--data-dir", str(folder), "--limit", "4", "-m", fake]
    done = run("eval", *arguments, "--methods", "direct,no-templates,reviews=0", "--out", str(folder / "a"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "gsm8k direct                  3/4 right (75.0%)\ngsm8k no-templates,reviews=0  3/4 right (75.0%)\n"
    assert f"8 problems to solve, over all methods. Folder: {folder / 'a'}" in done.stderr
    lines = done.stderr.splitlines()
    assert all(re.match(rf"{n}/8, \d+ s left: gsm8k gsm8k/\d, \S+ (right|wrong), so far \d/\d ", lines[n]) for n in range(1, 8))
    assert re.match(r"8/8: gsm8k gsm8k/\d, \S+ (right|wrong), so far 3/4 \(75%\): \d, gold \d", lines[8])
    for method in ("direct", "no-templates,reviews=0"):
        assert "so far 3/4 (75%): " in [line for line in lines if re.search(rf", {method} (right|wrong),", line)][-1]
    assert "<html" in (folder / "a" / "report.html").read_text()
    again = run("eval", "run", *arguments, "--methods", "direct", "--out", str(folder / "b"))
    assert again.returncode == 0, again.stderr
    compared = run("eval", "compare", str(folder / "a"), str(folder / "b"))
    assert compared.returncode == 0, compared.stderr
    assert "direct" in compared.stdout
    report = run("eval", "report", str(folder / "a"), "--prices", "1,0.5,2")
    assert report.returncode == 0, report.stderr
    assert report.stdout.startswith("# Evaluation")
    assert report.stdout.strip() == (folder / "a" / "report.md").read_text().strip()


def test_ctrl_c_leaves_a_folder_that_the_same_command_completes(fake: str, folder: Path) -> None:
    command = ["eval", "--methods", "direct,no-templates", "gsm8k", "--data-dir", str(folder), "-m", fake]
    process = subprocess.Popen(
        [*COMMAND, *command],
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("6/24, "):
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err
    assert f"What is done so far is kept. To go on: reasonflux {shlex.join(command)}\n" in err
    assert "Traceback" not in err
    done = subprocess.run([*COMMAND, *command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "24 problems to solve, over all methods; " in done.stderr
    (results,) = (folder / "evaluations").glob("gsm8k-*/results.jsonl")
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert len({(row["method"], row["id"]) for row in rows}) == len(rows) == 24


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["gsm9k"], 2, "There is no benchmark 'gsm9k'"),
        (["gsm8k", "--methods", "direkt"], 2, "There is no method 'direkt'"),
        (["gsm8k", "--methods", "direct", "-m", "nothing"], 2, "'nothing' names no model"),
        (["gsm8k", "--methods", "direct", "-m", "vllm:fake@http://127.0.0.1:9/v1"], 4, "could not be reached"),
        (["report", "nowhere"], 2, "nowhere"),
        (["report", ".", "--prices", "1,2"], 2, "three numbers"),
    ],
)
def test_what_goes_wrong_is_said_in_one_block(folder: Path, arguments: list[str], code: int, says: str) -> None:
    more = [] if arguments[0] == "report" else ["--data-dir", str(folder), "--out", str(folder / "run"), "--limit", "1"]
    done = run("eval", *arguments, *more)
    assert done.returncode == code
    assert says in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_sees_a_bar(fake: str, folder: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = ["eval", "gsm8k", "--methods", "direct", "--data-dir", str(folder), "-m", fake, "--out", str(folder / "run")]
    env = environment(TERM="xterm-256color")
    process = subprocess.Popen([*COMMAND, *command], stderr=theirs, stdout=subprocess.PIPE, env=env)
    shown = b""

    os.close(theirs)
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    process.communicate(timeout=60)
    assert process.returncode == 0, shown
    assert "12/12" in shown.decode()
    assert "direct 11/12 (92%)" in shown.decode()


def test_without_out_it_is_known_at_once_that_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evaluations").write_text("a file")
    done = run("eval", "gsm8k", "--model", "vllm:fake@http://127.0.0.1:9/v1")
    assert done.returncode == 2
    assert "evaluations cannot be written" in done.stderr
