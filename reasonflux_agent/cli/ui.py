"""`reasonflux ui`: the run page in a browser."""

from __future__ import annotations

import logging
import signal
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from reasonflux_agent.cli import options
from reasonflux_agent.errors import MissingExtraError

CLOSE_SECONDS = 3
"""What open pages get when the server is told to end; a run under way can go on later."""
RECORDS = Path("reasonflux-runs")


def ui(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0: a free one.")] = 8402,
    model: options.Model = None,
    navigator: options.Navigator = None,
    solver: options.Solver = None,
    library: Annotated[str | None, typer.Option("--library", "-L", help="builtin, a plugin's name, or a path.")] = None,
    record: Annotated[Path, typer.Option(help="The directory of the runs' records, old and new.")] = RECORDS,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser.")] = False,
) -> None:
    """Solve, watch and steer runs in a browser: a page served on this machine alone, which needs no network.

    It shows the records of DIR, those of `reasonflux solve --record DIR` too. What the form does not set is taken from the
    environment: REASONFLUX_DEADLINE and so on. Models are loaded at the first run.
    """
    try:
        import uvicorn

        from reasonflux_agent.serving.ui.routes import BASE, create_ui_app
    except ModuleNotFoundError as error:
        raise MissingExtraError("The run page", str(error.name), "ui") from None
    from reasonflux_agent.cli.serve import listen
    from reasonflux_agent.context import Context
    from reasonflux_agent.serving.ui.runs import Runs

    context = Context.from_env()
    navigator, solver = navigator or model or context.navigator, solver or model or context.solver
    rest = context.model_copy(update={"navigator": None, "solver": None})
    app = create_ui_app(Runs(record, navigator=navigator, solver=solver, library=library, context=rest))
    listener = listen("127.0.0.1", port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}{BASE}/"
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn ends first, then raises the signal again
    typer.echo(f"The runs of {record} are on {url} (Ctrl-C ends)", err=True)
    if not no_browser:
        webbrowser.open(url)  # the port takes connections already
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=CLOSE_SECONDS
    )
    uvicorn.Server(config).run(sockets=[listener])
