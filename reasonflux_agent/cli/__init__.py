"""The command `reasonflux`. Everything heavy is imported by the command that needs it, so that `--help` is quick."""

from __future__ import annotations

import inspect
import logging
import os
import re
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from reasonflux_agent import __version__
from reasonflux_agent.cli import batch, check, learn, lm_eval, mcp, model, plugins, serve, solve, templates, threads, ui
from reasonflux_agent.cli import eval as evaluation
from reasonflux_agent.cli.exits import CLOSED, EPILOG, INTERRUPTED, code_of, explain
from reasonflux_agent.cli.words import TextCommand
from reasonflux_agent.environment import PREFIX, warn_of_unknown


class _Plain:
    """A command whose help shows no type beside an option that takes no value."""

    def get_params(self, ctx: Any) -> Any:
        params = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False) and param.metavar is None:
                param.metavar = ""
        return params


class _Commands(TyperGroup):
    """Ends quietly where typer would exit with a code that means something else here (its versions differ in which)."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Python flushes at exit, and would complain about the closed pipe once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(CLOSED) from None

    def get_command(self, ctx: Any, name: str) -> Any:
        return super().get_command(ctx, "models" if name == "model" else name)  # its name in earlier versions


app = typer.Typer(
    name="reasonflux",
    cls=_Commands,
    help="Solve hard problems by planning with thought templates.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=EPILOG, cls=TextCommand)(solve.solve)
app.command(epilog=EPILOG)(batch.batch)
app.command(epilog=EPILOG)(learn.learn)
app.command()(serve.serve)
app.command()(ui.ui)
app.command()(mcp.mcp)
app.command(epilog=EPILOG)(threads.resume)
app.add_typer(threads.app, name="threads")
app.command()(plugins.plugins)
app.add_typer(templates.app, name="templates")
model.app.command()(check.check)
app.add_typer(model.app, name="models", help="Check a model's server; fetch, list and find the files of embedded models.")
app.add_typer(evaluation.app, name="eval")
# the harness has options and a --help of its own
app.command("lm-eval", context_settings=lm_eval.PASS_ON)(lm_eval.lm_eval)


def _show_plainly(group: typer.Typer) -> None:
    """Gives a group and all commands below it the help of `_Plain`, in paragraphs that fill the terminal's width."""
    group.info.cls = _plain(group.info.cls, TyperGroup)
    for command in group.registered_commands:
        command.cls = _plain(command.cls, TyperCommand)
        command.help = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.getdoc(command.callback) or "")
    for sub in group.registered_groups:
        if sub.typer_instance is not None:
            _show_plainly(sub.typer_instance)


def _plain(given: Any, usual: type) -> Any:
    cls = given if isinstance(given, type) else usual
    return type(cls.__name__, (_Plain, cls), {})


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
    """Runs the command line and exits; see `exits.EXITS` for the codes."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # what a model wrote must not fail on a terminal that cannot show it
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    warnings.showwarning = lambda message, *_: print(f"Warning: {message}", file=sys.stderr)
    if logging.lastResort and not os.environ.get("REASONFLUX_DEBUG"):  # what others log is no word of this command's
        logging.lastResort.addFilter(logging.Filter("reasonflux_agent"))
    try:
        app()
    except Exception as error:
        explain(error)
        sys.exit(code_of(error))
