"""`reasonflux mcp`: the tools and the library for MCP clients, over standard input and output or over HTTP."""

from __future__ import annotations

import signal
import sys
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from reasonflux_agent.cli import options
from reasonflux_agent.errors import InputError

HOST, PORT = "127.0.0.1", 8401
CLOSE_SECONDS = 3
"""What open connections get when the server is told to end; clients keep a stream open all the time."""


class Transport(StrEnum):
    """How clients reach the server."""

    stdio = "stdio"
    http = "http"


def mcp(
    transport: Annotated[Transport, typer.Option(help="stdio: the client starts this command; http: streamable HTTP.")] = (
        Transport.stdio
    ),
    host: Annotated[
        str | None, typer.Option(help=f"http: the address; any but this machine's own needs a key. [default: {HOST}]")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help=f"http: the port; 0: a free one. [default: {PORT}]")
    ] = None,
    model: options.Model = None,
    navigator: options.Navigator = None,
    solver: options.Solver = None,
    library: Annotated[str, typer.Option("--library", "-L", help="builtin, a plugin's name, or a path.")] = "builtin",
    record: Annotated[Path | None, typer.Option(help="Write the runs' records into this directory.")] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="REASONFLUX_API_KEY", help="http: the key that clients must send. Other users see what is typed."),
    ] = None,
) -> None:
    """Serve the tools reason, search_templates and check_answer, and the library as resources, to MCP clients.

    Everything else is taken from the environment (REASONFLUX_EFFORT and so on). Models are loaded at the first call.
    """
    if transport is Transport.stdio and (host is not None or port is not None):
        raise InputError("--host and --port are for HTTP, not for stdio. Next: add --transport http, or leave them out.")
    from reasonflux_agent.serving.guard import require_key

    host, port = host or HOST, PORT if port is None else port
    if transport is Transport.http:
        require_key(host, api_key)
    with redirect_stdout(sys.stderr):  # stdout is the protocol's alone
        from reasonflux_agent.api import ReasonFlux
        from reasonflux_agent.context import Context
        from reasonflux_agent.library import TemplateLibrary
        from reasonflux_agent.serving.mcp import create_mcp, create_mcp_app

        loaded, context = TemplateLibrary.load(library), Context.from_env()
        roles = navigator or model or context.navigator, solver or model or context.solver
        server = create_mcp(ReasonFlux(*roles, library=loaded, record=record), loaded)
    if transport is Transport.stdio:
        server.run("stdio")
    else:
        _serve(create_mcp_app(server, host=host, api_key=api_key), host, port)


def _serve(app: Any, host: str, port: int) -> None:
    import uvicorn

    from reasonflux_agent.cli.serve import listen

    listener = listen(host, port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn ends first, then raises the signal again
    address = f"[{host}]" if ":" in host else host
    typer.echo(f"Serving on http://{address}:{listener.getsockname()[1]}/mcp", err=True)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=CLOSE_SECONDS
    )
    uvicorn.Server(config).run(sockets=[listener])
