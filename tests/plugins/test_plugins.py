"""Plugins: a real one, installed by pip; and those that do not load or do not get along."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reasonflux_agent.plugins import KINDS, manager, registered
from reasonflux_agent.testing import serve_fake

PACKAGE = Path(__file__).parents[2] / "examples" / "plugin"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the example plugin installed in it; its package is built somewhere else than in the checkout."""
    source, target = tmp_path_factory.mktemp("source") / "package", tmp_path_factory.mktemp("site")
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


def python(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python process in which what lies in `home` is installed."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def fake_package(home: Path, name: str, code: str, *, entry: str = "") -> None:
    """An installed distribution with one plugin module."""
    (home / f"{name}.py").write_text(code)
    info = home / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[reasonflux_agent]\n{entry or name} = {name}\n")


def test_the_built_ins_come_through_the_same_door() -> None:
    assert manager().get_plugin("builtin") is not None
    for kind in KINDS:
        assert registered(kind)
        assert {owner for owner, _ in registered(kind).values()} == {"builtin"}
    assert list(registered("strategies")) == ["direct", "navigator", "original", "program", "propose", "recall"]


def test_the_command_lists_what_the_plugin_registers(home: Path) -> None:
    listed = python(home, "-m", "reasonflux_agent.cli", "plugins", "--json")
    assert listed.returncode == 0, listed.stderr
    rows = [row for row in json.loads(listed.stdout) if row["plugin"] == "example"]
    assert {(row["kind"], row["name"]) for row in rows} == {
        ("libraries", "example"), ("strategies", "double_check"), ("verifiers", "no_apology")
    }  # fmt: skip
    assert {(row["package"], row["version"]) for row in rows} == {("reasonflux-example", "0.1.0")}


def test_a_run_uses_each_of_them(home: Path) -> None:
    program = """
import sys
from reasonflux_agent import ReasonFlux, TemplateLibrary, TemplateRetriever
from tests.graph.fakes import Scripted

library = TemplateLibrary.load("example")
print(len(library), library.templates[0].name)
retriever = TemplateRetriever.from_library("example", embeddings="hash")
model = Scripted({"solve_step": "I am sorry, but it is \\\\boxed{7}."})
solution = ReasonFlux(model, retriever=retriever, effort="low").solve("One of 27 coins is heavier. How many weighings?")
print(solution.templates, solution.candidates[0].checks["no_apology"])
print("Method: Weigh thirds." in model.prompts("solve_step")[0])
program = "```python\\nprint(7)\\n```"
solution = ReasonFlux(Scripted({"compute": program}), strategy="double_check", effort="low").solve("3 + 4?")
print(solution.strategy, solution.answer, [(c.source, c.checks["no_apology"]) for c in solution.candidates])
"""
    run = python(home, "-c", program)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "2 Weigh thirds",
        "('puzzles/scales/weigh-thirds',) False",
        "True",
        "double_check 7 [('double_check', True), ('program', True)]",
    ]


def test_the_command_solves_with_the_plugins_strategy(home: Path) -> None:
    with serve_fake() as url:
        model = f"vllm:fake@{url}"
        run = python(
            home, "-m", "reasonflux_agent.cli", "solve", "3 + 4", "--model", model, "--strategy", "double_check", "--json"
        )
    assert run.returncode == 0, run.stderr
    solution = json.loads(run.stdout)
    assert (solution["strategy"], solution["answer"]) == ("double_check", "7")
    assert len(solution["candidates"]) == 2


LIST = "from reasonflux_agent.plugins import registered; registered('verifiers')"


def test_two_plugins_with_one_name_are_an_error_naming_both(tmp_path: Path) -> None:
    for name in ("plugin_one", "plugin_two"):
        fake_package(tmp_path, name, "def register_verifiers(register):\n    register('same', None)\n")
    error = python(tmp_path, "-c", LIST).stderr
    assert "PluginError: Two plugins register 'same' among the verifiers: 'plugin_" in error
    assert [part for part in ("'plugin_one'", "'plugin_two'", "Next:") if part not in error] == []


def test_a_plugin_cannot_take_a_built_in_name(tmp_path: Path) -> None:
    fake_package(tmp_path, "plugin_one", "def register_verifiers(register):\n    register('answered', None)\n")
    error = python(tmp_path, "-c", LIST).stderr
    assert "PluginError: Two plugins register 'answered' among the verifiers" in error
    assert "'builtin'" in error
    assert "'plugin_one'" in error


def test_two_packages_with_one_entry_point_are_an_error_naming_both(tmp_path: Path) -> None:
    fake_package(tmp_path, "plugin_one", "", entry="same")
    fake_package(tmp_path, "plugin_two", "", entry="same")
    error = python(tmp_path, "-c", LIST).stderr
    assert "PluginError: Two packages have a plugin named 'same': 'plugin_" in error
    assert "'plugin_one'" in error
    assert "'plugin_two'" in error


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import nowhere_to_be_found", ["does not load", "nowhere_to_be_found"]),
        ("raise RuntimeError('no licence')", ["does not load", "no licence"]),
        ("def register_verifiers(register): 1 / 0", ["failed while it registered its verifiers", "division by zero"]),
        (
            "from reasonflux_agent.hookspecs import hookimpl\n@hookimpl\ndef register_verifiers(wrong): pass",
            ["does not load", "wrong"],
        ),
    ],
)
def test_a_broken_plugin_is_named(tmp_path: Path, code: str, says: list[str]) -> None:
    fake_package(tmp_path, "broken_plugin", code)
    error = python(tmp_path, "-c", LIST).stderr
    assert "PluginError: The plugin 'broken_plugin'" in error
    assert [part for part in [*says, "Next: update"] if part not in error] == []


def test_the_command_says_it_in_one_block(tmp_path: Path) -> None:
    fake_package(tmp_path, "broken_plugin", "import nowhere_to_be_found")
    run = python(tmp_path, "-m", "reasonflux_agent.cli", "plugins")
    assert run.returncode == 5
    assert "broken_plugin" in run.stderr
    assert "Traceback" not in run.stderr
