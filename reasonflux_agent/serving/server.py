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

from reasonflux_agent.errors import InputError
from reasonflux_agent.serving.guard import closing, error_response

GRACE = 5
"""Seconds that requests get to conclude once their time is up, and the process to end after that."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises InputError for an address that cannot be served on."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024)
    except OSError as error:
        raise InputError(
            f"{host} port {port} cannot be served on: {error.strerror or error}. Next: name another --port or --host."
        ) from None


def url_of(listener: socket.socket, host: str) -> str:
    """Where clients reach it."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def run(
    app: Any,
    listener: socket.socket,
    *,
    patience: float,
    told: Callable[[], None] | None = None,
    late: Callable[[], None] | None = None,
) -> None:
    """Serves until SIGTERM (exit status 0) or Ctrl-C (KeyboardInterrupt), and then no longer than `patience` and twice GRACE.

    When the server is told to end it takes no more connections and calls `told`. After `patience` seconds it calls `late`,
    which shall make requests conclude; those that still run after GRACE are cancelled, and their responses ended.
    """
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn ends first, then raises the signal again

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if told:
                told()
            if late:
                asyncio.get_running_loop().call_later(patience, late)
            # a model that computes in this process ends its reply first, whoever cancels it
            end = threading.Timer(patience + 2 * GRACE, os._exit, (0,))
            end.daemon = True
            end.start()
            await super().shutdown(sockets)
            if self.force_exit:  # by a second Ctrl-C: the event loop's end would do the same, and say so
                for task in self.server_state.tasks:
                    task.cancel()
                await self.lifespan.shutdown()

    # log_config None: loggers stay as they are set above; the access log is the guard's
    config = uvicorn.Config(
        _ended(app), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=int(patience + GRACE)
    )
    Server(config).run(sockets=[listener])


def _ended(app: Any) -> Any:
    """`app`, whose responses end in order where the server cancels them: it alone does, when it ends."""

    async def whole(scope: Any, receive: Any, send: Any) -> None:
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
                await send({"type": "http.response.body", "body": b""})

    return whole
