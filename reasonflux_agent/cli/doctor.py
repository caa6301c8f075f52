"""`reasonflux doctor`: what is installed and works here, what is missing for what, and the line that mends it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from reasonflux_agent.cli import options
from reasonflux_agent.cli.exits import FAILED

if TYPE_CHECKING:
    from rich.console import Console

    from reasonflux_agent.cli.diagnosis import Finding

WORDS = {True: ("ok", "green"), None: ("-", "dim"), False: ("FAILS", "bold red")}
"""Verdict of a finding -> its word and the word's style."""


def doctor(
    model: options.Model = None,
    base_url: Annotated[
        list[str] | None,
        typer.Option(
            "--base-url", "-u", metavar="URL", help="A server to ask too, for example http://host:8000/v1; repeatable."
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what works here, what is missing, and what mends it.

    It checks the packages, the model (one short call), servers, folders, the pages and the plugins. A part marked with - is
    optional. The exit code is 1 if a part fails. Nothing is downloaded and nothing is changed.

    Example:
      reasonflux doctor --base-url http://localhost:8000/v1
    """
    from rich.console import Console

    from reasonflux_agent.cli.diagnosis import diagnose
    from reasonflux_agent.cli.report import print_json
    from reasonflux_agent.context import Context
    from reasonflux_agent.parts import resolve_models

    settings = Context.from_env(navigator=model, solver=model)
    specs = [str(spec) for spec in resolve_models(settings.navigator, settings.solver)]
    console, part = Console(highlight=False), ""
    found: list[Finding] = []
    for finding in diagnose(specs, base_url or ()):
        found.append(finding)
        if not as_json:
            if finding.part != part:
                part = finding.part
                console.print(part, style="bold")
            _show(console, finding)
    failing = sum(finding.ok is False for finding in found)
    if as_json:
        print_json({"ok": not failing, "findings": [asdict(finding) for finding in found]})
    else:
        said = f"{failing} part(s) fail; the lines after => mend them." if failing else "All that is needed works."
        console.print(f"\n{said}")
    if failing:
        raise typer.Exit(FAILED)


def _show(console: Console, finding: Finding) -> None:
    """Print a finding, wrapped to the terminal, and its fix in one piece, since it is copied."""
    from rich.padding import Padding
    from rich.text import Text

    from reasonflux_agent.cli.report import printable

    word, style = WORDS[finding.ok]
    line = Text.assemble((f"{word:<6}", style), f"{finding.name}: {printable(finding.found)}")
    if console.is_terminal:
        console.print(Padding(line, (0, 0, 0, 2), expand=False))
    else:
        console.print(Text("  ") + line, soft_wrap=True)
    if finding.fix:
        console.print(Text(f"        => {finding.fix}"), soft_wrap=True)
