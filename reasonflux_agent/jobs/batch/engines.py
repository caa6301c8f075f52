"""A model server for one process of a batch, on the same machine. It starts and ends with the process."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

import httpx

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.models.specs import read_spec
from reasonflux_agent.runs.journal import Row

ROLES = ("navigator", "solver")
GUARD = 'exec 3<&0; (cat <&3; kill -9 -$$) & "$@" 3<&- </dev/null; kill -9 -$$'
"""A shell that runs a command, and kills its process group when the command ends or the shell's standard input is closed. That
happens when this process is gone, even by SIGKILL. A server that outlived it would keep its GPU."""


def served_here(context: Mapping[str, object]) -> list[str]:
    """Return the roles whose model is `vllm:NAME` without a URL: `serve` serves it. Raises InputError if there are none."""
    specs = {role: read_spec(str(context[role])) for role in ROLES}
    found = [role for role, (kind, name) in specs.items() if kind == "vllm" and "@http" not in name]
    if not found:
        given = " and ".join(sorted({str(context[role]) for role in ROLES}))
        raise InputError(
            f"--serve starts a server for models without a URL, but the model is {given}. Next: --model vllm:NAME, NAME being "
            "the name under which the command serves it."
        )
    return found


async def serve(command: str, context: Row) -> Row:
    """Start a server with `command` and return the context with its URL; when the server ends, this process ends too.

    `command` takes --host and --port, answers /health when it is ready, and asks for the key in VLLM_API_KEY: as vLLM does.
    Raises ModelError, with what the server said last, if it ends before it is ready.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    os.environ.setdefault("VLLM_API_KEY", secrets.token_hex(16))  # the port is open to every user of the machine
    arguments = [*shlex.split(command), "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.NamedTemporaryFile(prefix="reasonflux-server-", suffix=".log", delete=False) as log:
        shell = await asyncio.create_subprocess_exec(
            *("sh", "-c", GUARD, "sh", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    ended = asyncio.create_task(shell.wait())
    async with httpx.AsyncClient(timeout=10) as client:
        while not await _healthy(client, f"http://127.0.0.1:{port}/health"):
            if await asyncio.wait({ended}, timeout=0.5) and ended.done():
                said = _end(Path(log.name))
                raise ModelError(f"The server {command!r} ended before it was ready: {said} Next: read {log.name}.")
    ended.add_done_callback(lambda _: os._exit(1))  # the batch starts another process, with another server
    _running.append(shell)
    return context | {role: f"{context[role]}@http://127.0.0.1:{port}/v1" for role in served_here(context)}


_running: list[asyncio.subprocess.Process] = []
"""Kept, so that their standard inputs stay open."""


async def _healthy(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200
    except httpx.TransportError:
        return False


def _end(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else "it said nothing."
