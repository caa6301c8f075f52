"""A journal keeps the results of many items in a JSON-lines file, so that a job that was stopped goes on where it was.

Each result is one line. A process that is killed at any moment leaves whole lines and at most one last line that is cut.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Generic, Self, TypeVar

from reasonflux_agent.errors import InputError
from reasonflux_agent.files import lock

Row = dict[str, Any]
K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
STDOUT = "standard output"


class Journal(Generic[K]):
    """The results of a job, by the key of the item that each is the result of. Use it as a context manager.

    On entry it creates the file and its folder if they are not there, locks the file, removes a cut last line, and reads the
    rows. When the process ends, however it ends, the system releases the lock.

    >>> from operator import itemgetter
    >>> path = Path(tempfile.mkdtemp()) / "squares.jsonl"
    >>> header = {"format": "squares", "version": 1, "settings": {"power": 2}}
    >>> with Journal(path, itemgetter("n"), header=header) as journal:
    ...     for n in journal.missing(range(3)):
    ...         journal.add({"n": n, "result": n**2})

    A later call does what is missing. It refuses a file that was written with other settings (InputError):

    >>> with Journal(path, itemgetter("n"), header=header) as journal:
    ...     print(journal.missing(range(5)), journal.rows[2])
    [3, 4] {'n': 2, 'result': 4}
    >>> with Journal(path, itemgetter("n"), header={**header, "settings": {"power": 3}}):  # doctest: +ELLIPSIS
    ...     pass
    Traceback (most recent call last):
    reasonflux_agent.errors.InputError: ...squares.jsonl holds ... other settings: settings.power was 2, is 3. Next: ...
    """

    def __init__(
        self,
        path: str | Path,
        key: Callable[[Row], K],
        *,
        header: Row | None = None,
        rows: Any = None,
        drop: Callable[[Row], bool] | None = None,
    ) -> None:
        """`path`: the file; `-` is standard output, which holds no earlier rows and is not locked.

        `key` returns the key of a row. It raises KeyError, TypeError or ValueError for what is not a row of this file.
        `header` is the first line of the file: `format`, `version`, and `settings`, on which the results depend.
        `rows`: an object to keep the rows in place of a dict, if they are too many for the memory (`[key] = row`, `in`, `len`).
        `drop` sees each row that is read. Rows for which it is true are removed from the file, and are missing again.
        """
        self.path, self.name = Path(path), STDOUT if str(path) == "-" else str(path)
        self.key, self.header, self.drop = key, header, drop
        self.rows: dict[K, Row] = {} if rows is None else rows
        """Key -> row. Of two rows with the same key the later one counts."""
        self._file: IO[bytes] | None = None
        self._adding, self._open = threading.Lock(), ExitStack()

    def __enter__(self) -> Self:
        """Raises InputError: another process holds the file, it cannot be written, is damaged, or has other settings."""
        if self.name == STDOUT:
            self._file = sys.stdout.buffer
            return self
        with ExitStack() as opened:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = opened.enter_context(self.path.open("ab+", buffering=0))
            except OSError as error:
                raise InputError(f"{self.name} cannot be written: {error}. Next: name another file.") from None
            if not lock(self._file, wait=False):
                raise InputError(f"Another process is writing {self.name}. Next: wait for it, stop it, or name another file.")
            self._open = opened.pop_all()
        try:
            self._read()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def missing(self, keys: Iterable[K]) -> list[K]:
        """The keys that have no row, in their order."""
        return [key for key in keys if key not in self.rows]

    def add(self, row: Row) -> None:
        """Keeps a row: one line, which the system has when this returns. Any thread may call it."""
        with self._adding:
            assert self._file is not None
            _write(self._file, row)
            self.rows[self.key(row)] = row

    def forget(self, failed: Callable[[Row], bool]) -> None:
        """Makes the rows for which `failed` is true missing again. They stay in the file, and count until there are others."""
        self.rows = {key: row for key, row in self.rows.items() if not failed(row)}

    def _read(self) -> None:
        if not self.path.is_file():  # not there yet, or a device or a pipe, which holds no earlier rows
            return
        dropped, empty = False, True
        for row, key in read_rows(self.path, self._parse, repair=True):
            if self.header and empty:
                refuse_other(self.name, row, self.header)
            elif self.drop and self.drop(row):
                dropped = True
            else:
                self.rows[key] = row
            empty = False
        if self.header and empty and self._file:
            _write(self._file, self.header)
        if self.drop and dropped:
            self._remove(self.drop)

    def _parse(self, row: Row) -> Any:
        """The key of a row; None for a header."""
        return None if self.header and "format" in row else self.key(row)

    def _remove(self, dropped: Callable[[Row], bool]) -> None:
        """Writes the file anew, row by row; locks it before it takes the place of the old one."""
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            self._file = self._open.enter_context(os.fdopen(handle, "ab", buffering=0))
            lock(self._file, wait=False)
            for row, key in read_rows(self.path, self._parse):
                if key is None or not dropped(row):
                    _write(self._file, row)
            os.chmod(temporary, self.path.stat().st_mode)
            os.replace(temporary, self.path)
        except BaseException:
            os.unlink(temporary)
            raise


def read_rows(path: Path, parse: Callable[[Row], T], *, repair: bool = False) -> Iterator[tuple[Row, T]]:
    """Yield each row of a file with what `parse` returns for it, without a last line that a kill cut.

    `parse` raises KeyError, TypeError or ValueError for what is not a row of this file. `repair` removes a cut line from the
    file. Raises InputError that names a damaged line.
    """
    whole = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            cut = line.startswith(b"{") and not line.endswith(b"\n")
            try:
                row = json.loads(line)
                parsed = parse(row)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                if not (cut and isinstance(error, ValueError)):
                    raise InputError(
                        f"{path} is damaged in line {number}: {error!r}. Next: remove that line; it is done again."
                    ) from None
            if cut:
                if repair:
                    os.truncate(path, whole)
                return
            whole += len(line)
            yield row, parsed


def to_line(row: Row, default: Callable[[object], object] | None = None) -> bytes:
    """Return a row as its line; `default` makes values JSON-plain that are not."""
    # a lone surrogate, which a model's reply can hold, becomes its JSON escape
    return (json.dumps(row, ensure_ascii=False, default=default) + "\n").encode(errors="backslashreplace")


def refuse_other(name: str, before: Row, now: Row, about: str = "") -> None:
    """Raise InputError, which names what differs, if the settings `before` are not those of `now`. `about` names their row."""
    if before == now:
        return
    old, new = _flat(before), _flat(json.loads(json.dumps(now)))
    differs = [f"{key} was {old.get(key)!r}, is {new.get(key)!r}" for key in sorted(old | new) if old.get(key) != new.get(key)]
    if differs:
        raise InputError(
            f"{name} holds rows that were solved with other settings{about}: {'; '.join(differs[:8])[:1500]}. "
            "Next: give the same options, or name another file or folder."
        )


def _flat(value: Any, name: str = "") -> Row:
    """The leaves of nested objects by their dotted names."""
    if not isinstance(value, dict):
        return {name: value}
    parts = ((f"{name}.{part}" if name else part, inner) for part, inner in value.items())
    return {key: leaf for part, inner in parts for key, leaf in _flat(inner, part).items()}


def _write(file: IO[bytes], row: Row) -> None:
    rest = memoryview(to_line(row))
    while rest:  # a full disk may take a part of it
        rest = rest[file.write(rest) :]
    file.flush()
