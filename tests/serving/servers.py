"""`reasonflux serve` as a real process, and upstream servers for it that hang or count."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from reasonflux_agent.testing import mathematician

COMMAND = [sys.executable, "-m", "reasonflux_agent.cli", "serve"]
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("REASONFLUX_")} | {"PYTHONUTF8": "1", "NO_COLOR": "1"}


@dataclass
class Server:
    """A server that is up."""

    url: str
    """Up to and including `/v1`."""
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def root(self) -> str:
        """Without `/v1`."""
        return self.url.removesuffix("/v1")


@contextmanager
def served(*args: str, **env: str) -> Iterator[Server]:
    """The verb with `args` on a free port; killed at the end, should it still run."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        environment = {**ENVIRONMENT, "REASONFLUX_CACHE": os.environ["REASONFLUX_CACHE"], **env}
        with log.open("wb") as out:
            process = subprocess.Popen([*COMMAND, "--port", "0", *args], stdout=out, stderr=out, env=environment)
        try:
            yield Server(_url(process, log), process, log)
        finally:
            process.kill()
            process.wait()


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(1200):
        if found := re.search(r"Serving on http://\S+?:(\d+)/v1\n", log.read_text()):
            return f"http://127.0.0.1:{found[1]}/v1"
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"the server did not start: {log.read_text()}")


@dataclass
class Upstream:
    """A `respond` for `serve_fake` that counts, and takes a second where the problem says `slowly`."""

    seconds: float = 1.0
    calls: int = 0
    under_way: int = 0
    peak: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    def __call__(self, prompt: str) -> str:
        with self._lock:
            self.calls += 1
            self.under_way += 1
            self.peak = max(self.peak, self.under_way)
        if "slowly" in prompt:
            time.sleep(self.seconds)
        with self._lock:
            self.under_way -= 1
        return mathematician(prompt)


@dataclass
class Silent:
    """An upstream that never answers; it notices who hangs up."""

    url: str = ""
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    hung_up: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@contextmanager
def silent() -> Iterator[Silent]:
    """Serves a Silent on a loopback port."""
    upstream = Silent()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            upstream.asked.release()
            if self.connection.recv(1) == b"":  # blocks until the client closes the connection
                upstream.hung_up.release()
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    upstream.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield upstream
    finally:
        server.shutdown()
        server.server_close()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Waits for a condition, also on a machine that stands still for a while; whether it came true."""
    end = time.monotonic() + seconds
    while not (true := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return true
