"""Trained models under names of their own: `reasonflux models import`, and `local:NAME` afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasonflux_agent.errors import InputError, ModelError, SpecError
from reasonflux_agent.models.local.fetch import ensure
from reasonflux_agent.models.local.imported import CONVERTER, import_model, imported
from reasonflux_agent.models.specs import read_spec
from tests.cli.test_cli import run

GGUF = b"GGUF" + bytes(100)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def converter(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Puts a command in the converter's place that is first on the path."""
    folder.mkdir()
    (folder / CONVERTER).write_text(f"#!/bin/sh\n{body}\n")
    (folder / CONVERTER).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_a_gguf_file_gets_a_name(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(GGUF)
    with pytest.raises(SpecError, match=r"no known or imported model has this name\. Forms"):
        read_spec("local:mine")
    assert import_model(tmp_path / "a.gguf", "mine") == cache / "imported" / "mine.gguf"
    assert imported() == {"mine": cache / "imported" / "mine.gguf"}
    assert read_spec("local:mine") == ("local", "mine")
    assert ensure("mine").read_bytes() == GGUF
    with pytest.raises(SpecError, match="did you mean 'local:mine'"):
        read_spec("local:mime")
    (tmp_path / "a.gguf").write_bytes(GGUF + b"more")  # trained on
    assert import_model(tmp_path / "a.gguf", "mine").read_bytes() == GGUF + b"more"


def test_a_checkpoint_is_converted(cache: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converter(tmp_path / "bin", monkeypatch, 'echo "$@" >"$(dirname "$0")/asked"; printf GGUFnew >"$4"')
    path = import_model(checkpoint, "mine")
    assert path.read_bytes() == b"GGUFnew"
    asked = (tmp_path / "bin" / "asked").read_text().split()
    assert asked == ["--outtype", "q8_0", "--outfile", f"{path}.part", str(checkpoint)]
    assert list(imported()) == ["mine"]


def test_a_failed_conversion_leaves_the_old_model(
    cache: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.gguf").write_bytes(GGUF)
    old = import_model(tmp_path / "a.gguf", "mine")
    converter(tmp_path / "bin", monkeypatch, 'printf GGUFhalf >"$4"; exit 3')
    with pytest.raises(ModelError, match=r"ended with status 3.*vLLM"):
        import_model(checkpoint, "mine")
    assert old.read_bytes() == GGUF
    assert not list(old.parent.glob("*.part"))


def test_what_cannot_be_imported(cache: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("qwen2.5-coder-1.5b", "a/b", "", "..", "mine.gguf", "two words"):
        with pytest.raises(InputError, match="give another --name"):
            import_model(checkpoint, name)
    with pytest.raises(InputError, match=rf"pipx install {CONVERTER}"):
        import_model(checkpoint, "mine")
    (tmp_path / "text.gguf").write_text("no model")
    with pytest.raises(InputError, match="no GGUF file"):
        import_model(tmp_path / "text.gguf", "mine")
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no folder with a config.json and \*.safetensors"):
        import_model(checkpoint, "mine")
    (checkpoint / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="LoRA adapter alone"):
        import_model(checkpoint, "mine")
    assert imported() == {}


def test_the_verb(cache: Path, tmp_path: Path) -> None:
    def models(*words: str) -> tuple[int, str]:
        done = run("models", *words, REASONFLUX_CACHE=str(cache.parent))
        return done.returncode, done.stdout.strip()

    (tmp_path / "a.gguf").write_bytes(GGUF)
    path = cache / "imported" / "mine.gguf"
    assert models("import", str(tmp_path / "a.gguf"), "--name", "mine") == (0, str(path))
    assert "mine" in models("list")[1]
    assert json.loads(models("list", "--json")[1])[-1] == {"id": "mine", "size": 104, "licence": None, "here": True}
    assert models("path", "mine") == (0, str(path))
    assert models("import", str(tmp_path / "nothing"), "--name", "mine")[0] == 2
