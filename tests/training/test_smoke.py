"""The miniature, really run: LLaMA-Factory trains a model built on the spot (training/smoke.sh; minutes, 2.5 GB once)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.training.conftest import CHECKOUT


@pytest.mark.llamafactory
def test_the_miniature_learns(tmp_path: Path) -> None:
    """The script itself fails unless the loss falls, the margin rises, and the result solves through the graph."""
    python = os.environ.get("REASONFLUX_TEST_LLAMAFACTORY")
    if not python:
        pytest.skip("REASONFLUX_TEST_LLAMAFACTORY is not set")
    result = subprocess.run(
        ["bash", str(CHECKOUT / "training" / "smoke.sh"), str(tmp_path / "smoke")],
        env={**os.environ, "REASONFLUX_TRAINING_ENV": str(Path(python).parents[1])},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    plots = [Path(line) for line in result.stdout.splitlines() if line.endswith(".png") and line.startswith(str(tmp_path))]
    assert {plot.name for plot in plots} >= {"training_loss.png", "training_rewards_margins.png"}
    assert all(plot.stat().st_size > 5_000 for plot in plots)
    assert (tmp_path / "smoke" / "rounds" / "round-1" / "model" / "export" / "config.json").is_file()
