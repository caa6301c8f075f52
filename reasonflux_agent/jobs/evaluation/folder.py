"""The folder of an evaluation: `run.json` (what is run), `results.jsonl` (a line per problem solved), `records/`.

A line is appended whole, so a killed run leaves a folder that a later call completes. Of two lines on the same the later one
counts: a failure that is done again stays until there is another result.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reasonflux_agent.errors import InputError
from reasonflux_agent.files import write_atomically
from reasonflux_agent.runs.jsonl import lock, read_rows, to_line

FORMAT, VERSION = "reasonflux-eval", 1
Row = dict[str, Any]
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
    """What stands in `run.json`."""
    rows: dict[Key, Row] = field(default_factory=dict)
    """The results so far, in order."""

    @property
    def records(self) -> Path:
        """Where the records of the runs lie."""
        return self.path / "records"

    @property
    def results(self) -> Path:
        """The file of the rows."""
        return self.path / "results.jsonl"

    def append(self, row: Row) -> None:
        """Adds a result, in one write."""
        with self.results.open("ab") as file:
            file.write(to_line(row))
        self.rows[key_of(row)] = row

    def forget_failures(self) -> None:
        """Makes the problems that failed due again."""
        self.rows = {key: row for key, row in self.rows.items() if not row["error"]}

    def note(self, name: str, value: Any) -> None:
        """Adds something that was decided on the way to `run.json`."""
        self.settings[name] = value
        write_atomically(self.path / "run.json", (json.dumps(self.settings, ensure_ascii=False, indent=2) + "\n").encode())


@contextmanager
def hold(path: Path, configuration: Row) -> Iterator[Folder]:
    """The folder, new or taken up again, while no other process works in it.

    `configuration` is of all methods that the folder has (`methods_of`), as they are today; those that are new to it are added.
    Raises InputError: in use, made by another configuration (it says what differs), or damaged.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        held = (path / "lock").open("a+")
    except OSError as error:
        raise InputError(f"The folder {path} cannot be written: {error}. Next: name another with --out.") from None
    with held:
        _lock(held, path)
        folder = Folder(path, _settings(path, json.loads(json.dumps(configuration))))
        folder.rows = {key_of(row): row for row in read_rows(folder.results, key_of)}
        folder.note("started", folder.settings.get("started") or datetime.now(UTC).isoformat(timespec="seconds"))
        yield folder


def methods_of(path: Path) -> list[str]:
    """The methods of the evaluation that a folder holds, in order; none where `hold` will make one, or say what is wrong."""
    try:
        return [str(name) for name in json.loads((path / "run.json").read_text(encoding="utf-8"))["methods"]]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _lock(file: Any, path: Path) -> None:
    """Keeps other processes out until the file is closed, also by a crash."""
    if not lock(file):
        file.seek(0)
        raise InputError(
            f"Another process ({file.read().strip() or 'unknown'}) is evaluating into {path}. "
            "Next: wait for it, stop it, or name another folder with --out."
        )
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()


def _settings(path: Path, wanted: Row) -> Row:
    """The settings that stand in the folder, with the methods that are new to it, once they are known to be the wanted ones;
    the wanted ones in a new folder."""
    file = path / "run.json"
    if not file.exists():
        return wanted
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        methods, contexts = list(found.get("methods", [])), dict(found.get("contexts", {}))
    except (OSError, TypeError, ValueError) as error:
        raise InputError(f"{file} is not of an evaluation: {error}. Next: name another folder with --out.") from None
    new = [name for name in wanted["methods"] if name not in methods]
    both = found | {"methods": methods + new, "contexts": contexts | {name: wanted["contexts"][name] for name in new}}
    before, now = _flat({name: both.get(name) for name in wanted}), _flat(wanted)
    differs = [name for name in sorted(before | now) if before.get(name) != now.get(name)]
    if differs:
        shown = "; ".join(f"{name} was {before.get(name)!r}, is {now.get(name)!r}" for name in differs[:8])
        raise InputError(
            f"The folder {path} holds another evaluation, which cannot be gone on with: {shown[:1500]}. "
            "Next: give the same options, or name another folder with --out."
        )
    return both


def _flat(value: Any, name: str = "") -> Row:
    if not isinstance(value, dict):
        return {name: value}
    parts = ((f"{name}.{part}" if name else part, inner) for part, inner in value.items())
    return {key: leaf for part, inner in parts for key, leaf in _flat(inner, part).items()}
