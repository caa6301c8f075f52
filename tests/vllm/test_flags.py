"""Every flag of vLLM that our documents and `models check` name exists in the installed vLLM."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from reasonflux_agent.jobs.check import CHECKS
from tests.models.test_deploy import server_commands

PYTHON = os.environ.get("REASONFLUX_TEST_VLLM_PYTHON", "")
DOCUMENT = Path(__file__).parents[2] / "docs" / "vllm.md"
OURS = {
    *("--max-concurrency", "--concurrency", "--json", "--navigator", "--solver", "--model", "--deadline", "--max-tokens"),
}
"""Options of reasonflux in the same texts."""

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not PYTHON, reason="REASONFLUX_TEST_VLLM_PYTHON is unset; .ci/vllm.sh sets it"),
]


def test_all_flags_and_parsers_are_vllms() -> None:
    commands = list(server_commands().values())
    asked = json.dumps(commands)
    done = subprocess.run([PYTHON, "tests/vllm/flags.py"], input=asked, capture_output=True, text=True, timeout=600, check=True)
    vllm = json.loads(done.stdout.splitlines()[-1])
    assert len(commands) >= 4
    assert vllm["refused"] == []
    texts = [DOCUMENT.read_text(encoding="utf-8"), *(check.fix for check in CHECKS), json.dumps(commands)]
    named = {flag for text in texts for flag in re.findall(r"--[a-z][a-z-]+", text)} - OURS
    assert len(named) > 12
    assert named <= set(vllm["flags"])
    for text in texts:
        assert set(re.findall(r"--tool-call-parser[ =]([a-z0-9_]+)", text)) <= set(vllm["tools"])
        assert set(re.findall(r"--reasoning-parser[ =]([a-z0-9_]+)", text)) <= set(vllm["reasoning"])
