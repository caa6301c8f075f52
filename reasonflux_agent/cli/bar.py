"""What the commands show on a terminal while they work on many problems."""

from __future__ import annotations

import os
import sys
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


def is_live() -> bool:
    """Whether standard error is a terminal that can redraw what it shows."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Bar:
    """A bar with counts and a description on standard error, if that is live; a context manager. `quiet`: shows none."""

    def __init__(self, *, quiet: bool = False) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
        live = is_live() and not quiet
        self._bar = Progress(*columns, console=Console(stderr=True, highlight=False)) if live else None
        self._task: Any = None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()
