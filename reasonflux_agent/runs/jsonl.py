"""JSON-lines files that a run appends to, a whole line at a time: a kill leaves whole lines, and at most a cut last one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from reasonflux_agent.errors import InputError

Row = dict[str, Any]


def to_line(row: Row) -> bytes:
    """A row as its line."""
    # a lone surrogate, which a model's reply can hold, becomes its JSON escape
    return (json.dumps(row, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def read_rows(path: Path, check: Callable[[Row], object]) -> Iterator[Row]:
    """The rows of a file, one at a time; a last line that a kill cut is removed from the file at the end.

    `check` raises KeyError, TypeError or ValueError for what is not a row of this file. Raises InputError naming the line.
    """
    if not path.exists():
        return
    whole = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            cut = line.startswith(b"{") and not line.endswith(b"\n")
            try:
                row = json.loads(line)
                check(row)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                if cut and isinstance(error, ValueError):
                    break
                raise InputError(
                    f"{path} is damaged in line {number}: {error!r}. Next: remove that line; it is done again."
                ) from None
            if cut:
                break
            whole += len(line)
            yield row
    if whole < path.stat().st_size:
        os.truncate(path, whole)


def lock(file: IO[Any]) -> bool:
    """Keeps other processes out until the file is closed, also by a crash; False where another one holds it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
