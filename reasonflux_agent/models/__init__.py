"""A chat model from a spec string (the only file that knows vLLM); what a call may ask of it, and what came back.

Forms of a spec: `local:NAME`, `local:/path.gguf`, `local:OWNER/REPO/FILE.gguf`, `vllm:NAME[@URL[,URL...]]`,
`hf:DIR_OR_ID`, and `PROVIDER:NAME` for whatever LangChain's `init_chat_model` knows.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasonflux_agent.errors import SpecError
from reasonflux_agent.models.failures import TRIES as TRIES
from reasonflux_agent.models.failures import model_error as model_error
from reasonflux_agent.models.failures import retries_itself as retries_itself
from reasonflux_agent.models.failures import timed_out as timed_out
from reasonflux_agent.models.failures import transient as transient
from reasonflux_agent.models.specs import VLLM_URL as VLLM_URL
from reasonflux_agent.models.specs import check_path as check_path
from reasonflux_agent.models.specs import check_spec as check_spec
from reasonflux_agent.models.specs import no_provider, read_spec, servers_of, unsupported

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage

    from reasonflux_agent.models.local.server import Endpoint


@dataclass(frozen=True)
class CallOptions:
    """What one call may ask of a model. None and empty mean: the model's own default."""

    max_tokens: int | None = None
    """Upper bound of the reply, in tokens."""
    temperature: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    """Strings that end the reply; they are not part of it."""
    schema: dict[str, Any] | None = None
    """JSON schema that the reply must follow (constrained decoding)."""
    timeout: float | None = None
    """Seconds that the call may take: of `local:` and `vllm:` models all of it, of others the server's silence."""
    logprobs: bool = False
    """Ask for log-probabilities, so that `Reply.logprob` is set."""


@dataclass(frozen=True)
class Reply:
    """What a model answered, read from an AIMessage of any provider."""

    text: str
    """The reply without its thought."""
    reasoning: str
    """The server's reasoning field, or what stood between <think> and </think>."""
    truncated: bool
    """Whether the token limit cut the reply."""
    prompt_tokens: int
    cached_tokens: int
    """The part of `prompt_tokens` that the server took from its prefix cache."""
    completion_tokens: int
    logprob: float | None
    """Mean log-probability per completion token; None where the server gives none."""


def load_model(spec: str | BaseChatModel) -> BaseChatModel:
    """The chat model that `spec` names; a model is returned as it is.

    One spec is one object in a process, so that two roles share a loaded model; after an embedded server has died, the
    next call starts another. Environment variables (keys) are read when a spec is first loaded.

    Raises SpecError (not a spec), DownloadError, MissingExtraError, or ModelError (the file does not load).
    """
    if not isinstance(spec, str):
        return spec
    kind, name = read_spec(spec)
    with _lock:  # so that two threads that ask at once do not both load
        if kind == "local":
            return _load_local(spec.strip(), name)
        model = _loaded[spec] = _load(spec.strip(), kind, name)
        return model


_lock = threading.Lock()
_loaded: dict[str, BaseChatModel] = {}
"""Models that are there, but for `local:` ones, whose server may have died."""


async def aload_model(spec: str | BaseChatModel) -> BaseChatModel:
    """As `load_model`, on the event loop; in a thread only where there is something to load."""
    ready = _loaded.get(spec) if isinstance(spec, str) else spec
    return await asyncio.to_thread(load_model, spec) if ready is None else ready


@cache
def _load(spec: str, kind: str, name: str) -> BaseChatModel:
    if kind == "vllm":
        return _load_vllm(spec, name)
    if kind == "hf":
        from reasonflux_agent.models.hf import TransformersChat

        return TransformersChat.load(spec, name)
    return _load_provider(spec, kind, name)


def _load_local(spec: str, name: str) -> BaseChatModel:
    from reasonflux_agent.models.local.fetch import ensure
    from reasonflux_agent.models.local.server import serve

    _files[spec] = ensure(name)
    return _local_client(spec, name, serve(_files[spec]))


_files: dict[str, Path] = {}
"""The files of the `local:` specs that were loaded."""


def unload(specs: Set[str], kept: Set[str]) -> None:
    """Stops the embedded servers of `local:` specs, but for those whose file is one of `kept` as well."""
    from reasonflux_agent.models.local.server import stop

    for path in {_files[spec] for spec in specs & _files.keys()} - {_files[spec] for spec in kept & _files.keys()}:
        stop(path)


@cache
def _local_client(spec: str, name: str, server: Endpoint) -> BaseChatModel:
    from reasonflux_agent.models.chat import ServerChat

    # No retries: what this server refuses once it refuses again, and after a time-out the work would be done twice.
    return ServerChat.connect(spec, name, [f"{server.url}/v1"], api_key=server.key, retries=0, cut_loops=True)


def _load_vllm(spec: str, rest: str) -> BaseChatModel:
    name, urls = servers_of(spec, rest)
    from reasonflux_agent.models.chat import ServerChat

    # The client does not retry: it would try again after a time-out too, and overrun a deadline.
    key = os.environ.get("VLLM_API_KEY") or "EMPTY"
    return ServerChat.connect(spec, name, urls, api_key=key, retries=0)


def _load_provider(spec: str, provider: str, name: str) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    try:
        model: BaseChatModel = init_chat_model(name, model_provider=provider)
    except ImportError as error:
        raise SpecError(f"The model {spec!r} needs a package that is not installed. {error}") from error
    except Exception as error:
        if unsupported(error):
            raise no_provider(spec, provider, name) from error
        raise SpecError(
            f"The model {spec!r} was asked of LangChain's provider {provider!r}, which refused: {error} "
            "Next: set what it asks for (usually its API key in the environment)."
        ) from error
    return model


def call_kwargs(model: BaseChatModel, options: CallOptions) -> dict[str, Any]:
    """What to pass to `model.invoke(messages, **kwargs)` (or stream, ainvoke) so that it honours `options`.

    Options that a kind of model cannot honour are left out: `local:` and `vllm:` honour all; `hf:` all but the schema,
    the time-out and log-probabilities; OpenAI's classes all; Anthropic's max_tokens, temperature, stop and timeout;
    any other model only `stop`, which is LangChain's own parameter.
    """
    kind = model._llm_type
    asked = {
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "seed": options.seed,
        "timeout": options.timeout,
        "stop": list(options.stop) or None,
    }
    kwargs: dict[str, Any] = {
        key: value for key, value in asked.items() if value is not None and key in _HONOURED.get(kind, ("stop",))
    }
    if kind not in _OPENAI:
        return kwargs
    if options.logprobs:
        kwargs["logprobs"] = True
    if options.schema is not None:
        form = {"type": "json_schema", "json_schema": {"name": "reply", "schema": options.schema, "strict": True}}
        if kind == _SERVER:
            # As a plain body field: LangChain's own path would raise on a reply that the token limit cut.
            kwargs["extra_body"] = {**(getattr(model, "extra_body", None) or {}), "response_format": form}
        else:
            kwargs["response_format"] = form
    if options.logprobs and kind == _SERVER:
        kwargs["top_logprobs"] = 1  # llama.cpp sends twenty for each token where this is not said
    return kwargs


_SERVER = "reasonflux-server"
_OPENAI = (_SERVER, "openai-chat", "azure-openai-chat")
_HONOURED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_OPENAI, ("max_tokens", "temperature", "seed", "timeout", "stop")),
    "reasonflux-transformers": ("max_tokens", "temperature", "seed", "stop"),
    "anthropic-chat": ("max_tokens", "temperature", "timeout", "stop"),
}


def read_reply(message: AIMessage) -> Reply:
    """What `message` holds, whichever provider made it. Counts that are missing, or are none, are 0.

    A thought that ends in a boxed answer, with nothing behind it, states that answer.
    """
    text, thought = _split_thought(_paired(str(message.text)))
    reasoning = message.additional_kwargs.get("reasoning_content") or ""
    if not reasoning and not isinstance(message.content, str):
        blocks = (block for block in message.content_blocks if block["type"] == "reasoning")
        reasoning = "\n".join(str(block.get("reasoning", "")) for block in blocks)
    reasoning = "\n".join(part for part in (_paired(str(reasoning)), thought) if part)
    about = message.response_metadata
    ends = {str(about.get(key)).lower() for key in ("finish_reason", "stop_reason", "done_reason")}
    usage: Any = message.usage_metadata or {}
    tokens = (about.get("logprobs") or {}).get("content") or []
    logprobs = [token["logprob"] for token in tokens if token.get("logprob") is not None]
    return Reply(
        text=text if text.strip() else _boxed(reasoning) or text,
        reasoning=reasoning,
        truncated=bool(ends & {"length", "max_tokens"}),
        prompt_tokens=_count(usage.get("input_tokens")),
        cached_tokens=_count(usage.get("input_token_details", {}).get("cache_read")),
        completion_tokens=_count(usage.get("output_tokens")),
        logprob=sum(logprobs) / len(logprobs) if logprobs else None,
    )


def _boxed(thought: str) -> str:
    """The final answer of a thought, in a box, if it stands in one there; else nothing."""
    from reasonflux_agent.verify.grading import extract_answer

    answer = extract_answer(thought) if "\\boxed" in thought else None
    stated = answer and re.search(rf"\\boxed\s*\{{\s*{re.escape(answer)}\s*\}}", thought)
    return f"\\boxed{{{answer}}}" if stated else ""


def _count(value: object) -> int:
    return max(0, value) if isinstance(value, int) else 0


def _split_thought(text: str) -> tuple[str, str]:
    """(reply, thought). A chat template that opens the thought itself leaves only `</think>` in the text (DeepSeek)."""
    rest = text.lstrip()
    if not rest.startswith("<think>"):
        thought, closed, rest = text.partition("</think>")
        if not closed or "<think>" in thought:
            return text, ""
        return rest.lstrip(), thought.strip()
    thoughts, at = [], 0
    while found := _THOUGHT.match(rest, at):
        thoughts.append(found[1].strip())
        at = found.end()
    return rest[at:], "\n".join(thoughts)


_THOUGHT = re.compile(r"<think>(.*?)(?:</think>\s*|\Z)", re.DOTALL)


def _paired(text: str) -> str:
    """The text with surrogate pairs joined that came in two pieces, and without halves, which nothing can write down."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def reads_errors(model: BaseChatModel | str) -> bool:
    """Whether a model mends its program when it is shown the program's error; one that does not is asked for another program.

    Embedded models are too small for it: they argue with the error (docs/LOG.md).
    """
    spec = model if isinstance(model, str) else getattr(model, "spec", "")
    return not str(spec).startswith("local:")


def describe(model: BaseChatModel) -> str:
    """A short name for records: the spec where there is one, else class and model name."""
    if spec := getattr(model, "spec", None):
        return str(spec)
    name = getattr(model, "model_name", None) or getattr(model, "model", None)
    return f"{type(model).__name__}({name})" if name else type(model).__name__


def _after_fork() -> None:
    """A child process must not share its parent's sockets, nor a lock that another thread held."""
    global _lock
    _lock = threading.Lock()
    _load.cache_clear()
    _loaded.clear()
    _local_client.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
