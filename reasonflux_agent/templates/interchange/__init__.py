"""Templates in the formats of other tools. What a file says is read by the rules of the official format, and is unproven.

markdown.py    a template as the text of a SKILL.md, and back
skills.py      a library as folders of Agent Skills, and back
demos.py       worked examples as the demonstrations of a DSPy program, and back
recognise.py   reads a library in whichever of these formats it is
namespaces.py  a library in a LangGraph store, and the retriever that searches it there
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from reasonflux_agent.templates.cleaning import Counts
from reasonflux_agent.templates.library import TemplateLibrary
from reasonflux_agent.templates.reading import parse

RESULTS = ("proven", "sealed", "claim", "tried", "wins", "losses")
"""Fields of `provenance` that say what a template was shown to do."""


def library_of(entries: Iterable[tuple[str, str, dict[str, Any]]], source: str, name: str, tally: Counts) -> TemplateLibrary:
    """Return the library of (chapter, section, entry) triples. `source` names it in errors. Raises LibraryError."""
    document: dict[str, dict[str, list[Any]]] = {}
    for chapter, section, entry in entries:
        document.setdefault(chapter, {}).setdefault(section, []).append(entry)
    templates = parse(json.dumps(document).encode(), source, tally)
    return TemplateLibrary(tuple(templates), name, tuple(f"{count} {what}." for what, count in sorted(tally.items())))


def unproven(provenance: Mapping[str, Any], **about: Any) -> dict[str, Any]:
    """Return a template's provenance with `about`: where it comes from stays, and nothing says any more that it helps."""
    kept = {field: value for field, value in provenance.items() if field not in RESULTS}
    return {**kept, **about, "proven": False}
