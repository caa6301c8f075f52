"""What a server may send for a reply: so much, for so long, and in the form of a chat completion."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import openai

from reasonflux_agent.models.failures import ReplyError

httpx: Any = import_module(openai.DefaultHttpxClient.__mro__[1].__module__)
"""The HTTP library of the openai package: httpx, and httpx2 from its version 3 on."""

LARGEST = 64 << 20
"""Bytes of a reply at most. A token has about 250 as an event of its own, and as many again for its log-probability: 200,000
tokens fit, or 128,000 with log-probabilities."""
BEGUN = "reasonflux_begun"


def announce(request: Any) -> None:
    """For a request, before it is sent: asks for a reply as it is, since what is packed shows its size too late."""
    request.headers["Accept-Encoding"] = "identity"
    request.extensions[BEGUN] = time.monotonic()


def bound(response: Any) -> None:
    """For a response, before its body is read. Raises ReplyError for one whose head says that it is of no use."""
    kind = response.headers.get("content-type", "json").partition(";")[0].strip().lower()
    if response.status_code == 200 and not kind.endswith(("json", "event-stream")):
        raise ReplyError(f"it is {kind}, neither JSON nor a stream of events")
    if (packed := response.headers.get("content-encoding", "identity")) != "identity":
        raise ReplyError(f"it is packed ({packed}), which was not asked for")
    _within(int(response.headers.get("content-length", "0")))
    response.stream = _Bounded(response)


async def abound(response: Any) -> None:
    """As `bound`, for an asynchronous client."""
    bound(response)


@contextmanager
def readable() -> Iterator[None]:
    """What goes wrong in reading a reply that is no chat completion becomes a ReplyError."""
    try:
        yield
    except openai.APIConnectionError as error:
        cause = error.__cause__
        while cause is not None:
            if isinstance(cause, ReplyError):  # of `bound`: version 2 of the openai package wraps it, and LangChain that
                raise ReplyError(str(cause)) from error
            cause = cause.__cause__
        raise
    except httpx.TimeoutException as error:  # in a stream, that version lets httpx's own errors through
        raise openai.APITimeoutError(request=error.request) from error
    except httpx.RequestError as error:
        raise openai.APIConnectionError(request=error.request) from error
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        first = next(iter(str(error).splitlines()), "")
        raise ReplyError(f"it is no chat completion ({type(error).__name__}: {first})") from error


def _within(size: int) -> None:
    if size > LARGEST:
        raise ReplyError(f"it has {size:,} bytes or more; a reply may have {LARGEST:,}")


class _Bounded(httpx.SyncByteStream, httpx.AsyncByteStream):  # type: ignore[misc]
    """A body of LARGEST bytes at most that ends within the request's time limit. To httpx the limit is for the silence between
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
