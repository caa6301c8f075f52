"""The classes of the commands: plain help with an example, -v, exit codes of the root, a text as the argument."""

from __future__ import annotations

import inspect
import logging
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from reasonflux_agent.cli.exits import CLOSED, INTERRUPTED
from reasonflux_agent.errors import InputError, redacted

_FORMULA = re.compile(r"-[^-].*[\s=+*^()\\]|--?[\d\s.(\\]", re.DOTALL)
"""A text that begins with a minus and is not an option."""


NARROW = 60
"""Columns below which help is shown without boxes."""
_RENAMED = {"--at-once": "--concurrency", "--max-concurrency": "--concurrency"}
"""Options of earlier versions -> their names now."""


def help_of(function: Callable[..., Any]) -> str:
    """Return the help of a command: its docstring, in paragraphs that fill the terminal; the example keeps its lines."""
    text, _, example = (inspect.getdoc(function) or "").partition("\n\nExample:\n")
    text = re.sub(r"(?<!\n)\n(?!\n)", " ", text)
    return f"{text}\n\n\b\nExample:\n{example}" if example else text


def _be_verbose(asked: bool) -> None:
    """Show what this package and others log, from INFO on, and the traceback of an error."""
    if asked:
        os.environ["REASONFLUX_DEBUG"] = "1"
        logging.getLogger().setLevel(logging.INFO)
        logging.getLogger().addHandler(_Said())


class _Said(logging.Handler):
    """Prints on the standard error of the moment, which a live view takes over while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        said = redacted(" ".join(record.getMessage().split()))  # a URL may hold a password
        print(f"{record.levelname.lower()}: {record.name}: {said}", file=sys.stderr)


@cache
def _verbose() -> Any:
    """Return the option -v, as typer makes it of a signature."""

    def declared(
        verbose: Annotated[
            bool,
            typer.Option(
                "--verbose",
                "-v",
                callback=_be_verbose,
                expose_value=False,
                rich_help_panel="Output",
                help="Show log messages, and the traceback of an error.",
            ),
        ] = False,
    ) -> None: ...

    app = typer.Typer(add_completion=False)
    app.command()(declared)
    return typer.main.get_command(app).params[0]


class Plain:
    """Mixin of a command: it has -v, its help shows no type beside an option that takes no value, and old names work."""

    def get_params(self, ctx: Any) -> Any:
        params = super().get_params(ctx)  # type: ignore[misc]
        if not hasattr(self, "commands") and not getattr(self, "ignore_unknown_options", False):
            params = [*params[:-1], _verbose(), *params[-1:]]  # the last one is --help
        for param in params:
            if getattr(param, "is_flag", False) and param.metavar is None:
                param.metavar = ""
            if param.name == "show_completion":
                param.help = "Print completion for the current shell."
        return params

    def format_help(self, ctx: Any, formatter: Any) -> None:
        columns = shutil.get_terminal_size().columns
        if columns < NARROW:  # the boxes cut the names of options there
            self.rich_markup_mode = None
            formatter.width = max(columns - 2, 30)
            formatter.write_dl = partial(formatter.write_dl, col_max=10)  # a longer name stands on a line of its own
        super().format_help(ctx, formatter)  # type: ignore[misc]
        formatter.buffer = [part.replace("\\[", "[") for part in formatter.buffer]  # escaped for the boxes

    def get_short_help_str(self, limit: int = 0) -> str:
        return str(getattr(self, "help", None) or "").partition("\n\n")[0]  # in full: it is wrapped, not cut

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        end = args.index("--") if "--" in args else len(args)
        now = [f"{_RENAMED.get(name, name)}{equals}{value}" for name, equals, value in (a.partition("=") for a in args[:end])]
        return super().parse_args(ctx, now + args[end:])  # type: ignore[misc]


class Commands(TyperGroup):
    """The group of all commands. It sets the exit codes of two events for which the versions of typer have different ones."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Python flushes standard output at exit; the closed pipe would be reported again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(CLOSED) from None

    def get_command(self, ctx: Any, name: str) -> Any:
        return super().get_command(ctx, "models" if name == "model" else name)  # its name in earlier versions


class TextCommand(TyperCommand):
    """A command with one text. If the text comes in pieces or is taken for an option, the error says how to quote it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        chosen, words, plain = self._split(ctx, args)
        if any(map(_FORMULA.match, words)):
            raise self._hint(ctx, "A text that begins with '-' is taken for options", chosen, words + plain)
        try:
            return super().parse_args(ctx, list(args))
        except Exception as error:  # of click, or of the copy of it in typer
            behind, text, _ = self._split(ctx, plain)  # an option behind `--` is meant as one
            text = words + text
            if type(error).__name__ not in ("NoSuchOption", "UsageError") or any(word.startswith("--") for word in text):
                raise
            said = str(getattr(error, "message", error)).rstrip(".")
            raise self._hint(ctx, said, chosen + behind, text) from None

    def _split(self, ctx: Any, args: list[str]) -> tuple[list[str], list[str], list[str]]:
        """Return the options with their values, the words, and the words behind `--`, where nothing is an option."""
        params: list[Any] = [param for param in self.get_params(ctx) if param.param_type_name == "option"]
        flags = {name: param.is_flag for param in params for name in (*param.opts, *param.secondary_opts)}
        chosen: list[str] = []
        words: list[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                break
            if arg in flags or arg.partition("=")[0] in flags:
                chosen += [arg] if flags.get(arg, True) else [arg, next(rest, "")]
            else:
                words.append(arg)
        return chosen, words, list(rest)

    def _hint(self, ctx: Any, said: str, chosen: list[str], words: list[str]) -> InputError:
        text = " ".join(words)
        typed = [shlex.quote(option) for option in chosen] + ["--"] * text.startswith("-") + [shlex.quote(text)]
        return InputError(f"{said}. Next: if this is meant, quote it as one text:\n  {ctx.command_path} {' '.join(typed)}")
