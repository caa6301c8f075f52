"""Reads run records against gold answers: which of a run's solutions are right, decided by grading alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from files import digest_files

from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.evaluation.benchmarks import Item, load
from reasonflux_agent.runs.record import Record, read_record, reading
from reasonflux_agent.schema import Candidate, Solution
from reasonflux_agent.verify.grading import grade


@dataclass(frozen=True)
class Solved:
    """A finished run of a problem whose answer is known."""

    record: Record
    solution: Solution
    item: Item

    @property
    def right(self) -> list[Candidate]:
        """The candidates whose answer is right and whose text is whole, in the order in which they were made."""
        return [c for c in self.solution.candidates if not c.truncated and is_right(c.answer, self.item)]

    @property
    def seconds(self) -> float:
        """Of all its model calls, summed."""
        return seconds(self.record)


def record_files(paths: Sequence[Path]) -> dict[str, Path]:
    """All records (*.jsonl) in these files and folders, by a key that changes with their content. Raises InputError."""
    found = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*.jsonl")))]
    if not found:
        raise InputError(f"There is no record in {', '.join(map(str, paths))}. Next: name a folder that `--record` wrote.")
    # by content, so that neither the folder's place nor the order of its files matters, and a copy counts once
    return dict(sorted((digest_files([file])["sha256"][:16], file) for file in found))


def read_gold(path: Path) -> dict[str, Item]:
    """Problem, blanks evened out -> its item, from rows with `problem` and `answer`. Raises InputError."""
    return {_evened(item.problem): item for item in load(str(path))}


def read_solved(path: Path, gold: Mapping[str, Item]) -> Solved | str:
    """The run of a record, or in words why there is none. Raises RecordError for what is damaged."""
    with reading(path):
        record = read_record(path)
        item, solution = gold.get(_evened(record.begin.problem)), record.solution
    if item is None:
        return "no gold answer"
    return Solved(record, solution, item) if solution else "unfinished"


def is_right(answer: str | None, item: Item) -> bool:
    """Whether an answer is the gold one, with its unit or without."""
    return grade(answer, item.answer, item.unit, problem=item.problem)


def seconds(record: Record) -> float:
    """What the model calls of a record took, summed."""
    return sum(call.seconds for call in record.calls)


def _evened(text: str) -> str:
    return " ".join(text.split())
