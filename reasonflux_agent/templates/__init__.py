"""The library of thought templates: load, validate, merge, save, and how a template stands in a prompt.

The official format is `{chapter: {section: [template ...]}}` with the fields `template_name, template_type,
knowledge_tag, description, application_scenario, reason_flow, example_application`, and optionally `id`.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from reasonflux_agent import plugins
from reasonflux_agent.errors import LibraryError
from reasonflux_agent.schema import Template
from reasonflux_agent.templates import reading
from reasonflux_agent.templates.text import Tally

__all__ = ["TemplateLibrary", "render_template"]


@dataclass(frozen=True)
class TemplateLibrary:
    """Templates by chapter and section, with unique ids. Libraries are equal when their templates are."""

    templates: tuple[Template, ...]
    name: str = field(default="library", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What was normalised on loading, as sentences with counts."""

    def __post_init__(self) -> None:
        groups: dict[str, dict[str, list[Template]]] = {}
        for template in self.templates:
            groups.setdefault(template.chapter, {}).setdefault(template.section, []).append(template)
        ordered = tuple(t for sections in groups.values() for group in sections.values() for t in group)
        object.__setattr__(self, "templates", ordered)
        if len(self._index) < len(ordered):
            ids = [template.id for template in ordered]
            twice = next(i for i in ids if ids.count(i) > 1)
            raise LibraryError(f"Template library {self.name!r}: the id {twice!r} stands twice. Next: rename one of the two.")

    @cached_property
    def _index(self) -> dict[str, Template]:
        return {template.id: template for template in self.templates}

    @classmethod
    def load(cls, path_or_name: str | Path) -> TemplateLibrary:
        """A library by name ("builtin", or one that a plugin registers), from a JSON file, or from a directory of them.

        Raises LibraryError naming file, place, field and reason.
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
        if not path.is_dir():
            return _read(path.stem, [(str(path), reading.read_bytes(path))])
        files = sorted(path.glob("*.json"))
        if not files:
            raise LibraryError(
                f"Template library {path}: the directory holds no .json file. Expected: one or more, each {reading.FORMAT}."
            )
        return _read(path.name, ((str(file), reading.read_bytes(file)) for file in files))

    @classmethod
    def builtin(cls) -> TemplateLibrary:
        """The library that comes with the package; read once a process."""
        return _builtin()

    def get(self, id: str) -> Template:
        """The template of that id. Raises LibraryError with the closest ids."""
        if id in self._index:
            return self._index[id]
        close = difflib.get_close_matches(id, self._index, n=3, cutoff=0.5)
        raise LibraryError(
            f"Template library {self.name!r} has no template {id!r} among its {len(self)}. "
            + (f"Close: {', '.join(close)}." if close else "Next: list the ids with `reasonflux templates list`.")
        )

    def merge(self, *others: TemplateLibrary) -> TemplateLibrary:
        """All templates of these libraries. An id that two of them give to different templates raises LibraryError."""
        owner: dict[str, tuple[str, Template]] = {}
        for library in (self, *others):
            for template in library:
                name, known = owner.setdefault(template.id, (library.name, template))
                if known != template:
                    raise LibraryError(
                        f"The id {template.id!r} means one template in {name!r} and another one in {library.name!r}. "
                        "Next: rename one of the two, or give it an `id` of its own."
                    )
        name = "+".join(dict.fromkeys(library.name for library in (self, *others)))
        notes = tuple(dict.fromkeys(note for library in (self, *others) for note in library.notes))
        return TemplateLibrary(tuple(template for _, template in owner.values()), name, notes)

    def save(self, path: str | Path) -> None:
        """Writes the official format as UTF-8 JSON, whole or not at all. Loading it gives an equal library."""
        document: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for template in self:
            document.setdefault(template.chapter, {}).setdefault(template.section, []).append(_entry(template))
        write_atomically(Path(path), (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode())

    def __len__(self) -> int:
        return len(self.templates)

    def __iter__(self) -> Iterator[Template]:
        return iter(self.templates)

    def __contains__(self, id: object) -> bool:
        return id in self._index


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A path to write to; the file is renamed to `path` once it is whole, so that a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file that appears whole or not at all."""
    with appearing(path) as temporary:
        temporary.write_bytes(content)


def _entry(template: Template) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "template_name": template.name,
        "template_type": template.kind,
        "knowledge_tag": list(template.tags),
        "description": template.description,
        "application_scenario": list(template.scenario),
        "reason_flow": list(template.flow),
        "example_application": template.example
        and {
            "example_problem": template.example.problem,
            "solution_steps": list(template.example.steps),
            "answer": template.example.answer,
        },
    }
    if template.id != reading.derived_id(template):
        entry["id"] = template.id
    return entry


def _read(name: str, sources: Iterable[tuple[str, bytes]]) -> TemplateLibrary:
    """One library from JSON documents (source, content), merged; the size limit holds for all of them together."""
    tally, total = Tally(), 0
    parts: list[TemplateLibrary] = []
    for source, content in sources:
        total += len(content)
        if total > reading.MAX_BYTES:
            raise LibraryError(f"Template library {name}: its files hold more than {reading.MAX_BYTES:,} bytes together.")
        if content.startswith(b"\xef\xbb\xbf"):
            tally["files with a byte-order mark read without it"] += 1
        parts.append(TemplateLibrary(tuple(reading.parse(content, source, tally)), source))
    merged = parts[0].merge(*parts[1:])
    return TemplateLibrary(merged.templates, name, tuple(f"{count} {what}." for what, count in sorted(tally.items())))


@cache
def _builtin() -> TemplateLibrary:
    files = sorted(
        (file for file in resources.files(__name__).joinpath("data").iterdir() if file.name.endswith(".json")),
        key=lambda f: f.name,
    )
    return _read("builtin", ((f"builtin/{file.name}", file.read_bytes()) for file in files))


def _from_plugin(name: str, plugin: str, loader: Any) -> TemplateLibrary:
    library = loader()
    if not isinstance(library, TemplateLibrary):
        raise LibraryError(
            f"Template library {name!r}: the plugin {plugin!r} returned a {type(library).__name__}. "
            "Expected: a TemplateLibrary. Next: update that plugin."
        )
    return library


_NUMBER = re.compile(r"^(?:step\s*\d+\s*[:.]\s*|\d+\s*[.)、:](?!\d)\s*|[①-⑳]\s*|[-•]\s+)+", re.IGNORECASE)


def render_template(t: Template, *, max_chars: int = 1000) -> str:
    """How a template stands in a prompt: its name, its flow as numbered lines, and its example where that fits whole.

    At most `max_chars` characters, and the same text for the same template every time: prompts are prefix-stable.
    """
    flow = [_NUMBER.sub("", " ".join(line.split())) for line in t.flow]
    head = f"Template: {' '.join(t.name.split())}"
    text = ""
    for width in (*range(400, 40, -40), 40):  # a long flow loses the ends of its lines before it loses a step
        text = "\n".join([head, *(f"{n}. {_shorten(line, width)}" for n, line in enumerate(flow, 1))])
        if len(text) <= max_chars:
            break
    if len(text) > max_chars:
        return _shorten(text, max_chars)
    if t.example is not None and t.example.problem:
        parts = [
            f"Example: {t.example.problem}",
            *t.example.steps,
            *([f"Answer: {t.example.answer}"] if t.example.answer else []),
        ]
        whole = "\n".join([text, *(" ".join(part.split()) for part in parts)])
        if len(whole) <= max_chars:
            return whole
    return text


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 3, 0)].rstrip() + "..."
