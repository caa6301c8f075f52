"""A cancelled MCP call, at the default effort: the server hangs up on the drafts and on the plan, however the call ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from tests.models.watcher import Watcher, watching
from tests.serving.mcp_server import COMMAND, ENV, over_http

pytest.importorskip("mcp.client", reason="the extra mcp is not installed")
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

PROBLEM = {"problem": "What is 3 + 4?"}
DEFAULT = {name: value for name, value in ENV.items() if name != "REASONFLUX_DIRECT_SAMPLES"}
AT_ONCE = 3
"""Model calls with which a run at the default effort begins: two drafts and the plan."""
TRANSPORTS = [("stdio", "auto"), ("stdio", "legacy"), ("http", "auto"), ("http", "legacy")]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Watcher]:
    with watching(Watcher(does="hangs")) as (watcher,):
        yield watcher


@pytest.fixture(scope="module")
def servers(upstream: Watcher) -> Iterator[dict[str, Any]]:
    args = ["--model", f"vllm:m@{upstream.url}"]
    with over_http(*args, REASONFLUX_DIRECT_SAMPLES="2") as url:
        yield {"http": url, "stdio": StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:], *args], env=DEFAULT)}


@pytest.fixture(autouse=True)
def fresh(upstream: Watcher) -> None:
    upstream.requests = upstream.given_up = 0


async def begun(upstream: Watcher) -> None:
    await asyncio.to_thread(upstream.sees, "requests", AT_ONCE, 60)


@pytest.mark.parametrize(("transport", "mode"), TRANSPORTS)
@pytest.mark.parametrize("how", ["task", "scope"])
async def test_a_cancelled_call_ends_all_its_model_calls(
    upstream: Watcher, servers: dict[str, Any], transport: str, mode: Any, how: str
) -> None:
    async with Client(servers[transport], mode=mode) as client:
        if how == "task":
            call = asyncio.create_task(client.call_tool("reason", PROBLEM))
            await begun(upstream)
            call.cancel()
        else:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(client.call_tool, "reason", PROBLEM)
                    await begun(upstream)
                    scope.cancel()
        await asyncio.to_thread(upstream.sees, "given_up", AT_ONCE, 20)
        # and the server goes on
        checked = await client.call_tool("check_answer", {"problem": "Solve x = 5 for x.", "answer": "4"})
        assert "NO:" in checked.content[0].text  # type: ignore[union-attr]
    assert upstream.requests == AT_ONCE


KILLED = """
import asyncio, sys
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

async def main():
    given = sys.argv[1]
    server = given if given.startswith("http") else StdioServerParameters(command=sys.argv[1], args=sys.argv[3:], env=%r)
    async with Client(server, mode=sys.argv[2]) as client:
        await client.call_tool("reason", {"problem": "What is 3 + 4?"})

asyncio.run(main())
"""


@pytest.mark.parametrize(("transport", "mode"), TRANSPORTS)
def test_a_killed_client_ends_all_its_model_calls(
    upstream: Watcher, servers: dict[str, Any], transport: str, mode: str
) -> None:
    server = servers[transport]
    args = [server, mode] if transport == "http" else [server.command, mode, *server.args]
    client = subprocess.Popen([sys.executable, "-c", KILLED % DEFAULT, *args])
    try:
        upstream.sees("requests", AT_ONCE, 60)
    finally:
        client.kill()
        client.wait()
    upstream.sees("given_up", AT_ONCE, 20)
    assert upstream.requests == AT_ONCE
