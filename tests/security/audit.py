"""The licences of all that an extra installs: name, version, licence; fails on one that is unknown or not permissive.

python -m tests.security.audit local mcp postgres ui      what is installed for these extras
python -m tests.security.audit --resolve hf embed         what pip would install for them (asks the package index)
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

OURS, ROOT = "reasonflux-agent", Path(__file__).parents[2]
PERMISSIVE = re.compile(
    r"(MIT|MIT-0|ISC|BSD|0BSD|BSD-[234]-Clause|Apache-2\.0|PSF-2\.0|Python-2\.0|CNRI-Python|Zlib|CC0-1\.0|Unlicense|HPND)"
    r"|(MIT|BSD|ISC|Apache Software|Python Software Foundation|The Unlicense|zlib/libpng) License( \(.*\))?"
    r"|Apache (License,? )?(Version )?2\.0( License)?|(3-Clause )?BSD License|Unlicense"
)
"""Licences that ask for no more than to be named."""
WEAK = "weak copyleft on its own files alone, which are used as they are, and not distributed by us"
KNOWN = {
    "certifi": ("MPL-2.0", WEAK),
    "orjson": ("MPL-2.0 AND (Apache-2.0 OR MIT)", WEAK),
    "tqdm": ("MPL-2.0 AND MIT", WEAK),
    "psycopg": ("LGPL-3.0-only", "imported where PostgreSQL is asked for, and replaceable by its user; not distributed by us"),
    "psycopg-binary": ("LGPL-3.0-only", "as psycopg, whose C part it is"),
    "psycopg-pool": ("LGPL-3.0-only", "as psycopg"),
    "sqlite-vec": ("MIT License, Apache License, Version 2.0", "permissive; stated in a form of its own"),
    "langgraph-api": (
        "Elastic-2.0",
        "extra `studio` alone: a development server, which nobody may offer as a service",
    ),
    "langgraph-runtime-inmem": ("Elastic-2.0", "as langgraph-api"),
}
"""Name -> the licence that it states, and why it is taken all the same. Another text is a finding again."""


class Package(NamedTuple):
    """What is installed, or would be."""

    name: str
    version: str
    licence: str
    """As the package states it: expression, field, or classifiers; empty where it states none."""


def installed(extras: list[str]) -> list[Package]:
    """The packages of these extras and of the core in this environment; what a platform leaves out is not there."""
    seen: dict[str, set[str]] = {}
    _walk(OURS, {"", *extras}, seen)
    found = []
    for name in sorted(seen.keys() - {OURS}):
        try:
            about = distribution(name).metadata
        except PackageNotFoundError:
            continue
        stated = _stated(about.get("License-Expression"), about.get("License"), about.get_all("Classifier") or [])
        found.append(Package(name, about["Version"], stated))
    return found


def _walk(name: str, extras: set[str], seen: dict[str, set[str]]) -> None:
    """Adds what the package needs for these extras to `seen`: name -> extras."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    new = extras - seen.setdefault(name, set())
    seen[name] |= new
    for one in _wanted(name, new):
        _walk(one.name, {"", *one.extras}, seen)


def _wanted(name: str, extras: set[str]) -> list[Requirement]:
    if name == OURS:  # from the checkout: what is installed of it may be of another day
        about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        listed = {"": about["dependencies"], **about["optional-dependencies"]}
        return [Requirement(text) for extra in extras for text in listed[extra]]
    try:
        all_of_it = [Requirement(text) for text in distribution(name).requires or ()]
    except PackageNotFoundError:
        return []
    return [one for one in all_of_it if not one.marker or any(one.marker.evaluate({"extra": extra}) for extra in extras)]


def _stated(expression: str | None, field: str | None, classifiers: list[str]) -> str:
    classes = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License :: OSI Approved :: ")]
    first = (field or "").strip().split("\n")[0].strip()  # some put the whole text into the field
    return expression or (first if first and len(first) < 60 else " AND ".join(classes))


def fault(package: Package) -> str:
    """What is to be said against a package; empty for one that may be installed."""
    name = re.sub(r"[-_.]+", "-", package.name).lower()
    if not package.licence:
        return "states no licence"
    if name in KNOWN and package.licence == KNOWN[name][0]:
        return ""
    parts = re.split(r"\s+(?:AND|OR|and|or)\s+|[()]", re.sub(r"\s*\((?:ISCL|Unlicense|MPL 2\.0)\)", "", package.licence))
    wrong = [part for part in map(str.strip, parts) if part and not PERMISSIVE.fullmatch(part)]
    return f"is under {', '.join(wrong)}, which nobody has looked at" if wrong else ""


def main(arguments: list[str]) -> int:
    """Prints the table; the number of findings."""
    packages, findings = installed(arguments), 0
    for package in packages:
        said = fault(package)
        findings += bool(said)
        print(f"{package.name:32} {package.version:16} {package.licence:44} {said and f'<- {said}'}".rstrip())
    print(f"{len(packages)} packages, {findings} finding(s)")
    return findings


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
