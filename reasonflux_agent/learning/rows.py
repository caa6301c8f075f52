"""The rows to learn from: read, rid of near-copies, and split so that what is claimed rests on rows that chose nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError, field_validator

from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.evaluation.benchmarks import load, title
from reasonflux_agent.runs.journal import read_rows as read_lines
from reasonflux_agent.schema import Value
from reasonflux_agent.verify.scoring import check_scorer, score

FEWEST = 6
"""Rows below which nothing can be shown: six wins and no loss are the least that an exact test at 5 % accepts."""
SEALED_ABOVE = 150
"""With more rows than this, half of them are a sealed hold-out; with fewer, the claim is cross-fitted."""
FOLDS = 5
COPY = 0.9
"""Two rows with the same numbers, and at least this share of their words in common, are copies of one problem."""


class LearningRow(Value):
    """A solved problem."""

    model_config = ConfigDict(frozen=True, extra="allow")

    problem: str
    answer: str
    solution: str = ""
    """A worked solution, if there is one. It is shown where the model itself is never right."""
    group: str = ""
    """The kind of problem; rows of one group share a template. Without any, all rows are one group."""
    scorer: str | None = None
    """The registered scorer that decides whether an answer is right; None: the grader."""

    @field_validator("answer", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("problem", "answer")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("it is empty")
        return value.strip()

    @property
    def id(self) -> str:
        """What the row is called in the ledger and in a template's provenance: a digest of problem and answer."""
        return hashlib.sha256(json.dumps([self.problem, self.answer]).encode()).hexdigest()[:12]

    def score(self, answer: str | None, scorer: str | None = None) -> bool | None:
        """Return whether an answer is right; None where that could not be decided (see `verify.scoring.score`)."""
        return score(self.model_dump(), answer, scorer)


Rows = str | Path | Iterable[Mapping[str, Any] | str | Path]
"""A file of JSON lines, the name of a benchmark, rows, or several of these."""


def read_rows(rows: Rows, data_dir: str | Path | None = None) -> list[LearningRow]:
    """Return all rows, without near-copies, in an order that their texts decide.

    Benchmarks are named as for `eval` (`gsm8k:0-50`, `gym:base_conversion:0-40`). The group of such a row is its own, else its
    subject, else the benchmark. Raises InputError that names the row and the field.
    """
    given = [rows] if isinstance(rows, str | Path) else rows
    read = [row for number, source in enumerate(given, 1) for row in _read(source, number, data_dir)]
    return without_copies(sorted(read, key=lambda row: row.id))


def enough(rows: Sequence[LearningRow]) -> None:
    """Raise InputError if there are fewer than FEWEST rows."""
    if len(rows) < FEWEST:
        raise InputError(f"There are {len(rows)} different row(s); fewer than {FEWEST} can show nothing. Next: give more rows.")


def _read(source: Mapping[str, Any] | str | Path, number: int, data_dir: str | Path | None) -> Iterator[LearningRow]:
    if isinstance(source, Mapping):
        yield _row(source, f"rows, row {number}")
    elif str(source).endswith(".jsonl"):
        for number, row in enumerate(_lines(Path(source)), 1):
            yield _row(row, f"{source}, row {number}")
    else:
        for item in load(str(source), data_dir):
            group = item.row.get("group") or item.subject or title(str(source))
            about = {"problem": item.problem, "answer": item.answer, "unit": item.unit, "group": group}
            yield _row({**item.row, **about}, f"{source}, row {item.id}")


def _row(row: Mapping[str, Any], where: str) -> LearningRow:
    try:
        if row.get("scorer") is not None:
            check_scorer(row["scorer"])
        return LearningRow.model_validate(row)
    except ValidationError as error:
        fault = error.errors()[0]
        said = f"{'.'.join(map(str, fault['loc'])) or 'row'!r}: {fault['msg']}"
    except (ValueError, AttributeError) as error:
        said = str(error)
    raise InputError(
        f"{where}: {said}. A row has `problem` and `answer`, and may have `solution`, `group` and `scorer`, all texts. "
        "Next: correct it."
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [row for row, _ in read_lines(path, dict)]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. Next: name a file of JSON lines.") from None


def without_copies(rows: Sequence[LearningRow]) -> list[LearningRow]:
    """Return the rows, without those that are nearly equal to an earlier one: a copy would test a row by itself."""
    kept: list[LearningRow] = []
    seen: dict[tuple[str, ...], list[set[str]]] = {}
    for row in rows:
        words = set(re.findall(r"\w+", row.problem.lower()))
        alike = seen.setdefault(tuple(sorted(re.findall(r"\d+", row.problem))), [])
        if all(len(words & other) < COPY * len(words | other) for other in alike):
            kept.append(row)
        alike.append(words)
    return kept


def by_group(rows: Iterable[LearningRow]) -> dict[str, list[LearningRow]]:
    """Return the rows of each group, groups in alphabetical order."""
    groups: dict[str, list[LearningRow]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return dict(sorted(groups.items()))


Fold = tuple[list[LearningRow], list[LearningRow]]
"""Learning rows, and the rows that test what is learned from them."""


def split(rows: Sequence[LearningRow]) -> list[Fold]:
    """Return one fold, with a sealed hold-out, or FOLDS that test every row once.

    The rows of each group are dealt out in turn, so that every fold tests some of each group.
    """
    folds = 2 if len(rows) > SEALED_ABOVE else FOLDS
    dealt = [row for group in by_group(rows).values() for row in group]
    parts = [dealt[at::folds] for at in range(folds)]
    pairs = [([row for other in parts if other is not part for row in other], part) for part in parts]
    return pairs[:1] if folds == 2 else pairs
