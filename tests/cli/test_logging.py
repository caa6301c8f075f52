"""What other libraries log, where nobody has set up logging: the command prints its own words alone."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import logging, sys
import reasonflux_agent.cli as c
from reasonflux_agent.errors import InputError

def noisy() -> None:
    for name in ("httpx", "openai._base_client", "psycopg.pool", "langgraph", "uvicorn.error", "root"):
        logging.getLogger(name).warning("a word of %s", name)
    logging.getLogger("reasonflux_agent.verify.verifiers").error("a word of ours")
    raise InputError("It failed.")

c.app.command()(noisy)
sys.argv = ["reasonflux", "noisy"]
c.main()
"""


def said(**env: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, env={**os.environ, **env}
    )
    assert done.returncode == 2
    return done.stderr.splitlines()


def test_the_first_words_are_ours() -> None:
    assert said() == ["a word of ours", "Error: It failed."]


def test_with_debug_set_all_are_printed() -> None:
    assert "a word of httpx" in said(REASONFLUX_DEBUG="1")
