"""The official interchange format: reads it, validates it, writes it. Each fault is one LibraryError that names its place."""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from reasonflux_agent.errors import LibraryError
from reasonflux_agent.schema import Template
from reasonflux_agent.templates.cleaning import Counts, clean, text_of, texts_of
from reasonflux_agent.templates.examples import example_of

MAX_BYTES = 200_000_000
"""A larger file is refused: a library of a hundred thousand templates is well below it."""

FIELDS = {
    "template_name": "a non-empty text",
    "template_type": "a text",
    "knowledge_tag": "a text or a list of texts",
    "description": "a text",
    "application_scenario": "a text or a list of texts",
    "reason_flow": "a list of steps, one text each",
    "example_application": "a text, or an object with example_problem, solution_steps, answer",
    "id": "a non-empty text",
    "provenance": "an object; in it `retrieval`, if any, holds `scores`, `floor` and `lead`, and `shown_with` is an id",
}
"""Field of an entry -> what it holds."""
FORMAT = f"{{chapter: {{section: [{{{', '.join(FIELDS)}}}]}}}}"

_KINDS = ("technique", "method", "knowledge", "formula", "theorem", "conclusion")
"""The first of these that the type contains decides: "Important Formulas and Theorems" is a formula."""


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file of at most MAX_BYTES. Raises LibraryError."""
    try:
        if not path.is_file():
            _fail(path, "is not a file", "the path of a JSON file, or of a directory that holds some")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise LibraryError(
            f"Template library {path}: cannot be read ({error}). Next: check the path and its rights."
        ) from error
    if len(content) > MAX_BYTES:
        _fail(path, f"holds more than {MAX_BYTES:,} bytes", "a smaller file; split the library over several in one directory")
    return content


def parse(content: bytes, source: str, tally: Counts) -> list[Template]:
    """Return the templates of one JSON document, in its order. `source` names it in errors. Raises LibraryError.

    An entry without an id gets its derived one, with a number behind it where that is taken.
    """
    entries = _entries(_decode(content, source, tally), source)
    drafts = [(place, _template(chapter, section, entry, place, tally)) for place, chapter, section, entry in entries]
    if not drafts:
        _fail(source, "holds no template", FORMAT)
    taken: dict[str, str] = {}
    for place, template in drafts:
        if template.id and taken.setdefault(template.id, place) != place:
            _fail(place, f"id {template.id!r} stands at {taken[template.id]} too", "an id of its own for every entry, or none")
    templates = []
    for place, template in drafts:
        if not template.id:
            template = template.model_copy(update={"id": _free_id(template, taken, tally)})
            taken[template.id] = place
        templates.append(template)
    return templates


def entry_of(template: Template) -> dict[str, Any]:
    """Return the template as an entry of the format. It has an id where that differs from the derived one."""
    example = template.example
    entry: dict[str, Any] = {
        "template_name": template.name,
        "template_type": template.kind,
        "knowledge_tag": template.tags,
        "description": template.description,
        "application_scenario": template.scenario,
        "reason_flow": template.flow,
        "example_application": example
        and {"example_problem": example.problem, "solution_steps": example.steps, "answer": example.answer},
    }
    if template.id != _derived_id(template):
        entry["id"] = template.id
    return {**entry, "provenance": template.provenance} if template.provenance else entry


def kind_of(text: str, tally: Counts) -> str:
    """Return Method, Knowledge, Technique, Formula, Theorem or Result where the type is a spelling of one, else the type."""
    word = next((word for word in _KINDS if word in text.lower()), "")
    kind = "Result" if word == "conclusion" else word.capitalize() or text
    if kind != text:
        tally[f"types rewritten to {kind!r}"] += 1
    return kind


def _derived_id(template: Template) -> str:
    return "/".join(_slug(part) for part in (template.chapter, template.section, template.name))


def _slug(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", "-", folded).strip("-") or "unnamed"


def _free_id(template: Template, taken: dict[str, str], tally: Counts) -> str:
    base = name = _derived_id(template)
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    if number > 1:
        tally["repeated names within a section numbered in their ids"] += 1
    return name


def _decode(content: bytes, source: str, tally: Counts) -> object:
    if not content.strip():
        _fail(source, "is empty", FORMAT)
    if content.startswith(b"\xef\xbb\xbf"):
        tally["files with a byte-order mark read without it"] += 1
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise LibraryError(
            f"Template library {source}: is not UTF-8 (byte {error.start} is {content[error.start]:#04x}). "
            "Next: save it as UTF-8."
        ) from error
    except RecursionError:
        _fail(source, "is nested too deeply", FORMAT)
    except ValueError as error:
        _fail(source, f"is not valid JSON: {error}", FORMAT)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse equal keys: json keeps the last of them, and so would drop a chapter in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _entries(data: object, source: str) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield (place, chapter, section, entry) for every entry; a place reads `file: chapter / section / entry 3`."""
    if not isinstance(data, dict):
        _fail(source, f"is {_kind(data)} at the top", FORMAT)
    for chapter, sections in data.items():
        place = f"{source}: {chapter!r}"
        if not isinstance(sections, dict):
            _fail(place, f"the chapter is {_kind(sections)}", "an object {section: [template ...]}")
        for section, entries in sections.items():
            if not isinstance(entries, list):
                _fail(f"{place} / {section!r}", f"the section is {_kind(entries)}", "a list of templates")
            for number, entry in enumerate(entries, 1):
                spot = f"{place} / {section!r} / entry {number}"
                if not isinstance(entry, dict):
                    _fail(spot, f"the entry is {_kind(entry)}", f"an object with {', '.join(FIELDS)}")
                yield spot, chapter, section, entry


def _template(chapter: str, section: str, entry: dict[str, Any], place: str, tally: Counts) -> Template:
    """Return the template of one entry; its id is empty where the entry states none."""
    for field in entry:
        if field not in FIELDS:
            close = difflib.get_close_matches(field, FIELDS, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            _fail(place, f"unknown field {field!r}{hint}", f"only {', '.join(FIELDS)}")

    def read(field: str, reader: Callable[..., Any], *, required: bool = False, **options: bool) -> Any:
        try:
            value = reader(entry.get(field), tally, **options)
        except TypeError as error:
            _fail(place, f"field {field!r} {str(error) or 'is ' + _kind(entry[field])}", FIELDS[field])
        if required and not value:
            _fail(place, f"field {field!r} is {'empty' if field in entry else 'missing'}", FIELDS[field])
        return value

    name = read("template_name", text_of, required=True)
    place = f"{place} ({name!r})"
    return Template(
        id=read("id", text_of, required="id" in entry),
        name=name,
        kind=kind_of(read("template_type", text_of), tally) or "Method",
        tags=read("knowledge_tag", texts_of),
        description=read("description", text_of),
        scenario=read("application_scenario", texts_of, split=True),
        flow=read("reason_flow", texts_of, required=True, split=True),
        example=read("example_application", example_of),
        chapter=clean(chapter, tally),
        section=clean(section, tally),
        provenance=read("provenance", _provenance),
    )


def _provenance(value: object, tally: Counts) -> dict[str, Any]:
    """Return what a learned template says of itself, as it is. Raises TypeError where the retriever could not use it."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError
    own = value.get("retrieval", {"scores": "", "floor": 0.0, "lead": 0.0})
    numbers = isinstance(own, dict) and all(type(own.get(name)) in (int, float) for name in ("floor", "lead"))
    if not (numbers and isinstance(own.get("scores"), str)):
        raise TypeError("has a `retrieval` that is not made of `scores`, `floor` and `lead`")
    if not isinstance(value.get("shown_with", ""), str):
        raise TypeError("has a `shown_with` that is not the id of a template")
    return value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _fail(place: str | Path, reason: str, expected: str) -> NoReturn:
    raise LibraryError(f"Template library {place}: {reason}. Expected: {expected}.")
