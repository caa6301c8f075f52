"""`reasonflux mcp` over HTTP as a real process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.serving.servers import ENVIRONMENT, until

ENV = {**ENVIRONMENT, "REASONFLUX_CACHE": os.environ["REASONFLUX_CACHE"], "REASONFLUX_DIRECT_SAMPLES": "0"}
COMMAND = [sys.executable, "-m", "reasonflux_agent.cli", "mcp"]


@contextmanager
def over_http(*args: str, **env: str) -> Iterator[str]:
    """The server on a free port; gives its URL."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        with log.open("wb") as out:
            command = [*COMMAND, "--transport", "http", "--port", "0", *args]
            process = subprocess.Popen(command, stdout=out, stderr=out, env={**ENV, **env})
        try:
            assert until(lambda: "/mcp\n" in log.read_text() or process.poll() is not None, 120.0)
            found = re.search(r"Serving on http://\S+?:(\d+)/mcp\n", log.read_text())
            assert found, log.read_text()
            yield f"http://127.0.0.1:{found[1]}/mcp"
        finally:
            process.kill()
            process.wait()
