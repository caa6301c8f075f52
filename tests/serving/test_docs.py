"""The blocks of docs/serving.md run as they stand, but for the address."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.servers import ENVIRONMENT, Server

DOC = Path(__file__).parents[2] / "docs" / "serving.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)


def run(server: Server, *command: str) -> str:
    here = [part.replace("http://127.0.0.1:8400", server.root) for part in command]
    done = subprocess.run(here, capture_output=True, text=True, timeout=120, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_blocks_run(server: Server) -> None:
    assert len(blocks("python")) == 3
    out = run(server, sys.executable, "-c", "\n".join(blocks("python")))
    assert "$\\boxed{2038}$" in out  # the fake adds up the integers of "7^2026 is divided by 5"
    assert "Kind: addition" in out
    assert re.search(r"\d+ (single|agreed): .+\n", out)
    assert "$\\boxed{127}$" in out
    assert "$\\boxed{101}$" in out


def test_the_curl_block_runs(server: Server) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = next(block for block in blocks("sh") if block.startswith("curl"))
    assert "\\\\boxed{127}" in run(server, "bash", "-c", command)
