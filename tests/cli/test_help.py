"""The help of every verb: grouped, short at the root, with an example that can be typed, readable in a narrow terminal."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from reasonflux_agent.cli import IMPROVE, SERVE, SET_UP, SOLVE, app
from reasonflux_agent.cli.exits import EXITS
from tests.cli.test_cli import environment, run
from tests.cli.test_output import terminal
from tests.cli.test_verbs import VERBS

SCREEN = 40
"""Lines of a terminal that the root's help fits into."""


def examples(command: Any) -> list[str]:
    """The command lines of a verb's example."""
    _, _, text = (command.help or "").partition("\b\nExample:\n")
    return [line.strip() for line in text.splitlines()]


def test_the_roots_help_fits_a_screen_and_groups_the_verbs() -> None:
    text = run("--help", COLUMNS="80").stdout
    assert len(text.splitlines()) <= SCREEN
    assert "Example: reasonflux solve '" in text
    for panel in (SOLVE, IMPROVE, SERVE, SET_UP):
        assert f"─ {panel} ─" in text
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        first = (command.help or "").split("\n\n")[0]
        assert re.search(rf"^│ {name} +{re.escape(first)} *│$", text, re.MULTILINE), f"{name}: more than a line"


def test_every_verb_has_a_panel() -> None:
    assert "─ Commands ─" not in run("--help", COLUMNS="80").stdout


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_every_verb_has_an_example_whose_options_exist(path: tuple[str, ...]) -> None:
    if path == ("threads",):
        return
    lines = examples(VERBS[path])
    assert lines
    assert any(line.startswith(f"reasonflux {' '.join(path)}".replace("eval run", "eval")) for line in lines)
    for line in lines:
        args = shlex.split(line)[1:]
        if args[0] != "lm-eval":  # those options are the harness's
            done = CliRunner().invoke(app, [*args, "--help"])
            assert done.exit_code == 0, (line, done.output)


def test_verbs_of_a_run_list_the_exit_codes() -> None:
    for verb in ("solve", "batch", "learn", "resume"):
        text = run(verb, "--help").stdout
        for code, meaning in EXITS.items():
            assert re.search(rf"^ *{code}  {re.escape(meaning)} *$", text, re.MULTILINE)


@pytest.mark.parametrize("path", [("--help",), *((*path, "--help") for path in VERBS if path != ("lm-eval",))], ids=" ".join)
def test_help_in_a_narrow_terminal_cuts_no_option(path: tuple[str, ...]) -> None:
    text = run(*path, COLUMNS="40").stdout
    assert "…" not in text
    assert "\\[" not in text
    command = typer.main.get_command(app) if path == ("--help",) else VERBS[path[:-1]]
    for param in command.params:
        if param.param_type_name == "option" and not param.hidden:
            assert param.opts[0] in text
    lines = text.split("Exit codes:")[0].splitlines()
    copied = ("Usage:", "    reasonflux ")  # in one piece, whatever the width
    assert [line for line in lines if len(line) > 40 and not line.startswith(copied)] == []


def test_without_colour_and_in_a_pipe_there_is_no_escape() -> None:
    assert "\x1b" not in run("solve", "--help").stdout
    assert "\x1b" not in terminal("--help", columns=80)


def test_v_shows_what_is_logged_and_the_traceback() -> None:
    code = (
        "import logging, sys, reasonflux_agent.cli as c\n"
        "def noisy() -> None:\n"
        "    logging.getLogger('httpx').info('a word of http://ada:secret-word@host')\n"
        "    1 / 0\n"
        "c.app.command(cls=c._plain(None, c.TyperCommand))(noisy)\n"
        "sys.argv = ['reasonflux', 'noisy', *sys.argv[1:]]\n"
        "c.main()\n"
    )

    def said(*args: str) -> str:
        return subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, env=environment()).stderr

    assert "a word of" not in said()
    assert "Traceback" not in said()
    assert "info: httpx: a word of http://ada:***@host\n" in said("-v")
    assert "Traceback" in said("--verbose")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("reasonflux so", {"solve"}),
        ("reasonflux templates sea", {"search"}),
        ("reasonflux solve --eff", {"--effort"}),
        ("reasonflux solve --effort ", {"low", "medium", "high", "auto"}),
        ("reasonflux batch --granularity s", {"step"}),
    ],
)
def test_the_shell_completes_verbs_options_and_values(words: str, offered: set[str]) -> None:
    typed = words.split(" ")
    env = {"_REASONFLUX_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(typed) - 1)}
    code = "import sys; sys.argv = ['reasonflux']; from reasonflux_agent.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(**env))
    assert set(done.stdout.split()) == offered, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown_and_installed(shell: str, tmp_path: Path) -> None:
    code = "import sys; sys.argv[0] = 'reasonflux'; from reasonflux_agent.cli import main; main()"
    env = environment(HOME=str(tmp_path), SHELL=f"/bin/{shell}", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    done = subprocess.run(
        [sys.executable, "-c", code, "--install-completion", shell], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{shell} completion installed in" in done.stdout
    assert any("_REASONFLUX_COMPLETE" in path.read_text() for path in tmp_path.rglob("*") if path.is_file())
