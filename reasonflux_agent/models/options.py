"""What one call asks of a model, and the keyword arguments by which each kind of model takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

SERVER = "reasonflux-server"
"""The `_llm_type` of `ServerChat`."""
_OPENAI = ("max_tokens", "temperature", "seed", "timeout", "stop", "logprobs", "response_format")
_HONOURED: dict[str, tuple[str, ...]] = {
    SERVER: (*_OPENAI, "top_logprobs"),
    "openai-chat": _OPENAI,
    "azure-openai-chat": _OPENAI,
    "reasonflux-transformers": ("max_tokens", "temperature", "seed", "stop"),
    "anthropic-chat": ("max_tokens", "temperature", "timeout", "stop"),
}


@dataclass(frozen=True)
class CallOptions:
    """What one call asks of a model. None and empty values leave it to the model's own default."""

    max_tokens: int | None = None
    """Upper bound of the reply, in tokens."""
    temperature: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    """Strings that end the reply; they are not part of it."""
    schema: dict[str, Any] | None = None
    """JSON schema that the reply must follow (constrained decoding)."""
    timeout: float | None = None
    """Seconds of the whole call for `local:` and `vllm:` models; for others, seconds of the server's silence."""
    logprobs: bool = False
    """Ask for log-probabilities, so that `Reply.logprob` is set."""


def call_kwargs(model: BaseChatModel, options: CallOptions) -> dict[str, Any]:
    """What to pass to `model.invoke(messages, **kwargs)` (or stream, ainvoke) so that it honours `options`.

    Options that a kind of model cannot honour are left out: `local:` and `vllm:` honour all; `hf:` all but the schema,
    the time-out and log-probabilities; OpenAI's classes all; Anthropic's max_tokens, temperature, stop and timeout;
    any other model only `stop`, which is LangChain's own parameter.
    """
    kind, schema = model._llm_type, options.schema
    form = schema and {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}
    asked = {
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "seed": options.seed,
        "timeout": options.timeout,
        "stop": list(options.stop) or None,
        "logprobs": options.logprobs or None,
        "top_logprobs": 1 if options.logprobs else None,  # llama.cpp sends twenty for each token by default
        "response_format": form,
    }
    honoured = _HONOURED.get(kind, ("stop",))
    kwargs = {name: value for name, value in asked.items() if value is not None and name in honoured}
    if kind == SERVER and "response_format" in kwargs:
        # As a plain body field: LangChain's own path would raise on a reply that the token limit cut.
        kwargs["extra_body"] = {**(getattr(model, "extra_body", None) or {}), "response_format": kwargs.pop("response_format")}
    return kwargs
