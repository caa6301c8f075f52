"""What every request passes: the key, the host, the access log, the metrics, and errors in OpenAI's shape."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
import re
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from reasonflux_agent.errors import InputError
from reasonflux_agent.serving.refused import Refused, error_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reasonflux_agent.serving.metrics import Metrics

log = logging.getLogger("reasonflux_agent.serving")
"""One JSON object a line and request; no contents of messages, no keys."""
WRONG_KEY = "Incorrect API key provided. It is expected as 'Authorization: Bearer KEY'."
OPEN = ("/healthz",)
"""Paths that need no key."""
BODY_SECONDS = 30.0
"""A body that takes longer to arrive is given up."""
REQUEST_ID = "x-request-id"
"""Header of every response: the id by which the access log names the request."""
IGNORED = "x-reasonflux-ignored"
"""Header that names the parameters which a request sets and which are not honoured."""
CLOSED = 499
"""Status in log and metrics of a request whose client went away, as nginx has it."""


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_key(host: str, key: str | None) -> None:
    """Raise InputError if other machines can reach the address and there is no key."""
    if not key and not is_loopback(host):
        raise InputError(
            f"Serving on {host!r} lets other machines in, and there is no key. Next: set REASONFLUX_API_KEY, "
            "or serve on 127.0.0.1."
        )


def check_origins(origins: Iterable[str], key: str | None) -> list[str]:
    """Return the origins of web pages that may ask. Raises InputError for what is no origin, and for `*` without a key."""
    found = [origin.rstrip("/") for origin in origins]
    for origin in found:
        if origin == "*" and not key:
            raise InputError(
                "--allow-origin '*' lets every web page use this server, and there is no key. Next: name the pages' origins, "
                "or set REASONFLUX_API_KEY."
            )
        if origin != "*" and not re.fullmatch(r"https?://[^/\s*?#]+", origin):
            raise InputError(
                f"--allow-origin {origin!r} is no origin. Next: give scheme, host and port, as https://chat.example."
            )
    return found


def has_key(scope: Scope, key: str) -> bool:
    """Return whether a request says `Authorization: Bearer KEY`; the comparison takes constant time."""
    kind, _, given = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
    return kind.lower() == b"bearer" and hmac.compare_digest(given.strip(), key.encode())


class RequestMiddleware:
    """ASGI middleware around the whole app: key or host, access log, metrics, errors."""

    def __init__(self, app: ASGIApp, *, key: str | None, metrics: Metrics) -> None:
        self._app, self._key, self._metrics = app, key, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if it may pass. Count and log it once, however it ends."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] == "websocket":  # none is served, and none may pass without the key
            return await send({"type": "websocket.close"})
        status, begun = 0, time.monotonic()
        facts: dict[str, Any] = scope.setdefault("state", {}).setdefault("facts", {})
        id = f"req_{uuid.uuid4().hex}"

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (REQUEST_ID.encode(), id.encode())]}
            await send(message)

        self._metrics.in_flight.inc()
        try:
            self._admit(scope)
            await self._app(scope, receive, watched)
        except Exception as error:
            if not isinstance(error, InputError):
                log.exception("a request failed")
            if status:
                raise  # the answer has begun: the server can only cut the connection
            await error_response(error)(scope, receive, watched)
        finally:
            self._metrics.in_flight.dec()
            seconds = time.monotonic() - begun
            status = facts.pop("status", status) or CLOSED
            self._metrics.requests.labels(facts.get("model", ""), str(status)).inc()
            if "model" in facts:
                self._metrics.seconds.labels(facts["model"]).observe(seconds)
            about = {"id": id, "method": scope["method"], "path": scope["path"], "status": status, "seconds": round(seconds, 3)}
            client = (scope.get("client") or ("",))[0]
            log.info(json.dumps({"time": round(time.time(), 3), "client": client, **about, **facts}))

    def _admit(self, scope: Scope) -> None:
        if self._key:
            if scope["path"] not in OPEN and not has_key(scope, self._key):
                raise Refused(WRONG_KEY, status=401, code="invalid_api_key")
            return
        # a page of another site can make a browser call this address, by a name of that site's own
        try:
            host = urlsplit(f"//{dict(scope['headers']).get(b'host', b'').decode('latin-1')}").hostname or ""
        except ValueError:  # `[` and the like
            host = ""
        if not is_loopback(host):
            text = f"Without a key only this machine is served, not {host!r}. Next: set REASONFLUX_API_KEY at the server."
            raise Refused(text, status=403)


def ignored_header(names: Iterable[str]) -> dict[str, str]:
    """Return the header that names the parameters which are not honoured; none if there are none.

    A client chooses the names: what cannot stand in a header is left out, and so is what is too much.
    """
    fit = [name for name in names if re.fullmatch(r"[\w.-]{1,64}", name, re.ASCII)][:20]
    return {IGNORED: ", ".join(fit)} if fit else {}


async def read_body(request: Request, most: int) -> bytes:
    """Return a request's body. Raises Refused for one of more than `most` bytes, or one that does not arrive in time."""
    from starlette.requests import ClientDisconnect

    large = Refused(f"The body is larger than {most:,} bytes.", status=413, code="request_too_large")
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > most:
        raise large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise large
    except TimeoutError:
        raise Refused(f"The body did not arrive within {BODY_SECONDS:g} s.", status=408) from None
    except ClientDisconnect:
        raise Refused("The client went away while it sent the body.", status=CLOSED) from None
    return bytes(body)


async def read_json_body(request: Request, most: int) -> bytes:
    """As `read_body`; raises Refused for a body that is not declared as JSON."""
    # a page of another site can make a browser send any other type without asking first
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("The body must be JSON: send it with 'Content-Type: application/json'.", status=415)
    return await read_body(request, most)


def error_response(error: Exception) -> JSONResponse:
    """Return the response to an error."""
    from starlette.responses import JSONResponse

    status, body, headers = error_of(error)
    return JSONResponse(body, status, headers)
