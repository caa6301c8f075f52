"""The REASONFLUX_* variables: one list, near matches, and errors that name the variable."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from reasonflux_agent import environment
from reasonflux_agent.context import Context
from reasonflux_agent.environment import OTHERS, SettingWarning, variable
from reasonflux_agent.errors import InputError, SpecError
from reasonflux_agent.runs.threads import database

CHECKOUT = Path(__file__).parents[1]
FIELDS = {variable(field) for field in Context.model_fields}
SPEC = "vllm:a@http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_said", set())


def heard() -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Context.from_env()
    return [str(one.message) for one in caught if one.category is SettingWarning]


def test_every_variable_that_the_source_reads_is_in_the_list() -> None:
    named = {
        name: path
        for folder in ("reasonflux_agent", "graphs", "tools", "training", "docs", ".ci")
        for path in (CHECKOUT / folder).rglob("*")
        if path.suffix in (".py", ".md", ".yaml", ".yml", ".sh") or path.name == "Dockerfile"
        for name in re.findall(r"REASONFLUX_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8", errors="replace"))
    }
    assert len(named) > 15
    strange = {name: path for name, path in named.items() if name not in OTHERS and name not in FIELDS}
    assert {name: path for name, path in strange.items() if not environment._ELSEWHERE.fullmatch(name)} == {}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("REASONFLUX_EFORT", "did you mean REASONFLUX_EFFORT?"),
        ("REASONFLUX_effort", "did you mean REASONFLUX_EFFORT?"),
        ("reasonflux_effort", "did you mean REASONFLUX_EFFORT?"),
        ("REASONFLUX_MODELS", "did you mean REASONFLUX_MODEL?"),
        ("REASONFLUX_APIKEY", "did you mean REASONFLUX_API_KEY?"),
        ("REASONFLUX_CHECKPOINT", "did you mean REASONFLUX_CHECKPOINTS?"),
        ("REASONFLUX_XYZZY", "there are REASONFLUX_API_KEY, "),
        ("REASONFLUX_", "there are "),
    ],
)
def test_a_variable_that_nothing_reads_is_told_once(monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    monkeypatch.setenv(name, "1")
    (told,) = heard()
    assert told.startswith(f"The variable {name} is set, and nothing reads it: {says}")
    assert heard() == []


@pytest.mark.parametrize(
    "name",
    [
        *OTHERS,
        "REASONFLUX_TEST_LOCAL",
        "REASONFLUX_VLLM_PORT",
        "REASONFLUX_DATA",
        # what Kubernetes gives the pods beside a service `reasonflux`
        "REASONFLUX_SERVICE_HOST",
        "REASONFLUX_SERVICE_PORT_HTTP",
        "REASONFLUX_PORT",
        "REASONFLUX_PORT_8400_TCP_ADDR",
        "REASONFLUX_MODEL_SERVICE_HOST",
    ],
)
def test_a_variable_that_is_read_somewhere_is_not(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, SPEC if name == "REASONFLUX_MODEL" else "1")
    assert heard() == []


def test_one_variable_sets_both_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONFLUX_MODEL", SPEC)
    assert (Context.from_env().navigator, Context.from_env().solver) == (SPEC, SPEC)
    assert Context.from_env(solver="local:smollm2-135m").solver == "local:smollm2-135m"
    monkeypatch.setenv("REASONFLUX_NAVIGATOR", "vllm:b")
    assert (Context.from_env().navigator, Context.from_env().solver) == ("vllm:b", SPEC)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("REASONFLUX_EFFORT", "hgih", "REASONFLUX_EFFORT = 'hgih': Input should be 'low'"),
        ("REASONFLUX_DEADLINE", "-1", "REASONFLUX_DEADLINE = '-1': Input should be greater than 0"),
        ("REASONFLUX_PROGRAMS", "perhaps", "REASONFLUX_PROGRAMS = 'perhaps'"),
        ("REASONFLUX_MODEL", "nonsense", "REASONFLUX_MODEL: 'nonsense' names no model"),
        ("REASONFLUX_SOLVER", "local:qwen", "REASONFLUX_SOLVER: 'local:qwen' names no model"),
        ("REASONFLUX_NAVIGATOR", "hf:/no/such/folder", "REASONFLUX_NAVIGATOR: .* there is nothing at /no/such/folder"),
        ("REASONFLUX_MODEL", "vllm:m@http://host:port/v1", "REASONFLUX_MODEL: .*is not an http"),
        ("REASONFLUX_MODEL", "vllm:m@http://me:secret@host/v1", "REASONFLUX_(NAVIGATOR|MODEL): .* password"),
    ],
)
def test_a_bad_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=says) as raised:
        Context.from_env()
    assert "secret" not in str(raised.value)


def test_a_given_value_is_not_blamed_on_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONFLUX_EFFORT", "low")
    monkeypatch.setenv("REASONFLUX_MODEL", "nonsense")
    with pytest.raises(InputError, match="effort = 'huge'"):
        Context.from_env(effort="huge", navigator=SPEC, solver=SPEC)
    with pytest.raises(SpecError, match="REASONFLUX_MODEL"):
        Context.from_env()


def test_the_checkpoints_variable_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONFLUX_CHECKPOINTS", "mysql://x")
    with pytest.raises(InputError, match="REASONFLUX_CHECKPOINTS: Threads cannot be kept in 'mysql://x'"):
        database()


def test_the_command_warns_in_one_line_whatever_it_does() -> None:
    own = {**os.environ, "REASONFLUX_CAHCE": "/tmp/x"}
    arguments = [sys.executable, "-m", "reasonflux_agent.cli", "models", "path"]
    done = subprocess.run(arguments, capture_output=True, text=True, env=own, timeout=60, check=True)
    assert (
        done.stderr == "Warning: The variable REASONFLUX_CAHCE is set, and nothing reads it: did you mean REASONFLUX_CACHE?\n"
    )
    assert done.stdout.endswith(".gguf\n")
