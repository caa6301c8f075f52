"""The folder of an evaluation: `run.json` (what is run), `results.jsonl` (a line per problem solved), `records/`.

Of two lines on the same problem the later one counts: a failure stays until there is another result.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reasonflux_agent.errors import InputError, RecordError
from reasonflux_agent.files import write_atomically
from reasonflux_agent.jobs.evaluation.methods import upgraded
from reasonflux_agent.jobs.evaluation.results import read_settings
from reasonflux_agent.runs.journal import Journal, Row, refuse_other

Key = tuple[str, str, int, str]
"""Benchmark, method, repeat, id of the problem: what a row is the result of."""


def key_of(row: Row) -> Key:
    """What a row is the result of."""
    return row["benchmark"], row["method"], row["repeat"], row["id"]


@dataclass
class Folder:
    """An evaluation's folder, held by this process."""

    path: Path
    settings: Row
    """The content of `run.json`."""
    journal: Journal[Key]
    """The results so far."""

    def note(self, name: str, value: Any) -> None:
        """Adds something that was decided on the way to `run.json`."""
        self.settings[name] = value
        write_atomically(self.path / "run.json", (json.dumps(self.settings, ensure_ascii=False, indent=2) + "\n").encode())


@contextmanager
def hold(path: Path, configuration: Row) -> Iterator[Folder]:
    """The folder, new or taken up again, while no other process works in it.

    `configuration` is of all methods that the folder has (`methods_of`), as they are today; methods that are new to it are
    added. Raises InputError: in use, made by another configuration (it says what differs), or damaged.
    """
    with Journal(path / "results.jsonl", key_of) as journal:
        folder = Folder(path, _settings(path, json.loads(json.dumps(configuration))), journal)
        folder.note("started", folder.settings.get("started") or datetime.now(UTC).isoformat(timespec="seconds"))
        yield folder


def methods_of(path: Path) -> list[str]:
    """The methods of the evaluation in a folder, in order; none where `hold` makes one, or says what is wrong."""
    try:
        return [str(name) for name in read_settings(path)["methods"]]
    except (RecordError, TypeError, KeyError):
        return []


def _settings(path: Path, wanted: Row) -> Row:
    """The wanted settings in a new folder; else those of the folder and its new methods, if the wanted ones are the same."""
    if not (path / "run.json").exists():
        return wanted
    try:
        found = read_settings(path)
        methods = list(found.get("methods", []))
        contexts = {name: upgraded(name, context) for name, context in dict(found.get("contexts", {})).items()}
    except (RecordError, TypeError, ValueError, AttributeError, KeyError) as error:
        raise InputError(f"{path} holds no evaluation: {error} Next: name another folder with --out.") from None
    new = [name for name in wanted["methods"] if name not in methods]
    both = found | {"methods": methods + new, "contexts": contexts | {name: wanted["contexts"][name] for name in new}}
    refuse_other(str(path), {name: both.get(name) for name in wanted}, wanted)
    return both
