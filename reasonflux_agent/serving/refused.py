"""What is refused or fails, as OpenAI's error object; and the reading of a request's JSON. Pure functions, no I/O."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.runs.runner import Busy

JSON = dict[str, Any]
RETRY_AFTER = 5
"""Seconds that a client is told to wait, if the queue is full or the server ends."""


class Refused(InputError):
    """A request that is not served; `status` is HTTP's, the rest are the fields of OpenAI's error object."""

    def __init__(
        self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None, retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code, self.retry_after = status, param, code, retry_after


def read_object(body: bytes) -> JSON:
    """Return the JSON object in `body`. Raises Refused."""
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


def unknown(param: str, hint: str) -> Refused:
    """Return the error for a parameter that nothing reads."""
    return Refused(f"Unrecognized request argument supplied: {param}.{hint}", param=param, code="unknown_parameter")


def unread(place: str, why: str) -> Refused:
    """Return the error for a part of a message that cannot be read."""
    return Refused(f"{place}: {why}. Only text can be read.", param=place, code="invalid_value")


def closing() -> Refused:
    """Return the error of a request that has no answer because the server ends."""
    text = "The server was told to end before there was an answer. Next: send the request again, once a server is up."
    return Refused(text, status=503, code="server_shutting_down", retry_after=RETRY_AFTER)


def error_of(error: Exception) -> tuple[int, JSON, dict[str, str]]:
    """Return (HTTP status, body, headers) for an error. An unexpected error tells the client no details."""
    match error:
        case Refused():
            refused = error
        case Busy():
            refused = Refused(str(error), status=429, code="rate_limit_exceeded", retry_after=RETRY_AFTER)
        case InputError():
            refused = Refused(str(error))
        case ModelError():
            refused = Refused(str(error), status=502, code="model_error")
        case _:
            text = "The server failed. Its operator finds the reason in its log."
            refused = Refused(text, status=500, code="internal_error")
    kind = "rate_limit_error" if refused.status == 429 else "server_error" if refused.status >= 500 else "invalid_request_error"
    body = {"error": {"message": str(refused)[:2000], "type": kind, "param": refused.param, "code": refused.code}}
    return refused.status, body, {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
