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
