"""Reads the official interchange format, and is its validator: a fault becomes one LibraryError naming its place."""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from reasonflux_agent.errors import LibraryError
from reasonflux_agent.schema import Template
from reasonflux_agent.templates.text import Tally, clean, example_of, kind_of, texts_of

MAX_BYTES = 200_000_000
"""A larger file is refused: a library of a hundred thousand templates is well below it."""

FORMAT = (
    "{chapter: {section: [{template_name, template_type, knowledge_tag, description, application_scenario, "
    "reason_flow, example_application}]}}"
)
FIELDS = (
    "template_name",
    "template_type",
    "knowledge_tag",
    "description",
    "application_scenario",
    "reason_flow",
    "example_application",
    "id",
)


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of at most MAX_BYTES. Raises LibraryError."""
    try:
        if not path.is_file():
            _fail(str(path), "is not a file", "the path of a JSON file, or of a directory that holds some")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise LibraryError(
            f"Template library {path}: cannot be read ({error}). Next: check the path and its rights."
        ) from error
    if len(content) > MAX_BYTES:
        _fail(
            str(path),
            f"holds more than {MAX_BYTES:,} bytes",
            "a smaller file; split the library over several in one directory",
        )
    return content


def parse(content: bytes, source: str, tally: Tally) -> list[Template]:
    """The templates of one JSON document, in its order. `source` names it in errors. Raises LibraryError."""
    data = _decode(content, source)
    entries = list(_entries(data, source))
    if not entries:
        _fail(source, "holds no template", FORMAT)
    drafts = [(place, _template(chapter, section, entry, place, tally)) for chapter, section, entry, place in entries]
    taken: dict[str, str] = {}
    for place, template in drafts:
        if template.id and taken.setdefault(template.id, place) != place:
            _fail(
                place,
                f"id {template.id!r} stands at {taken[template.id]} too",
                "an id of its own for every entry, or none",
            )
    done: list[Template] = []
    for place, template in drafts:
        if not template.id:
            template = template.model_copy(update={"id": _free_id(template, taken, tally)})
            taken[template.id] = place
        done.append(template)
    return done


def derived_id(template: Template) -> str:
    """`chapter/section/name` as slugs: what an entry without an id is called, unless that id is taken."""
    return "/".join(_slug(part) for part in (template.chapter, template.section, template.name))


def _free_id(template: Template, taken: dict[str, str], tally: Tally) -> str:
    base = name = derived_id(template)
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    if number > 1:
        tally["repeated names within a section numbered in their ids"] += 1
    return name


def _slug(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", "-", folded).strip("-") or "unnamed"


def _decode(content: bytes, source: str) -> object:
    if not content.strip():
        _fail(source, "is empty", FORMAT)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LibraryError(
            f"Template library {source}: is not UTF-8 (byte {error.start} is {content[error.start]:#04x}). "
            "Next: save it as UTF-8."
        ) from error
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        _fail(source, "is nested too deeply", FORMAT)
    except ValueError as error:
        _fail(source, f"is not valid JSON: {error}", FORMAT)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """json keeps the last of two equal keys, and so would drop a chapter in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _entries(data: object, source: str) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """(chapter, section, entry, place) for every entry; place reads `file: chapter / section / entry 3`."""
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
                    _fail(spot, f"the entry is {_kind(entry)}", f"an object with {', '.join(FIELDS[:-1])}")
                yield chapter, section, entry, spot


def _template(chapter: str, section: str, entry: dict[str, Any], place: str, tally: Tally) -> Template:
    """One entry; its id is empty when the entry states none."""
    for field in entry:
        if field not in FIELDS:
            close = difflib.get_close_matches(field, FIELDS, n=1)
            _fail(
                place,
                f"unknown field {field!r}" + (f" (did you mean {close[0]!r}?)" if close else ""),
                f"only {', '.join(FIELDS)}",
            )

    def text(field: str, *, required: bool = False) -> str:
        value = entry.get(field)
        if value is None:
            value = ""
        if not isinstance(value, str):
            _fail(place, f"field {field!r} is {_kind(value)}", "a text")
        value = clean(value, tally)
        if required and not value:
            _fail(place, f"field {field!r} is " + ("empty" if field in entry else "missing"), "a non-empty text")
        return value

    name = text("template_name", required=True)
    place = f"{place} ({name!r})"

    def texts(field: str, *, split: bool = False) -> tuple[str, ...]:
        try:
            return tuple(texts_of(entry.get(field), tally, split=split))
        except TypeError:
            _fail(place, f"field {field!r} is not made of texts: {_kind(entry[field])}", "a text or a list of texts")

    flow = texts("reason_flow", split=True)
    if not flow:
        _fail(
            place,
            "field 'reason_flow' is " + ("empty" if "reason_flow" in entry else "missing"),
            "a list of steps, one text each",
        )
    example = entry.get("example_application")
    if not (example is None or isinstance(example, str | dict)):
        _fail(
            place,
            f"field 'example_application' is {_kind(example)}",
            "a text, or an object with example_problem, solution_steps, answer",
        )
    try:
        shown = None if example is None else example_of(example, tally)
    except (TypeError, RecursionError):
        _fail(
            place,
            "field 'example_application' holds more than texts and lists of texts",
            "example_problem, solution_steps, answer",
        )
    return Template(
        id=text("id", required="id" in entry),
        name=name,
        kind=kind_of(text("template_type"), tally) or "Method",
        tags=texts("knowledge_tag"),
        description=text("description"),
        scenario=texts("application_scenario", split=True),
        flow=flow,
        example=shown,
        chapter=clean(chapter, tally),
        section=clean(section, tally),
    )


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _fail(place: str, reason: str, expected: str) -> NoReturn:
    raise LibraryError(f"Template library {place}: {reason}. Expected: {expected}.")
