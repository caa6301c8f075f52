"""The README's Python blocks run as they stand, but for the model, which is the shipped fake."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from reasonflux_agent.testing import serve_fake

README = Path(__file__).parent.parent / "README.md"


def test_the_python_blocks_run() -> None:
    found = re.findall(r"^( *)```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    blocks = [dedent(block) for _, block in found if "OpenAI(" not in block]  # that one is docs/serving.md's, and run there
    assert len(blocks) >= 2
    with serve_fake() as url:
        program = "\n".join(blocks).replace("local:qwen2.5-coder-1.5b", f"vllm:fake@{url}")
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert "2038 solved" in run.stdout  # the fake adds up the integers of "7^2026 is divided by 5"
    assert "$\\boxed{127}$" in run.stdout  # and those of "3/4 of 120"


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
