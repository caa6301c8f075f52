"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

MODELS, HOW, LIMITS, OUTPUT = "Models", "How it is solved", "Limits", "Output"
"""Panels of the help."""

Effort = Annotated[str | None, typer.Option("--effort", "-e", help="low, medium, high or auto.", rich_help_panel=HOW)]
Strategy = Annotated[str, typer.Option(help="navigator, direct, original, propose, or a plugin's.", rich_help_panel=HOW)]
Granularity = Annotated[str | None, typer.Option(help="whole: one solver call; step: one call a step.", rich_help_panel=HOW)]
Library = Annotated[
    str | None, typer.Option("--library", "-L", help="builtin, a plugin's name, or a path.", rich_help_panel=HOW)
]
Drafts = Annotated[int | None, typer.Option(help="Direct solutions beside the plans.", rich_help_panel=HOW)]
Trajectories = Annotated[int | None, typer.Option(help="Planned attempts at most.", rich_help_panel=HOW)]
Templates = Annotated[int | None, typer.Option(help="Templates at most; 0: none.", rich_help_panel=HOW)]
Reviews = Annotated[int | None, typer.Option(help="Reviews at most.", rich_help_panel=HOW)]
NoPrograms = Annotated[bool, typer.Option("--no-programs", help="Run no Python that a model writes.", rich_help_panel=HOW)]
Seed = Annotated[int | None, typer.Option(help="For models that take one.", rich_help_panel=HOW)]
MaxTokens = Annotated[int | None, typer.Option(help="Tokens of one reply at most.", rich_help_panel=LIMITS)]
