"""How an evaluation goes, on standard error: a bar on a terminal, else a line a row; each with accuracies and the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from reasonflux_agent.cli.bar import Bar
from reasonflux_agent.cli.report import printable, shorten
from reasonflux_agent.jobs.evaluation.folder import Folder, Row
from reasonflux_agent.jobs.evaluation.runner import Watcher


class EvalProgress(Bar, Watcher):
    """Shows one evaluation; a context manager."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._total = self._before = 0
        self._started = time.monotonic()

    def begin(self, folder: Folder, total: int) -> None:
        self._rows, self._total, self._started = list(folder.rows.values()), total, time.monotonic()
        self._before = len(self._rows)
        done = f"; {self._before} are done" if self._before else ""
        self.note(f"{total} problems to solve, over all methods{done}. Folder: {folder.path}")
        if self._bar:
            self._task = self._bar.add_task(self._standing(), total=total, completed=self._before)

    def row(self, row: Row) -> None:
        self._rows.append(row)
        if self._bar:
            self._bar.update(self._task, advance=1, description=self._standing())
            return
        said = f"failed: {row['error']}" if row["error"] else f"{row['answer']!s}, gold {row['gold']}"
        verdict = "right" if row["correct"] else "wrong"
        at = _joined(f"{len(self._rows)}/{self._total}", self._left())
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
        return _joined(self._left(), *(f"{method} {share}" for method, share in self._shares().items()))

    def _shares(self) -> dict[str, str]:
        """Method -> its accuracy so far, as `3/4 (75%)`."""
        return {method: f"{right}/{n} ({right / n:.0%})" for _, method, right, n in self._counts(by_benchmark=False)}

    def _left(self) -> str:
        """`12 min left`; empty before the first row of this call, and after the last one."""
        done = len(self._rows) - self._before
        seconds = (time.monotonic() - self._started) / done * (self._total - len(self._rows)) if done else 0.0
        return f"{_duration(seconds)} left" if seconds else ""

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
