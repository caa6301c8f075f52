"""Commands that take a text, which people forget to quote, or which begins with a minus."""

from __future__ import annotations

import re
import shlex
from typing import Any

from typer.core import TyperCommand

from reasonflux_agent.errors import InputError

_FORMULA = re.compile(r"-[^-].*[\s=+*^()\\]|--?[\d\s.(\\]", re.DOTALL)
"""What begins with a minus and is no option."""


class TextCommand(TyperCommand):
    """A command with one text: where that came in pieces, or was taken for an option, it says how to quote it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        options, words, plain = self._apart(args)
        if any(map(_FORMULA.match, words)):
            raise self._hint(ctx, "A text that begins with '-' is taken for options", options, words + plain)
        try:
            return super().parse_args(ctx, list(args))
        except Exception as error:  # of click's, or of the copy that typer may have of it
            behind, text, _ = self._apart(plain)  # an option behind `--` is meant as one
            text = words + text
            if type(error).__name__ not in ("NoSuchOption", "UsageError") or any(word.startswith("--") for word in text):
                raise
            said = str(getattr(error, "message", error)).rstrip(".")
            raise self._hint(ctx, said, options + behind, text) from None

    def _apart(self, args: list[str]) -> tuple[list[str], list[str], list[str]]:
        """The options with their values; the words; and those behind `--`, where nothing is an option."""
        flags = {name: getattr(param, "is_flag", False) for param in self.params for name in param.opts}
        options: list[str] = []
        words: list[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                break
            if arg in flags or arg.partition("=")[0] in flags:
                options += [arg] if flags.get(arg, True) else [arg, next(rest, "")]
            else:
                words.append(arg)
        return options, words, list(rest)

    def _hint(self, ctx: Any, said: str, options: list[str], words: list[str]) -> InputError:
        text = " ".join(words)
        given = [shlex.quote(option) for option in options] + ["--"] * text.startswith("-") + [shlex.quote(text)]
        return InputError(f"{said}. Next: if this is meant, quote it as one text:\n  {ctx.command_path} {' '.join(given)}")
