"""The Python blocks of docs/retrieval.md run as they stand, but for the model, which is the shipped fake."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from reasonflux_agent.testing import serve_fake

DOC = Path(__file__).parents[2] / "docs" / "retrieval.md"


def test_the_blocks_run(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOC.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 3
    with serve_fake() as url:
        program = "\n".join(blocks).replace("local:qwen2.5-coder-1.5b", f"vllm:fake@{url}")
        run = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
    assert run.returncode == 0, run.stderr
    names, chapters, ids, answer = run.stdout.splitlines()
    assert names != "[]"
    assert set(re.findall("'(.*?)'", chapters)) - {"Probability"}
    assert "/" in ids
    assert answer == "127"
    assert len(list((tmp_path / "templates").iterdir())) == 2
