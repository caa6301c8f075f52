"""What the tests on Ray clusters share."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Ray's files; nodes and drivers share a token, so that nobody else on the network can use the cluster."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as path, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("PYTHONPATH", path)
        yield Path(path)
