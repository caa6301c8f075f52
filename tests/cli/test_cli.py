"""The command as its users run it: real processes, against a real local server with a fake model behind it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.cli.exits import EXITS, explain
from reasonflux_agent.runs.record import read_record
from reasonflux_agent.testing import mathematician, serve_fake
from tests.processes import heed_interrupts

COMMAND = [sys.executable, "-m", "reasonflux_agent.cli"]
DEAD = "vllm:fake@http://127.0.0.1:9/v1"


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("REASONFLUX_") and k != "FORCE_COLOR"}
    return {**kept, "COLUMNS": "160", "NO_COLOR": "1", "PYTHONUTF8": "1", **more}


def run(*args: str, stdin: str | bytes = b"", **env: str) -> subprocess.CompletedProcess[str]:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run([*COMMAND, *args], input=data, capture_output=True, env=environment(**env), timeout=120)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in out + err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def lost(prompt: str) -> str:
    """Plans well, never states an answer, and writes what a terminal or rich would obey."""
    reply = mathematician(prompt)
    return reply if "find:" in reply else "[/bold] I am \x1b[2Jlost [red"


@pytest.fixture(scope="module")
def fake() -> Iterator[str]:
    with serve_fake() as url:
        yield f"vllm:fake@{url}"


ROUND_TABLE = "How many round table arrangements of 2 and 3 people at a circular table are there?"
"""A problem for which a template stands out; the fake adds up its numbers all the same."""


def test_a_problem_is_solved_and_both_streams_tell_how(fake: str) -> None:
    done = run(
        "solve",
        ROUND_TABLE,
        "--model",
        fake,
        "--drafts",
        "0",
        "--reviews",
        "1",
        REASONFLUX_REFINE="true",
        REASONFLUX_LLM_REVIEW="true",
    )
    assert done.returncode == 0
    work = "Adding the numbers gives $\\boxed{5}$."
    assert done.stdout.startswith(f"{work}\n\nAnswer: 5\nsingle: one solution, nothing confirms it\n")
    assert "\nStrategy navigator, " in done.stdout
    assert re.search(r"Trajectory\n  Kind: addition\n  1\. Collect the numbers\n     with [A-Z]", done.stdout)
    assert re.search(r"Usage +calls +prompt +cached +completion +seconds\nplan +1 ", done.stdout)
    assert re.search(r"all +4 ", done.stdout)
    heads = [line for line in done.stderr.splitlines() if not line.startswith(" ")]
    assert "Candidate by navigator: 5" in heads
    assert [head for head in heads if not head.startswith("Candidate")] == [
        f"Effort medium, model {fake}, library builtin",
        "Trajectory",
        "Templates",
        "Refined trajectory",
        "Result up to step 2",
        "Review by the navigator: accept",
        "Answered: single: one solution, nothing confirms it",
    ]
    assert re.search(r"Templates\n  1\. Collect the numbers\n     with [A-Z]", done.stderr)


def test_parallel_attempts_are_told_apart(fake: str) -> None:
    done = run("solve", "Add 2 and 3.", "--model", fake, "--effort", "high", "--templates", "0")
    assert done.returncode == 0
    assert {"[draft 1] Candidate by draft: 5", "[draft 2] Candidate by program: 5"} <= set(done.stderr.splitlines())
    assert "[attempt 1] Trajectory" in done.stderr
    assert "[attempt 2] Trajectory" in done.stderr
    assert "Candidates: " in done.stdout


@pytest.mark.parametrize("how", ["pipe", "file"])
def test_the_problem_comes_from_a_pipe_or_a_file(fake: str, tmp_path: Path, how: str) -> None:
    path = tmp_path / "problem.txt"
    path.write_bytes(b"\xef\xbb\xbfAdd 20 and \\frac{3}{1}.\n")
    options = ["-q", "-m", fake, "--effort", "low", "--templates", "0"]
    stdin, args = (path.read_bytes(), []) if how == "pipe" else (b"", ["--file", str(path)])
    done = run("solve", *args, *options, stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr) == (0, "24\n", "")


def test_json_is_the_solution_of_the_record(fake: str, tmp_path: Path) -> None:
    done = run("solve", "Add 2 and 3.", "-m", fake, "--json", "--record", str(tmp_path / "new"))
    (path,) = (tmp_path / "new").iterdir()
    solution = read_record(path).solution
    assert solution is not None
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout) == solution.model_dump(mode="json")
    assert f"Record: {path}" in done.stderr


def test_options_reach_the_run(fake: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "effort": "low",
        "granularity": "step",
        "direct_samples": 1,
        "trajectories": 2,
        "templates": 0,
        "reviews": 0,
    }
    given |= {"max_tokens": 77, "token_budget": 99999, "deadline": 60.0, "seed": 7}
    options = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    env = {"REASONFLUX_SOLVER": DEAD, "REASONFLUX_MAX_STEPS": "3", "REASONFLUX_SEED": "1"}
    done = run("solve", "Add 2 and 3.", "-m", fake, "--no-programs", "--record", str(tmp_path), *options, **env)
    assert done.returncode == 0, done.stderr
    context = read_record(next(tmp_path.iterdir())).header["context"]
    expected = {**given, "programs": False, "max_steps": 3, "navigator": fake, "solver": fake}
    assert {name: context[name] for name in expected} == expected


def test_a_role_has_its_own_model(fake: str) -> None:
    done = run("solve", "Add 2 and 3.", "-m", fake, "--solver", DEAD, "--templates", "0")
    assert done.returncode == 4
    assert "Trajectory" in done.stderr
    assert f"The model {DEAD!r}" in done.stderr


def test_on_a_terminal_the_words_are_shown_as_they_come() -> None:
    def respond(prompt: str) -> str:
        reply = mathematician(prompt)
        return f"An [odd] word \x1b[2J and {'another ' * 60}{reply}" if "boxed" in reply else reply

    with serve_fake(respond, delay=0.5) as url:
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            [*COMMAND, "solve", "Add 2 and 3.", "-m", f"vllm:fake@{url}", "--templates", "0", "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=environment(TERM="xterm-256color", COLUMNS="80"),
        )
        os.close(theirs)
        seen = b""
        with suppress(OSError):  # how Linux says that the other side has closed
            while piece := os.read(ours, 65536):
                seen += piece
        os.close(ours)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["answer"] == "5"
    assert b"\x1b[2J" not in seen
    screen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert "navigator, plan\r\n  waiting for the first word ..." in screen
    assert re.search(r"\d s \| model calls done: [1-9] \| \d+ tokens", screen)
    assert "Result up to step 2\r\n  An [odd] word [2J and another" in screen
    assert max(map(len, re.split(r"[\r\n]+", screen))) <= 80


def test_unanswered_is_1_and_the_models_words_are_not_obeyed() -> None:
    with serve_fake(lost) as url:
        done = run("solve", "Add 2 and 3.", "-m", f"vllm:fake@{url}", "--templates", "0")
    assert done.returncode == 1
    assert "\n\nAnswer: none\nno solution states an answer\n" in done.stdout
    assert "[/bold] I am [2Jlost [red" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "Next: try --effort high" in done.stderr


def test_garbage_replies_end_in_an_orderly_way() -> None:
    garbage = cycle(["", "\x00\x1b]0;x\x07", "[" * 5000, "```python\nwhile True: pass", "1. | find: | find:", "</think>"])
    with serve_fake(lambda _: next(garbage)) as url:
        done = run("solve", "Add 2 and 3.", "-m", f"vllm:fake@{url}", "--templates", "0", "--effort", "high")
    assert done.returncode == 1
    assert "could not be read" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_exhausted_is_3_and_the_best_answer_is_printed() -> None:
    # two answers that disagree ask for a third attempt, which the budget does not allow
    answers = cycle(["\\boxed{4}", "\\boxed{6}"])
    with serve_fake(lambda _: next(answers)) as url:
        args = ["-m", f"vllm:fake@{url}", "--strategy", "direct", "--trajectories", "3", "--token-budget", "1"]
        done = run("solve", "Add 2 and 3.", *args)
    assert done.returncode == 3
    assert re.search(
        r"\n\nAnswer: [46]\nsingle: 1 of 2 solutions, the others differ; cut short: the token budget of 1 is spent", done.stdout
    )
    assert "Next: raise the limit" in done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["solve"], "There is no problem to solve. Next: give one, for example\n  reasonflux solve"),
        (["solve", "-"], "There is no problem to solve"),
        (["solve", "x", "--file", "y"], "A problem and --file are both given"),
        (["solve", "--file", "/no/such/file"], "/no/such/file"),
        (["solve", "x", "-m", "gibberish"], "'gibberish' names no model"),
        (["solve", "x", "-m", DEAD, "--effort", "huge"], "effort = 'huge'"),
        (["solve", "x", "-m", DEAD, "--strategy", "luck"], "There are: direct, navigator, original, program, propose, recall"),
        (["solve", "x", "-m", DEAD, "--library", "/no/such/library"], "/no/such/library"),
        (["solve", "x", "-m", DEAD, "--record", __file__], f"The folder for records, {__file__}, cannot be made"),
        (["solve", "x", "--seed", "one"], "--seed"),
        (["solve", "x", "--sed", "1"], "--sed"),
        (["sole", "x"], "No such command"),
    ],
)
def test_bad_input_is_2_and_explained(args: list[str], said: str) -> None:
    done = run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_input_that_is_not_utf8_is_bad_input() -> None:
    assert run("solve", stdin=b"Add \xff").returncode == 2
    done = subprocess.run([*map(os.fsencode, COMMAND), b"solve", b"\xff"], capture_output=True, env=environment())
    assert done.returncode == 2
    assert b"not UTF-8" in done.stderr


def test_a_dead_server_is_4() -> None:
    done = run("solve", "x", "-m", DEAD, "--json")
    assert (done.returncode, done.stdout) == (4, "")
    assert re.search(r"^Error: The model 'vllm:fake@\S+ at \S+ could not be reached.*Next: ", done.stderr, re.MULTILINE)


def test_a_missing_extra_is_5(tmp_path: Path) -> None:
    (tmp_path / "transformers.py").write_text("raise ImportError('not here')")
    (tmp_path / "torch.py").write_text("raise ImportError('not here')")
    done = run("solve", "x", "-m", f"hf:{tmp_path}", PYTHONPATH=str(tmp_path))
    assert done.returncode == 5
    assert "pip install 'reasonflux-agent[hf]'" in done.stderr


PLUGIN = """
from typing import Literal
from langgraph.graph import END, START, StateGraph
from reasonflux_agent.events import Event
from reasonflux_agent.hookspecs import hookimpl
from reasonflux_agent.node import Node
from reasonflux_agent.schema import Candidate
from reasonflux_agent.state import Attempt, Attempted

class Unknown(Event):
    type: Literal["never_heard_of"] = "never_heard_of"
    x: int

class Odd(Event):
    type: Literal["review"] = "review"
    no: str

async def body(state, run):
    if "bug" in state["problem"]:
        raise ZeroDivisionError("an odd\\nthing")
    await run.emit(Unknown, x=1)
    await run.emit(Odd, no="review")
    return {"candidates": [Candidate(source="odd", text="7", answer="7").model_dump(mode="json")]}

class All(Attempt, Attempted):
    pass

def odd(parts):
    graph = StateGraph(All, input_schema=Attempt, output_schema=Attempted)
    graph.add_node("body", Node(parts, body), input_schema=All)
    graph.add_edge(START, "body")
    graph.add_edge("body", END)
    return graph

@hookimpl
def register_strategies(register):
    register("odd", odd)
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A directory that holds an installed plugin package, as pip leaves it."""
    about = tmp_path / "odd_strategy-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-strategy\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text("[reasonflux_agent]\nodd_one = odd_strategy\n")
    (tmp_path / "odd_strategy.py").write_text(PLUGIN)
    return tmp_path


def test_plugins_are_listed_with_where_they_come_from(plugin: Path) -> None:
    done = run("plugins", "--json", PYTHONPATH=str(plugin))
    rows = json.loads(done.stdout)
    odd = {"kind": "strategies", "name": "odd", "plugin": "odd_one", "package": "odd-strategy", "version": "1.2"}
    assert odd in rows
    assert {("libraries", "builtin"), ("verifiers", "answered")} <= {(row["kind"], row["name"]) for row in rows}
    table = run("plugins", PYTHONPATH=str(plugin))
    assert "strategies\todd\todd_one\todd-strategy\t1.2" in table.stdout.splitlines()


def test_events_that_are_unknown_or_odd_do_no_harm(plugin: Path, fake: str) -> None:
    done = run("solve", "x", "--strategy", "odd", "-m", fake, PYTHONPATH=str(plugin))
    assert (done.returncode, done.stdout.split("\n")[0]) == (0, "7")


def test_a_bug_is_70_and_its_traceback_is_for_the_asking(plugin: Path, fake: str) -> None:
    args = ["solve", "bug", "--strategy", "odd", "-m", fake]
    done = run(*args, PYTHONPATH=str(plugin))
    assert done.returncode == 70
    assert "Error: ZeroDivisionError: an odd thing\nThis is a bug in reasonflux." in done.stderr


def test_debugging_shows_the_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONFLUX_DEBUG", "1")
    explain(ZeroDivisionError("x"))
    said = capsys.readouterr().err
    assert "ZeroDivisionError: x\nError: ZeroDivisionError: x\nThis is a bug" in said


def test_a_plugin_that_does_not_load_is_5(plugin: Path) -> None:
    (plugin / "odd_strategy.py").write_text("1/0")
    done = run("plugins", PYTHONPATH=str(plugin))
    assert (done.returncode, done.stdout) == (5, "")
    assert "does not load: ZeroDivisionError" in done.stderr


def interrupt(process: subprocess.Popen[str], when: Any) -> tuple[str, str]:
    deadline = time.monotonic() + 60
    while not when():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=30)


def test_ctrl_c_is_130_at_once_and_leaves_a_readable_record(tmp_path: Path) -> None:
    asked: list[str] = []

    def slow(prompt: str) -> str:
        asked.append(prompt)
        time.sleep(1000 if "Do not solve" not in prompt.rsplit("Task:", 1)[-1] else 0)
        return mathematician(prompt)

    with serve_fake(slow) as url:
        args = ["solve", "Add 2 and 3.", "-m", f"vllm:fake@{url}", "--record", str(tmp_path), "-e", "low"]
        process = subprocess.Popen(
            [*COMMAND, *args, "--templates", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            preexec_fn=heed_interrupts,
        )
        out, err = interrupt(process, lambda: len(asked) == 2)
    assert (process.returncode, out) == (130, "")
    assert err.endswith("interrupted\n")
    assert "Traceback" not in err
    record = read_record(next(tmp_path.iterdir()))
    assert record.solution is None
    assert record.header["problem"] == "Add 2 and 3."
    assert [event.type for event in record.events][1:3] == ["call", "plan"]


def test_a_reader_that_went_away_is_no_trouble(fake: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "solve", "Add 2 and 3.", "-m", fake, "-q", "-e", "low", "--templates", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 141


def test_help_lists_every_option_and_every_exit_code() -> None:
    text = run("solve", "--help").stdout
    names = set(re.findall(r"(?<=--)[a-z-]+(?= )", text))
    assert names >= {"model", "navigator", "solver", "effort", "strategy", "granularity", "library", "file", "record"}
    assert names >= {"json", "quiet", "max-tokens", "token-budget", "deadline", "seed", "no-programs"}
    assert names >= {"direct-samples", "trajectories", "templates", "reviews"}
    root = run("--help").stdout  # it fits a screen, and says where the exit codes are (test_help.py)
    assert "Exit codes: reasonflux solve --help" in root
    for code, meaning in EXITS.items():
        assert re.search(rf"^ *{code}  {re.escape(meaning)} *$", text, re.MULTILINE)
    assert all(re.search(rf"│ {verb} ", root) for verb in ("solve", "plugins", "templates", "models"))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from reasonflux_agent.cli import app; app(['--help'], standalone_mode=False); "
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    loaded = set(done.stdout.split("\n")[-2].split())
    assert "typer" in loaded
    assert not loaded & {"langchain_core", "langgraph", "openai", "httpx", "pydantic", "numpy", "faiss"}


def test_version() -> None:
    from reasonflux_agent import __version__

    assert run("--version").stdout == f"reasonflux {__version__}\n"
