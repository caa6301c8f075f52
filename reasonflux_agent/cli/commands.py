"""The classes of the commands: help without types of flags, exit codes of the root, a text as the argument."""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from reasonflux_agent.cli.exits import CLOSED, INTERRUPTED
from reasonflux_agent.errors import InputError

_FORMULA = re.compile(r"-[^-].*[\s=+*^()\\]|--?[\d\s.(\\]", re.DOTALL)
"""A text that begins with a minus and is not an option."""


class Plain:
    """Mixin of a command whose help shows no type beside an option that takes no value."""

    def get_params(self, ctx: Any) -> Any:
        params = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False) and param.metavar is None:
                param.metavar = ""
        return params


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
