"""The Python blocks of docs/langgraph.md run as they stand, each by itself, but for the model, which is the shipped fake."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reasonflux_agent.testing import serve_fake

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = re.findall(r"^## (.+?)\n(?:(?!^## ).)*?```python\n(.*?)```", (DOCS / "langgraph.md").read_text("utf-8"), re.S | re.M)
PRINTED = {
    "Conversations": "Now add 10 to that. (before: 7) 17",
    "A subgraph of a messages graph": "Adding the numbers gives $\\boxed{7}$.",
    "Streams": "begin\nplan\ntemplates\nAdding the numbers gives $\\boxed{7}$.step\ncandidate\nsolution",
    "Persistence": "() ",
    "A person in the loop": "7",
    "Tools for agents": "Answer: 7 (single: one solution, nothing confirms it)\nyes: The answer satisfies",
}


@pytest.mark.parametrize(("title", "block"), BLOCKS, ids=[title for title, _ in BLOCKS])
def test_a_block_runs(title: str, block: str) -> None:
    with serve_fake() as url:
        program = block.replace("local:qwen2.5-coder-1.5b", f"vllm:fake@{url}")
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert PRINTED.get(title, "") in run.stdout


def test_every_section_with_code_was_found() -> None:
    text = (DOCS / "langgraph.md").read_text("utf-8")
    assert len(BLOCKS) == text.count("```python") == 8
    assert PRINTED.keys() <= {title for title, _ in BLOCKS}


@pytest.mark.parametrize("page", ["langgraph.md", "studio.md"])
def test_every_file_that_a_page_links_to_is_there(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", (DOCS / page).read_text("utf-8"))
    assert links
    assert [link for link in links if not (DOCS / link).exists()] == []
