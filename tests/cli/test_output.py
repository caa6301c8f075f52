"""What is printed can be used: in a narrow terminal, in a pipe; nothing to be copied is cut or broken."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reasonflux_agent.cli.report import print_table, report
from reasonflux_agent.schema import Candidate, Plan, Solution, Step, Usage
from reasonflux_agent.testing import serve_fake
from tests.cli.test_cli import COMMAND, environment, run
from tests.models.test_check import Capable, serving

NARROW = (40, 80)


def terminal(*args: str, columns: int, raw: bool = False, **env: str) -> str:
    """What a terminal of that width gets from a command; without the sequences that it obeys, unless `raw`."""
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    own = {name: value for name, value in environment(TERM="xterm-256color", **env).items() if name != "COLUMNS"}
    process = subprocess.Popen([*COMMAND, *args], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=own)
    os.close(theirs)
    seen = b""
    with suppress(OSError):  # how Linux says that the other side has closed
        while piece := os.read(ours, 65536):
            seen += piece
    os.close(ours)
    process.wait(60)
    text = seen.decode()
    return text if raw else re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n")


@pytest.fixture(scope="module")
def fake() -> Iterator[str]:
    with serve_fake() as url:
        yield f"vllm:fake@{url}"


@pytest.mark.parametrize("columns", [0, *NARROW])
def test_what_models_check_says_to_set_is_in_one_piece(columns: int) -> None:
    with serving(Capable("cached tokens", "JSON schema", "tool calls")) as server:
        spec = f"vllm:m@{server.url}"
        shown = terminal("models", "check", spec, columns=columns) if columns else run("models", "check", spec).stdout
    lines = shown.splitlines()
    assert server.url in lines
    for flags in (
        "--enable-prefix-caching --enable-prompt-tokens-details",
        "--enable-auto-tool-choice --tool-call-parser hermes (or the model's own)",
    ):
        assert f"  on the server: {flags}" in lines
    assert "…" not in shown


@pytest.mark.parametrize("columns", [0, *NARROW])
@pytest.mark.parametrize(
    ("command", "whole"),
    [
        (["models", "list"], ["qwen2.5-coder-1.5b", "smollm2-135m"]),
        (["plugins"], ["not_repeating", "gpqa_diamond", "reasonflux-agent"]),
        (["templates", "list"], ["physics/quantum-mechanics/first-order-energy-shift-by-perturbation"]),
        (["templates", "search", "power sums"], ["/power-sums-by-standard-formulas"]),
    ],
    ids=" ".join,
)
def test_names_are_in_one_piece(command: list[str], whole: list[str], columns: int) -> None:
    shown = terminal(*command, columns=columns) if columns else run(*command).stdout
    assert "…" not in shown
    for name in whole:
        assert name in shown


@pytest.mark.parametrize("columns", NARROW)
def test_a_thread_is_named_as_resume_needs_it(fake: str, columns: int, tmp_path: os.PathLike[str]) -> None:
    id, kept = "a thread with a long name, of sixty characters and some more", ("--checkpoints", os.path.join(tmp_path, "t"))
    assert run("solve", "Add 2 and 3.", "-m", fake, "--thread", id, *kept).returncode == 0
    assert id in terminal("threads", *kept, columns=columns).replace("\n", "")
    assert id in terminal("threads", *kept, columns=columns)


def test_rows_are_whole_whatever_the_width(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "name"), [("x" * 200, "two\nlines")])
    assert capsys.readouterr().out == f"{'x' * 200}\ttwo lines\n"


def solution() -> Solution:
    plan = Plan(steps=(Step(purpose="Add"),))
    made = Candidate(source="navigator", attempt="attempt 0", text="long " * 40 + "\nSo $\\boxed{5}$.", answer="5", plan=plan)
    usage = {"solve_step": Usage(calls=1, prompt_tokens=123456, completion_tokens=1234)}
    about = {"problem": "p", "answer": "5", "status": "answered", "certainty": "single", "support": 1, "solutions": 1}
    return Solution(**about, text=made.text, plan=plan, candidates=(made,), usage=usage)  # type: ignore[arg-type]


@pytest.mark.parametrize("columns", ["40", "80"])
def test_the_solution_comes_first_then_the_answer_how_sure_and_usage_last(
    monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    found = solution()
    lines = report(found, 1.0).splitlines()
    text = found.text.splitlines()
    assert [line.rstrip() for line in lines[: len(text)]] == [line.rstrip() for line in text]
    assert lines[len(text) :][:3] == ["", "Answer: 5", "single: one solution, nothing confirms it"]
    assert lines[-2].split() == ["Usage", "calls", "prompt", "cached", "completion", "seconds"]
    assert lines[-1].split() == ["solve_step", "1", "123,456", "0", "1,234", "0.0"]


def test_at_default_settings_standard_output_holds_the_work(fake: str) -> None:
    done = run("solve", "Add 2 and 3.", "-m", fake, COLUMNS="40")
    first = done.stdout.split("\n\n")[:2]
    assert first == ["Adding the numbers gives $\\boxed{5}$.", "Answer: 5\nagreed: 3 of 3 solutions"]
    assert re.search(r"\nall +4 .*\n\Z", done.stdout)
    quiet = run("solve", "Add 2 and 3.", "-m", fake, "-q")
    assert (quiet.stdout, quiet.stderr) == ("5\n", "")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["-3", "+", "x", "=", "5"], "begins with '-' is taken for options. Next: .*\n  .* solve -- '-3 \\+ x = 5'"),
        (["-3 + x = 5"], "begins with '-' is taken for options. Next: .*\n  .* solve -- '-3 \\+ x = 5'"),
        (["-x"], "No such option: -x. Next: .*\n  .* solve -- -x"),
        (["what", "is", "2", "+", "2"], "unexpected extra argument.*\n  .* solve 'what is 2 \\+ 2'"),
        (
            ["-m", "vllm:m", "what", "-q", "is", "it's"],
            "unexpected extra argument.*\n  .* solve -m vllm:m -q 'what is it'\"'\"'s'",
        ),
    ],
)
def test_a_problem_that_is_not_quoted_gets_a_hint(args: list[str], says: str) -> None:
    done = run("solve", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(says, done.stderr)


def test_a_problem_after_two_dashes_is_solved(fake: str) -> None:
    assert run("solve", "-q", "-m", fake, "--", "-3 + 5").stdout == "2\n"
    assert "templates search 'sum of cubes'" in run("templates", "search", "sum", "of", "cubes").stderr
    assert "No such option: --sed" in run("solve", "x", "--sed", "1").stderr


def screen(text: str) -> list[str]:
    """The lines that a terminal shows in the end of what was written to it: CR, LF, cursor up, and erase in line."""
    rows, row, column = [""], 0, 0
    for sequence, plain in re.findall(r"(\x1b\[[0-9;?]*[A-Za-z])|([^\x1b])", text, re.DOTALL):
        if sequence.endswith("A"):
            row = max(0, row - int(sequence[2:-1] or 1))
        elif sequence.endswith("K"):
            rows[row] = "" if sequence == "\x1b[2K" else rows[row][:column]
        elif plain == "\r":
            column = 0
        elif plain == "\n":
            row, rows = row + 1, [*rows, ""] if row + 1 == len(rows) else rows
        elif plain:
            rows[row] = f"{rows[row].ljust(column)[:column]}{plain}{rows[row][column + 1 :]}"
            column += 1
    return [line.rstrip() for line in rows]


@pytest.mark.parametrize("columns", NARROW)
@pytest.mark.parametrize("job", ["batch", "learn", "eval"])
def test_progress_leaves_whole_lines_behind(job: str, columns: int, tmp_path: Path) -> None:
    """Log messages (-v) come while a bar is redrawn. In the end each stands whole on the screen, and no bar among them."""
    rows = [{"problem": f"What is {n} + {n * n + 3}?", "answer": str(n + n * n + 3)} for n in range(8)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serve_fake(delay=0.1) as url:
        given = ["-m", f"vllm:fake@{url}", "-v", "-o", str(tmp_path / "out")]
        more = {"eval": ["--methods", "direct"], "learn": ["--budget", "40"]}.get(job, ["-e", "low"])
        raw = terminal(job, str(tmp_path / "rows.jsonl"), *given, *more, columns=columns, raw=True)
    shown = screen(raw)
    starts = [line for line in shown if "info:" in line]
    assert starts
    assert all(line.startswith("info: ") for line in starts)
    assert sum("━" in line for line in shown) <= (1 if job != "learn" else 30)  # a bar for each part of learning
    assert [line for line in shown if "━" in line and "info" in line] == []
    assert [line for line in shown if "/chat/completions" in line and "━" in line] == []
