"""The Python blocks of docs/mcp.md run as they stand, but for model and address: the second in the adapters' environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reasonflux_agent.testing import serve_fake
from tests.serving.mcp_server import COMMAND, ENV, over_http

pytest.importorskip("mcp.client", reason="the extra mcp is not installed")

DOC = (Path(__file__).parents[2] / "docs" / "mcp.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
ADAPTERS = os.environ.get("REASONFLUX_TEST_MCP_ADAPTERS", "")
"""The Python of an environment that holds langchain-mcp-adapters, and so mcp 1."""


def run(python: str, program: str) -> str:
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, timeout=120, check=False, env=ENV)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_block_for_the_sdk_runs() -> None:
    sdk, _ = BLOCKS
    with serve_fake() as url:
        program = sdk.replace('command="reasonflux", args=["mcp"', f"command={COMMAND[0]!r}, args=[*{COMMAND[1:]}")
        out = run(sys.executable, program.replace("local:qwen2.5-coder-1.5b", f"vllm:fake@{url}"))
    assert "Kind: addition" in out
    assert "Answer: 127 (agreed: " in out
    assert '"uri": "templates://chapters/' in out


@pytest.mark.skipif(not ADAPTERS, reason="REASONFLUX_TEST_MCP_ADAPTERS is not set")
@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_the_block_for_the_adapters_runs_in_their_environment(transport: str) -> None:
    _, adapters = BLOCKS
    version = run(ADAPTERS, "from importlib.metadata import version; print(version('mcp'))")
    assert version.startswith("1.")
    with serve_fake() as model, over_http("--model", f"vllm:fake@{model}") as url:
        program = adapters.replace("http://127.0.0.1:8401/mcp", url)
        if transport == "stdio":
            args = [*COMMAND[1:], "--model", f"vllm:fake@{model}"]
            connection = {"transport": "stdio", "command": COMMAND[0], "args": args, "env": ENV}
            program = re.sub(r'\{"transport": "http".*?\}', lambda _: repr(connection), program)
        out = run(ADAPTERS, program)
    assert "Answer: 127 (single: " in out
    assert '"uri": "templates://chapters/' in out
