"""docs/record.md and docs/record.schema.json say what events.py says."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.events import TYPES, Event, json_schema
from reasonflux_agent.runs.record import FORMAT, VERSION

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "record.md").read_text(encoding="utf-8")
SECTIONS = dict(section.partition("\n")[::2] for section in TEXT.split("\n## ")[1:])
KINDS = {f"`{kind.model_fields['type'].default}`": kind for kind in Event.__subclasses__()}


def fields(section: str) -> list[str]:
    """The first column of the table in a section."""
    return re.findall(r"^\| `(\w+)` \|", SECTIONS[section], re.MULTILINE)


def test_every_event_has_a_section() -> None:
    assert {f"`{type}`" for type in TYPES} == set(KINDS)  # each class is in the union that is read
    assert [title for title in SECTIONS if title.startswith("`")] == list(KINDS)
    assert fields("Fields of every event") == ["type", *Event.model_fields]
    assert f"format {VERSION}" in TEXT.partition("\n")[0]
    assert FORMAT in TEXT


@pytest.mark.parametrize("title", KINDS)
def test_a_section_lists_the_fields_of_its_event(title: str) -> None:
    assert fields(title) == [name for name in KINDS[title].model_fields if name not in (*Event.model_fields, "type")]


def test_the_schema_is_that_of_the_events() -> None:
    """UPDATE_GOLDEN=1 writes it, to be read in the diff."""
    path = DOCS / "record.schema.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == json_schema()


def test_the_block_of_the_page_reads_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    shutil.copytree(Path(__file__).parent / "version1", tmp_path / "records")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(block, {})  # noqa: S102  # our own page
    assert [line.rsplit(" ", 1)[1] for line in capsys.readouterr().out.splitlines()] == ["7"] * 3
