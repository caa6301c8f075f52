"""Reads a library in whichever format it is."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from reasonflux_agent.templates.interchange.demos import import_demos, is_program
from reasonflux_agent.templates.interchange.skills import import_skills, skills_in
from reasonflux_agent.templates.library import TemplateLibrary
from reasonflux_agent.templates.reading import MAX_BYTES


def read_templates(source: str | Path) -> TemplateLibrary:
    """Return the library in a file or folder: official JSON, Agent Skills, or a saved DSPy program. Raises LibraryError.

    Skills and demonstrations are unproven, whatever they say of themselves; see `import_skills` and `import_demos`.

    >>> read_templates(".claude/skills").save("mine.json")  # doctest: +SKIP
    """
    path = Path(source)
    if path.name == "SKILL.md" or skills_in(path):
        return import_skills(path.parent if path.name == "SKILL.md" else path)
    return import_demos(path) if _holds_program(path) else TemplateLibrary.load(path)


def _holds_program(path: Path) -> bool:
    """Return whether a file holds a DSPy program. Of a file that cannot be read the official reader says what is wrong."""
    with suppress(OSError, ValueError, RecursionError):
        return path.is_file() and path.stat().st_size <= MAX_BYTES and is_program(json.loads(path.read_bytes()))
    return False
