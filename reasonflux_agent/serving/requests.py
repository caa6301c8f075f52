"""OpenAI's chat-completions format, read: what a request asks for, and what is refused. Pure functions, no I/O.

`responses.py` puts a request of the Responses API into this form. Source of the shapes: the public API reference of OpenAI.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reasonflux_agent.context import EFFORTS, Context
from reasonflux_agent.serving.messages import conversation_of, problem_of
from reasonflux_agent.serving.refused import JSON, Refused, read_object, unknown

Names = dict[str, tuple[str, str | None]]
"""Model name -> (strategy, effort)."""
PREFIX = "reasonflux"
NAVIGATOR, DIRECT = "navigator", "direct"
"""The strategies of the model `reasonflux`: the first; the second where a request wants no reasoning."""

IGNORED = {"metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "store", "user"}
"""Parameters that leave a reply as it is, or are hints."""
INERT: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("tools", "functions", "logit_bias"), ([], {})),
    **dict.fromkeys(("logprobs", "top_logprobs", "frequency_penalty", "presence_penalty"), (0,)),
    **dict.fromkeys(("tool_choice", "function_call"), ("none", "auto")),
    **dict.fromkeys(("audio", "prediction", "web_search_options"), ()),
    "top_p": (1,),
    "parallel_tool_calls": (True, False),
    "modalities": (["text"],),
    "verbosity": ("medium",),
}
"""Parameters that have no meaning here -> the values that ask for nothing, which clients send; null always does."""
FIELDS = Context.model_fields.keys() - {"navigator", "solver"}
"""Fields of the Context that a client may set; not the models, since a spec can name any file or address the server reaches."""
SPELLINGS = {"none": "low", "minimal": "low", "xhigh": "high", "max": "high"}
"""Other clients' words for an effort -> the closest effort here."""
LEAST, MOST = 16, 200_000
"""Bounds of the Context's `max_tokens`."""
CHOICES = 64
"""The most choices of one request (`n`)."""


class _StreamOptions(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    include_usage: bool | None = None


class _Reasoning(BaseModel):
    """The nested form of the effort; how a summary is told is not a client's choice here."""

    model_config = ConfigDict(extra="ignore", strict=True)
    effort: str | None = None


class ChatRequest(BaseModel):
    """A request's body without the parameters that have no meaning here."""

    model_config = ConfigDict(extra="forbid", strict=True)
    model: str
    messages: list[dict[str, Any]] = Field(min_length=1)
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    n: int | None = Field(None, ge=1, le=CHOICES)
    stop: str | list[str] | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    reasoning: _Reasoning | None = None
    reasonflux: dict[str, Any] | None = None
    _ignored: tuple[str, ...] = ()

    @property
    def ignored(self) -> tuple[str, ...]:
        """The parameters that the request sets and that are not honoured, sorted."""
        return self._ignored

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def choices(self) -> int:
        """The most candidates of the vote that the reply shows."""
        return self.n or 1

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings that end the answer's text; they are not part of it."""
        return tuple(stop for stop in ([self.stop] if isinstance(self.stop, str) else self.stop or ()) if stop)

    @property
    def form(self) -> JSON | None:
        """The JSON schema that the answer must follow; None if it may be any text. Raises Refused."""
        asked = self.response_format or {"type": "text"}
        match asked.get("type"):
            case "text":
                return None
            case "json_object":
                return {"type": "object"}
            case "json_schema" if isinstance(given := asked.get("json_schema"), dict) and isinstance(given.get("schema"), dict):
                return dict(given["schema"])
        text = (
            "'response_format' is {'type': 'text'}, {'type': 'json_object'}, or {'type': 'json_schema', 'json_schema': {...}}"
        )
        raise Refused(
            f"{text} with a 'schema' in it; given: {str(asked)[:200]}.", param="response_format", code="invalid_value"
        )

    @property
    def problem(self) -> str:
        """The text of the last user message. Raises Refused for a part of it that is no text."""
        return problem_of(self.messages)

    @property
    def conversation(self) -> list[dict[str, str]]:
        """The graph's messages: the texts of system prompts and earlier turns, then the problem. Raises Refused."""
        return conversation_of(self.messages)

    def run(self, names: Names) -> tuple[str, JSON]:
        """Return the strategy, and the fields of the Context that the request sets. Raises Refused."""
        own = self.reasonflux or {}
        if unknown := own.keys() - FIELDS:
            known = ", ".join(sorted(FIELDS))
            text = f"'reasonflux' has no field {min(unknown)!r} that a client may set. There are: {known}."
            raise Refused(text, param="reasonflux", code="unknown_parameter")
        strategy, named = names[self.model]
        effort = self.reasoning_effort or (self.reasoning and self.reasoning.effort) or named
        if effort == "none" and self.model == PREFIX:
            strategy = DIRECT
        given = {
            "effort": SPELLINGS.get(effort, effort) if effort else None,
            "max_tokens": self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens,
            "temperature": self.temperature,
            "seed": self.seed,
            **own,
        }
        return strategy, {name: value for name, value in given.items() if value is not None}


def model_names(strategies: Iterable[str]) -> Names:
    """Return model name -> (strategy, effort). A name without an effort leaves it to the request or the server's default."""
    chosen = {PREFIX: NAVIGATOR, **{f"{PREFIX}-{name}": name for name in strategies}}
    efforts: tuple[str | None, ...] = (None, *EFFORTS)
    return {f"{name}-{effort}" if effort else name: (chosen[name], effort) for name in chosen for effort in efforts}


def listed(names: Names) -> list[str]:
    """Return the names that a client shows to choose from: `reasonflux` with each effort, and each other strategy."""
    short = [name for name, (strategy, _) in names.items() if name == PREFIX or strategy == NAVIGATOR]
    short = [name for name in short if not name.startswith(f"{PREFIX}-{NAVIGATOR}")]
    return [*short, *(name for name, (strategy, effort) in names.items() if strategy != NAVIGATOR and not effort)]


def unknown_model(name: str, names: Names) -> Refused:
    """Return the error for a name that no model has."""
    text = (
        f"The model {name!r} does not exist. There are: {', '.join(listed(names))}; and each strategy with an effort behind it."
    )
    return Refused(text, status=404, param="model", code="model_not_found")


def read_request(body: bytes, names: Names, *, strict: bool = False) -> ChatRequest:
    """Return the request in `body`, for one of the model `names`. Raises Refused, which names the parameter at fault.

    Parameters without a meaning here are left out, and `ignored` names them; if `strict`, they are refused.
    """
    return request_of(read_object(body), names, strict=strict)


def request_of(given: JSON, names: Names, *, strict: bool = False) -> ChatRequest:
    """As `read_request`, for a body that is read already."""
    kept = {name: value for name, value in given.items() if name not in IGNORED and name not in INERT}
    idle = [name for name, harmless in INERT.items() if (value := given.get(name)) is not None and value not in harmless]
    for name in {"tool_choice", "function_call"} & {*idle}:
        text = (
            f"{name!r} demands the call of a tool, and no tool is ever called here. Next: leave it out, or say 'auto'; for an "
        )
        text += "answer in a form of your own, give a JSON schema as 'response_format'."
        raise Refused(text, param=name, code="unsupported_parameter")
    if not strict:
        idle += [name for name in kept if name not in ChatRequest.model_fields]
        kept = {name: kept[name] for name in kept if name not in idle}
        for name in ("max_tokens", "max_completion_tokens"):
            if type(value := kept.get(name)) is int and value > 0 and not LEAST <= value <= MOST:
                kept[name] = min(max(value, LEAST), MOST)
                idle.append(name)
        if kept.get("stream_options") and not kept.get("stream"):
            idle.append("stream_options")
            del kept["stream_options"]
    elif idle:
        text = f"{idle[0]!r} cannot be honoured: a completion here is the result of many model calls. Next: leave it out."
        raise Refused(text, param=idle[0], code="unsupported_parameter")
    try:
        request = ChatRequest.model_validate(kept)
    except ValidationError as error:
        raise refusal(error, ChatRequest) from None
    request._ignored = tuple(sorted(idle))
    if request.model not in names:
        raise unknown_model(request.model, names)
    if request.stream_options and not request.stream:
        raise Refused("'stream_options' is for streams alone. Next: set 'stream' to true.", param="stream_options")
    return request


def refusal(error: ValidationError, kind: type[BaseModel]) -> Refused:
    """Return OpenAI's answer to the first thing that does not fit a request of this kind."""
    first = error.errors(include_url=False, include_context=False)[0]
    # where a value may have several types, the path names the type that was tried: no part of the client's path
    place = [str(p) for p in first["loc"] if not isinstance(p, str) or (p.isidentifier() and p not in ("str",))]
    param = ".".join(place)
    if first["type"] != "extra_forbidden":
        return Refused(f"{param}: {first['msg']}.", param=param, code="invalid_value")
    known = ", ".join(kind.model_fields)
    context = " Fields of the run's context go into 'reasonflux'." if kind is ChatRequest else ""
    return unknown(param, f" Those that are read: {known}.{context}" if len(place) == 1 else "")
