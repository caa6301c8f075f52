"""What holds for every verb of the command, found by looking through the Typer app."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from reasonflux_agent.cli import app
from reasonflux_agent.context import Context
from reasonflux_agent.errors import SpecError
from reasonflux_agent.local.files import DEFAULT, KNOWN
from tests.cli.test_cli import run


def verbs(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    command = command or typer.main.get_command(app)
    if not hasattr(command, "commands"):
        yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from verbs(sub, (*path, name))


def options(command: Any) -> set[str]:
    return {name for param in command.params for name in param.opts if name.startswith("--")}


def needed(command: Any, folder: Path) -> list[str]:
    """Values for what a verb cannot do without: a file of problems, and an output."""
    file = folder / "p.jsonl"
    file.write_text(json.dumps({"problem": "Add 2 and 3.", "answer": "5"}) + "\n")
    given: list[str] = []
    for param in command.params:
        if param.required or param.name == "problem":
            given += [str(file)] if param.param_type_name == "argument" else [param.opts[0], str(folder / "out")]
    return given


VERBS = dict(verbs())
WITH_MODELS = [path for path, command in VERBS.items() if "--model" in options(command)]


def test_the_verbs_that_take_a_model_are_found() -> None:
    assert {" ".join(path) for path in WITH_MODELS} >= {"solve", "batch", "eval run", "serve", "ui", "mcp"}


@pytest.mark.parametrize("option", ["--model", "--navigator", "--solver"])
@pytest.mark.parametrize("path", WITH_MODELS, ids=" ".join)
@pytest.mark.parametrize("spec", ["nonsense", "local:qwen", "local:/no/such.gguf", "vllm:m@http://host:port/v1", "bogus:x"])
def test_a_model_that_cannot_be_meant_is_refused_at_once(
    tmp_path: Path, path: tuple[str, ...], option: str, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = needed(VERBS[path], tmp_path)
    with pytest.raises(SpecError, match=f"'{re.escape(spec)}' names no model: .* Forms that work: local:NAME"):
        app([*path, *arguments, option, spec], standalone_mode=False)
    assert [file.name for file in tmp_path.iterdir()] in ([], ["p.jsonl"])


@pytest.mark.parametrize("path", WITH_MODELS, ids=" ".join)
def test_so_is_one_that_the_environment_names(tmp_path: Path, path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REASONFLUX_MODEL", "nonsense")
    with pytest.raises(SpecError, match="REASONFLUX_MODEL: 'nonsense' names no model"):
        app([*path, *needed(VERBS[path], tmp_path)], standalone_mode=False)


def test_a_wrong_model_is_an_error_in_one_line() -> None:
    for verb in ("ui", "mcp"):
        done = run(verb, "--model", "nonsense")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("Error: 'nonsense' names no model")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_help_shows_no_type_beside_a_switch(path: tuple[str, ...]) -> None:
    if path == ("lm-eval",):  # the harness's
        return
    text = run(*path, "--help").stdout
    assert "Usage: " in text
    assert not re.search("<bool>|BOOLEAN", text)


def test_help_names_the_defaults_and_they_are_true() -> None:
    context, text = Context(), " ".join(re.sub("[│\n]", " ", run("solve", "--help").stdout).split())
    assert f"local:{DEFAULT}, {KNOWN[DEFAULT].size / 1e9:.1f} GB, fetched once" in text
    assert f"{context.effort} [default]" in text
    assert f"{context.granularity} [default]" in text
    assert f"Tokens of one reply at most [default: {context.max_tokens}]" in text
