"""docs/interchange.md: its Python runs as it stands, but for the model, and its commands do what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reasonflux_agent.cli import app
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.testing import serve_fake
from tests.templates.interchange import bare, learned

PAGE = (Path(__file__).parents[2] / "docs" / "interchange.md").read_text(encoding="utf-8")


def test_the_block_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    with serve_fake() as url:
        code = block.replace("local:qwen2.5-coder-1.5b", f"vllm:fake@{url}")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "units-digit-by-the-cycle-of-powers" in done.stdout


def test_the_commands_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    learned().save("mine.json")
    commands = [shlex.split(line, comments=True) for line in PAGE.split("```sh\n")[1].split("```")[0].splitlines()]
    said = [CliRunner().invoke(app, words[1:], catch_exceptions=False).output for words in commands]
    assert said[0] == "2 skills written to .claude/skills.\n"
    assert said[1] == "2 demonstrations written to mine.dspy.json. DSPy shows all of them in every prompt.\n"
    assert said[2].startswith("2 templates in 1 chapters and 1 sections.")
    assert bare(TemplateLibrary.load("skills.json")) == bare(learned())
