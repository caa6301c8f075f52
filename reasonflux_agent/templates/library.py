"""The library of thought templates: load, look up, merge, save."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from reasonflux_agent import plugins
from reasonflux_agent.errors import LibraryError
from reasonflux_agent.files import write_atomically
from reasonflux_agent.schema import Template
from reasonflux_agent.templates import reading
from reasonflux_agent.templates.cleaning import Counts

BROUGHT = "reasonflux_templates"
"""Key of a document's metadata. With it a retriever hands templates over whole: id -> `schema.Template` as a dict."""


@dataclass(frozen=True)
class TemplateLibrary:
    """Templates in the order of chapters and sections, with unique ids. Libraries are equal when their templates are.

    Raises LibraryError where two templates have one id.
    """

    templates: tuple[Template, ...]
    name: str = field(default="library", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What was normalised on loading, as sentences with counts."""

    def __post_init__(self) -> None:
        ordered = [t for sections in self.chapters.values() for group in sections.values() for t in group]
        object.__setattr__(self, "templates", tuple(ordered))
        if len(self._index) < len(ordered):
            ids = [template.id for template in ordered]
            twice = next(id for id in ids if ids.count(id) > 1)
            raise LibraryError(f"Template library {self.name!r}: the id {twice!r} stands twice. Next: rename one of the two.")

    @cached_property
    def chapters(self) -> dict[str, dict[str, list[Template]]]:
        """The templates by chapter and section, each in the order of its first template."""
        groups: dict[str, dict[str, list[Template]]] = {}
        for template in self.templates:
            groups.setdefault(template.chapter, {}).setdefault(template.section, []).append(template)
        return groups

    @cached_property
    def has_learned(self) -> bool:
        """Whether a template was learned from solved problems: it has a floor and a lead of its own."""
        return any("retrieval" in template.provenance for template in self.templates)

    @cached_property
    def _index(self) -> dict[str, Template]:
        return {template.id: template for template in self.templates}

    @classmethod
    def load(cls, path_or_name: str | Path) -> TemplateLibrary:
        """Load a library by name ("builtin", or one that a plugin registers), from a JSON file, or from a directory of them.

        Raises LibraryError naming file, place, field and reason.

        >>> library = TemplateLibrary.load("builtin")
        >>> library.get("modular-arithmetic/powers-and-their-remainders/units-digit-by-the-cycle-of-powers").name
        'Units digit by the cycle of powers'
        """
        if isinstance(path_or_name, str):
            if path_or_name == "builtin":
                return cls.builtin()
            known = plugins.registered("libraries")
            if path_or_name in known:
                return _from_plugin(path_or_name, *known[path_or_name])
            if not Path(path_or_name).exists() and not re.search(r"[/\\]|\.json$", path_or_name):
                names = ", ".join(sorted({"builtin", *known}))
                raise LibraryError(
                    f"Template library {path_or_name!r} is neither a registered name nor a path that exists. "
                    f"Known names: {names}. Next: use one of them, or give the path of a JSON file or directory."
                )
        path = Path(path_or_name)
        return _read(path.name, _json_files(path)) if path.is_dir() else _read(path.stem, [path])

    @classmethod
    def builtin(cls) -> TemplateLibrary:
        """Return the library that comes with the package. It is read once a process."""
        return _builtin()

    def get(self, id: str) -> Template:
        """Return the template of that id. Raises LibraryError with the closest ids."""
        if id in self._index:
            return self._index[id]
        close = difflib.get_close_matches(id, self._index, n=3, cutoff=0.5)
        raise LibraryError(
            f"Template library {self.name!r} has no template {id!r} among its {len(self)}. "
            + (f"Close: {', '.join(close)}." if close else "Next: list the ids with `reasonflux templates list`.")
        )

    def merge(self, *others: TemplateLibrary) -> TemplateLibrary:
        """Return all templates of these libraries as one. Raises LibraryError where one id means two different templates."""
        libraries = (self, *others)
        owner: dict[str, tuple[str, Template]] = {}
        for library in libraries:
            for template in library:
                name, known = owner.setdefault(template.id, (library.name, template))
                if known != template:
                    raise LibraryError(
                        f"The id {template.id!r} means one template in {name!r} and another one in {library.name!r}. "
                        "Next: rename one of the two, or give it an `id` of its own."
                    )
        name = "+".join(dict.fromkeys(library.name for library in libraries))
        notes = dict.fromkeys(note for library in libraries for note in library.notes)
        return TemplateLibrary(tuple(template for _, template in owner.values()), name, tuple(notes))

    def save(self, path: str | Path) -> None:
        """Write the official format as UTF-8 JSON, whole or not at all. Loading it gives an equal library. Raises OSError."""
        document = {
            chapter: {section: [reading.entry_of(t) for t in group] for section, group in sections.items()}
            for chapter, sections in self.chapters.items()
        }
        write_atomically(Path(path), (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode())

    def __len__(self) -> int:
        return len(self.templates)

    def __iter__(self) -> Iterator[Template]:
        return iter(self.templates)

    def __contains__(self, id: object) -> bool:
        return id in self._index


@cache
def _builtin() -> TemplateLibrary:
    return _read("builtin", _json_files(Path(__file__).with_name("data")))


def _json_files(folder: Path) -> list[Path]:
    if files := sorted(folder.glob("*.json")):
        return files
    raise LibraryError(
        f"Template library {folder}: the directory holds no .json file. Expected: one or more, each {reading.FORMAT}."
    )


def _read(name: str, paths: Sequence[Path]) -> TemplateLibrary:
    """Merge the libraries of these files into one. The size limit holds for all of them together."""
    tally, total = Counts(), 0
    parts: list[TemplateLibrary] = []
    for path in paths:
        content = reading.read_bytes(path)
        total += len(content)
        if total > reading.MAX_BYTES:
            raise LibraryError(f"Template library {name}: its files hold more than {reading.MAX_BYTES:,} bytes together.")
        parts.append(TemplateLibrary(tuple(reading.parse(content, str(path), tally)), str(path)))
    merged = parts[0].merge(*parts[1:])
    return TemplateLibrary(merged.templates, name, tuple(f"{count} {what}." for what, count in sorted(tally.items())))


def _from_plugin(name: str, plugin: str, loader: Any) -> TemplateLibrary:
    library = loader()
    if not isinstance(library, TemplateLibrary):
        raise LibraryError(
            f"Template library {name!r}: the plugin {plugin!r} returned a {type(library).__name__}. "
            "Expected: a TemplateLibrary. Next: update that plugin."
        )
    return library
