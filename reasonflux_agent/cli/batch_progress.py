"""How a batch goes, on standard error: a bar on a terminal, else a line now and then; rows, failures, and the time left."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Any

from reasonflux_agent.cli.bar import Bar
from reasonflux_agent.jobs.running import Watcher
from reasonflux_agent.runs.journal import Journal, Row

EVERY = 10.0
"""Seconds between two lines, where standard error is no terminal."""


class BatchProgress(Bar, Watcher):
    """Shows one batch; a context manager. `quiet`: it only counts."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(quiet=quiet)
        self.failed = 0
        """Rows of this call that failed."""
        self._quiet, self._tokens, self._said = quiet, 0, time.monotonic()

    def begin(self, journal: Journal[Any], total: int | None) -> None:
        super().begin(journal, total)
        if self._bar:
            self._task = self._bar.add_task("", total=total, completed=self.before)
        else:
            self.note(f"{self.before} row(s) are done" + (f" of {total}" if total else ""))

    def row(self, row: Row) -> None:
        super().row(row)
        self.failed += row["error"] is not None
        self._tokens += row["tokens"]
        if self._bar:
            self._bar.update(self._task, advance=1, description=self._standing())
        elif time.monotonic() - self._said >= EVERY:
            of = f"/{self.total}" if self.total else ""
            self.note(f"{self.before + self.new}{of}: {self._standing()}")

    def note(self, text: str) -> None:
        self._said = time.monotonic()
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def _standing(self) -> str:
        seconds = max(time.monotonic() - self.begun, 1e-3)
        parts = [f"{self.new / seconds:.2f} rows/s", f"{self._tokens / seconds:.0f} tokens/s"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.left is not None:
            parts.append(f"{timedelta(seconds=round(self.left))} left")
        return ", ".join(parts)
