"""The list of runs in a folder: newest first, searchable. What was read of a record is kept while its file stays the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from reasonflux_agent.runs.feedback import is_mark
from reasonflux_agent.runs.record import FORMAT
from reasonflux_agent.schema import Solution
from reasonflux_agent.serving.ui.runs import Runs

PAGE = 20
"""Runs on a page of the list."""
UNFINISHED = "unfinished"
"""State of a record without an end; `open` is one that waits for an answer or was stopped, and can go on."""


class Row(NamedTuple):
    """A run in the list."""

    run: str
    begun: float
    """Seconds since 1970."""
    problem: str
    state: str = UNFINISHED
    answer: str = ""
    certainty: str = ""
    """How sure the answer is; empty if there is none."""
    mark: str = ""
    """`marked right` or `marked wrong`, if a person has said so."""


def search(runs: Runs, query: str, number: int = 1) -> tuple[list[Row], int, int]:
    """Return a page of the runs whose problem, answer or state holds `query`, newest first; how many do; and how many are."""
    rows = sorted(_rows(runs), key=lambda row: row.begun, reverse=True)
    wanted = query.casefold()
    found = [r for r in rows if wanted in f"{r.problem}\n{r.answer}\n{r.state} {r.certainty} {r.mark}".casefold()]
    return found[(number - 1) * PAGE : number * PAGE], len(found), len(rows)


def _rows(runs: Runs) -> Iterator[Row]:
    kept = runs.kept.copy()
    for path in runs.directory.glob("*.jsonl"):
        try:
            stat = path.stat()
        except OSError:  # the file was deleted, or is a link to nothing
            continue
        row = _row(path, stat.st_mtime_ns, stat.st_size)
        if row and row.state == UNFINISHED:
            row = row._replace(state="running" if runs.work(row.run).under_way else "open" if row.run in kept else UNFINISHED)
        if row:
            yield row


@lru_cache(maxsize=100_000)
def _row(path: Path, changed: int, size: int) -> Row | None:
    """Return what the list says of a record, from its first and last lines. None for a file that is no record."""
    try:
        with path.open("rb") as file:
            header = _object(file.readline())
            last = mark = b""
            for line in file:
                last, mark = (last, line) if is_mark(line) else (line, b"")
        if header.get("format") != FORMAT:
            return None
        datetime.fromtimestamp(header["time"])  # raises if it cannot be shown
        row = Row(path.stem, header["time"], str(header["problem"]))
        if not (kept := _object(last).get("solution")):
            return row
        solution = Solution.model_validate(kept)
        row = row._replace(state=solution.status, answer=solution.answer or "", certainty=solution.certainty)
        return row._replace(mark=f"marked {'right' if _object(mark).get('correct') else 'wrong'}") if mark else row
    except (OSError, LookupError, TypeError, ValueError, ArithmeticError):  # one bad file must not hide the others
        return None


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
