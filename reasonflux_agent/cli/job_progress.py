"""How jobs on many items go, on standard error: a bar on a terminal, else a line now and then; each with the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from reasonflux_agent.cli.bar import Bar
from reasonflux_agent.cli.report import printable, shorten
from reasonflux_agent.jobs.running import Watcher
from reasonflux_agent.runs.journal import Journal, Row

EVERY = 10.0
"""Seconds between two lines, where standard error is no terminal."""


class JobProgress(Bar, Watcher):
    """Shows one job; a context manager. `label` stands before its lines; `quiet`: it only counts."""

    def __init__(self, label: str = "", *, quiet: bool = False) -> None:
        super().__init__(quiet=quiet)
        self._label, self._quiet, self._said = label, quiet, time.monotonic()

    def begin(self, journal: Journal[Any], before: int, total: int | None) -> None:
        super().begin(journal, before, total)
        self._announce(journal)
        if self._bar:
            self._task = self._bar.add_task(self._standing(), total=total, completed=before)

    def row(self, row: Row) -> None:
        super().row(row)
        if self._bar:
            self._bar.update(self._task, advance=1, total=self.total, description=self._standing())
        elif line := self._line(row):
            self.note(line)

    def note(self, text: str) -> None:
        if self._bar:
            self._bar.console.print(printable(text), markup=False)
        elif not self._quiet:
            print(printable(text), file=sys.stderr, flush=True)

    def _announce(self, journal: Journal[Any]) -> None:
        if not self._bar:
            self.note(f"{self._label}{self.before} row(s) are done" + (f" of {self.total}" if self.total else ""))

    def _at(self) -> str:
        return f"{self._label}{self.before + self.new}" + (f"/{self.total}" if self.total else "")

    def _line(self, row: Row) -> str:
        """What is said about a row, where there is no bar."""
        if time.monotonic() - self._said < EVERY:
            return ""
        self._said = time.monotonic()
        return ": ".join(filter(None, (self._at(), self._standing())))

    def _standing(self) -> str:
        """How it goes."""
        return f"{self._label}{self._time_left()}"

    def _time_left(self) -> str:
        """`12 min left`; empty before the first row of this call, and after the last one."""
        return f"{_duration(self.left)} left" if self.left else ""


class BatchProgress(JobProgress):
    """Shows one batch: rows and tokens a second, failures."""

    failed = tokens = 0
    """Of this call: rows that failed, tokens of all rows."""

    def row(self, row: Row) -> None:
        self.failed += row["error"] is not None
        self.tokens += row["tokens"]
        super().row(row)

    def _standing(self) -> str:
        seconds = max(time.monotonic() - self.begun, 1e-3)
        failed = f"{self.failed} failed" if self.failed else ""
        return _joined(f"{self.new / seconds:.2f} rows/s", f"{self.tokens / seconds:.0f} tokens/s", failed, self._time_left())


class EvalProgress(JobProgress):
    """Shows one evaluation: a line a row, and each method's accuracy so far."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(quiet=quiet)
        self._rows: list[Row] = []

    def _announce(self, journal: Journal[Any]) -> None:
        self._rows = list(journal.rows.values())
        done = f"; {self.before} are done" if self.before else ""
        self.note(f"{self.total} problems to solve, over all methods{done}. Folder: {journal.path.parent}")

    def row(self, row: Row) -> None:
        self._rows.append(row)
        super().row(row)

    def _line(self, row: Row) -> str:
        said = f"failed: {row['error']}" if row["error"] else f"{row['answer']!s}, gold {row['gold']}"
        verdict = "right" if row["correct"] else "wrong"
        so_far = f"{row['method']} {verdict}, so far {self._shares()[row['method']]}"
        # the answer can be long, and is cut: last
        return shorten(f"{_joined(self._at(), self._time_left())}: {row['benchmark']} {row['id']}, {so_far}: {said}")

    def _standing(self) -> str:
        return _joined(self._time_left(), *(f"{method} {share}" for method, share in self._shares().items()))

    def _shares(self) -> dict[str, str]:
        """Method -> its accuracy so far, as `3/4 (75%)`."""
        return {method: f"{right}/{n} ({right / n:.0%})" for _, method, right, n in self._counts(by_benchmark=False)}

    def summary(self) -> Iterator[str]:
        """One line a benchmark and method."""
        counts = list(self._counts(by_benchmark=True))
        width = max((len(f"{benchmark} {method}") for benchmark, method, _, _ in counts), default=0)
        for benchmark, method, right, n in counts:
            yield f"{f'{benchmark} {method}':{width}}  {right}/{n} right ({right / n:.1%})"

    def _counts(self, *, by_benchmark: bool) -> Iterator[tuple[str, str, int, int]]:
        """(benchmark, method, right, rows), in the order of their first rows."""
        groups: dict[tuple[str, str], list[bool]] = {}
        for row in self._rows:
            groups.setdefault((row["benchmark"] if by_benchmark else "", row["method"]), []).append(row["correct"])
        for (benchmark, method), verdicts in sorted(groups.items(), key=lambda group: group[0][0]):
            yield benchmark, method, sum(verdicts), len(verdicts)


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
