"""The rows of a batch: read as they come, told apart by their ids, kept in 16 bytes each."""

from __future__ import annotations

import asyncio
import json
import os
import select
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import blake2b
from typing import BinaryIO, NamedTuple

import numpy as np

from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError
from reasonflux_agent.models import check_spec
from reasonflux_agent.runs.journal import Row

BLOCK = 1 << 16
MAX_LINE = 8 << 20
"""Bytes of a line at most: what is longer is no row of a batch."""


class Job(NamedTuple):
    """One row to solve, plain so that an engine can send it anywhere."""

    number: int
    """Line of the input, from 1."""
    id: str
    problem: str
    row: Row
    """The whole row as it was given."""
    error: str = ""
    """Why it cannot be solved; empty for one that can."""

    @property
    def settings(self) -> Row:
        """The fields of the Context that hold for this row alone."""
        return settings_of(self.row)


async def read_jobs(source: BinaryIO) -> AsyncIterator[Job]:
    """The rows of a JSON-lines input. A line that is no row is a Job with an error; raises InputError if the first one is."""
    first = True
    async for number, line in _lines(source):
        if not line.strip():
            continue
        job = parse(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, number)
        if first and job.error:
            raise InputError(f"The input is no batch: {job.error} Next: give JSON lines, each with a 'problem'.")
        first = False
        yield job


def parse(line: bytes, number: int) -> Job:
    """The Job of a line: its id is the row's, else its number."""
    row: Row = {}
    try:
        found = json.loads(line)
        if not isinstance(found, dict):
            raise ValueError(f"it is {type(found).__name__}, not an object")
        row, problem, id = found, found.get("problem"), found.get("id")
        if not isinstance(problem, str) or not problem.strip():
            raise ValueError(f"its 'problem' is {str(problem)[:80]!r}, not a text; it has the fields {', '.join(row)[:200]}")
        if id is not None and (isinstance(id, bool) or not isinstance(id, str | int)):
            raise ValueError(f"its 'id' is {str(id)[:80]!r}, neither a text nor an integer")
        _check_settings(row.get("settings"))
    except (ValueError, RecursionError) as error:
        return refused(Job(number, "", "", row or {"line": line[:500].decode(errors="replace")}), str(error))
    return Job(number, str(number) if id is None else str(id), problem, row)


def _check_settings(settings: object) -> None:
    """Raises ValueError, and InputError, for what are no settings of a row."""
    if settings is None:
        return
    if not isinstance(settings, dict):
        raise ValueError(f'its \'settings\' are {str(settings)[:80]!r}, not an object such as {{"effort": "high"}}')
    context = Context.of(**settings)
    for spec in filter(None, (context.navigator, context.solver)):
        check_spec(spec)


def refused(job: Job, why: str) -> Job:
    """The Job of a row that cannot be solved; its id is its line's, because its own may be missing or another row's."""
    return job._replace(id=f"line {job.number}", problem="", error=f"line {job.number} is no row: {why.rstrip('.')}.")


async def _lines(source: BinaryIO) -> AsyncIterator[tuple[int, bytes]]:
    """Numbered lines, as soon as they are there."""
    blocking = not stat.S_ISREG(os.fstat(source.fileno()).st_mode)
    number, rest = 0, b""
    while True:
        block = await _wait_for_block(source.fileno()) if blocking else os.read(source.fileno(), BLOCK)
        *lines, rest = (rest + block).split(b"\n")
        if not block and rest:
            lines, rest = [rest], b""
        for line in lines:
            number += 1
            yield number, line
        if not block:
            return
        if len(rest) > MAX_LINE:
            raise InputError(f"Line {number + 1} of the input is longer than {MAX_LINE:,} bytes. Next: give JSON lines.")


async def _wait_for_block(file: int) -> bytes:
    """The next bytes of a pipe. A daemon thread reads them, so that Ctrl-C does not wait for a pipe that nobody writes."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[bytes | OSError] = loop.create_future()

    def tell(found: bytes | OSError) -> None:
        if not came.done():
            came.set_result(found)

    def read() -> None:
        found: bytes | OSError | None = None
        while found is None:
            try:
                found = os.read(file, BLOCK)
            except BlockingIOError:  # a pipe that does not block
                select.select([file], [], [])
            except OSError as error:
                found = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=read, daemon=True).start()
    block = await came
    if isinstance(block, OSError):
        raise InputError(f"The input cannot be read: {block}. Next: see to what writes it; the call resumes.")
    return block


def count_lines(source: BinaryIO) -> int | None:
    """The number of lines of a file, which stays at its beginning; None for a pipe."""
    if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        return None
    count, last = 0, b"\n"
    while block := os.read(source.fileno(), 1 << 20):
        count, last = count + block.count(b"\n"), block
    os.lseek(source.fileno(), 0, os.SEEK_SET)
    return count + (not last.endswith(b"\n"))


def digest(text: str) -> int:
    """64 bits of a text. The chance that any two of a million ids share them is 3 in 10^8."""
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())


class Index:
    """Ids with the digest of what the row of each asks: 16 bytes a row. A Journal can keep it in place of its rows."""

    def __init__(self) -> None:
        self._ids, self._asked = np.empty(0, np.uint64), np.empty(0, np.uint64)
        self._new: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._ids) + len(self._new)

    def __contains__(self, id: str) -> bool:
        return self.get(id) is not None

    def __setitem__(self, id: str, row: Row) -> None:
        """Adds a row of an output, which holds the row of the input."""
        self.add(id, row["row"])

    def add(self, id: str, row: Row) -> None:
        """Adds an id that is not there yet, with what the row of the input asks."""
        self._new[digest(id)] = asked(row)
        if len(self._new) > max(BLOCK, len(self._ids) // 4):  # few merges, and little beside the arrays
            ids = np.concatenate([self._ids, np.array(list(self._new), np.uint64)])
            digests = np.concatenate([self._asked, np.array(list(self._new.values()), np.uint64)])
            order = np.argsort(ids)
            self._ids, self._asked = ids[order], digests[order]
            self._new.clear()

    def get(self, id: str) -> int | None:
        """The digest of what the row of an id asks; None for an id that is not there."""
        key = digest(id)
        if key in self._new:
            return self._new[key]
        at = int(np.searchsorted(self._ids, np.uint64(key)))
        return int(self._asked[at]) if at < len(self._ids) and int(self._ids[at]) == key else None


def settings_of(row: Row) -> Row:
    """The settings of a row of the input; none where they are no object."""
    settings = row.get("settings")
    return settings if isinstance(settings, dict) else {}


def asked(row: Row) -> int:
    """The digest of what a row of the input asks: its problem, and its settings where it has any."""
    problem, settings = row.get("problem"), settings_of(row)
    text = problem if isinstance(problem, str) else ""
    return digest(text + (json.dumps(settings, sort_keys=True) if settings else ""))
