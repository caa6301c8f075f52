"""The law of the house: arrows point only into `reasonflux_agent`; and tests reach no network and no user's settings."""

from __future__ import annotations

import ast
import os
import socket
import tempfile
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

CHECKOUT = Path(__file__).parents[1]
ROOMS = ("graphs", "tools", "training")


def imported(source: str, package: str) -> set[str]:
    """First names of all modules that a source imports, wherever in it: `import a.b`, `from a import b`, `from . import c`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(package if node.level else (node.module or "").split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
            names |= {str(a.value).split(".")[0] for a in node.args[:1] if isinstance(a, ast.Constant)}
    return names


def files(room: str) -> list[Path]:
    return sorted(path for path in (CHECKOUT / room).rglob("*.py") if "node_modules" not in path.parts)


def test_the_library_imports_no_room() -> None:
    assert len(files("reasonflux_agent")) > 30
    for path in files("reasonflux_agent"):
        found = imported(path.read_text(encoding="utf-8"), "reasonflux_agent") & {*ROOMS, "tests"}
        assert not found, f"{path.relative_to(CHECKOUT)} imports {', '.join(found)}"


@pytest.mark.parametrize("room", ROOMS)
def test_the_rooms_do_not_import_one_another(room: str) -> None:
    for path in files(room):
        found = imported(path.read_text(encoding="utf-8"), room) & ({*ROOMS, "tests"} - {room})
        assert not found, f"{path.relative_to(CHECKOUT)} imports {', '.join(found)}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import training.data", "training"),
        ("from tools import x", "tools"),
        ("def f():\n    from graphs.solve import graph", "graphs"),
        ("import importlib\nimportlib.import_module('training.data')", "training"),
        ("from . import sibling", "here"),
    ],
)
def test_an_import_is_seen_wherever_it_stands(source: str, found: str) -> None:
    assert found in imported(source, "here")


def arrows() -> dict[str, set[str]]:
    """Module of the package -> the modules of the package that it imports, wherever in it, but for types alone."""
    modules = {".".join(path.relative_to(CHECKOUT).with_suffix("").parts): path for path in files("reasonflux_agent")}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        names: set[str] = set()
        pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
        while pending:
            node = pending.pop()
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                parts = {f"{node.module}.{alias.name}" for alias in node.names} & modules.keys()
                names |= parts if len(parts) == len(node.names) else {str(node.module), *parts}
            pending += ast.iter_child_nodes(node)
        found[name] = {target for target in names if target in modules} - {name, "reasonflux_agent"}
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of nodes that reach one another."""
    reached = {start: _reached(graph, start) for start in graph}
    groups = {frozenset(b for b in reached[a] if a in reached[b]) for a in graph if a in reached[a]}
    return sorted(sorted(group) for group in groups)


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    pending = [*graph[start]]
    while pending:
        if (node := pending.pop()) not in seen:
            seen.add(node)
            pending += graph.get(node, ())
    return seen


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]
    assert circles(arrows()) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {}
    for source, targets in arrows().items():
        room = source.split(".")[1] if "." in source else source
        rooms.setdefault(room, set()).update(target.split(".")[1] for target in targets)
    found = {room: targets - {room} for room, targets in rooms.items()}
    assert circles(found) == []


def test_no_file_is_longer_than_300_lines() -> None:
    assert [str(path) for path in files("reasonflux_agent") if len(path.read_text(encoding="utf-8").splitlines()) > 300] == []


def test_the_network_is_closed_but_for_this_machine() -> None:
    with pytest.raises(SocketConnectBlockedError), socket.socket() as outside:
        outside.connect(("192.0.2.1", 80))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as inside:
        inside.connect(server.getsockname())


def test_no_setting_of_the_user_decides_a_test() -> None:
    kept = {"REASONFLUX_CACHE", "REASONFLUX_DATA"}
    names = {name for name in os.environ if name.startswith("REASONFLUX_") and not name.startswith("REASONFLUX_TEST_")}
    assert names <= kept
    assert os.environ["REASONFLUX_CACHE"].startswith(tempfile.gettempdir())
