"""The cache of model files: where they lie, which of them are vouched for, and the lock that lets one process write."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reasonflux_agent.errors import InputError
from reasonflux_agent.runs.files import cache_root


def models_dir() -> Path:
    """Return the folder `models` in the cache."""
    return cache_root() / "models"


def is_verified(path: Path, sha256: str = "") -> bool:
    """Whether `path` was verified (as `sha256`, if given) and is unchanged since, by size and time."""
    try:
        mark = json.loads(_mark(path).read_text())
        stat = path.stat()
        known = sha256 or mark["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(mark == {"sha256": known, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns})


def mark_verified(path: Path, sha256: str) -> None:
    """Notes beside `path` that its bytes have this digest, so that no later start hashes a gigabyte again."""
    stat = path.stat()
    with suppress(OSError):  # a cache on a read-only disk is hashed each time instead
        write_json(_mark(path), {"sha256": sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns})


def forget(path: Path) -> None:
    """Takes back what `mark_verified` noted."""
    _mark(path).unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256 of the whole file, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def check_gguf(path: Path) -> None:
    """Raises InputError unless `path` is readable and begins as a GGUF file does."""
    try:
        with path.open("rb") as handle:
            magic = handle.read(4)
    except OSError as error:
        raise InputError(f"The model file {path} cannot be read: {error}. Next: check its rights.") from error
    if magic != b"GGUF":
        raise InputError(f"{path} is no GGUF file: it begins with {magic!r}. Next: name a model in llama.cpp's format.")


def size_of(path: Path) -> int:
    """Bytes; 0 where there is no file."""
    return path.stat().st_size if path.exists() else 0


def state_of(part: Path) -> Path:
    """Where the package index's way notes how far it has come."""
    return part.with_name(part.name + ".json")


def discard(part: Path) -> None:
    """Removes a partial file and what is noted about it."""
    part.unlink(missing_ok=True)
    state_of(part).unlink(missing_ok=True)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Written whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value))
    os.replace(temporary, path)


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """The partial file of `target`, while no other process or thread writes to it. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        import fcntl
    except ImportError:  # Windows: no lock, so each process writes a part of its own, which cannot be resumed
        yield part.with_name(f"{part.name}.{os.getpid()}")
        return
    with target.with_name(target.name + ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # released when closed, also by a crash
        yield part


def _mark(path: Path) -> Path:
    return path.with_name(path.name + ".verified.json")
