"""A template as the text of a SKILL.md, and back. Files of this form give the same template back; others are read loosely."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reasonflux_agent.errors import LibraryError
from reasonflux_agent.schema import Template

LONGEST_DESCRIPTION = 1024
"""Characters of a description in the front matter; the specification of Agent Skills sets the limit."""
PREFIX, OF_PROVENANCE = "reasonflux-", "provenance-"
"""What the keys of the metadata begin with."""
IN_METADATA = ("id", "kind", "tags", "chapter", "section")

_FRONT = re.compile(r"---[ \t]*\n(.*?\n)---[ \t]*(?:\n|$)", re.DOTALL)
_HEADING = re.compile(r"#{1,6} +(.*)")
_MARKER = re.compile(r"(?:[-*+]|\d+[.)])(?: |$)")
_PROGRAM = re.compile(r"^```python\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"^Program: \[(scripts/solve(?:-\d+)?\.py)\]\(\1\)$", re.MULTILINE)
_WHEN = re.compile(r"\bwhen\b(?!.*\bnot\b)", re.IGNORECASE)
_STEPS = re.compile(r"\b(?:steps|instructions|workflow|procedure|process)\b", re.IGNORECASE)
_ELSEWHERE = re.compile(r"\bwhen\b|^## worked example$|^### (?:problem|solution|answer)$", re.IGNORECASE)
"""Headings of what does not belong to the steps."""


def skill_of(template: Template, name: str) -> tuple[str, dict[str, str]]:
    """Return the text of the SKILL.md of a skill of this name, and the programs that it links to, by their paths."""
    import yaml

    metadata = {PREFIX + field: _flat(value) for field in IN_METADATA if (value := getattr(template, field))}
    title = " ".join(template.name.split())
    if title != template.name:
        metadata[f"{PREFIX}name"] = _flat(template.name)
    metadata |= {OF_PROVENANCE + _flat(field): _flat(value) for field, value in template.provenance.items()}
    front = {"name": name, "description": _trigger(template), "metadata": metadata}
    header = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=float("inf"))
    programs: dict[str, str] = {}

    def linked(found: re.Match[str]) -> str:
        path = f"scripts/solve{f'-{len(programs) + 1}' if programs else ''}.py"
        programs[path] = found[1] + "\n"
        return f"Program: [{path}]({path})"

    parts = [f"# {title}", _quote(template.description)]
    if template.scenario:
        parts += ["## When to use", "\n".join(_item("- ", text) for text in template.scenario)]
    parts += ["## Steps", _numbered(template.flow)]
    if example := template.example:
        parts += ["## Worked example", *(["### Problem", _quote(example.problem)] if example.problem else [])]
        if example.steps:
            parts += ["### Solution", _numbered(_PROGRAM.sub(linked, step) for step in example.steps)]
        parts += ["### Answer", _quote(example.answer)] if example.answer else []
    return "\n".join(["---", f"{header}---", "", "\n\n".join(filter(None, parts)), ""]), programs


def entry_of_skill(text: str, place: str, programs: Mapping[str, str]) -> tuple[str, str, dict[str, Any]]:
    """Return chapter, section and entry of the official format that the text of a SKILL.md states.

    `programs`: the files that it may link to, by their paths. What a text of another form says besides name, description and
    occasions becomes the steps. Raises LibraryError where the front matter or a program is missing.
    """
    front, body = front_matter(text, place)
    metadata = front["metadata"]
    own = {key.removeprefix(PREFIX): _value(said) for key, said in metadata.items() if key.startswith(PREFIX)}
    sections = _sections(body)
    named = {heading.lower(): lines for heading, lines in reversed(sections)}
    if "id" in own:
        provenance = {
            str(_value(key.removeprefix(OF_PROVENANCE))): _value(said)
            for key, said in metadata.items()
            if key.startswith(OF_PROVENANCE)
        }
        description = _unquoted(sections[1][1]) if len(sections) > 1 else ""
        when, steps = named.get("## when to use", []), named.get("## steps", [])
    else:
        own = {"chapter": "Skills", "section": front["name"]}
        told = {"skill": front["name"], "license": front.get("license"), "metadata": metadata}
        provenance = {field: value for field, value in told.items() if value}
        description = front["description"]
        when = _below(sections, _WHEN)
        rest = [line for heading, lines in sections if not _ELSEWHERE.search(heading) for line in (*lines, "")]
        steps = _below(sections, _STEPS) or rest

    def inlined(found: re.Match[str]) -> str:
        if found[1] not in programs:
            raise LibraryError(
                f"Agent skill {place}: the program {found[1]} is missing. Expected: the file that the worked example links to. "
                "Next: put it there, or write the program into the text."
            )
        return f"```python\n{programs[found[1]].removesuffix(chr(10))}\n```"

    example = {
        "example_problem": _unquoted(named.get("### problem", [])),
        "solution_steps": [_LINK.sub(inlined, step) for step in _items(named.get("### solution", []))],
        "answer": _unquoted(named.get("### answer", [])),
    }
    title = next((heading.partition(" ")[2].strip() for heading, _ in sections if heading), "") or front["name"]
    entry = {
        "template_name": own.get("name", title),
        "template_type": own.get("kind"),
        "knowledge_tag": own.get("tags"),
        "description": description,
        "application_scenario": _items(when),
        "reason_flow": _items(steps) or [description],
        "example_application": example if any(example.values()) else None,
        "provenance": provenance,
    }
    entry |= {"id": own["id"]} if "id" in own else {}
    return str(own.get("chapter", "")), str(own.get("section", "")), entry


def front_matter(text: str, place: str) -> tuple[dict[str, Any], str]:
    """Return the front matter of a SKILL.md, with `metadata` as a map of texts, and the body. Raises LibraryError."""
    import yaml

    found, front = _FRONT.match(text), None
    if found:
        try:
            front = yaml.load(found[1], Loader=yaml.BaseLoader)  # it makes texts, lists and mappings, and no other objects
        except (yaml.YAMLError, RecursionError) as error:
            raise _broken(place, f"has a front matter that is no YAML ({' '.join(str(error).split())[:200]})") from None
    if not found or not isinstance(front, dict):
        raise _broken(place, "has no front matter")
    for field in ("name", "description"):
        if not isinstance(front.get(field), str) or not front[field].strip():
            raise _broken(place, f"has no {field!r} in its front matter")
    said = front.get("metadata")
    pairs = said.items() if isinstance(said, dict) else ()
    front["metadata"] = {key: value for key, value in pairs if isinstance(key, str) and isinstance(value, str)}
    return front, text[found.end() :]


def _broken(place: str, fault: str) -> LibraryError:
    return LibraryError(
        f"Agent skill {place}: {fault}. Expected: a SKILL.md that begins with '---', `name: ...`, `description: ...`, '---'. "
        "Next: correct it, or take the folder away."
    )


def _trigger(t: Template) -> str:
    """Return the description by which an agent chooses a skill: what it is, and what for, in one line."""
    stated = (t.name, t.description, f"Use it for: {'; '.join(t.scenario)}" if t.scenario else "")
    text = " ".join(" ".join(part if part.endswith(".") else f"{part}." for part in stated if part).split())
    text = re.sub("-{3,}", "--", text)
    return text if len(text) <= LONGEST_DESCRIPTION else text[: LONGEST_DESCRIPTION - 3] + "..."


def _flat(value: Any) -> str:
    """Return a value as a text without line breaks: a plain text as it is, anything else as JSON.

    Three hyphens end the front matter for some readers, wherever they stand.
    """
    if isinstance(value, str) and value.isprintable() and "---" not in value and _value(value) is value:
        return value
    return json.dumps(value).replace("---", r"\u002d--")


def _value(text: str) -> Any:
    """Return what `_flat` made the text of."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _item(marker: str, text: str) -> str:
    """Return a text behind a marker; its further lines are indented by the width of the marker."""
    first, *more = text.split("\n")
    return "\n".join([marker + first, *(" " * len(marker) + line if line else "" for line in more)])


def _numbered(texts: Iterable[str]) -> str:
    return "\n".join(_item(f"{number}. ", text) for number, text in enumerate(texts, 1))


def _items(lines: Iterable[str]) -> list[str]:
    """Return the items of a list, and the paragraphs and fenced blocks that stand outside of it."""
    items, width, fenced, joins = list[list[str]](), 1, False, False
    for line in lines:
        marker = None if fenced else _MARKER.match(line)
        if marker:
            items.append([line[marker.end() :]])
            width = marker.end()
        elif fenced or joins or (items and not line[:width].strip()):
            items[-1].append(line if fenced or joins else line[width:])
        elif line.strip():
            items.append([line])
            width = 1
        plain = marker is None and not line[:1].isspace()
        fenced ^= plain and line.startswith("```")
        joins = plain and line.strip() != "" and not line.startswith("```")
    return [text for item in items if (text := "\n".join(item).rstrip("\n"))]


def _quote(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.split("\n")) if text else ""


def _unquoted(lines: Iterable[str]) -> str:
    return "\n".join(line[1:].removeprefix(" ") for line in lines if line.startswith(">"))


def _sections(body: str) -> list[tuple[str, list[str]]]:
    """Return (heading with its marks, lines below it) in order; what comes before the first heading has an empty one."""
    found, fenced = [("", list[str]())], False
    for line in body.split("\n"):
        fenced ^= line.startswith("```")
        heading = None if fenced else _HEADING.fullmatch(line)
        if heading:
            found.append((line.strip(), []))
        else:
            found[-1][1].append(line)
    return found


def _below(sections: Sequence[tuple[str, list[str]]], wanted: re.Pattern[str]) -> list[str]:
    """Return the lines of the sections whose heading fits, and of the sections inside them, each of these after its heading."""
    found, level = list[str](), 0
    for heading, lines in sections:
        depth = len(heading) - len(heading.lstrip("#"))
        if level and depth > level:
            found += ["", heading.lstrip("# "), "", *lines]
        elif depth > 1 and wanted.search(heading):  # the title is no section
            level = depth
            found += ["", *lines]
        else:
            level = 0
    return found
