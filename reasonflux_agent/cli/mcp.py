"""`reasonflux mcp`: the tools and the library for MCP clients, over standard input and output or over HTTP."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from enum import StrEnum
from typing import Annotated

import typer

from reasonflux_agent.cli import options
from reasonflux_agent.errors import InputError

HOST, PORT = "127.0.0.1", 8401
DRAIN_SECONDS = 3
"""Seconds that calls under way get to finish when the server is told to end: clients keep a stream open all the time."""


class Transport(StrEnum):
    """How clients reach the server."""

    stdio = "stdio"
    http = "http"


def mcp(
    context: typer.Context,
    transport: Annotated[Transport, typer.Option(help="stdio: the client starts this command; http: streamable HTTP.")] = (
        Transport.stdio
    ),
    host: Annotated[
        str | None, typer.Option(help=f"http: the address; any but this machine's own needs a key. [default: {HOST}]")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help=f"http: the port; 0: a free one. [default: {PORT}]")
    ] = None,
    record: options.Record = None,
    api_key: options.ApiKey = None,
) -> None:
    """Serve tools and the library to MCP clients.

    The tools are reason, search_templates and check_answer; the templates are resources. What is not given here is taken
    from the environment (REASONFLUX_EFFORT and so on). Models are loaded at the first call.

    Example:
      reasonflux mcp --transport http --port 8401
    """
    if transport is Transport.stdio and (host is not None or port is not None):
        raise InputError("--host and --port are for HTTP, not for stdio. Next: add --transport http, or leave them out.")
    from reasonflux_agent.serving.middleware import require_key

    host, port = host or HOST, PORT if port is None else port
    if transport is Transport.http:
        require_key(host, api_key)
    with redirect_stdout(sys.stderr):  # stdout is for the protocol alone
        from reasonflux_agent.api import ReasonFlux
        from reasonflux_agent.ending import Ending
        from reasonflux_agent.serving.mcp import conclude, create_mcp, create_mcp_app
        from reasonflux_agent.templates import TemplateLibrary

        given, ending = options.given(context), Ending()
        loaded = TemplateLibrary.load(given.library or "builtin")
        server = create_mcp(ReasonFlux(**given.roles, **given.fields, library=loaded, record=record), loaded, ending)
    if transport is Transport.stdio:
        server.run("stdio")
        return
    from reasonflux_agent.serving.server import listen, run, url_of

    listener = listen(host, port)
    typer.echo(f"Serving on {url_of(listener, host)}/mcp", err=True)
    app = create_mcp_app(server, host=host, api_key=api_key)
    run(app, listener, patience=DRAIN_SECONDS, late=lambda: conclude(ending))
