"""When a reply counts as one that repeats itself."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage

from reasonflux_agent.models import read_reply
from reasonflux_agent.models.chat import ServerChat
from reasonflux_agent.models.loops import WINDOW, loops

LINE = "So the number of apples is 3 + 4 = 7, and we check the number of apples again.\n"
PARAGRAPH = "".join(f"Step {n}: multiply {n} by {n + 1} and keep the result {n * (n + 1)} for later.\n" for n in range(12))


@pytest.mark.parametrize("text", [LINE * 9, PARAGRAPH * 4, "Right.\n" * 100, "0, " * 250, "A start. " + LINE * 9 + LINE[:30]])
def test_a_passage_over_and_over_is_a_loop(text: str) -> None:
    assert loops(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Right.",
        LINE * 4,
        PARAGRAPH * 3,
        PARAGRAPH,
        "".join(f"Step {n}: {LINE}" for n in range(40)),
        LINE * 9 + "The answer is \\boxed{7}.",
        "-" * 2000,
        "| | |\n" * 300,
        "\n".join(f"{n} x 7 = {7 * n}" for n in range(200)),
        "0, " * 190,
    ],
)
def test_what_goes_on_is_none(text: str) -> None:
    assert not loops(text)


def test_a_long_text_is_looked_at_quickly() -> None:
    began = time.process_time()
    for text in ("a" * 100_000, "ab " * 50_000, LINE * 2_000, ("x" * 39 + "y") * 3_000):
        loops(text)
    assert time.process_time() - began < 1
    assert WINDOW < 10_000


class Llama:
    """Streams pieces with llama.cpp's timings until the client hangs up; counts them."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self.pieces, self.sent, self.bodies = list(pieces), 0, list[Any]()

    @contextmanager
    def serving(self) -> Iterator[ServerChat]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                outer.sent = 0
                with suppress(OSError):
                    for text in outer.pieces:
                        outer.sent += 1
                        self._send({"content": text}, None, outer.sent)
                    self._send({}, "stop", outer.sent)
                    self.wfile.write(b"data: [DONE]\n\n")

            def _send(self, delta: dict[str, str], finish: str | None, written: int) -> None:
                choice = {"index": 0, "delta": delta, "finish_reason": finish}
                timings = {"prompt_n": 30, "cache_n": 12, "predicted_n": written, "predicted_ms": 40.0 * written}
                body = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
                self.wfile.write(b"data: " + json.dumps({**body, "timings": timings}).encode() + b"\n\n")
                self.wfile.flush()

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/v1"
            yield ServerChat.connect("local:m", "m", [url], api_key="key", cut_loops=True)
        finally:
            server.shutdown()
            server.server_close()


def invoked(model: ServerChat) -> AIMessage:
    return model.invoke("hi", logprobs=True)


def awaited(model: ServerChat) -> AIMessage:
    return asyncio.run(model.ainvoke("hi", logprobs=True))


def streamed(model: ServerChat) -> AIMessage:
    first, *rest = model.stream("hi")
    return cast(AIMessage, sum(rest, first))


@pytest.mark.parametrize("call", [invoked, awaited, streamed])
def test_a_looping_reply_is_cut_off_and_counted(call: Callable[[ServerChat], AIMessage]) -> None:
    llama = Llama(["I think. ", *[f"{word} " for word in LINE.split()] * 4000])
    with llama.serving() as model:
        got = read_reply(call(model))
        speed = model._speed.best
    assert got.truncated
    assert loops(got.text)
    assert 100 < got.completion_tokens < 400
    assert (got.prompt_tokens, got.cached_tokens) == (42, 12)
    assert llama.sent < 60_000  # the server heard of it
    assert speed == 25
    assert not any("dry" in name for name in llama.bodies[0])


@pytest.mark.parametrize("call", [invoked, awaited])
def test_a_reply_that_ends_is_as_it_was(call: Callable[[ServerChat], AIMessage]) -> None:
    pieces = [f"{word} " for word in PARAGRAPH.split()]
    with Llama(pieces).serving() as model:
        message = call(model)
    assert message.text == "".join(pieces)
    assert not read_reply(message).truncated
    assert "timings" not in str(message.response_metadata)
