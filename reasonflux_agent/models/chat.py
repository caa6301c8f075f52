"""The chat model of every OpenAI-compatible server: vLLM's, and llama.cpp's that this package starts."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any, Self, cast

import openai
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import PrivateAttr, SecretStr

from reasonflux_agent.models.balancer import Balancer, Server
from reasonflux_agent.models.failures import ReplyError
from reasonflux_agent.models.local.speed import Speed
from reasonflux_agent.models.loops import WINDOW, loops
from reasonflux_agent.models.options import SERVER
from reasonflux_agent.models.wire import ROUTE, http_clients, readable

CONNECT = 10.0
"""Seconds until a server has accepted a connection. One that is there accepts at once; a client with hundreds of calls to begin
on one busy core was seen to need five."""
TIMEOUT = openai.Timeout(3600.0, connect=CONNECT)
"""Seconds. Nothing of a reply arrives before its end: 32,000 tokens take eleven minutes at 50 a second, and a server that has
256 of them under way gives each of them 10. A host that is gone is noticed earlier, by TCP's keep-alive."""
TIMINGS = "timings"
"""llama.cpp's field of a piece of a reply: tokens read, taken from the cache and written so far, and their times."""
LOOK = 32
"""Pieces of a reply between two looks at whether it repeats itself."""


class ServerChat(BaseChatOpenAI):
    """LangChain's OpenAI client, for servers that are not OpenAI's.

    It keeps the reasoning, counts tokens when streaming, sends `max_tokens`, which llama.cpp and vLLM both read, and shares
    its calls out among several servers (see `balancer`). A call's `timeout` bounds all of it: its tries and its stream too.
    """

    spec: str
    urls: tuple[str, ...]
    """The servers' base URLs."""
    cut_loops: bool = False
    """Whether a reply that repeats itself is cut off while it is written, as the token limit would do it. Needs a server that
    sends llama.cpp's `timings` with each piece."""

    _balancer: Balancer = PrivateAttr()
    _speed: Speed = PrivateAttr(default_factory=Speed)

    @property
    def _llm_type(self) -> str:
        return SERVER

    @classmethod
    def connect(cls, spec: str, name: str, urls: Sequence[str], *, api_key: str, cut_loops: bool = False) -> Self:
        """Return the model `name` that is served at `urls`. Nothing is sent before the first call."""
        client, async_client = http_clients(urls[0])
        chat = cls(
            spec=spec,
            urls=tuple(urls),
            model=name,
            base_url=urls[0],
            api_key=SecretStr(api_key),
            max_retries=0,  # the openai package would retry after a time-out too, do the work twice and overrun a deadline
            timeout=TIMEOUT,
            stream_usage=True,
            stream_chunk_timeout=None,
            use_responses_api=False,
            cut_loops=cut_loops,
            **({"streaming": True, "extra_body": {"timings_per_token": True}} if cut_loops else {}),
            http_client=client,
            http_async_client=async_client,
        )
        chat._balancer = Balancer(urls)
        return chat

    @property
    def where(self) -> str:
        """The URLs; of servers that failed last, with what they said."""
        return str(self._balancer)

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        call = _Call(run_manager, kwargs)
        for attempt in self._balancer.tries(call.run):
            with attempt as server, readable():
                return super()._generate(messages, stop, run_manager, **call.to(server))
        raise AssertionError("unreachable")

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        call = _Call(run_manager, kwargs)
        for attempt in self._balancer.tries(call.run):
            with attempt as server, readable():
                return await super()._agenerate(messages, stop, run_manager, **call.to(server))
        raise AssertionError("unreachable")

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        call = _Call(run_manager, kwargs, self.cut_loops)
        for attempt in self._balancer.tries(call.run):
            with attempt as server, readable():
                chunks: Any = super()._stream(messages, stop, run_manager, **call.to(server))
                with closing(chunks):  # so that the server hears at once of a reader who gives up
                    for chunk in chunks:
                        yield from call.passing(chunk)
                        if call.was_cut:
                            break
                return call.end(self._speed)

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        call = _Call(run_manager, kwargs, self.cut_loops)
        for attempt in self._balancer.tries(call.run):
            with attempt as server, readable():
                chunks: Any = super()._astream(messages, stop, run_manager, **call.to(server))
                async with aclosing(chunks):
                    async for chunk in chunks:
                        for piece in call.passing(chunk):
                            yield piece
                        if call.was_cut:
                            break
                call.end(self._speed)
                return

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """The key of a cache: the model and what a reply depends on, so not its time, nor the seed of a greedy reply."""
        idle = {"timeout", "seed"} if kwargs.get("temperature") == 0 else {"timeout"}
        return f"{self.spec} {sorted((name, value) for name, value in kwargs.items() if name not in idle)} {stop}"

    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        payload = super()._get_request_payload(input_, stop=stop, **kwargs)
        # The openai package looks through all messages for fields to rename, of which there are none: a sixth of a call's
        # processor time (docs/speed.md). It sends `extra_body` as it is.
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
    """One call: its run, the time that is left for it, and what has come of its reply."""

    def __init__(self, run_manager: Any, kwargs: dict[str, Any], cut_loops: bool = False) -> None:
        about = getattr(run_manager, "metadata", None) or {}
        self.run = str(about.get("reasonflux_run") or about.get("thread_id") or "")
        self.was_cut = False
        """Whether the reply repeated itself and was cut off."""
        timeout = kwargs.get("timeout")
        self._until = time.monotonic() + timeout if isinstance(timeout, int | float) else None
        self._kwargs, self._cut_loops = kwargs, cut_loops
        self._server: Server
        self._beside = 1
        """Calls under way at its server when it began, itself included."""
        self._timings: dict[str, Any] = {}
        self._ended, self._text, self._pieces = False, "", 0

    def to(self, server: Server) -> dict[str, Any]:
        """The keyword arguments of a try at `server`. Raises TimeoutError."""
        self._server, self._beside = server, server.under_way
        headers = {**(self._kwargs.get("extra_headers") or {}), ROUTE: server.url}
        left = self._left()
        timeout = {} if left is None else {"timeout": openai.Timeout(left, connect=min(left, CONNECT))}
        return {**self._kwargs, **timeout, "extra_headers": headers}

    def passing(self, chunk: ChatGenerationChunk) -> Iterator[ChatGenerationChunk]:
        """Pass a piece of the reply on, and after it the piece that cuts a looping reply off. Raises TimeoutError."""
        self._timings = (chunk.generation_info or {}).pop(TIMINGS, self._timings)
        yield chunk
        self._ended = self._ended or "finish_reason" in (chunk.generation_info or {})
        self._text = (self._text + chunk.text)[-WINDOW:]  # a piece of a reply without end costs no more than another
        self._pieces += 1
        self._left()
        if self._cut_loops and not self._ended and self._pieces % LOOK == 0 and loops(self._text):
            self._ended = self.was_cut = True
            yield self._cut()

    def end(self, speed: Speed) -> None:
        """Note a finished stream's speed. Raises APIConnectionError if the reply had not ended: no other sign tells."""
        if not self._ended:
            raise openai.APIConnectionError(message="the stream ended before the reply did", request=cast(Any, None))
        tokens, seconds = self._timings.get("predicted_n") or 0, (self._timings.get("predicted_ms") or 0) / 1000
        speed.note(tokens, seconds, max(self._beside, self._server.under_way))

    def _left(self) -> float | None:
        """Seconds that the call may still take. Raises TimeoutError if there are none."""
        if self._until is None:
            return None
        if (left := self._until - time.monotonic()) <= 0:
            raise TimeoutError("the call's time was up in the middle of its reply")
        return left

    def _cut(self) -> ChatGenerationChunk:
        """The last piece of a reply that is cut off here, with the usage that the server will not send."""
        read, cached, written = (int(self._timings.get(name) or 0) for name in ("prompt_n", "cache_n", "predicted_n"))
        written = written or self._pieces
        usage = UsageMetadata(
            input_tokens=read + cached,
            output_tokens=written,
            total_tokens=read + cached + written,
            input_token_details=InputTokenDetails(cache_read=cached),
        )
        message = AIMessageChunk(content="", usage_metadata=usage)
        return ChatGenerationChunk(message=message, generation_info={"finish_reason": "length"})
