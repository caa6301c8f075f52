"""The programs of examples/ run as they stand, but for the models: the shipped fake solves, and a server whose model calls
tools stands for the hosted one. The plugin is tested in tests/plugins."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from reasonflux_agent.testing import serve_fake
from tests.tools.calling import serve_caller

EXAMPLES = Path(__file__).parents[2] / "examples"
LINES = 90
"""A program has at most so many lines."""


def run(name: str, *args: str, cwd: Path) -> str:
    """Standard output of an example."""
    program = (EXAMPLES / name).read_text(encoding="utf-8")
    with serve_fake() as url, serve_caller() as hosted:
        program = program.replace("local:qwen2.5-coder-1.5b", f"vllm:fake@{url}")
        program = program.replace('model_provider="openai"', f'model_provider="openai", base_url="{hosted}", api_key="unused"')
        (cwd / "program.py").write_text(program)
        command = [sys.executable, "program.py", *(arg.replace("URL", url) for arg in args)]
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tutor_remembers_and_does_not_tell(tmp_path: Path) -> None:
    said = run("tutor.py", cwd=tmp_path)
    monday, _, tuesday = said.partition("Welcome back. ")
    assert "The way, without its results:\nKind: addition" in monday
    assert tuesday.startswith("Before, you worked on: What is the remainder when 7^2026 is divided by 5?\n")
    assert "2038" not in said  # the fake's answer


def test_the_agent_uses_the_tool(tmp_path: Path) -> None:
    said = run("agent.py", "What is 3 + 4?", cwd=tmp_path)
    assert said.startswith("[reason: 7, single]\nThe tool says: ")


def test_the_evaluation_writes_a_report(tmp_path: Path) -> None:
    rows = [{"problem": "What is 3 + 4?", "answer": "7"}, {"problem": "What is 2 * 5?", "answer": "10"}]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = run("evaluate.py", "problems.jsonl", "vllm:fake@URL", cwd=tmp_path)
    assert "| problems | direct | 2 | 1/2 | 50.0%" in said
    (folder,) = re.findall(r"^Report: (.+)/report.html$", said, re.MULTILINE)
    results = [json.loads(line) for line in (tmp_path / folder / "results.jsonl").read_text().splitlines()]
    assert {(row["method"], row["correct"]) for row in results} >= {("direct", True), ("navigator", True), ("direct", False)}


def test_they_are_short_and_listed() -> None:
    page = (EXAMPLES.parent / "docs" / "examples.md").read_text(encoding="utf-8")
    for path in EXAMPLES.iterdir():
        if path.suffix in (".py", ".ipynb"):
            assert f"../examples/{path.name}" in page
        if path.suffix == ".py":
            assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES
