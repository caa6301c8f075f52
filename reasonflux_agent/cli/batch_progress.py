"""How a batch goes, on standard error: a bar on a terminal, else a line now and then; rows, failures, and the time left."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

from reasonflux_agent.cli.bar import Bar
from reasonflux_agent.jobs.batch.runner import Watcher
from reasonflux_agent.runs.jsonl import Row

EVERY = 10.0
"""Seconds between two lines, where standard error is no terminal."""


class BatchProgress(Bar, Watcher):
    """Shows one batch; a context manager. `quiet`: counts alone."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(quiet=quiet)
        self.rows = self.failed = 0
        """Rows written, and those among them that failed."""
        self._quiet, self._total = quiet, 0
        self._before, self._tokens = 0, 0
        self._started = self._said = time.monotonic()

    def begin(self, done: int, total: int | None) -> None:
        self._before, self._total, self._started = done, total or 0, time.monotonic()
        if self._bar:
            self._task = self._bar.add_task("", total=total, completed=done)
        else:
            self._say(f"{done} row(s) are done" + (f" of {total}" if total else ""))

    def row(self, row: Row) -> None:
        self.rows += 1
        self.failed += row["error"] is not None
        self._tokens += row["tokens"]
        if self._bar:
            self._bar.update(self._task, advance=1, description=self._standing())
        elif time.monotonic() - self._said >= EVERY:
            of = f"/{self._total}" if self._total else ""
            self._say(f"{self._before + self.rows}{of}: {self._standing()}")

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def _standing(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        parts = [f"{self.rows / seconds:.2f} rows/s", f"{self._tokens / seconds:.0f} tokens/s"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self._total:
            left = max(0, self._total - self._before - self.rows) * seconds / self.rows
            parts.append(f"{timedelta(seconds=round(left))} left")
        return ", ".join(parts)
