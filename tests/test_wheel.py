"""Every verb from a built wheel, away from the checkout: the package as a stranger gets it.

REASONFLUX_TEST_WHEEL=1 runs them: each command is a process of its own, half a minute in all on a free core. The
check that no verb is missing below runs without it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from reasonflux_agent.cli import app
from reasonflux_agent.testing import serve_fake

WHEEL = bool(os.environ.get("REASONFLUX_TEST_WHEEL"))
CHECKOUT = Path(__file__).parents[1]
PROBLEM = "What is 3 + 4?"
ROWS = [{"id": "a", "problem": PROBLEM, "answer": "7"}, {"id": "b", "problem": "What is 1 + 1?", "answer": "2"}]
USED = {
    *("solve", "feedback", "batch", "learn", "resume", "threads", "threads delete", "plugins", "doctor"),
    *("lm-eval", "serve", "ui", "mcp"),
    *("templates list", "templates show", "templates search", "templates validate", "templates import", "templates export"),
    *("models list", "models pull", "models import", "models path", "models check", "eval run", "eval report", "eval compare"),
}
"""The verbs that a test below runs."""


@dataclass
class Stranger:
    """Someone with the installed wheel, a model's server, and a folder of their own."""

    site: Path
    """Where the wheel is installed."""
    folder: Path
    model: str

    @property
    def environment(self) -> dict[str, str]:
        own = {"PYTHONPATH": str(self.site), "REASONFLUX_CHECKPOINTS": str(self.folder / "threads.sqlite"), "COLUMNS": "160"}
        own["REASONFLUX_CACHE"] = str(self.folder / "cache")
        return {**os.environ, **own}

    @property
    def command(self) -> str:
        return str(self.site / "bin" / "reasonflux")

    def run(self, *args: str, status: int = 0) -> str:
        """Standard output; what happened is asserted to be what was expected."""
        given: dict[str, Any] = {"cwd": self.folder, "env": self.environment, "stdin": subprocess.DEVNULL}
        done = subprocess.run([self.command, *args], capture_output=True, text=True, timeout=120, check=False, **given)
        assert done.returncode == status, (args, done.stdout, done.stderr)
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    def serving(self, *args: str) -> tuple[subprocess.Popen[str], str]:
        """A server and the address that it says."""
        process = subprocess.Popen(
            [self.command, *args, "--port", "0"], cwd=self.folder, env=self.environment, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(r" on (http://127\.0\.0\.1:\d+/\w+)", line):  # not the model's address
                return process, found[1]
        raise AssertionError(said)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    if not WHEEL:
        pytest.skip("REASONFLUX_TEST_WHEEL is not set")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    (folder / "home").mkdir()
    (folder / "home" / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)) + "\n", encoding="utf-8")
    with serve_fake() as url:
        yield Stranger(folder / "site", folder / "home", f"vllm:fake@{url}")


def test_every_verb_is_used_below() -> None:
    import typer

    def verbs(group: Any, before: str = "") -> set[str]:
        own = {before.strip()} if getattr(group, "invoke_without_command", False) and before else set()
        return own.union(
            *(
                verbs(command, f"{before}{name} ") if hasattr(command, "commands") else {before + name}
                for name, command in group.commands.items()
            )
        )

    assert verbs(typer.main.get_command(app)) == USED


@pytest.mark.skipif(not WHEEL, reason="REASONFLUX_TEST_WHEEL is not set")
def test_the_source_archive_holds_what_is_tracked_of_the_package_alone(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    listed = subprocess.run(["git", "ls-files", "reasonflux_agent"], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    beside = {"PKG-INFO", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", ".gitignore"}
    assert held == {*listed.stdout.splitlines(), *beside}


def test_it_is_the_wheel_that_runs(stranger: Stranger) -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import reasonflux_agent; print(reasonflux_agent.__file__)"],
        cwd=stranger.folder,
        env=stranger.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()).is_relative_to(stranger.site)
    assert stranger.run("--version").startswith("reasonflux ")


def test_solve_and_the_threads(stranger: Stranger) -> None:
    kept = ("solve", PROBLEM, "-m", stranger.model, "--effort", "low", "--thread", "one", "-q", "--record", "records")
    assert stranger.run(*kept) == "7\n"
    assert json.loads(stranger.run("threads", "--json"))["answer"] == "7"
    assert stranger.run("resume", "one", "-q") == "7\n"
    stranger.run("threads", "delete", "one")
    assert stranger.run("threads", "--json") == ""
    (record,) = (stranger.folder / "records").glob("*.jsonl")
    said = stranger.run("feedback", record.stem, "--records", "records", "--wrong", "--answer", "8")
    assert said.startswith("Marked as wrong. The right answer: 8.")


def test_batch(stranger: Stranger) -> None:
    stranger.run("batch", "rows.jsonl", "-o", "out.jsonl", "-m", stranger.model, "--effort", "low", "-q")
    rows = [json.loads(line) for line in (stranger.folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["id"]: row["answer"] for row in rows} == {"a": "7", "b": "2"}


def test_learn(stranger: Stranger) -> None:
    """The fake gets all sums right by itself, so nothing can be shown to help it: exit code 6."""
    rows = [{"problem": f"What is {n} + {n * n + 3}?", "answer": str(n + n * n + 3)} for n in range(8)]
    (stranger.folder / "solved.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "model calls" in stranger.run("learn", "solved.jsonl", "--dry-run")
    assert "Unproven" in stranger.run("learn", "solved.jsonl", "-o", "mine.json", "-m", stranger.model, status=6)


def test_templates(stranger: Stranger) -> None:
    listed = stranger.run("templates", "list").splitlines()
    assert len(listed) > 400
    first = listed[0].split("\t")[0]
    assert first in stranger.run("templates", "show", first)
    assert stranger.run("templates", "search", "the remainder of a large power", "-e", "hash", "-k", "1").count("\n") <= 1
    own = {"Sums": {"Small": [{"template_name": "Add", "reason_flow": ["Add the numbers."], "description": "Sums."}]}}
    (stranger.folder / "own.json").write_text(json.dumps(own), encoding="utf-8")
    assert stranger.run("templates", "validate", "own.json").startswith("1 templates in 1 chapters")
    stranger.run("templates", "import", "own.json", "-o", "normal.json")
    assert "add" in stranger.run("templates", "list", "-L", "normal.json")
    said = stranger.run("templates", "export", "normal.json", "--skills", "skills")
    assert said == "1 skills written to skills.\n"
    stranger.run("templates", "import", "skills", "-o", "back.json")
    assert "add" in stranger.run("templates", "list", "-L", "back.json")


def test_models(stranger: Stranger) -> None:
    assert "qwen2.5-coder-1.5b" in stranger.run("models", "list")
    assert stranger.run("models", "path").endswith(".gguf\n")
    (stranger.folder / "own.gguf").write_bytes(b"GGUF" + bytes(100))
    assert stranger.run("models", "pull", "own.gguf") == "own.gguf\n"
    mine = stranger.run("models", "import", "own.gguf", "--name", "mine")
    assert stranger.run("models", "path", "mine") == mine
    checked = json.loads(stranger.run("models", "check", stranger.model, "--json", status=1))  # the fake cannot do all
    assert checked["servers"][0]["findings"]


def test_doctor(stranger: Stranger) -> None:
    found = json.loads(stranger.run("doctor", "-m", stranger.model, "--json"))
    assert found["ok"] is True
    assert {"Packages", "Model", "Parts", "Folders", "Pages"} <= {finding["part"] for finding in found["findings"]}


def test_plugins(stranger: Stranger) -> None:
    rows = json.loads(stranger.run("plugins", "--json"))
    assert {"libraries", "strategies"} <= {row["kind"] for row in rows}
    assert {row["package"] for row in rows} == {"reasonflux-agent"}


def test_eval(stranger: Stranger) -> None:
    stranger.run("eval", "run", "rows.jsonl", "--methods", "direct", "-m", stranger.model, "-o", "first")
    stranger.run("eval", "rows.jsonl", "--methods", "direct", "-m", stranger.model, "-o", "second")  # short for run
    stranger.run("eval", "report", "first")
    assert (stranger.folder / "first" / "report.html").is_file()
    assert "direct" in stranger.run("eval", "compare", "first", "second")


def test_lm_eval(stranger: Stranger) -> None:
    """With the harness its tasks are listed; without it the command says what to install."""
    try:
        import lm_eval  # noqa: F401
    except ImportError:
        stranger.run("lm-eval", "ls", "tasks", status=5)
    else:
        assert "reasonflux_math500" in stranger.run("lm-eval", "ls", "tasks")


@pytest.mark.parametrize(("verb", "path"), [("serve", "/models"), ("ui", "/")])
def test_the_servers(stranger: Stranger, verb: str, path: str) -> None:
    more = ["--no-browser"] if verb == "ui" else []
    process, url = stranger.serving(verb, "-m", stranger.model, *more)
    try:
        answer = httpx.get(url + path, trust_env=False, timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert answer.status_code == 200
    assert ('"reasonflux"' if verb == "serve" else "New problem") in answer.text


def test_mcp(stranger: Stranger) -> None:
    mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")

    async def ask() -> str:
        given = {"args": ["mcp", "-m", stranger.model], "env": stranger.environment, "cwd": stranger.folder}
        async with mcp.Client(mcp.StdioServerParameters(command=stranger.command, **given)) as client:
            result = await client.call_tool("reason", {"problem": PROBLEM})
            return str(result.content[0].text)

    assert "Answer: 7 (agreed: 3 of 3 solutions)" in asyncio.run(ask())
