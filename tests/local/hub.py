"""A small stand-in for the hub: serves one file, with ranges, and breaks off where the test wants it to."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MB = 1 << 20


class Hub:
    """One file at `path`, delivered by a redirect to a store on another address, as the hub does."""

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        self.content = content
        self.cuts: list[int] = []
        """After how many bytes to hang up, one number for each answer; then no more cuts."""
        self.linked = hashlib.sha256(content).hexdigest()
        """The digest that the redirect states; "" for none."""
        self.pause = 0.0
        """Seconds that each megabyte takes."""
        self.ranges = True
        self.refusal = ""
        """What to say with an HTTP 403; empty: the file is given."""
        self.asked: list[str] = []
        """The Range header of each GET that reached the file."""
        self.tokens: list[str] = []
        """The Authorization header of each request to the hub."""
        self.leaked: list[str] = []
        """That of each request to the store, which is another host's."""
        self.url = self.store = ""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if self.path == hub.path:
                hub.tokens.append(self.headers.get("authorization", ""))
                self.send_response(403 if hub.refusal else 302)
                if hub.refusal:
                    self.send_header("x-error-message", hub.refusal)
                if hub.linked:
                    self.send_header("x-linked-etag", f'"{hub.linked}"')
                self.send_header("x-linked-size", str(len(hub.content)))
                self.send_header("x-repo-commit", "0" * 40)
                self.send_header("location", f"{hub.store}/store")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            if self.path != "/store":
                self.send_response(404)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            hub.leaked.append(self.headers.get("authorization", ""))
            asked = self.headers.get("range", "") if hub.ranges else ""
            start = int(asked.removeprefix("bytes=").removesuffix("-") or 0)
            body = hub.content[start:]
            self.send_response(206 if asked else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            hub.asked.append(self.headers.get("range", ""))
            cut = hub.cuts.pop(0) if hub.cuts else len(body)
            for begin in range(0, cut, MB):
                time.sleep(hub.pause)
                self.wfile.write(body[begin : min(cut, begin + MB)])
            self.close_connection = cut < len(body)

        def log_message(self, *_: Any) -> None:
            pass

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    hub.url, hub.store = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
