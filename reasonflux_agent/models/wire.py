"""The HTTP clients of `ServerChat`: which server a request goes to, and which replies are read.

A server may send a reply of a certain size, within the request's time limit, and in the form of a chat completion.
"""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import openai

from reasonflux_agent.models.failures import ReplyError
from reasonflux_agent.models.retries import causes

httpx: Any = import_module(openai.DefaultHttpxClient.__mro__[1].__module__)
"""The HTTP library of the openai package: httpx, and httpx2 from its version 3 on."""

LARGEST = 64 << 20
"""Bytes of a reply at most. A token has about 250 as an event of its own, and as many again for its log-probability: 200,000
tokens fit, or 128,000 with log-probabilities."""
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=4.0)
"""The caller decides how many calls are under way. vLLM closes a connection that was idle for 5 s: ours close before."""
KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)] + [
    (socket.IPPROTO_TCP, getattr(socket, name), value)
    for name, value in {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 4}.items()
    if hasattr(socket, name)
]
"""A connection that waits for its reply is probed each minute, so that no balancer in between drops it as idle."""
ROUTE = "x-reasonflux-server"
"""Header by which a call names its server to the hook below; it is not sent."""
BEGUN = "reasonflux_begun"
"""Extension of a request: when it was sent, in time.monotonic()."""


def http_clients(first: str) -> tuple[Any, Any]:
    """(client, asynchronous client) for requests that are made out to the base URL `first`, and go where ROUTE says."""
    own = urlsplit(first)

    def route(request: Any) -> None:
        request.headers["Accept-Encoding"] = "identity"  # a packed reply shows its size too late
        request.extensions[BEGUN] = time.monotonic()
        if (url := request.headers.pop(ROUTE, first)) != first:
            base = urlsplit(url)
            path = base.path + request.url.path.removeprefix(own.path)
            request.url = request.url.copy_with(scheme=base.scheme, host=base.hostname, port=base.port, path=path)
            request.headers["Host"] = base.netloc

    async def aroute(request: Any) -> None:
        route(request)
        # A kept connection belongs to the event loop that opened it, and the client outlives asyncio.run(). Nor would it
        # be quicker to keep them: of hundreds, httpx looks at each one anew for each call (docs/vllm.md).
        request.headers["Connection"] = "close"

    async def abound(response: Any) -> None:
        _bound(response)

    # Proxies of the environment are for the network, not for the server inside this process. A transport of our own would go
    # past them.
    proxied = own.hostname not in ("127.0.0.1", "localhost", "::1") and bool(urllib.request.getproxies())

    def settings(transport: Any, route: Any, bound: Any) -> dict[str, Any]:
        wire = {"limits": LIMITS} if proxied else {"transport": transport(limits=LIMITS, socket_options=KEEP_ALIVE)}
        # a prompt goes to the servers that the spec names, not to where one of them points
        return {**wire, "event_hooks": {"request": [route], "response": [bound]}, "follow_redirects": False}

    return (
        openai.DefaultHttpxClient(**settings(httpx.HTTPTransport, route, _bound)),
        openai.DefaultAsyncHttpxClient(**settings(httpx.AsyncHTTPTransport, aroute, abound)),
    )


@contextmanager
def readable() -> Iterator[None]:
    """Errors in reading a reply become an error of the openai package, or a ReplyError if it is no chat completion."""
    try:
        yield
    except openai.APIConnectionError as error:
        # of `_bound`: version 2 of the openai package wraps it, and LangChain wraps that
        if found := next((cause for cause in causes(error) if isinstance(cause, ReplyError)), None):
            raise ReplyError(str(found)) from error
        raise
    except httpx.TimeoutException as error:  # in a stream, that version lets httpx's own errors through
        raise openai.APITimeoutError(request=error.request) from error
    except httpx.RequestError as error:
        raise openai.APIConnectionError(request=error.request) from error
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        first = next(iter(str(error).splitlines()), "")
        raise ReplyError(f"it is no chat completion ({type(error).__name__}: {first})") from error


def _bound(response: Any) -> None:
    """For a response, before its body is read. Raises ReplyError if its head says that it is of no use."""
    kind = response.headers.get("content-type", "json").partition(";")[0].strip().lower()
    if response.status_code == 200 and not kind.endswith(("json", "event-stream")):
        raise ReplyError(f"it is {kind}, neither JSON nor a stream of events")
    if (packed := response.headers.get("content-encoding", "identity")) != "identity":
        raise ReplyError(f"it is packed ({packed}), which was not asked for")
    _within(int(response.headers.get("content-length", "0")))
    response.stream = _Bounded(response)


def _within(size: int) -> None:
    if size > LARGEST:
        raise ReplyError(f"it has {size:,} bytes or more; a reply may have {LARGEST:,}")


class _Bounded(httpx.SyncByteStream, httpx.AsyncByteStream):  # type: ignore[misc]
    """A body of at most LARGEST bytes that ends within the request's time limit. In httpx the limit is for the silence between
    two pieces, and a server that sends a blank now and then keeps within it for ever."""

    def __init__(self, response: Any) -> None:
        self._stream, self._request, self._size = response.stream, response.request, 0
        limit = (self._request.extensions.get("timeout") or {}).get("read")
        self._until = self._request.extensions[BEGUN] + (float("inf") if limit is None else limit)

    def _take(self, piece: bytes) -> bytes:
        self._size += len(piece)
        _within(self._size)
        if time.monotonic() > self._until:
            raise httpx.ReadTimeout("the reply did not end in time", request=self._request)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        return map(self._take, self._stream)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield self._take(piece)

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()
