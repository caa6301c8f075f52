"""The process that serves: its socket, its signals, and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from sse_starlette.event import ensure_bytes
from sse_starlette.sse import AppStatus

from reasonflux_agent.errors import InputError
from reasonflux_agent.serving.middleware import error_response
from reasonflux_agent.serving.refused import closing

GRACE = 5
"""Seconds that requests get to conclude after their time is up, and the process to end after that."""
LAST_WORDS = "last_words"
"""Key of the request's state: a function that returns the server-sent events which end its stream if the server cuts it."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that takes connections. Raises InputError for an address that cannot be served on."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024)
    except OSError as error:
        raise InputError(
            f"{host} port {port} cannot be served on: {error.strerror or error}. Next: name another --port or --host."
        ) from None


def url_of(listener: socket.socket, host: str) -> str:
    """Return where clients reach it."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def run(
    app: Any,
    listener: socket.socket,
    *,
    patience: float,
    told: Callable[[], None] | None = None,
    late: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM (exit status 0) or Ctrl-C (KeyboardInterrupt), and then no longer than `patience` and twice GRACE.

    When the server is told to end it takes no more connections and calls `told`. After `patience` seconds it calls `late`,
    which makes requests conclude. Requests that still run after GRACE are cancelled, and their responses are ended.
    """
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn ends first, then raises the signal again
    AppStatus.enable_automatic_graceful_drain = False  # it would cut the streams at once, before `patience` and `late`

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if told:
                told()
            if late:
                asyncio.get_running_loop().call_later(patience, late)
            # a model that computes in this process cannot be cancelled: it ends its reply first
            end = threading.Timer(patience + 2 * GRACE, os._exit, (0,))
            end.daemon = True
            end.start()
            await super().shutdown(sockets)
            if self.force_exit:  # by a second Ctrl-C: the end of the event loop would do the same, and print errors
                for task in self.server_state.tasks:
                    task.cancel()
                await self.lifespan.shutdown()

    # log_config None keeps the loggers as they are set above; the middleware writes the access log
    config = uvicorn.Config(
        _ended(app), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=int(patience + GRACE)
    )
    Server(config).run(sockets=[listener])


def _ended(app: Any) -> Any:
    """Wrap `app` so that responses which the ending server cancels still end in order."""

    async def ended(scope: Any, receive: Any, send: Any) -> None:
        begun = complete = False

        async def watched(message: Any) -> None:
            nonlocal begun, complete
            begun, complete = True, message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            await app(scope, receive, watched)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            if not begun:
                await error_response(closing())(scope, receive, send)
            elif not complete:
                last = b"".join(ensure_bytes(event, "\n") for event in scope.get("state", {}).get(LAST_WORDS, tuple)())
                await send({"type": "http.response.body", "body": last})

    return ended
