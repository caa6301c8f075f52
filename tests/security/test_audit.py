"""What this environment holds for the extras has licences that somebody has looked at."""

from __future__ import annotations

import pytest

from tests.security.audit import KNOWN, Package, fault, installed


def test_everything_that_is_installed_may_be() -> None:
    packages = installed(["local", "mcp", "postgres", "ui"])
    assert {"langgraph", "numpy", "pydantic-monty", "xllamacpp", "starlette"} <= {package.name for package in packages}
    assert [(package, said) for package in packages if (said := fault(package))] == []


@pytest.mark.parametrize(
    "licence",
    ["", "GPL-3.0-only", "MIT AND AGPL-3.0-or-later", "GNU General Public License v3 (GPLv3)", "Proprietary", "see LICENSE"],
)
def test_a_licence_that_nobody_looked_at_is_a_finding(licence: str) -> None:
    assert fault(Package("new", "1", licence))


def test_a_known_package_that_changes_its_licence_is_a_finding_again() -> None:
    for name, (licence, reason) in KNOWN.items():
        assert reason
        assert not fault(Package(name, "1", licence))
        assert fault(Package(name, "2", "SSPL-1.0"))
