"""How the command ends: the one table of exit codes, and the texts that go with a failure."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from reasonflux_agent.errors import (
    DownloadError,
    InputError,
    MissingExtraError,
    ModelError,
    PluginError,
    ReasonFluxError,
    RetrieverError,
    redacted,
)

FAILED, BAD_INPUT, MODEL, INSTALLATION, UNPROVEN, BUG, INTERRUPTED, CLOSED = 1, 2, 4, 5, 6, 70, 130, 141
STATUS = {"answered": 0, "unanswered": FAILED, "exhausted": 3}
"""Status of a Solution -> exit code."""
EXITS = {
    0: "answered; or the command did what it was asked",
    FAILED: "unanswered: no candidate stated an answer; or rows of a batch failed",
    BAD_INPUT: "bad input: a problem, option, model, library or record of no use",
    3: "exhausted: a limit ended the run; the best answer so far is printed",
    MODEL: "a model or a download failed",
    INSTALLATION: "an optional package is missing, or a plugin does not load",
    UNPROVEN: "unproven: what was learned is not shown to help",
    BUG: "a bug in reasonflux",
    INTERRUPTED: "interrupted (Ctrl-C)",
    CLOSED: "whoever read the output went away",
}
# behind \b click and typer keep the lines as they are
EPILOG = "\b\n" + "\n".join(["Exit codes:", *(f"{code:>5}  {meaning}" for code, meaning in EXITS.items())])


@contextmanager
def going_on(command: str = "", kept: str = "What is done so far is kept") -> Iterator[None]:
    """Says how to go on, if what is done in it is interrupted or fails; `command`: else the one that runs."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, InputError):
            then = command or redacted(shlex.join(["reasonflux", *sys.argv[1:]]))
            print(f"{kept}. To go on: {then}", file=sys.stderr)
        raise


def code_of(error: Exception) -> int:
    """The exit code for an error that ends the command."""
    if isinstance(error, InputError) or _no_room(error):
        return BAD_INPUT
    if isinstance(error, ModelError | DownloadError | RetrieverError):
        return MODEL
    return INSTALLATION if isinstance(error, MissingExtraError | PluginError) else BUG


def _no_room(error: Exception) -> bool:
    """Whether a place that is written to could be written no longer."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


def explain(error: Exception) -> None:
    """Says on stderr what went wrong; with REASONFLUX_DEBUG set, the traceback too."""
    debug = bool(os.environ.get("REASONFLUX_DEBUG"))
    if debug:
        traceback.print_exception(error)
    if isinstance(error, ReasonFluxError):
        text = f"Error: {error}"
    elif _no_room(error):
        text = f"Error: What was to be kept cannot be written: {error}. Next: make room there, or name another place."
    else:
        text = f"Error: {type(error).__name__}: {' '.join(str(error).split())}\nThis is a bug in reasonflux. " + (
            "Please report it with the traceback above." if debug else "Run with REASONFLUX_DEBUG=1 for the traceback."
        )
    print(text, file=sys.stderr)
