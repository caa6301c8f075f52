"""Options that several commands have."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from reasonflux_agent.errors import InputError
from reasonflux_agent.models.local.files import DEFAULT, KNOWN

MODELS, HOW, LIMITS, OUTPUT = "Models", "How it is solved", "Limits", "Output"
"""Panels of the help."""


def _checked(spec: str | None) -> str | None:
    """The spec of a model. Raises SpecError for one that cannot be meant, before the command does anything else."""
    if spec:
        from reasonflux_agent.models import check_spec

        check_spec(spec, here=True)
    return spec


def folder_to_write(param: typer.CallbackParam, path: Path | None) -> Path | None:
    """A folder that a command will write; it is not made here. Raises InputError where that cannot be, before anything else."""
    return path and _writable(param, path, path)


def file_to_write(param: typer.CallbackParam, path: Path | None) -> Path | None:
    """As `folder_to_write`, for a file."""
    return path and _writable(param, path, path.parent)


def _writable(param: typer.CallbackParam, path: Path, folder: Path) -> Path:
    try:
        if path != folder and path.exists():
            path.open("r+b").close()
        while not folder.exists():  # it will be made
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            return path
    except OSError as error:
        raise InputError(
            f"{param.opts[0]} {path} cannot be written: {error.strerror} ({folder}). Next: name another."
        ) from None


Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        callback=_checked,
        metavar="SPEC",
        help="Both roles: local:NAME, vllm:NAME@URL, openai:NAME ... "
        f"\\[default: REASONFLUX_MODEL, else local:{DEFAULT}, {KNOWN[DEFAULT].size / 1e9:.1f} GB, fetched once].",
        rich_help_panel=MODELS,
    ),
]
Navigator = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC", callback=_checked, help="The model that plans and reviews; else --model.", rich_help_panel=MODELS
    ),
]
Solver = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC", callback=_checked, help="The model that carries steps out; else --model.", rich_help_panel=MODELS
    ),
]
Effort = Annotated[
    str | None, typer.Option("--effort", "-e", help="low, medium \\[default], high or auto.", rich_help_panel=HOW)
]
Strategy = Annotated[
    str, typer.Option(help="navigator, direct, recall, original, propose, or a plugin's.", rich_help_panel=HOW)
]
Granularity = Annotated[
    str | None, typer.Option(help="whole \\[default]: one solver call; step: one a step.", rich_help_panel=HOW)
]
Library = Annotated[
    str | None,
    typer.Option("--library", "-L", help="builtin \\[default], a plugin's name, or a path.", rich_help_panel=HOW),
]
Drafts = Annotated[int | None, typer.Option(help="Direct solutions beside the plans.", rich_help_panel=HOW)]
Trajectories = Annotated[int | None, typer.Option(help="Planned attempts at most.", rich_help_panel=HOW)]
Templates = Annotated[int | None, typer.Option(help="Templates at most; 0: none.", rich_help_panel=HOW)]
Reviews = Annotated[int | None, typer.Option(help="Reviews at most.", rich_help_panel=HOW)]
NoPrograms = Annotated[bool, typer.Option("--no-programs", help="Run no Python that a model writes.", rich_help_panel=HOW)]
Seed = Annotated[int | None, typer.Option(help="For models that take one.", rich_help_panel=HOW)]
MaxTokens = Annotated[int | None, typer.Option(help="Tokens of one reply at most \\[default: 1536].", rich_help_panel=LIMITS)]
