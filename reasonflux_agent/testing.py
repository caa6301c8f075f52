"""Fakes that ship with the package: a chat model that answers by a function, and an OpenAI-compatible server around one.

They are for speed and for tests of what is built on this package; they never replace a test with a real model.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

Respond = Callable[[str], str]
"""The text of all messages of a call, joined -> the reply."""


def mathematician(prompt: str) -> str:
    """A fake that plays every role: plans in two steps, accepts every review, and boxes the sum of the problem's integers."""
    problem = prompt.split("Problem:\n")[-1].split("\n\n")[0]
    total = sum(int(n) for n in re.findall(r"-?\d+", problem))
    task = prompt.rsplit("Task:", 1)[-1]
    plans = any(words in task for words in ("high-level step", "lay out", "adjust", "more precise"))
    if plans or ("plan" in task and "Do not solve" in task):
        return "Kind: addition\n1. Collect the numbers | find: adding integers\n2. Add them | find: sum"
    if "reviewer" in task:
        return "ACCEPT"
    if "Python program" in task:
        return f"```python\nprint({total})\n```"
    return f"Adding the numbers gives $\\boxed{{{total}}}$."


class FakeModel(BaseChatModel):
    """A chat model that answers by a function of the prompt and counts words as tokens."""

    respond: Respond = mathematician
    delay: float = 0.0
    """Seconds that a call takes."""
    calls: list[str] = []
    """The prompts that were received, in order."""

    @property
    def _llm_type(self) -> str:
        return "reasonflux-fake"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        prompt = "\n\n".join(m.text for m in messages)
        self.calls.append(prompt)
        time.sleep(self.delay)
        message = _message(prompt, self.respond(prompt))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        message = self._generate(messages, stop, run_manager, **kwargs).generations[0].message
        words = re.findall(r"\S*\s*", message.text)[:-1] or [""]
        for index, word in enumerate(words):
            usage = message.usage_metadata if index == len(words) - 1 and isinstance(message, AIMessage) else None
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=word, usage_metadata=usage))
            if run_manager:
                run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk


def _message(prompt: str, reply: str) -> AIMessage:
    read, written = len(prompt.split()), len(reply.split())
    return AIMessage(reply, usage_metadata={"input_tokens": read, "output_tokens": written, "total_tokens": read + written})


@contextmanager
def serve_fake(respond: Respond = mathematician, *, delay: float = 0.0) -> Iterator[str]:
    """An OpenAI-compatible server on a loopback port that answers by `respond`; yields its base URL (".../v1").

    Usable as `vllm:fake@URL`; streams when asked to. `delay` is the seconds that each request takes.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._json({"object": "list", "data": [{"id": "fake", "object": "model"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = "\n\n".join(str(m["content"]) for m in body["messages"])
            time.sleep(delay)
            reply = respond(prompt)
            read, written = len(prompt.split()), len(reply.split())
            usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
            base = {"id": "fake", "created": 0, "model": body.get("model", "fake")}
            if not body.get("stream"):
                choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": reply}}
                self._json({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            rows: list[dict[str, Any]] = [
                {"choices": [{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}]}
                for word in re.findall(r"\S*\s*", reply)[:-1]
            ]
            rows += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": usage}]
            for row in rows:
                data = json.dumps({**base, "object": "chat.completion.chunk", **row})
                self.wfile.write(f"data: {data}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True

        def _json(self, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that hung up is no news
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
