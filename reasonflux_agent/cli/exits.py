"""How the command ends: the one table of exit codes, and the texts that go with a failure."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from reasonflux_agent import errors
from reasonflux_agent.errors import redacted

FAILED, BAD_INPUT, EXHAUSTED, MODEL, INSTALLATION, UNPROVEN, BUG, INTERRUPTED, CLOSED = 1, 2, 3, 4, 5, 6, 70, 130, 141
STATUS = {"answered": 0, "unanswered": FAILED, "exhausted": EXHAUSTED}
"""Status of a Solution -> exit code."""
EXITS = {
    0: "answered; or the command did what it was asked",
    FAILED: "unanswered: no candidate stated an answer; or rows of a batch failed",
    BAD_INPUT: "bad input: a problem, option, model, library or record that cannot be used",
    EXHAUSTED: "exhausted: a limit ended the run; the best answer so far is printed",
    MODEL: "a model or a download failed",
    INSTALLATION: "an optional package is missing, or a plugin does not load",
    UNPROVEN: "unproven: what was learned is not shown to help",
    BUG: "a bug in reasonflux",
    INTERRUPTED: "interrupted (Ctrl-C)",
    CLOSED: "the reader of the output closed it",
}
# behind \b click and typer keep the lines as they are
EPILOG = "\b\n" + "\n".join(["Exit codes:", *(f"{code:>5}  {meaning}" for code, meaning in EXITS.items())])
_CODES = (
    (BAD_INPUT, errors.InputError),
    (MODEL, errors.ModelError, errors.DownloadError, errors.RetrieverError),
    (INSTALLATION, errors.MissingExtraError, errors.PluginError),
)


@contextmanager
def going_on(command: str = "", kept: str = "What is done so far is kept") -> Iterator[None]:
    """Print how to go on if the block is interrupted or fails: with `command`, or else with the command that runs."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, errors.InputError):
            then = command or redacted(shlex.join(["reasonflux", *sys.argv[1:]]))
            print(f"{kept}. To go on: {then}", file=sys.stderr)
        raise


def code_of(error: Exception) -> int:
    """Return the exit code for an error that ends the command."""
    return BAD_INPUT if _unwritable(error) else next((code for code, *kinds in _CODES if isinstance(error, tuple(kinds))), BUG)


def _unwritable(error: Exception) -> bool:
    """Return whether a disk is full, read-only or broken."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


def explain(error: Exception) -> None:
    """Print on standard error what went wrong; with REASONFLUX_DEBUG set, the traceback too."""
    debug = bool(os.environ.get("REASONFLUX_DEBUG"))
    if debug:
        traceback.print_exception(error)
    if isinstance(error, errors.ReasonFluxError):
        text = str(error)
    elif _unwritable(error):
        text = f"What was to be kept cannot be written: {error}. Next: make room there, or name another place."
    else:
        then = "Please report it with the traceback above." if debug else "Run with REASONFLUX_DEBUG=1 for the traceback."
        text = f"{type(error).__name__}: {' '.join(str(error).split())}\nThis is a bug in reasonflux. {then}"
    print(f"Error: {text}", file=sys.stderr)
