"""A model server that is overloaded beyond a number of calls at once, or gone for a while."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from reasonflux_agent.testing import mathematician
from tests.models.recorder import reply


class Busy:
    """Answers `room` calls at once, each in `delay` seconds; turns others away with `status` and Retry-After `seconds`."""

    def __init__(
        self, room: int, *, status: int = 429, seconds: str | None = "0.3", delay: float = 0.05, every: int = 0, first: int = 0
    ) -> None:
        self.room, self.status, self.seconds, self.delay, self.every, self.first = room, status, seconds, delay, every, first
        self.asked = self.refused = 0
        """Calls, and those that were turned away: beyond the room, one in `every`, and the `first`."""
        self.answered: list[float] = []
        """When calls were answered, in time.monotonic()."""
        self.url, self._inside, self._lock = "", 0, threading.Lock()

    def answer(self, prompt: str) -> dict[str, Any] | None:
        with self._lock:
            self.asked += 1
            chosen = self.asked <= self.first or (self.every and self.asked % self.every == 0)
            if chosen or self._inside >= self.room:
                self.refused += 1
                return None
            self._inside += 1
        time.sleep(self.delay)
        with self._lock:
            self._inside -= 1
            self.answered.append(time.monotonic())
        return reply(mathematician(prompt))


@contextmanager
def serving(busy: Busy) -> Iterator[Busy]:
    """The server on a free port; its URL is `busy.url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found = busy.answer("\n\n".join(message["content"] for message in body["messages"]))
            data = json.dumps(found or {"error": {"message": "too many at once"}}).encode()
            self.send_response(200 if found else busy.status)
            if not found and busy.seconds is not None:
                self.send_header("retry-after", busy.seconds)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    busy.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield busy
    finally:
        server.shutdown()
        server.server_close()
