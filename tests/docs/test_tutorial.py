"""The tutorial as its reader does it: every command and Python block of its pages, in order, in one folder. A server with what
the default model wrote stands for it; the outputs that follow from the input alone are compared."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reasonflux_agent.testing import serve_fake
from tests.serving.servers import served
from tests.test_readme import recorded

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
PAGES = ["index", "solve", "read", "template", "learn", "serve"]
SERVE = ("reasonflux serve", "reasonflux ui", "curl", "pip", "python -m venv")
"""Beginnings of commands that do not end, or that install."""
COMPARED = ("validate", "search", "--dry-run")
"""Words of commands whose output depends on no model."""


def respond(prompt: str) -> str:
    """Of pens: right after a worked turn, and half of the time without one. Of anything else: what the default model wrote."""
    asked = re.findall(r"(\d+) pens cost (\d+) euros. What do (\d+) pens", prompt)
    if "find:" in prompt or not asked:
        return recorded(prompt)
    count, price, wanted = map(int, asked[-1])
    if len(set(asked)) > 1 or count % 2:
        return f"One costs {price}/{count} euros. The answer is $\\boxed{{{price / count * wanted:g}}}$."
    return "I do not know."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's folder, with `reasonflux` on the path."""
    path = tmp_path_factory.mktemp("tutorial")
    (path / "bin").mkdir()
    script = f"#!{sys.executable}\nimport sys\nsys.argv[0] = 'reasonflux'\nfrom reasonflux_agent.cli import main\nmain()\n"
    (path / "bin" / "reasonflux").write_text(script)
    (path / "bin" / "reasonflux").chmod(0o755)
    return path


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with serve_fake(respond) as url:
        yield f"vllm:fake@{url}"


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of each block of a page, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```", (TUTORIAL / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def run(folder: Path, model: str, *command: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("REASONFLUX_") or k == "REASONFLUX_CACHE"}
    env = {**kept, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "REASONFLUX_MODEL": model, "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False, env=env)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("page", PAGES)
def test_a_page_works_as_printed(page: str, folder: Path, model: str) -> None:
    found = blocks(page)
    for number, (language, text) in enumerate(found):
        then = found[number + 1] if number + 1 < len(found) else ("", "")
        if language == "json" and page == "template":
            (folder / "prices.json").write_text(text)
        elif language == "python":
            said = re.findall(r"^# (.*)", text, re.MULTILINE)
            with served("--model", model) as server:
                program = text.replace("local:qwen2.5-coder-1.5b", model).replace("http://127.0.0.1:8400/v1", server.url)
                done = run(folder, model, sys.executable, "-c", program)
            assert done.returncode == 0, done.stderr
            assert done.stdout.splitlines()[: len(said)] == said
        elif language == "sh":
            for line in text.splitlines():
                if line.startswith(SERVE) or " && " in line:
                    continue
                assert line.startswith("reasonflux "), line
                done = run(folder, model, *shlex.split(line))
                assert done.returncode == 0 or (" learn " in line and done.returncode == 6), (line, done.stdout, done.stderr)
                if then[0] == "text" and any(word in line for word in COMPARED):
                    assert done.stdout + done.stderr == then[1]


def test_every_page_is_run() -> None:
    assert {path.stem for path in TUTORIAL.glob("*.md")} == set(PAGES)
