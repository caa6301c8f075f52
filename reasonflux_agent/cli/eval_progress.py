"""How an evaluation goes, on standard error: a bar on a terminal, else a line a row; each with accuracies and the time left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from reasonflux_agent.cli.bar import Bar
from reasonflux_agent.cli.report import printable, shorten
from reasonflux_agent.jobs.running import Watcher
from reasonflux_agent.runs.journal import Journal, Row


class EvalProgress(Bar, Watcher):
    """Shows one evaluation; a context manager."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []

    def begin(self, journal: Journal[Any], total: int | None) -> None:
        super().begin(journal, total)
        self._rows = list(journal.rows.values())
        done = f"; {self.before} are done" if self.before else ""
        self.note(f"{total} problems to solve, over all methods{done}. Folder: {journal.path.parent}")
        if self._bar:
            self._task = self._bar.add_task(self._standing(), total=total, completed=self.before)

    def row(self, row: Row) -> None:
        super().row(row)
        self._rows.append(row)
        if self._bar:
            self._bar.update(self._task, advance=1, description=self._standing())
            return
        said = f"failed: {row['error']}" if row["error"] else f"{row['answer']!s}, gold {row['gold']}"
        verdict = "right" if row["correct"] else "wrong"
        at = _joined(f"{len(self._rows)}/{self.total}", self._time_left())
        so_far = f"{row['method']} {verdict}, so far {self._shares()[row['method']]}"
        # the answer can be long, and is cut: last
        print(shorten(f"{at}: {row['benchmark']} {row['id']}, {so_far}: {said}"), file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        if self._bar:
            self._bar.console.print(printable(text), markup=False)
        else:
            print(printable(text), file=sys.stderr, flush=True)

    def _standing(self) -> str:
        """The time left, and each method's accuracy so far."""
        return _joined(self._time_left(), *(f"{method} {share}" for method, share in self._shares().items()))

    def _shares(self) -> dict[str, str]:
        """Method -> its accuracy so far, as `3/4 (75%)`."""
        return {method: f"{right}/{n} ({right / n:.0%})" for _, method, right, n in self._counts(by_benchmark=False)}

    def _time_left(self) -> str:
        """`12 min left`; empty before the first row of this call, and after the last one."""
        return f"{_duration(self.left)} left" if self.left else ""

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
