"""Marked run records as rows to learn from: the traffic of a deployment, as far as somebody said what is right."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from reasonflux_agent.errors import InputError, RecordError
from reasonflux_agent.events import Feedback
from reasonflux_agent.learning.rows import Rows
from reasonflux_agent.runs.feedback import is_mark
from reasonflux_agent.runs.record import Record, read_record
from reasonflux_agent.schema import Solution

log = logging.getLogger(__name__)
Paths = str | Path | Iterable[str | Path]


def rows_of_records(paths: Paths) -> list[dict[str, Any]]:
    """Return a row (`problem`, `answer`, perhaps `group`) for each problem of marked records, in the order of the marks.

    `paths`: records, or folders of them. The answer is the right one that the mark gives; of several marks of a problem the
    latest counts. A record that is marked wrong without a right answer gives no row. What is left out is counted in a logged
    warning. Raises RecordError for a named file that is no record, and InputError if there is no row.
    """
    named = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    left_out: Counter[str] = Counter()
    marked = [found for record in _records(named, left_out) if (found := _marked(record, left_out))]
    rows: dict[str, dict[str, Any]] = {}
    for mark, solution, group in sorted(marked, key=lambda found: found[0].time):
        problem = solution.problem  # of a conversation: its last turn as a problem of its own
        if mark.answer:
            rows.pop(problem, None)
            rows[problem] = {"problem": problem, "answer": mark.answer, **({"group": group} if isinstance(group, str) else {})}
            continue
        left_out["marked wrong without a right answer"] += 1
        if problem in rows and rows[problem]["answer"] == solution.answer:
            del rows[problem]  # an earlier mark calls this answer right
    counts = ", ".join(f"{count} {why}" for why, count in left_out.items())
    if not rows:
        raise InputError(
            f"There is no row to learn from in {', '.join(map(str, named))}; records: {counts or 'none'}. Next: mark runs with "
            "`reasonflux feedback`, on the run page or at POST /v1/feedback."
        )
    if counts:
        log.warning("Of the records, %d give a row; left out: %s.", len(rows), counts)
    return list(rows.values())


def with_records(rows: Rows, records: Paths) -> Rows:
    """Return what is learned from: `rows`, and those of marked `records`, if there are any."""
    given = [rows] if isinstance(rows, str | Path) else rows
    return [*given, *rows_of_records(records)] if records else given


def _records(named: Iterable[Path], left_out: Counter[str]) -> Iterator[Record]:
    """Yield the named records, and those of the named folders that may be marked."""
    for path in named:
        if not path.is_dir():
            yield read_record(path)
            continue
        for file in sorted(path.rglob("*.jsonl")):
            try:
                if is_mark(file.read_bytes()):  # to read a record in full takes long, and most are not marked
                    yield read_record(file)
                else:
                    left_out["not marked"] += 1
            except (OSError, RecordError):  # one bad file must not stop those who learn from what a server writes
                left_out["not readable"] += 1


def _marked(record: Record, left_out: Counter[str]) -> tuple[Feedback, Solution, object] | None:
    """Return the mark of a record, what is marked, and the group; None for a record that is not marked, which is counted."""
    if record.feedback and record.solution:
        return record.feedback, record.solution, record.header.get("group")
    left_out["not marked"] += 1
    return None
