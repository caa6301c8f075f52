"""OpenAI's chat-completions format, read: what a request asks for, and what is refused. Pure functions, no I/O.

Source of the shapes: the public API reference of OpenAI.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reasonflux_agent.context import EFFORTS, Context
from reasonflux_agent.errors import InputError

JSON = dict[str, Any]
PREFIX = "reasonflux"

IGNORED = {"metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "store", "user"}
"""Parameters that leave a reply as it is, or are hints."""
INERT: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("stop", "tools", "functions", "logit_bias"), ([], {})),
    **dict.fromkeys(("logprobs", "top_logprobs", "frequency_penalty", "presence_penalty"), (0,)),
    **dict.fromkeys(("tool_choice", "function_call"), ("none", "auto")),
    **dict.fromkeys(("audio", "prediction", "web_search_options"), ()),
    **dict.fromkeys(("n", "top_p"), (1,)),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "verbosity": ("medium",),
}
"""Parameters that cannot be honoured -> the values that ask for nothing, which clients send; null always does."""
FIELDS = Context.model_fields.keys() - {"navigator", "solver"}
"""Fields of the Context that a client may set; not the models, since a spec can name any file or address the server reaches."""


class Refused(InputError):
    """A request that is not served; `status` is HTTP's, the rest are the fields of OpenAI's error object."""

    def __init__(
        self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None, retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code, self.retry_after = status, param, code, retry_after


class _StreamOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    include_usage: bool | None = None
    include_obfuscation: bool | None = None
    """Padding against traffic analysis; there is none."""


class ChatRequest(BaseModel):
    """A request's body without IGNORED and INERT."""

    model_config = ConfigDict(extra="forbid", strict=True)
    model: str
    messages: list[dict[str, Any]] = Field(min_length=1)
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    reasoning_effort: str | None = None
    reasonflux: dict[str, Any] | None = None

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def problem(self) -> str:
        """The text of the last user message. Raises Refused for a part of it that is no text.

        Earlier messages are no part of the problem: whatever a client keeps in them (our own replies, images, calls of tools)
        is left alone. So are instructions after it, which some clients add.
        """
        at = len(self.messages) - 1
        while at and self.messages[at].get("role") in ("system", "developer"):
            at -= 1
        place, last = f"messages.{at}", self.messages[at]
        if last.get("role") != "user":
            text = f"The last message has the role {last.get('role')!r}; it must be the user's, and state the problem."
            raise Refused(text, param="messages")
        _only(last, ("role", "content", "name"), place)
        content = last.get("content")
        if isinstance(content, str):
            return content
        if not isinstance(content, list):
            raise _unread(f"{place}.content", "it must be a text, or a list of parts of the type 'text'")
        return "\n".join(_text(part, f"{place}.content.{number}") for number, part in enumerate(content))

    @property
    def conversation(self) -> list[JSON]:
        """The graph's messages: the texts of earlier turns and of system prompts, then the problem. Raises Refused."""
        roles = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
        at = max((i for i, message in enumerate(self.messages) if message.get("role") == "user"), default=-1)
        rest = [message for i, message in enumerate(self.messages) if i != at and message.get("role") in roles]
        told = [{"role": roles[message["role"]], "content": _readable(message.get("content"))} for message in rest]
        return [*told, {"role": "user", "content": self.problem}]

    def context(self, effort: str | None) -> JSON:
        """Return the fields of the Context that the request sets; `effort` is the one in the model's name. Raises Refused."""
        own = self.reasonflux or {}
        if unknown := own.keys() - FIELDS:
            known = ", ".join(sorted(FIELDS))
            text = f"'reasonflux' has no field {min(unknown)!r} that a client may set. There are: {known}."
            raise Refused(text, param="reasonflux", code="unknown_parameter")
        given = {
            "effort": self.reasoning_effort or effort,
            "max_tokens": self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens,
            "temperature": self.temperature,
            "seed": self.seed,
            **own,
        }
        return {name: value for name, value in given.items() if value is not None}


def model_names(strategies: Iterable[str]) -> dict[str, tuple[str, str | None]]:
    """Return model name -> (strategy, effort). A name without an effort leaves it to the request or the server's default."""
    efforts = (None, *EFFORTS)
    return {f"{PREFIX}-{name}{f'-{effort}' if effort else ''}": (name, effort) for name in strategies for effort in efforts}


def unknown_model(name: str, names: Iterable[str]) -> Refused:
    """Return the error for a name that no model has."""
    text = f"The model {name!r} does not exist. There are: {', '.join(names)}."
    return Refused(text, status=404, param="model", code="model_not_found")


def read_request(body: bytes, names: Iterable[str]) -> ChatRequest:
    """Return the request in `body`, for one of the model `names`. Raises Refused, which names the parameter at fault."""
    given = read_object(body)
    for name, harmless in INERT.items():
        if (value := given.pop(name, None)) is not None and value not in harmless:
            text = f"{name!r} cannot be honoured: a completion here is the result of many model calls. Next: leave it out."
            raise Refused(text, param=name, code="unsupported_parameter")
    try:
        request = ChatRequest.model_validate({name: value for name, value in given.items() if name not in IGNORED})
    except ValidationError as error:
        raise refusal(error, ChatRequest) from None
    if request.model not in names:
        raise unknown_model(request.model, names)
    if request.stream_options and not request.stream:
        raise Refused("'stream_options' is for streams alone. Next: set 'stream' to true.", param="stream_options")
    return request


def read_object(body: bytes) -> JSON:
    """Return the JSON object in a request's body. Raises Refused."""
    try:
        given = json.loads(body.decode(), parse_constant=_no_number)
        json.dumps(given, ensure_ascii=False).encode()  # half a surrogate pair is legal in JSON, and no text
        if isinstance(given, dict):
            return given
        text = f"The body is a JSON {type(given).__name__}, not an object."
    except UnicodeError:
        text = "The body is not UTF-8 text, or holds half of a surrogate pair."
    except RecursionError:
        text = "The body is nested too deeply."
    except ValueError as error:
        text = f"The body is not JSON: {error}."
    raise Refused(text, code="invalid_json")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


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
    return _unknown(param, f" Those that are read: {known}.{context}" if len(place) == 1 else "")


def _unknown(param: str, hint: str) -> Refused:
    return Refused(f"Unrecognized request argument supplied: {param}.{hint}", param=param, code="unknown_parameter")


def _text(part: object, place: str) -> str:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise _unread(place, "a part is an object with a 'type'")
    if part["type"] != "text":
        raise _unread(place, f"a part of the type {part['type']!r} cannot be read. Next: write what it shows as text")
    _only(part, ("type", "text"), place)
    if not isinstance(part.get("text"), str):
        raise _unread(f"{place}.text", "it must be a text")
    return str(part["text"])


def _readable(content: object) -> str:
    """Return the text of an earlier message; parts that are no text are left out."""
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _only(given: JSON, known: tuple[str, ...], place: str) -> None:
    """Refuse what else is set, so that a typing error is not missed. Empty fields and hints for a cache pass."""
    for name, value in given.items():
        if value not in (None, [], {}) and name not in (*known, "cache_control"):
            raise _unknown(f"{place}.{name}", f" A user's message holds: {', '.join(known)}.")


def _unread(place: str, why: str) -> Refused:
    return Refused(f"{place}: {why}. Only text can be read.", param=place, code="invalid_value")
