"""`reasonflux doctor`: what it says where all works, and where a part is missing or broken."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.cli import diagnosis
from reasonflux_agent.testing import serve_fake
from tests.cli.test_cli import DEAD, run
from tests.cli.test_output import terminal

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_fake() as url:
        yield url


def asked(*args: str, status: int = 0, **env: str) -> dict[str, Any]:
    """Name of each part -> its finding."""
    done = run("doctor", "--json", *args, **env)
    assert done.returncode == status, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] == (status == 0)
    return {finding["name"]: finding for finding in found["findings"]}


def test_every_extra_is_known() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert diagnosis.EXTRAS.keys() <= extras.keys()
    assert extras.keys() - diagnosis.EXTRAS.keys() <= diagnosis.UNLISTED


def test_where_all_works_the_exit_code_is_0(url: str, tmp_path: Path) -> None:
    kept = str(tmp_path / "new" / "threads.sqlite")
    found = asked("-m", f"vllm:fake@{url}", "--base-url", url, REASONFLUX_CHECKPOINTS=kept)
    assert found[f"vllm:fake@{url}"]["found"].startswith("loaded in ")
    assert "serves fake; reasonflux models check vllm:fake@" in found[url]["found"]
    for name in ("extra local", "search for templates", "programs in isolation", "grading", "run page", "cache", "threads"):
        assert found[name]["ok"], found[name]
    assert "builtin" in found["plugins"]["found"]
    assert not Path(kept).parent.exists()  # it changes nothing


def test_the_default_model_that_is_not_here_yet_is_no_fault(tmp_path: Path) -> None:
    model = asked(REASONFLUX_CACHE=str(tmp_path / "cache"))["local:qwen2.5-coder-1.5b"]
    assert model["ok"] is None
    assert model["fix"] == "reasonflux models pull qwen2.5-coder-1.5b"
    assert not (tmp_path / "cache" / "models").exists()


def test_without_room_for_the_model_it_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    monkeypatch.setenv("REASONFLUX_CACHE", str(tmp_path))
    ok, found, fix = diagnosis._model("local:qwen2.5-coder-1.5b")
    assert ok is False
    assert "1.0 GB are free" in found
    assert fix.startswith("REASONFLUX_CACHE=")


def test_servers_that_are_dead_or_are_no_servers_of_models(url: str) -> None:
    wrong = url.removesuffix("/v1")
    found = asked("-m", DEAD, "-u", "http://127.0.0.1:9/v1", "-u", "nonsense", "-u", f"{wrong}/v1", status=1)
    assert found[DEAD]["ok"] is False
    assert "could not be reached" in found[DEAD]["found"]
    assert found["http://127.0.0.1:9/v1"]["fix"].endswith("curl http://127.0.0.1:9/v1/models")
    assert found["nonsense"]["ok"] is False
    assert found[f"{wrong}/v1"]["ok"] is True


def test_broken_folders_and_plugins_are_named_with_what_mends_them(url: str, tmp_path: Path) -> None:
    about = tmp_path / "odd-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[reasonflux_agent]\nodd = odd_plugin\n")
    (tmp_path / "odd_plugin.py").write_text("1/0")
    broken = {"REASONFLUX_CACHE": "/proc/cache", "REASONFLUX_CHECKPOINTS": "mysql://x", "PYTHONPATH": str(tmp_path)}
    found = asked("-m", f"vllm:fake@{url}", status=1, **broken)
    assert found["cache"]["fix"] == "REASONFLUX_CACHE=/another/folder"
    assert found["threads"]["ok"] is False
    assert "postgresql://" in found["threads"]["fix"]
    assert "does not load: ZeroDivisionError" in found["plugins"]["found"]


def test_a_missing_extra_is_no_fault_unless_the_model_needs_it(url: str, tmp_path: Path) -> None:
    (tmp_path / "latex2mathml").mkdir()
    (tmp_path / "latex2mathml" / "__init__.py").write_text("raise ModuleNotFoundError('no', name='latex2mathml')")
    page = asked("-m", f"vllm:fake@{url}", PYTHONPATH=str(tmp_path))["run page"]
    assert (page["ok"], page["fix"]) == (None, "pip install 'reasonflux-agent[ui]'")
    for name in ("transformers", "torch"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not here')")
    model = asked("-m", f"hf:{tmp_path}", status=1, PYTHONPATH=str(tmp_path))[f"hf:{tmp_path}"]
    assert model["fix"] == "pip install 'reasonflux-agent[hf]'"


def test_no_password_is_told(url: str) -> None:
    done = run("doctor", "-m", f"vllm:fake@{url}", "-u", "http://ada:secret-word@127.0.0.1:9/v1")
    assert done.returncode == 1
    assert "secret-word" not in done.stdout + done.stderr


@pytest.mark.parametrize("columns", [40, 80])
def test_a_fix_is_in_one_piece(url: str, columns: int) -> None:
    shown = terminal("doctor", "-m", f"vllm:fake@{url}", "-u", "http://127.0.0.1:9/v1", columns=columns)
    assert "=> start the server, or correct the URL: curl http://127.0.0.1:9/v1/models" in shown
    lines = shown.splitlines()
    assert lines[0] == "Packages"
    assert [line for line in lines if len(line.rstrip()) > columns and "=>" not in line] == []
    assert "1 part(s) fail; the lines after" in shown
