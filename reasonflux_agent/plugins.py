"""Finds plugins by the entry-point group `reasonflux_agent` and collects what they register."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal

from pluggy import PluginManager

from reasonflux_agent import hookspecs
from reasonflux_agent.errors import PluginError

Kind = Literal["libraries", "strategies", "verifiers", "scorers", "benchmarks"]
KINDS: tuple[Kind, ...] = ("libraries", "strategies", "verifiers", "scorers", "benchmarks")


@cache
def manager() -> PluginManager:
    """The process-wide plugin manager, with every installed plugin loaded. Raises PluginError."""
    pm = PluginManager("reasonflux_agent")
    pm.add_hookspecs(hookspecs)
    packages: dict[str, str] = {}
    for entry in entry_points(group="reasonflux_agent"):
        package = entry.dist.name if entry.dist else "unknown"
        if entry.name in packages:
            raise PluginError(
                f"Two packages have a plugin named {entry.name!r}: {packages[entry.name]!r} and {package!r}. "
                "Next: uninstall one of them, or rename its entry point."
            )
        packages[entry.name] = package
        try:
            pm.load_setuptools_entrypoints("reasonflux_agent", entry.name)
        except Exception as error:
            raise PluginError(
                f"The plugin {entry.name!r} ({entry.value}) of the package {package!r} does not load: {error!r}. "
                f"Next: update {package!r}, or uninstall it."
            ) from error
    return pm


def registered(kind: Kind) -> dict[str, tuple[str, Any]]:
    """Name -> (plugin that registered it, value). Raises PluginError when two plugins register one name."""
    found: dict[str, tuple[str, Any]] = {}
    pm = manager()
    for plugin in pm.get_plugins():
        owner = pm.get_name(plugin) or repr(plugin)

        def register(name: str, value: Any, owner: str = owner) -> None:
            if name in found:
                raise PluginError(
                    f"Two plugins register {name!r} among the {kind}: {found[name][0]!r} and {owner!r}. "
                    "Next: uninstall one of them, or rename it there."
                )
            found[name] = (owner, value)

        hook = getattr(plugin, f"register_{kind}", None)
        if hook is None:
            continue
        try:
            hook(register)
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(
                f"The plugin {owner!r} failed while it registered its {kind}: {error!r}. Next: update or uninstall it."
            ) from error
    return dict(sorted(found.items()))
