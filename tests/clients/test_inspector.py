"""The MCP inspector (its command line, from npm) against our server, over stdio and HTTP: `make test-clients`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.testing import serve_fake
from tests.serving.mcp_server import COMMAND, ENV, over_http

INSPECTOR = os.environ.get("REASONFLUX_TEST_INSPECTOR", "")
pytestmark = pytest.mark.skipif(not INSPECTOR, reason="REASONFLUX_TEST_INSPECTOR names no inspector")


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_the_inspector_finds_all_and_calls(transport: str, tmp_path: Path) -> None:
    def inspect(target: list[str], method: str, *more: str) -> Any:
        command = [INSPECTOR, "--cli", *target, "--method", method, *more]
        own = {**ENV, "HOME": str(tmp_path)}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, env=own)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def all_of(target: list[str]) -> None:
        tools = inspect(target, "tools/list")["tools"]
        assert [tool["name"] for tool in tools] == ["reason", "search_templates", "check_answer"]
        assert all(tool["outputSchema"]["type"] == "object" for tool in tools)
        call = ("--tool-name", "reason", "--tool-arg", "problem=What is 3 + 4?")
        for more in ((), ("--tool-arg", "effort=low")):
            solved = inspect(target, "tools/call", *call, *more)
            assert "Answer: 7" in solved["content"][0]["text"]
            assert solved["structuredContent"]["answer"] == "7"
        assert len(inspect(target, "prompts/list")["prompts"]) == 3
        assert inspect(target, "resources/list")["resources"][0]["uri"] == "templates://chapters"

    with serve_fake() as upstream:
        model = ("--model", f"vllm:fake@{upstream}")
        if transport == "stdio":
            all_of([*COMMAND, *model])
        else:
            with over_http(*model) as url:
                all_of([url, "--transport", "http"])
