"""`reasonflux serve`: the graph behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from reasonflux_agent.cli import options
from reasonflux_agent.errors import InputError

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

DRAIN_SECONDS = 20
"""Seconds that runs under way get to finish when the server is told to end."""
WAITING = 4
"""Requests that may wait, for each run that may be under way."""
ENDED = "the server was told to end"


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to serve on; any but this machine's own needs a key.")] = "127.0.0.1",
    port: options.Port = 8400,
    record: options.Record = None,
    api_key: options.ApiKey = None,
    max_concurrency: Annotated[int, typer.Option(min=1, help="Runs at once; four times as many requests may wait.")] = 8,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request at most.")] = 1_000_000,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds of a request at most; then the best answer so far is sent.")
    ] = 600.0,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="A web page that may ask from a browser, as https://chat.example; repeatable.")
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse parameters of a request that have no meaning here, instead of ignoring them."),
    ] = False,
    ui: Annotated[bool, typer.Option("--ui", help="Serve the run page under /ui too; on this machine alone.")] = False,
) -> None:
    """Serve the graph to OpenAI clients: /v1/chat/completions, /v1/responses, /v1/models, /healthz, /metrics.

    What a request does not set (effort, granularity ...) is taken from the options, and then from the environment:
    REASONFLUX_EFFORT and so on. The access log goes to standard error, one JSON object a line.
    """
    from reasonflux_agent.runs.runner import Runner
    from reasonflux_agent.serving.app import create_app
    from reasonflux_agent.serving.middleware import check_origins, require_key
    from reasonflux_agent.serving.server import listen, run, url_of

    require_key(host, api_key)
    origins = check_origins(allow_origin or (), api_key)
    if ui and api_key:
        raise InputError("A browser sends no key, so the run page is served without one. Next: leave out --ui, or the key.")
    given = options.given(context)
    runner = Runner(record=record, at_once=max_concurrency, waiting=WAITING * max_concurrency, **given.parts)
    pages: list[BaseRoute] = []
    told = None
    if ui:
        from reasonflux_agent.cli.ui import RECORDS
        from reasonflux_agent.serving.ui.routes import ui_routes
        from reasonflux_agent.serving.ui.runs import Runs

        runs = Runs(record or RECORDS, **given.parts)
        pages, told = ui_routes(runs), runs.end
    app = create_app(
        runner, timeout=timeout, api_key=api_key, max_body=max_body, strict=strict, origins=origins, extra_routes=pages
    )
    listener = listen(host, port)
    options.load_models(given.roles)
    logging.getLogger("reasonflux_agent.serving").setLevel(logging.INFO)
    typer.echo(f"Serving on {url_of(listener, host)}/v1", err=True)
    run(app, listener, patience=DRAIN_SECONDS, told=told, late=lambda: runner.end(ENDED))
