"""The options of a run: made from the fields of the Context, under their former names too."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from reasonflux_agent.cli import options
from reasonflux_agent.context import Context

SPEC = "vllm:m@http://127.0.0.1:9/v1"
app = typer.Typer()


@app.command(cls=options.RunCommand)
def verb(context: typer.Context, seed: int = 3) -> None:
    given = options.given(context)
    typer.echo(f"{given.fields} {given.roles} {given.library} {seed}")


def said(*args: str) -> str:
    done = CliRunner().invoke(app, ["--model", SPEC, *args], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_every_field_is_an_option() -> None:
    flags = {flag for param in typer.main.get_command(app).params for flag in param.opts}
    assert flags >= {f"--{name.replace('_', '-')}" for name in Context.model_fields if name not in options.NO_OPTION}


def test_what_is_given_is_set_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    roles = {"navigator": SPEC, "solver": SPEC}
    assert said() == f"{{}} {roles} None 3\n"
    monkeypatch.setenv("REASONFLUX_DEADLINE", "60")
    fields = {"effort": "low", "programs": False, "deadline": 60.0}
    assert said("-e", "low", "--no-programs", "-L", "x", "--seed", "5") == f"{fields} {roles} x 5\n"
    assert said("--solver", "vllm:s") == f"{{'deadline': 60.0}} {roles | {'solver': 'vllm:s'}} None 3\n"


def test_a_former_name_works_and_is_not_shown() -> None:
    found = said("--drafts", "4", "--no-opinions")
    assert "'direct_samples': 4" in found
    assert "'llm_review': False" in found
    shown = said("--help")
    assert "--direct-samples" in shown
    assert "--drafts" not in shown
    assert "opinions" not in shown
