"""Fakes for tests of what is built on this package: chat models, a retriever, and an OpenAI-compatible server.

They make tests quick and repeatable. They do not replace a test with a real model.
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

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.retrievers import BaseRetriever
from pydantic import Field, PrivateAttr

Respond = Callable[[str], str]
"""The texts of all messages of a call, joined by blank lines -> the reply."""
Reply = str | AIMessage | Exception
"""What a scripted model answers; an exception is raised."""
Line = Reply | list[Reply] | Callable[[str, int], Reply]
"""The replies to one node: always the same one; a list, whose last one is repeated; or a function of the prompt and of the
number of earlier calls by the node."""


def mathematician(prompt: str) -> str:
    """Answer in any role: plan two steps, accept every review, and box the sum of the problem's integers.

    A follow-up is restated with the last integer that was said before it.
    """
    said, is_follow_up, last = prompt.rsplit("Conversation:\n")[-1].partition("\n\nLast message:\n> ")
    if is_follow_up:
        before = re.findall(r"-?\d+", said)
        return f"{last} (before: {before[-1] if before else 'nothing'})"
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
    r"""A chat model that answers by a function of the prompt, and counts words as tokens.

    >>> model = FakeModel(respond=lambda prompt: f"{len(prompt)} characters")
    >>> model.invoke("What is 3 + 4?").text
    '14 characters'
    >>> model.calls
    ['What is 3 + 4?']
    """

    respond: Respond = mathematician
    delay: float = 0.0
    """Seconds that a call takes."""
    calls: list[str] = Field(default_factory=list)
    """The prompts received, in order."""

    @property
    def _llm_type(self) -> str:
        return "reasonflux-fake"

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        prompt = _joined(messages)
        self.calls.append(prompt)
        time.sleep(self.delay)
        return _counted(prompt, AIMessage(self.respond(prompt)))

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        message = self._generate(messages, stop, run_manager, **kwargs).generations[0].message
        assert isinstance(message, AIMessage)
        words = _words(message.text) or [""]
        for index, word in enumerate(words, 1):
            usage = message.usage_metadata if index == len(words) else None
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=word, usage_metadata=usage))
            if run_manager:
                run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk


class ScriptedModel(BaseChatModel):
    r"""A chat model that answers each node of the graph by its own lines, whatever the wording of the prompt.

    >>> from reasonflux_agent import ReasonFlux
    >>> model = ScriptedModel(script={"plan": "1. Add the numbers", "solve_step": "It is \\boxed{7}."})
    >>> ReasonFlux(model, retriever=Shelf(), effort="low").solve("What is 3 + 4?").answer
    '7'
    >>> model.nodes
    ['plan', 'solve_step']
    """

    script: dict[str, Any]
    """Node -> `Line`. A node without one fails with KeyError."""
    delay: float = 0.0
    """Seconds that a call takes."""
    asked: list[tuple[str, str]] = Field(default_factory=list)
    """(node, prompt) of every call, in order."""
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def nodes(self) -> list[str]:
        """The nodes that called, in order."""
        return [node for node, _ in self.asked]

    def prompts(self, node: str) -> list[str]:
        """Return the prompts of a node, in order."""
        return [prompt for name, prompt in self.asked if name == node]

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        prompt, node = _joined(messages), run_manager.metadata["reasonflux_node"]
        with self._lock:
            earlier = self.nodes.count(node)
            self.asked.append((node, prompt))
        time.sleep(self.delay)
        line: Line = self.script[node]
        if isinstance(line, list):
            line = line[min(earlier, len(line) - 1)]
        reply = line(prompt, earlier) if callable(line) else line
        if isinstance(reply, Exception):
            raise reply
        return _counted(prompt, AIMessage(reply) if isinstance(reply, str) else reply)


class Shelf(BaseRetriever):
    """A retriever that finds a template for each of its `words` in the query; without one, for the query's last word.

    >>> [document.id for document in Shelf(words=("sum", "digits")).invoke("digits of a sum")]
    ['shelf/sum', 'shelf/digits']
    """

    words: tuple[str, ...] = ()
    queries: list[str] = Field(default_factory=list)
    """The queries received, in order."""

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        self.queries.append(query)
        found = [word for word in self.words if word in query.split()] or [query.split()[-1]]
        return [Document(id=f"shelf/{word}", page_content=f"Template: {word}\n1. do {word}") for word in found]


def _joined(messages: list[BaseMessage]) -> str:
    return "\n\n".join(message.text for message in messages)


def _words(text: str) -> list[str]:
    return re.findall(r"\S*\s*", text)[:-1]


def _counted(prompt: str, message: AIMessage) -> ChatResult:
    read, written = len(prompt.split()), len(message.text.split())
    usage = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    return ChatResult(generations=[ChatGeneration(message=message.model_copy(update={"usage_metadata": usage}))])


@contextmanager
def serve_fake(
    respond: Callable[[str], str | AIMessage] = mathematician, *, delay: float = 0.0, pace: float = 0.0, port: int = 0
) -> Iterator[str]:
    """Serve a model that answers by `respond`, OpenAI-compatible, on a loopback port; yield its base URL (".../v1").

    It streams when asked to, and takes `delay` seconds for a request. When it streams, it takes `pace` seconds for each word.
    Of an AIMessage, `additional_kwargs["reasoning_content"]` is told apart, as a thought; a stream breaks off behind one whose
    `response_metadata["finish_reason"]` is None.

    >>> from reasonflux_agent.models import load_model
    >>> with serve_fake(lambda prompt: "Seven.") as url:
    ...     load_model(f"vllm:fake@{url}").invoke("What is 3 + 4?").text
    'Seven.'
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._json({"object": "list", "data": [{"id": "fake", "object": "model"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = "\n\n".join(str(message["content"]) for message in body["messages"])
            time.sleep(delay)
            reply = respond(prompt)
            message = AIMessage(reply) if isinstance(reply, str) else reply
            thought, text = message.additional_kwargs.get("reasoning_content", ""), message.text
            finish = message.response_metadata.get("finish_reason", "stop")
            read, written = len(prompt.split()), len(thought.split()) + len(text.split())
            usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
            base = {"id": "fake", "created": 0, "model": body.get("model", "fake")}
            if not body.get("stream"):
                said = {"role": "assistant", "content": text} | ({"reasoning_content": thought} if thought else {})
                choice = {"index": 0, "finish_reason": finish, "message": said}
                self._json({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
                return
            deltas = [("reasoning_content", word) for word in _words(thought)] + [("content", word) for word in _words(text)]
            choices: list[dict[str, Any]] = [
                {"delta": {"role": "assistant", kind: word}, "finish_reason": None} for kind, word in deltas
            ]
            choices += [{"delta": {}, "finish_reason": finish}] if finish else []
            rows: list[dict[str, Any]] = [{"choices": [{"index": 0, **choice}]} for choice in choices]
            rows += [{"choices": [], "usage": usage}] if finish else []
            self._send("text/event-stream", Connection="close")
            for row in rows:
                time.sleep(pace)
                data = json.dumps({**base, "object": "chat.completion.chunk", **row})
                self.wfile.write(f"data: {data}\n\n".encode())
            if finish:
                self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True

        def _json(self, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self._send("application/json", **{"Content-Length": str(len(data))})
            self.wfile.write(data)

        def _send(self, content: str, **headers: str) -> None:
            self.send_response(200)
            for name, value in {"Content-Type": content, **headers}.items():
                self.send_header(name, value)
            self.end_headers()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # clients that connect at the same moment

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):  # a client may hang up
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
