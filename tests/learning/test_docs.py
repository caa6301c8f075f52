"""docs/learning.md: its Python runs, and its table is what is computed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reasonflux_agent.learning.learner import EFFECTS
from reasonflux_agent.learning.statistics import power
from reasonflux_agent.testing import serve_fake
from reasonflux_agent.verify.scoring import score
from tests.learning.tasks import respond, rows, write

PAGE = (Path(__file__).parents[2] / "docs" / "learning.md").read_text(encoding="utf-8")


def test_the_block_runs(tmp_path: Path) -> None:
    write(tmp_path / "examples.jsonl", rows(10))
    block, _ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    with serve_fake(respond) as url:
        code = block.replace("local:qwen2.5-coder-1.5b", f"vllm:fake@{url}")
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True 0.8 (")
    assert (tmp_path / "mine.json").exists()


def test_the_scorer_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, block = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "scorers.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    assert [score({"answer": "2"}, answer, "scorers:even") for answer in ("4", "3", "x")] == [True, False, None]


def test_the_table_of_what_can_be_proven_is_computed() -> None:
    table = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    assert len(table) == 5
    for n, *shown in table:
        assert shown == [f"{power(int(n), effect):.2f}" for effect in EFFECTS]
