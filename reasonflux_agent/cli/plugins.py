"""`reasonflux plugins`: what is registered, by whom."""

from __future__ import annotations

from reasonflux_agent.cli.options import AsJson
from reasonflux_agent.cli.report import print_json, print_table


def plugins(as_json: AsJson = False) -> None:
    """List what plugins register, and where it comes from.

    These are libraries, strategies, verifiers and benchmarks, those of the package included.

    Example:
      reasonflux plugins --json
    """
    from reasonflux_agent.plugins import KINDS, manager, registered

    pm = manager()
    packages = {pm.get_name(plugin): (dist.metadata["name"], dist.version) for plugin, dist in pm.list_plugin_distinfo()}
    rows = [
        (kind, name, owner, *packages.get(owner, ("", ""))) for kind in KINDS for name, (owner, _) in registered(kind).items()
    ]
    head = ("kind", "name", "plugin", "package", "version")
    if as_json:
        print_json([dict(zip(head, row, strict=True)) for row in rows])
    else:
        print_table(head, rows)
