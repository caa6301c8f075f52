"""A model server as `batch --serve` starts one: `engine.py FOLDER --host HOST --port PORT`; leaves its process id in FOLDER."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from reasonflux_agent.testing import mathematician, serve_fake


def respond(prompt: str) -> str:
    time.sleep(0.1)
    return mathematician(prompt)


if __name__ == "__main__":
    (Path(sys.argv[1]) / str(os.getpid())).touch()
    assert os.environ["VLLM_API_KEY"]
    with serve_fake(respond, port=int(sys.argv[-1])):
        time.sleep(3600)
