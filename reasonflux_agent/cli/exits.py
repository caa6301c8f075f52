"""How the command ends: the one table of exit codes, and the texts that go with a failure."""

from __future__ import annotations

import os
import sys
import traceback

from reasonflux_agent.errors import (
    DownloadError,
    InputError,
    MissingExtraError,
    ModelError,
    PluginError,
    ReasonFluxError,
    RetrieverError,
)

BAD_INPUT, MODEL, INSTALLATION, BUG, INTERRUPTED, CLOSED = 2, 4, 5, 70, 130, 141
STATUS = {"answered": 0, "unanswered": 1, "exhausted": 3}
"""Status of a Solution -> exit code."""
EXITS = {
    0: "answered; or the command did what it was asked",
    1: "unanswered: no candidate stated an answer",
    BAD_INPUT: "bad input: a problem, option, model, library or record of no use",
    3: "exhausted: a limit ended the run; the best answer so far is printed",
    MODEL: "a model or a download failed",
    INSTALLATION: "an optional package is missing, or a plugin does not load",
    BUG: "a bug in reasonflux",
    INTERRUPTED: "interrupted (Ctrl-C)",
    CLOSED: "whoever read the output went away",
}
# behind \b click and typer keep the lines as they are
EPILOG = "\b\n" + "\n".join(["Exit codes:", *(f"{code:>5}  {meaning}" for code, meaning in EXITS.items())])


def code_of(error: Exception) -> int:
    """The exit code for an error that ends the command."""
    if isinstance(error, InputError):
        return BAD_INPUT
    if isinstance(error, ModelError | DownloadError | RetrieverError):
        return MODEL
    return INSTALLATION if isinstance(error, MissingExtraError | PluginError) else BUG


def explain(error: Exception) -> None:
    """Says on stderr what went wrong; with REASONFLUX_DEBUG set, the traceback too."""
    debug = bool(os.environ.get("REASONFLUX_DEBUG"))
    if debug:
        traceback.print_exception(error)
    if isinstance(error, ReasonFluxError):
        text = f"Error: {error}"
    else:
        text = f"Error: {type(error).__name__}: {' '.join(str(error).split())}\nThis is a bug in reasonflux. " + (
            "Please report it with the traceback above." if debug else "Run with REASONFLUX_DEBUG=1 for the traceback."
        )
    print(text, file=sys.stderr)
