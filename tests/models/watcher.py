"""A server that behaves as told and notes what its clients do: connections, requests, and who hangs up before the reply."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.models.recorder import reply


@dataclass
class Watcher:
    """What to do with each request, and what was seen."""

    does: str = "answers"
    """answers | answers together | hangs | drips | breaks | 503"""
    together: int = 1
    """`answers together`: requests that must be under way at once before any of them is answered."""
    seconds: float = 0.0
    """Before each answer."""
    url: str = ""
    requests: int = 0
    connections: int = 0
    open: int = 0
    given_up: int = 0
    """Requests whose client hung up before the reply's end."""
    paths: list[str] = field(default_factory=list)

    def sees(self, name: str, value: int, within: float = 5.0) -> None:
        """Fails unless what was seen becomes `value` within so many seconds."""
        limit = time.monotonic() + within
        while getattr(self, name) != value and time.monotonic() < limit:
            time.sleep(0.01)
        assert getattr(self, name) == value, (name, vars(self))


@contextmanager
def watching(*watchers: Watcher) -> Iterator[tuple[Watcher, ...]]:
    """The servers, on loopback ports."""
    with ExitStack() as stack:
        for watcher in watchers:
            stack.enter_context(_serving(watcher))
        yield watchers


@contextmanager
def _serving(watcher: Watcher) -> Iterator[None]:
    started: Future[Callable[[], Any]] = Future()

    async def run() -> None:
        all_in, ended, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            watcher.connections += 1
            watcher.open += 1
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await _one(watcher, all_in, reader, writer):
                    pass
            watcher.open -= 1
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1024)
        watcher.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        started.set_result(lambda: loop.call_soon_threadsafe(ended.set))
        await ended.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    end = started.result(5)
    try:
        yield
    finally:
        end()
        thread.join(5)


async def _one(watcher: Watcher, all_in: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Serves one request; whether the connection is kept."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
    body = json.loads(await reader.readexactly(length) or "{}")
    watcher.requests += 1
    watcher.paths.append(head.split(b" ")[1].decode())
    if watcher.does == "breaks":
        return False
    if watcher.does == "hangs":
        await reader.read(1)  # nothing comes but the end
        watcher.given_up += 1
        return False
    if watcher.does == "drips":
        return await _drip(watcher, reader, writer)
    if watcher.does == "answers together":
        if watcher.requests >= watcher.together:
            all_in.set()
        await asyncio.wait_for(all_in.wait(), 20)
    await asyncio.sleep(watcher.seconds)
    status, answer = (503, {"error": {"message": "loading"}}) if watcher.does == "503" else (200, reply("yes"))
    if body.get("stream") and status == 200:
        raise AssertionError("this one does not stream")
    data = json.dumps(answer).encode()
    writer.write(b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(data)) + data)
    await writer.drain()
    return True


async def _drip(watcher: Watcher, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
    hung_up = asyncio.ensure_future(reader.read(1))
    chunk: dict[str, Any] = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    chunk["choices"] = [{"index": 0, "delta": {"role": "assistant", "content": "drip "}, "finish_reason": None}]
    while not hung_up.done():
        writer.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await asyncio.sleep(0.02)
    watcher.given_up += 1
    return False
