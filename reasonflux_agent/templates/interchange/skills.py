"""A library as folders of Agent Skills (https://agentskills.io), and back."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

from reasonflux_agent.errors import LibraryError
from reasonflux_agent.files import write_atomically
from reasonflux_agent.schema import Template
from reasonflux_agent.templates.cleaning import Counts
from reasonflux_agent.templates.interchange import library_of, unproven
from reasonflux_agent.templates.interchange.markdown import PREFIX, entry_of_skill, front_matter, skill_of
from reasonflux_agent.templates.library import TemplateLibrary

FORMAT = "agent skill"
LONGEST_NAME = 64
MAX_BYTES = 1_000_000
"""A larger file of a skill is refused."""


def export_skills(library: TemplateLibrary, folder: str | Path) -> list[Path]:
    """Write each template as a skill, a folder of its own in `folder`; return these folders in the order of the library.

    A skill has a SKILL.md with the occasions, the steps and the worked example; the programs of the example in `scripts/`; and
    its problem and answer in `evals/evals.json`. An earlier export of the same template is replaced. Other folders are left
    alone: where one has the skill's name, the skill gets a number. Raises OSError.

    >>> export_skills(TemplateLibrary.load("mine.json"), ".claude/skills")  # doctest: +SKIP
    [PosixPath('.claude/skills/word-sorting')]
    """
    made = dict[str, Path]()
    for template in library:
        name = _free_name(template, Path(folder), {path.name for path in made.values()})
        made[template.id] = Path(folder) / name
        text, files = skill_of(template, name)
        if (example := template.example) and example.problem and example.answer:
            files |= {"evals/evals.json": _evals(name, example.problem, example.answer)}
        for path, content in (files | {"SKILL.md": text}).items():  # the text last: what it links to is there
            write_atomically(made[template.id] / path, content.encode())
    return list(made.values())


def import_skills(folder: str | Path) -> TemplateLibrary:
    """Return the library of one skill, or of all skills in the folder. It is unproven, whatever the files say.

    An exported template comes back as it was. Of a skill from elsewhere the name, the description, the occasions ("when to
    use") and the steps are read, and its programs are not. Raises LibraryError.

    >>> import_skills(".claude/skills").save("skills.json")  # doctest: +SKIP
    """
    folder, tally = Path(folder), Counts()
    found = skills_in(folder)
    if not found:
        raise LibraryError(
            f"Agent skills {folder}: no skill is there. Tried: a SKILL.md in the folder itself, and in each folder in it. "
            "Next: give the folder of one skill, or of several."
        )
    entries = []
    for path in found:
        home = path.parent
        scripts = {f"scripts/{script.name}": script for script in sorted((home / "scripts").glob("solve*.py"))}
        programs = {name: _read(script, home) for name, script in scripts.items()}
        chapter, section, entry = entry_of_skill(_read(path, home), str(path), programs)
        entries.append((chapter, section, {**entry, "provenance": unproven(entry["provenance"], imported=FORMAT)}))
    return library_of(entries, f"Agent skills {folder}", folder.resolve().name, tally)


def skills_in(folder: Path) -> list[Path]:
    """Return the SKILL.md of this folder, or else those of the folders in it, by name."""
    if not folder.is_dir():
        return []
    own = folder / "SKILL.md"
    return [own] if own.is_file() else sorted(path for path in folder.glob("*/SKILL.md") if path.is_file())


def _read(path: Path, home: Path) -> str:
    """Return the text of a file of the skill in the folder `home`. Raises LibraryError; also for a link out of the folder."""
    try:
        if not path.resolve().is_relative_to(home.resolve()) or not path.is_file():
            raise LibraryError(f"Agent skill {path}: it is no file of this skill's folder. Next: replace the link by a copy.")
        if path.stat().st_size > MAX_BYTES:
            raise LibraryError(f"Agent skill {path}: it holds more than {MAX_BYTES:,} bytes. Next: shorten it.")
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LibraryError(f"Agent skill {path}: it cannot be read as UTF-8 ({error}). Next: correct or remove it.") from error


def _free_name(template: Template, folder: Path, taken: set[str]) -> str:
    """Return the name of the template's skill: small letters, digits and single hyphens."""
    folded = unicodedata.normalize("NFKD", template.name).encode("ascii", "ignore").decode().lower()
    slug, number, end = re.sub("[^a-z0-9]+", "-", folded).strip("-") or "template", 1, ""
    while True:
        name = slug[: LONGEST_NAME - len(end)].rstrip("-") + end
        if name not in taken and _may_hold(folder / name, template.id):
            return name
        number += 1
        end = f"-{number}"


def _may_hold(folder: Path, id: str) -> bool:
    """Return whether this template may be written to a folder: it is not there, or an earlier export of the template is."""
    if not folder.exists():
        return True
    try:
        front, _ = front_matter(_read(folder / "SKILL.md", folder), str(folder))
    except LibraryError:
        return False
    return bool(front["metadata"].get(f"{PREFIX}id") == id)


def _evals(name: str, problem: str, answer: str) -> str:
    evals: list[dict[str, Any]] = [{"id": 1, "prompt": problem, "expected_output": answer, "files": []}]
    return json.dumps({"skill_name": name, "evals": evals}, ensure_ascii=False, indent=2) + "\n"
