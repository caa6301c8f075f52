"""`reasonflux models check`: whether a model's server can do all that the graph needs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reasonflux_agent.jobs.check import Checked


def check(
    spec: Annotated[str, typer.Argument(help="local:NAME, vllm:NAME@URL, openai:NAME ...")],
    at_once: Annotated[int, typer.Option(min=1, help="Calls to send at once.")] = 8,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds of one call at most.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Ask a model's server, or each of several, whether it can do what the graph needs: about twenty short calls.

    Exit code 1 if one of them lacks something that the graph cannot do without.
    """
    from reasonflux_agent.jobs.check import check_model

    servers = check_model(spec, at_once=at_once, timeout=timeout)
    ok = all(server.ok for server in servers)
    if as_json:
        rows = [{"server": s.server, "ok": s.ok, "seconds": s.seconds, "findings": asdict(s)["findings"]} for s in servers]
        typer.echo(json.dumps({"spec": spec, "ok": ok, "servers": rows}, ensure_ascii=False, indent=2))
    else:
        for server in servers:
            _show(server)
    if not ok:
        raise typer.Exit(1)


def _show(server: Checked) -> None:
    """One line a check, and one with what to set: in one piece, whatever the terminal's width, since it is copied."""
    typer.echo(server.server)
    for one in server.findings:
        word = {True: "ok", None: "-"}.get(one.ok, "FAILS" if one.needed else "missing")
        typer.echo(f"{one.check:<18}  {word:<7}  {one.found}".rstrip())
        if one.ok is False and one.fix:
            typer.echo(f"  on the server: {one.fix}")
    helpful = sum(one.ok is False and not one.needed for one in server.findings)
    said = "The graph can use it" if server.ok else "The graph cannot use it"
    typer.echo(f"{said}; missing that would help: {helpful}; {server.seconds:g} s.\n")
