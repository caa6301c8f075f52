"""The chat model behind every OpenAI-compatible server: llama.cpp's in this process, and vLLM's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any, Self
from urllib.parse import urlsplit

import openai
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import SecretStr

TIMEOUT = openai.Timeout(1800.0, connect=5.0)
"""Seconds. Nothing of a reply arrives before its end: 32,000 tokens at 25 a second take twenty minutes, and so do 1,500 of
eight at once on two busy cores. A server that is there accepts at once."""


class ServerChat(BaseChatOpenAI):
    """LangChain's OpenAI client, for servers that are not OpenAI's.

    It keeps the reasoning, counts tokens when streaming, and sends `max_tokens`, which llama.cpp and vLLM both read.
    """

    spec: str
    urls: tuple[str, ...]
    """The servers' base URLs; calls go to each in turn, and a retry goes to the next."""

    @property
    def _llm_type(self) -> str:
        return "reasonflux-server"

    @classmethod
    def connect(
        cls, spec: str, name: str, urls: Sequence[str], *, api_key: str, retries: int, body: dict[str, Any] | None = None
    ) -> Self:
        """The model `name` served at `urls`; `body` goes into every request. Nothing is sent before the first call."""
        turn = cycle(urls)
        own = urlsplit(urls[0])

        def route(request: Any) -> None:
            base = urlsplit(next(turn))
            path = base.path + request.url.path.removeprefix(own.path)
            request.url = request.url.copy_with(scheme=base.scheme, host=base.hostname, port=base.port, path=path)
            request.headers["Host"] = base.netloc

        async def aroute(request: Any) -> None:
            route(request)
            # A kept connection belongs to the event loop that opened it, and this object outlives asyncio.run().
            request.headers["Connection"] = "close"

        # Proxies of the environment are for the network, not for the server inside this process.
        trust_env = own.hostname not in ("127.0.0.1", "localhost", "::1")
        return cls(
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
            extra_body=body,
            http_client=openai.DefaultHttpxClient(trust_env=trust_env, event_hooks={"request": [route]}),
            http_async_client=openai.DefaultAsyncHttpxClient(trust_env=trust_env, event_hooks={"request": [aroute]}),
        )

    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        result = super()._create_chat_result(response, generation_info)
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
        return generation


def _keep_reasoning(message: Any, data: dict[str, Any]) -> None:
    """llama.cpp and older vLLM call the field `reasoning_content`, newer vLLM `reasoning`."""
    if reasoning := data.get("reasoning_content") or data.get("reasoning"):
        message.additional_kwargs["reasoning_content"] = reasoning
