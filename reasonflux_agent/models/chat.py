"""The chat model behind every OpenAI-compatible server: llama.cpp's in this process, and vLLM's."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any, Self, cast
from urllib.parse import urlsplit

import openai
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import PrivateAttr, SecretStr

from reasonflux_agent.models.failures import ReplyError
from reasonflux_agent.models.local.speed import Speed
from reasonflux_agent.models.loops import WINDOW, loops
from reasonflux_agent.models.pool import Pool, Server
from reasonflux_agent.models.replies import abound, announce, bound, httpx, readable

CONNECT = 10.0
"""Seconds until a server has accepted a connection. One that is there accepts at once; a client with hundreds of calls to begin
on one busy core was seen to need five."""
TIMEOUT = openai.Timeout(3600.0, connect=CONNECT)
"""Seconds. Nothing of a reply arrives before its end: 32,000 tokens take eleven minutes at 50 a second, and a server that has
256 of them under way gives each of them 10. A host that is gone is noticed earlier, by `KEEP_ALIVE`."""
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=4.0)
"""How many calls are under way is for the caller to say. vLLM closes a connection that was idle for 5 s: ours go before."""
KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)] + [
    (socket.IPPROTO_TCP, getattr(socket, name), value)
    for name, value in {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 4}.items()
    if hasattr(socket, name)
]
"""A connection that waits for its reply is probed each minute, so that no balancer between drops it as idle."""
TIMINGS = "timings"
"""llama.cpp's field of a piece of a reply: tokens read, taken from the cache and written so far, and their times."""
LOOK = 32
"""Pieces of a reply between two looks at whether it repeats itself."""
ROUTE = "x-reasonflux-server"
"""Header by which a call tells the hook below where to; it is not sent."""


class ServerChat(BaseChatOpenAI):
    """LangChain's OpenAI client, for servers that are not OpenAI's.

    It keeps the reasoning, counts tokens when streaming, sends `max_tokens`, which llama.cpp and vLLM both read, and shares
    its calls out among several servers (see `pool`). A call's `timeout` bounds all of it: its tries and its stream too.
    """

    spec: str
    urls: tuple[str, ...]
    """The servers' base URLs."""
    cut_loops: bool = False
    """Whether a reply that repeats itself is cut off while it is written, as if the token limit had done it. It needs a server
    that sends llama.cpp's `timings` with each piece."""

    _pool: Pool = PrivateAttr()
    _speed: Speed = PrivateAttr(default_factory=Speed)

    @property
    def _llm_type(self) -> str:
        return "reasonflux-server"

    @classmethod
    def connect(cls, spec: str, name: str, urls: Sequence[str], *, api_key: str, retries: int, cut_loops: bool = False) -> Self:
        """The model `name` served at `urls`. Nothing is sent before the first call."""
        own = urlsplit(urls[0])

        def route(request: Any) -> None:
            announce(request)
            if (url := request.headers.pop(ROUTE, urls[0])) != urls[0]:
                base = urlsplit(url)
                path = base.path + request.url.path.removeprefix(own.path)
                request.url = request.url.copy_with(scheme=base.scheme, host=base.hostname, port=base.port, path=path)
                request.headers["Host"] = base.netloc

        async def aroute(request: Any) -> None:
            route(request)
            # A kept connection belongs to the event loop that opened it, and this object outlives asyncio.run(). Nor would it
            # be quicker to keep them: of hundreds, httpx looks at each one anew for each call (docs/vllm.md).
            request.headers["Connection"] = "close"

        # Proxies of the environment are for the network, not for the server inside this process.
        proxied = own.hostname not in ("127.0.0.1", "localhost", "::1") and bool(urllib.request.getproxies())
        chat = cls(
            spec=spec,
            urls=tuple(urls),
            model=name,
            base_url=urls[0],
            api_key=SecretStr(api_key),
            max_retries=retries,
            timeout=TIMEOUT,
            stream_usage=True,
            stream_chunk_timeout=None,
            use_responses_api=False,
            cut_loops=cut_loops,
            **({"streaming": True, "extra_body": {"timings_per_token": True}} if cut_loops else {}),
            http_client=openai.DefaultHttpxClient(**_wire(httpx.HTTPTransport, proxied, route, bound)),
            http_async_client=openai.DefaultAsyncHttpxClient(**_wire(httpx.AsyncHTTPTransport, proxied, aroute, abound)),
        )
        chat._pool = Pool(urls)
        return chat

    @property
    def where(self) -> str:
        """The URLs, with what those that failed last said."""
        return str(self._pool)

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        call = _Call(run_manager, kwargs)
        for attempt in self._pool.tries(call.run):
            with attempt as server, readable():
                return super()._generate(messages, stop, run_manager, **call.to(server))
        raise AssertionError("unreachable")

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        call = _Call(run_manager, kwargs)
        for attempt in self._pool.tries(call.run):
            with attempt as server, readable():
                return await super()._agenerate(messages, stop, run_manager, **call.to(server))
        raise AssertionError("unreachable")

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        call = _Call(run_manager, kwargs)
        for attempt in self._pool.tries(call.run):
            with attempt as server, readable():
                chunks: Any = super()._stream(messages, stop, run_manager, **call.to(server))
                with closing(chunks):  # so that the server hears at once of a reader who gives up
                    for chunk in chunks:
                        call.time(chunk)
                        yield chunk
                        call.saw(chunk)
                        if self.cut_loops and call.loops():
                            yield call.cut()
                            break
                call.end()
                self._note_speed(call, server)
                return

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        call = _Call(run_manager, kwargs)
        for attempt in self._pool.tries(call.run):
            with attempt as server, readable():
                chunks: Any = super()._astream(messages, stop, run_manager, **call.to(server))
                async with aclosing(chunks):
                    async for chunk in chunks:
                        call.time(chunk)
                        yield chunk
                        call.saw(chunk)
                        if self.cut_loops and call.loops():
                            yield call.cut()
                            break
                call.end()
                self._note_speed(call, server)
                return

    def _note_speed(self, call: _Call, server: Server) -> None:
        """Lets the hint for a busy machine know how fast the reply came, where the server says it."""
        tokens, seconds = call.timings.get("predicted_n") or 0, (call.timings.get("predicted_ms") or 0) / 1000
        self._speed.note(tokens, seconds, max(call.beside, server.under_way))

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """What a cache goes by: the model and what a reply depends on, so not its time, nor the seed of a greedy one."""
        idle = {"timeout", "seed"} if kwargs.get("temperature") == 0 else {"timeout"}
        return f"{self.spec} {sorted((name, value) for name, value in kwargs.items() if name not in idle)} {stop}"

    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        payload = super()._get_request_payload(input_, stop=stop, **kwargs)
        # The openai package looks through all messages for fields to rename, of which there are none: a sixth of a call's
        # processor time (docs/speed.md). What is in `extra_body` it sends as it is.
        body = {**(payload.get("extra_body") or {}), "messages": payload["messages"]}
        return {**payload, "messages": [], "extra_body": body}

    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        result = super()._create_chat_result(response, generation_info)
        if not result.generations:
            raise ReplyError("it holds no choice")
        data = response if isinstance(response, dict) else response.model_dump(warnings=False)
        for generation, choice in zip(result.generations, data["choices"], strict=True):
            _keep_reasoning(generation.message, choice["message"])
        return result

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        generation = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        if generation is not None and chunk.get("choices"):
            _keep_reasoning(generation.message, chunk["choices"][0]["delta"] or {})
        if generation is not None and (timings := chunk.get(TIMINGS)):
            generation.generation_info = {**(generation.generation_info or {}), TIMINGS: timings}
        return generation


def _keep_reasoning(message: Any, data: dict[str, Any]) -> None:
    """llama.cpp and older vLLM call the field `reasoning_content`, newer vLLM `reasoning`."""
    if reasoning := data.get("reasoning_content") or data.get("reasoning"):
        message.additional_kwargs["reasoning_content"] = reasoning


class _Call:
    """One call: whose it is, and how long it may still take."""

    def __init__(self, run_manager: Any, kwargs: dict[str, Any]) -> None:
        about = getattr(run_manager, "metadata", None) or {}
        self.run = str(about.get("reasonflux_run") or about.get("thread_id") or "")
        self.kwargs = kwargs
        timeout = kwargs.get("timeout")
        self.until = time.monotonic() + timeout if isinstance(timeout, int | float) else None
        self.ended = False
        self.timings: dict[str, Any] = {}
        self.beside = 1
        """Calls under way at its server when it began, itself included."""
        self._text, self._pieces = "", 0

    def left(self) -> float | None:
        """Seconds. Raises TimeoutError once there are none."""
        if self.until is None:
            return None
        if (left := self.until - time.monotonic()) <= 0:
            raise TimeoutError("the call's time was up in the middle of its reply")
        return left

    def saw(self, chunk: ChatGenerationChunk) -> None:
        """A piece of the reply came. Raises TimeoutError."""
        self.ended = self.ended or "finish_reason" in (chunk.generation_info or {})
        self._text = (self._text + chunk.text)[-WINDOW:]  # of a reply without end, too, a piece costs the same
        self._pieces += 1
        self.left()

    def time(self, chunk: ChatGenerationChunk) -> None:
        """Takes out of a piece what llama.cpp says of tokens and times so far."""
        self.timings = (chunk.generation_info or {}).pop(TIMINGS, self.timings)

    def loops(self) -> bool:
        """Whether the reply so far repeats itself; looked at now and then."""
        return not self.ended and self._pieces % LOOK == 0 and loops(self._text)

    def cut(self) -> ChatGenerationChunk:
        """The last piece of a reply that is cut off here, with the usage that the server did not come to send."""
        self.ended = True
        read, cached, written = (int(self.timings.get(name) or 0) for name in ("prompt_n", "cache_n", "predicted_n"))
        usage = UsageMetadata(
            input_tokens=read + cached,
            output_tokens=written or self._pieces,
            total_tokens=read + cached + (written or self._pieces),
            input_token_details=InputTokenDetails(cache_read=cached),
        )
        message = AIMessageChunk(content="", usage_metadata=usage)
        return ChatGenerationChunk(message=message, generation_info={"finish_reason": "length"})

    def end(self) -> None:
        """The stream has ended. Raises APIConnectionError where the reply had not: nothing else tells of a cut."""
        if not self.ended:
            raise openai.APIConnectionError(message="the stream ended before the reply did", request=cast(Any, None))

    def to(self, server: Server) -> dict[str, Any]:
        """The keyword arguments for a try at `server`."""
        self.beside = server.under_way
        headers = {**(self.kwargs.get("extra_headers") or {}), ROUTE: server.url}
        left = self.left()
        timeout = {} if left is None else {"timeout": openai.Timeout(left, connect=min(left, CONNECT))}
        return {**self.kwargs, **timeout, "extra_headers": headers}


def _wire(transport: Any, proxied: bool, route: Any, bound: Any) -> dict[str, Any]:
    # a transport of our own would go past the environment's proxies
    own = {"limits": LIMITS} if proxied else {"transport": transport(limits=LIMITS, socket_options=KEEP_ALIVE)}
    # a prompt goes to the servers that the spec names, not to where one of them points
    return {**own, "event_hooks": {"request": [route], "response": [bound]}, "follow_redirects": False}
