"""The checkpoint that vLLM serves, imported as an embedded model by llama.cpp's converter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reasonflux_agent import ReasonFlux
from reasonflux_agent.models.local.imported import import_model
from tests.vllm.server import MARKS

pytestmark = MARKS


def test_a_checkpoint_runs_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONFLUX_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(Path(os.environ["REASONFLUX_TEST_VLLM_PYTHON"]).parent), prepend=":")
    path = import_model(Path(os.environ["REASONFLUX_TEST_VLLM_CHECKPOINT"]), "mine")
    assert 500e6 < path.stat().st_size < 800e6  # eight bits a weight
    with ReasonFlux("local:mine", strategy="direct") as flux:
        assert flux.solve("What is 12 + 30?").answer == "42"
