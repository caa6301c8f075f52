"""What a release says of itself: one version everywhere, and no dependency whose licence asks more than to be named."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import yaml

from reasonflux_agent import __version__
from tests.security.audit import KNOWN, fault, installed

ROOT = Path(__file__).parents[1]


def test_there_is_one_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[0] == __version__
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__
    assert version("reasonflux-agent") == __version__


def test_what_everybody_installs_is_free_of_strong_copyleft() -> None:
    """The core, and what the container image holds. A licence that is accepted for an extra is not accepted here."""
    for extras in ([], ["local", "serve"]):
        packages = installed(extras)
        assert {"langgraph", "numpy", "pydantic-monty"} <= {package.name for package in packages}
        assert [p for p in packages if fault(p) or re.search(r"GPL|Elastic|SSPL", p.licence)] == []


def test_the_page_of_licences_names_what_is_not_permissive() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| (\S+) \| ([^|]+) \|", page, re.MULTILINE))
    assert {name: licence for name, (licence, _) in KNOWN.items()}.items() <= told.items()
