"""`reasonflux ui`: the run page in a browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from reasonflux_agent.cli import options

RECORDS = Path("reasonflux-runs")


def ui(
    context: typer.Context,
    port: options.Port = 8402,
    record: Annotated[
        Path, typer.Option(help="The directory of the runs' records, old and new.", rich_help_panel=options.OUTPUT)
    ] = RECORDS,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser.")] = False,
) -> None:
    """Solve, watch and steer runs in a browser.

    The page is served on this machine alone and needs no network. It shows the records of DIR, those of `reasonflux solve
    --record DIR` too. What the form does not set is taken from the options, and then from the environment:
    REASONFLUX_DEADLINE and so on. Models are loaded at the first run.

    Example:
      reasonflux ui --record runs
    """
    from reasonflux_agent.serving.server import listen, run, url_of  # after the page, which names a missing extra
    from reasonflux_agent.serving.ui.pages import BASE
    from reasonflux_agent.serving.ui.routes import create_ui_app
    from reasonflux_agent.serving.ui.runs import Runs

    runs = Runs(record, **options.given(context).parts)
    app, listener = create_ui_app(runs), listen("127.0.0.1", port)
    url = f"{url_of(listener, '127.0.0.1')}{BASE}/"
    typer.echo(f"The runs of {record} are on {url} (Ctrl-C ends)", err=True)
    if not no_browser:
        webbrowser.open(url)  # the port takes connections already
    run(app, listener, patience=0, told=runs.end)  # a run under way can be resumed later
