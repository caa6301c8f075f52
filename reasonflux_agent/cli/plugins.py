"""`reasonflux plugins`: what is registered, by whom."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def plugins(as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """List the libraries, strategies, verifiers and benchmarks that are registered, and the plugins that they come from."""
    from reasonflux_agent.plugins import KINDS, manager, registered

    pm = manager()
    packages = {pm.get_name(plugin): (dist.metadata["name"], dist.version) for plugin, dist in pm.list_plugin_distinfo()}
    rows = [
        {"kind": kind, "name": name, "plugin": owner, "package": package, "version": version}
        for kind in KINDS
        for name, (owner, _) in registered(kind).items()
        for package, version in [packages.get(owner, ("", ""))]
    ]
    if as_json:
        return typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))

    from reasonflux_agent.cli.table import print_table

    return print_table(("kind", "name", "plugin", "package", "version"), [tuple(row.values()) for row in rows])
