"""A model server that answers well, by the shipped fake, or fails in the way that the test asks for."""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from reasonflux_agent.testing import mathematician

Plan = Callable[[str], str]
"""The prompt of a request -> the name of a fault, or "" for a good answer."""
Body = dict[str, Any]
MB = 1 << 20
USAGE = {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47}


class Call:
    """One request: the body of its good answer, whether it is to be streamed, and the connection."""

    def __init__(self, prompt: str, stream: bool, writer: asyncio.StreamWriter) -> None:
        message = {"role": "assistant", "content": mathematician(prompt)}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        base = {"id": "1", "object": "chat.completion", "created": 0, "model": "fake"}
        self.good: Body = {**base, "choices": [choice], "usage": USAGE}
        self.stream, self.writer = stream, writer

    @property
    def kind(self) -> str:
        return "text/event-stream" if self.stream else "application/json"

    def content(self, body: Any) -> bytes:
        """A body as it goes over the wire: JSON, or its events."""
        return b"".join(map(event, [*chunks(body), "[DONE]"])) if self.stream else json.dumps(body).encode()

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int = 200, **headers: object) -> None:
        """The status and the headers; `_` in a name stands for `-`."""
        headers = {"content_type": self.kind, "connection": "close", **headers}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.write("\r\n".join([f"HTTP/1.1 {status} -", *lines, "", ""]).encode())

    async def send(self, content: bytes, status: int = 200, **headers: object) -> None:
        """A whole answer."""
        await self.head(status, content_length=len(content), **headers)
        await self.write(content)

    def reset(self) -> None:
        """Ends the connection as a crash does."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


def event(data: Any) -> bytes:
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def chunks(body: Any) -> list[Any]:
    """The events of a stream: the words, the finish, the usage. What is wrong with a body is wrong with each of them."""
    try:
        text = body["choices"][0]["message"]["content"].split(" ")
        deltas = [{"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None} for word in text]
        ends = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        rows: list[Body] = [{"choices": [choice]} for choice in deltas + ends]
        return rows + ([{"choices": [], "usage": body["usage"]}] if "usage" in body else [])
    except (KeyError, TypeError, IndexError, AttributeError):
        shown = copy.deepcopy(body)
        with suppress(KeyError, TypeError, IndexError, AttributeError):
            for choice in shown["choices"]:
                choice["delta"] = choice.pop("message", {})
        return [shown]


def altered(change: Callable[[Body], Any]) -> Fault:
    """The good answer, but for what `change` does to it (or returns in its place)."""

    async def fault(call: Call) -> None:
        body = copy.deepcopy(call.good)
        await call.send(call.content(change(body) or body))

    return fault


def status(code: int, content: bytes = b'{"error": {"message": "no"}}', **headers: Any) -> Fault:
    async def fault(call: Call) -> None:
        given: dict[str, Any] = {"content_type": "application/json", **headers}
        await call.send(content, code, **given)

    return fault


def raw(content: bytes, **headers: Any) -> Fault:
    async def fault(call: Call) -> None:
        await call.send(content, **headers)

    return fault


def broken(after: float, how: str, announced: bool = True) -> Fault:
    """The good answer, up to a share of its bytes; then `how`: end (the connection ends), reset, stall, or drip."""

    async def fault(call: Call) -> None:
        content = call.content(call.good)
        await call.head(**({"content_length": len(content)} if announced else {}))
        await call.write(content[: int(after * len(content))])
        if how == "reset":
            await asyncio.sleep(0.05)  # so that what was sent is read
            call.reset()
        elif how == "stall":
            await asyncio.sleep(3600)
        while how == "drip":
            await asyncio.sleep(0.02)
            await call.write(b": still here\n" if call.stream else b" ")

    return fault


async def good(call: Call) -> None:
    await call.send(call.content(call.good), connection="keep-alive")


async def hang_up(call: Call) -> None:
    """Nothing at all."""


async def reset(call: Call) -> None:
    call.reset()


async def stall(call: Call) -> None:
    await asyncio.sleep(3600)


async def slow_error(call: Call) -> None:
    await asyncio.sleep(1.2)
    await FAULTS["server-error"](call)


async def endless(call: Call) -> None:
    """Text for ever."""
    row = {"choices": [{"index": 0, "delta": {"content": "word " * 2000}, "finish_reason": None}]}
    piece = event(row) if call.stream else b"word " * 2000
    await call.head()
    if not call.stream:
        await call.write(b'{"choices": [{"message": {"content": "')
    while True:
        await call.write(piece)


async def declared(call: Call) -> None:
    """A terabyte, as its head says."""
    await call.head(content_length=1 << 40)
    await call.write(b" " * MB)


async def bomb(call: Call) -> None:
    """A small compressed answer that is large."""
    await call.send(gzip.compress(b" " * (100 * MB), 1), content_encoding="gzip")


async def no_http(call: Call) -> None:
    await call.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def bad_event(call: Call) -> None:
    """As `not-json`, in the middle of a stream."""
    first, *rest = chunks(call.good)
    await call.send(event(first) + b"data: {oops\n\n" + b"".join(map(event, rest)) if call.stream else b"{oops")


async def error_inside(call: Call) -> None:
    """HTTP 200, and then an error in the place of the answer."""
    error = {"error": {"message": "the engine is dead", "code": 500}}
    await call.send(event(chunks(call.good)[0]) + event(error) if call.stream else json.dumps(error).encode())


async def no_done(call: Call) -> None:
    """A stream without its last event, which says nothing new."""
    await call.send(call.content(call.good).removesuffix(event("[DONE]")))


Fault = Callable[[Call], Awaitable[None]]
FAULTS: dict[str, Fault] = {
    "": good,
    "hang-up": hang_up,
    "reset": reset,
    "reset-midway": broken(0.5, "reset"),
    "cut": broken(0.5, "end"),
    "cut-unannounced": broken(0.5, "end", announced=False),
    "stall": stall,
    "stall-midway": broken(0.5, "stall"),
    "drip": broken(0.5, "drip", announced=False),
    "slow-error": slow_error,
    "too-many": status(429, retry_after="0.05"),
    "server-error": status(500),
    "bad-gateway": status(502, b"<html>" + b"no " * 5000, content_type="text/html"),
    "unavailable": status(503, retry_after="0.05"),
    "bad-request": status(400, b'{"error": {"message": "top_k must be positive"}}'),
    "redirect": status(307, b"", location="http://127.0.0.1:9/elsewhere"),
    "no-http": no_http,
    "large-header": status(200, x_large="x" * (200 << 10)),
    "not-json": bad_event,
    "not-unicode": raw(b'data: {"choices": [{"message": {"content": "\xff\xfe"}}]}\n\n'),
    "too-deep": raw(b"data: " + b"[" * 200_000 + b"\n\n"),
    "web-page": raw(b"<html>Sign in to the network</html>", content_type="text/html"),
    "no-content": raw(b""),
    "a-list": altered(lambda body: [body]),
    "no-choices": altered(lambda body: body.pop("choices") and body),
    "null-choices": altered(lambda body: body.update(choices=None)),
    "empty-choices": altered(lambda body: body.update(choices=[])),
    "odd-choices": altered(lambda body: body.update(choices=[7])),
    "null-message": altered(lambda body: body["choices"][0].update(message=None)),
    "odd-content": altered(lambda body: body["choices"][0]["message"].update(content={"a": 1})),
    "null-content": altered(lambda body: body["choices"][0]["message"].update(content=None)),
    "no-usage": altered(lambda body: body.pop("usage") and body),
    "negative-usage": altered(lambda body: body.update(usage=dict.fromkeys(USAGE, -10_000))),
    "odd-usage": altered(lambda body: body.update(usage=dict.fromkeys(USAGE, "many"))),
    "error-inside": error_inside,
    "no-done": no_done,
    "endless": endless,
    "declared-huge": declared,
    "bomb": bomb,
}


class Server:
    """Answers at `url`; `log` has (prompt, fault or "") of each request, in order."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.url = plan, ""
        self.log: list[tuple[str, str]] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept until a fault ends it."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                prompt = "\n\n".join(message["content"] for message in body["messages"])
                name = self.plan(prompt)
                self.log.append((prompt, name))
                call = Call(prompt, body.get("stream", False), writer)
                await FAULTS[name](call)
                if name or "connection: close" in head:
                    break
        writer.close()


@contextmanager
def serving(plan: Plan) -> Iterator[Server]:
    """The server on a free port of this machine."""
    server, loop = Server(plan), asyncio.new_event_loop()

    async def start() -> None:
        listener = await asyncio.start_server(server.answer, "127.0.0.1", 0, limit=MB, backlog=512)
        server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"

    async def stop() -> None:
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
