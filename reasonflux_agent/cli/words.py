"""Commands that take a text, which people forget to quote, or which begins with a minus."""

from __future__ import annotations

import shlex
from typing import Any

from typer.core import TyperCommand

from reasonflux_agent.errors import InputError


class TextCommand(TyperCommand):
    """A command with one text: where that came in pieces, or was taken for an option, it says how to quote it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, list(args))
        except Exception as error:  # of click's, or of the copy that typer may have of it
            if type(error).__name__ not in ("NoSuchOption", "UsageError"):
                raise
            words = self._words(ctx, list(args))
            if not words or any(word.startswith("--") for word in words):
                raise
            text = " ".join(words)
            quoted = f"{'-- ' if text.startswith('-') else ''}{shlex.quote(text)}"
            said = str(getattr(error, "message", error)).rstrip(".")
            raise InputError(f"{said}. Next: if this is meant, quote it as one text:\n  {ctx.command_path} {quoted}") from None

    def _words(self, ctx: Any, args: list[str]) -> list[str]:
        """What is no option, in order."""
        lenient: dict[str, Any] = {"ignore_unknown_options": True, "allow_extra_args": True, "resilient_parsing": True}
        again = self.context_class(self, parent=ctx.parent, info_name=ctx.info_name, **lenient)
        super().parse_args(again, args)
        text = next(again.params.get(param.name) for param in self.params if param.param_type_name == "argument")
        return [*([text] if text else []), *again.args]
