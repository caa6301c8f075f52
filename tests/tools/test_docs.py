"""The Python blocks of docs/langchain.md run as they stand, each by itself, but for the models: the shipped fake solves, and a
server whose model calls tools stands for the hosted ones."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reasonflux_agent.testing import serve_fake
from tests.tools.calling import serve_caller

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "langchain.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^## (.+?)\n(?:(?!^## ).)*?```python\n(.*?)```", TEXT, re.DOTALL | re.MULTILINE)
PRINTED = {
    "An agent with the tools": "Answer: 2038 (single: ",  # the fake adds up the integers of "7^2026 is divided by 5"
    "The tutor": "The tool says: A solution is ready behind the scenes. The way, without its results:\nKind: addition",
    "The retriever in a chain": "$\\boxed{127}$",
    "Templates in a vector store of yours": "127",
}


@pytest.mark.parametrize(("title", "block"), BLOCKS, ids=[title for title, _ in BLOCKS])
def test_a_block_runs(title: str, block: str) -> None:
    with serve_fake() as url, serve_caller() as hosted:
        program = block.replace("local:qwen2.5-coder-1.5b", f"vllm:fake@{url}")
        program = program.replace('model_provider="openai"', f'model_provider="openai", base_url="{hosted}", api_key="unused"')
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert PRINTED[title] in run.stdout
    assert title != "The tutor" or "2038" not in run.stdout


def test_every_block_was_found() -> None:
    assert TEXT.count("```python") == len(BLOCKS) == len(PRINTED)


@pytest.mark.parametrize("page", ["langchain.md", "mcp.md"])
def test_every_file_that_a_page_links_to_is_there(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", (DOCS / page).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (DOCS / link).exists()] == []
