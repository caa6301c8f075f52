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
from reasonflux_agent.errors import InputError, SpecError
from reasonflux_agent.models.local.files import DEFAULT, KNOWN
from reasonflux_agent.testing import serve_fake
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
        if param.required or param.name in ("problem", "examples"):
            given += [str(file)] if param.param_type_name == "argument" else [param.opts[0], str(folder / "out")]
    return given


VERBS = dict(verbs())
WITH_MODELS = [path for path, command in VERBS.items() if "--model" in options(command)]
ROLES = ("--model", "--navigator", "--solver")
GIVEN_MODELS = [(path, option) for path in WITH_MODELS for option in ROLES if option in options(VERBS[path])]


def test_the_verbs_that_take_a_model_are_found() -> None:
    assert {" ".join(path) for path in WITH_MODELS} >= {"solve", "batch", "eval run", "serve", "ui", "mcp", "learn"}
    # what is learned is for the solver: nothing plans; the doctor asks one model, and those of the environment
    one = {("learn",), ("doctor",)}
    assert set(GIVEN_MODELS) >= {(path, option) for path in WITH_MODELS for option in ROLES if path not in one}


@pytest.mark.parametrize(("path", "option"), GIVEN_MODELS, ids=str)
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


OUTPUTS = [
    (path, name)
    for path, command in VERBS.items()
    for name in sorted({"--record", "--out", "--cache", "--skills", "--dspy"} & options(command))
]


def test_the_verbs_that_write_are_found() -> None:
    found = {f"{' '.join(path)} {option}" for path, option in OUTPUTS}
    assert found >= {f"{verb} --record" for verb in ("solve", "batch", "serve", "ui", "mcp")}
    assert found >= {"batch --out", "eval run --out", "eval run --cache", "templates import --out"}
    assert found >= {"templates export --skills", "templates export --dspy"}


@pytest.mark.parametrize("place", ["p.jsonl/x", "/proc/x", "/sys/x/y", "folder or file"])
@pytest.mark.parametrize(("path", "option"), OUTPUTS, ids=lambda value: value if isinstance(value, str) else " ".join(value))
def test_a_place_that_cannot_be_written_is_one_error_before_any_work(
    tmp_path: Path, path: tuple[str, ...], option: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    wants_folder = option in ("--record", "--skills") or (path == ("eval", "run") and option == "--out")
    place = place if "or" not in place else "p.jsonl" if wants_folder else "d"
    arguments = needed(VERBS[path], tmp_path)
    if option in arguments:
        arguments[arguments.index(option) + 1] = place
    else:
        arguments += [option, place]
    monkeypatch.setattr("reasonflux_agent.models.load_model", lambda spec: pytest.fail(f"{spec} was loaded"))
    model = ["--model", "local:smollm2-135m"] if "--model" in options(VERBS[path]) else []
    with pytest.raises(InputError, match=r"cannot be (written|made).* Next: name another"):
        app([*path, *arguments, *model], standalone_mode=False)
    assert {file.name for file in tmp_path.iterdir()} <= {"p.jsonl", "d", "out"}
    assert (tmp_path / "p.jsonl").read_text().count("\n") == 1


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    with serve_fake() as url:
        done = run("solve", "Add 2 and 3.", "-q", "-e", "low", "-m", f"vllm:fake@{url}", "--record", str(tmp_path / "a" / "b"))
    assert (done.returncode, done.stdout) == (0, "5\n")
    assert len(list((tmp_path / "a" / "b").iterdir())) == 1
