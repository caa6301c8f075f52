"""Whatever is typed: specs and options end in a typed error, never in a traceback."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from reasonflux_agent.cli import app
from reasonflux_agent.errors import ReasonFluxError
from reasonflux_agent.models import load_model
from tests.security.texts import texts

KINDS = ["local:", "vllm:", "vllm:m@", "vllm:m@http://", "vllm:m@http://[", "hf:", "openai:", "anthropic:", "", ":", "nosuch:"]
PLACES = ["http://[", "http://h:99999", "http://h:x", "http://", "a/b/c.gguf", "/etc/passwd", "../x.gguf", "~"]
specs = st.tuples(st.sampled_from(KINDS), texts | st.sampled_from(PLACES)).map("".join)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No hub, no keys, and files in a folder of the test's own."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("REASONFLUX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REASONFLUX_CHECKPOINTS", str(tmp_path / "threads.sqlite"))
    monkeypatch.chdir(tmp_path)


@settings(max_examples=120)
@given(specs)
def test_any_spec_is_a_model_or_refused(spec: str) -> None:
    with suppress(ReasonFluxError):
        load_model(spec)


@pytest.mark.parametrize(
    "url", ["http://[", "http://[::1", "http://h:99999/v1", "http://h:x/v1", "http://h\u2100:1", "http://a,b"]
)
def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ReasonFluxError, match="names no model"):
        load_model(f"vllm:m@{url}")


COMMANDS = [
    ["solve"],
    ["batch"],
    ["templates", "list"],
    ["templates", "show"],
    ["templates", "search"],
    ["templates", "validate"],
    ["templates", "import"],
    ["threads"],
    ["threads", "delete"],
    ["resume"],
    ["plugins"],
    ["model", "path"],
    ["eval"],
]
OPTIONS = ["--effort", "--strategy", "--granularity", "--library", "--drafts", "--max-tokens", "--deadline", "--seed", "--file"]
OPTIONS += [
    "--chapter",
    "-k",
    "--embedder",
    "--out",
    "--json",
    "--checkpoints",
    "--thread",
    "--quiet",
    "--methods",
    "--limit",
    "--",
]
VALUES = ["high", "0", "-1", "nan", "1e999", "9" * 30, "/", "/etc/passwd", ".", "hash", "builtin", "navigator", "gsm8k", ""]
words = st.sampled_from(OPTIONS + VALUES) | texts.filter(lambda text: "\x00" not in text)


@settings(max_examples=80)
@given(st.sampled_from(COMMANDS), st.lists(words, max_size=5))
def test_any_command_line_is_carried_out_or_refused(command: list[str], more: list[str]) -> None:
    model = ["--model", "nosuch:model"] if command[0] in ("solve", "batch", "eval") else []
    result = CliRunner().invoke(app, [*command, *model, *more])
    assert result.exception is None or isinstance(result.exception, SystemExit | ReasonFluxError), result.exception
