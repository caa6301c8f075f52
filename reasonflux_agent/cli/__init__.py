"""The command `reasonflux`. Everything heavy is imported by the command that needs it, so that `--help` is quick."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from reasonflux_agent import __version__
from reasonflux_agent.cli import (
    batch,
    doctor,
    feedback,
    learn,
    lm_eval,
    mcp,
    models,
    plugins,
    resume,
    serve,
    solve,
    templates,
    threads,
    ui,
)
from reasonflux_agent.cli import eval as evaluation
from reasonflux_agent.cli.commands import Commands, Plain, help_of
from reasonflux_agent.cli.exits import EPILOG, code_of, explain
from reasonflux_agent.cli.options import RunCommand
from reasonflux_agent.environment import PREFIX, warn_of_unknown

SOLVE, IMPROVE, SERVE, SET_UP = "Solve problems", "Measure and improve", "Serve", "Set up"
"""Panels of `reasonflux --help`."""
app = typer.Typer(
    name="reasonflux",
    cls=Commands,
    help="Solve hard problems by planning with thought templates.\n\n"
    "Example: reasonflux solve 'Find the sum of all positive divisors of 28.'",
    epilog="Exit codes: reasonflux solve --help",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=EPILOG, cls=solve.SolveCommand, rich_help_panel=SOLVE)(solve.solve)
app.command(epilog=EPILOG, cls=RunCommand, rich_help_panel=SOLVE)(batch.batch)
app.command(epilog=EPILOG, rich_help_panel=SOLVE)(resume.resume)
app.add_typer(threads.app, name="threads", rich_help_panel=SOLVE)
app.command(cls=RunCommand, rich_help_panel=SOLVE)(ui.ui)
app.command(epilog=EPILOG, rich_help_panel=IMPROVE)(learn.learn)
app.command(epilog=EPILOG, rich_help_panel=IMPROVE)(feedback.feedback)
app.add_typer(templates.app, name="templates", rich_help_panel=IMPROVE)
app.add_typer(evaluation.app, name="eval", rich_help_panel=IMPROVE)
# the harness has options and a --help of its own
app.command("lm-eval", context_settings=lm_eval.PASS_ON, rich_help_panel=IMPROVE)(lm_eval.lm_eval)
app.command(cls=RunCommand, rich_help_panel=SERVE)(serve.serve)
app.command(cls=RunCommand, rich_help_panel=SERVE)(mcp.mcp)
app.command(rich_help_panel=SET_UP)(doctor.doctor)
app.add_typer(models.app, name="models", rich_help_panel=SET_UP)
app.command(rich_help_panel=SET_UP)(plugins.plugins)


def _show_plainly(group: typer.Typer) -> None:
    """Make a group and all commands below it `Plain`, with the help of their docstrings."""
    group.info.cls = _plain(group.info.cls, TyperGroup)
    for command in group.registered_commands:
        command.cls = _plain(command.cls, TyperCommand)
        if command.callback:
            command.help = help_of(command.callback)
    for sub in group.registered_groups:
        if sub.typer_instance is not None:
            _show_plainly(sub.typer_instance)


def _plain(given: Any, usual: type) -> Any:
    cls = given if isinstance(given, type) else usual
    return type(cls.__name__, (Plain, cls), {})


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"reasonflux {__version__}")
        raise typer.Exit


_show_plainly(app)


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    if any(name.upper().startswith(PREFIX) for name in os.environ):
        from reasonflux_agent.context import Context

        warn_of_unknown(Context.model_fields)


def main() -> None:
    """Run the command line and exit; see `exits.EXITS` for the codes."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # a model's text must not fail on a terminal that cannot show it
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    warnings.showwarning = lambda message, *_: print(f"Warning: {message}", file=sys.stderr)
    if logging.lastResort and not os.environ.get("REASONFLUX_DEBUG"):  # what other libraries log is not shown
        logging.lastResort.addFilter(logging.Filter("reasonflux_agent"))
    try:
        app()
    except Exception as error:
        explain(error)
        sys.exit(code_of(error))
