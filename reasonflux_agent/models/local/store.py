"""The cache of model files: where they lie, which of them are verified, and the lock that lets one process write."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reasonflux_agent.errors import InputError
from reasonflux_agent.files import cache_root, write_atomically


def models_dir() -> Path:
    return cache_root() / "models"


def verify(path: Path, sha256: str, *, rehash: bool = False) -> bool:
    """Whether there is a file at `path` with this digest; "" stands for any, since some files have no known digest.

    A file is hashed once, and again only if its size or time has changed, or with `rehash`.
    """
    if not path.is_file():
        return False
    noted = read_json(_mark(path))
    if not rehash and noted == _facts(path, sha256 or noted.get("sha256", "")):
        return True
    found = digest(path)
    if sha256 not in ("", found):
        _mark(path).unlink(missing_ok=True)
        return False
    mark_verified(path, found)
    return True


def mark_verified(path: Path, sha256: str) -> None:
    """Note beside `path` that its bytes have this digest, so that no later start hashes a gigabyte again."""
    with suppress(OSError):  # a cache on a read-only disk is hashed each time instead
        write_atomically(_mark(path), json.dumps(_facts(path, sha256)).encode())


def digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def check_gguf(path: Path) -> None:
    """Raise InputError unless `path` is readable and begins as a GGUF file does."""
    try:
        with path.open("rb") as handle:
            magic = handle.read(4)
    except OSError as error:
        raise InputError(f"The model file {path} cannot be read: {error}. Next: check its rights.") from error
    if magic != b"GGUF":
        raise InputError(f"{path} is no GGUF file: it begins with {magic!r}. Next: name a model in llama.cpp's format.")


def size_of(path: Path) -> int:
    """Bytes; 0 if there is no file."""
    return path.stat().st_size if path.exists() else 0


def state_of(part: Path) -> Path:
    """Where the package index's source notes how many wheels are in a partial file."""
    return part.with_name(part.name + ".json")


def discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    state_of(part).unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; empty if there is none that can be read."""
    with suppress(OSError, ValueError):
        value = json.loads(path.read_text())
        return value if isinstance(value, dict) else {}
    return {}


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """The partial file of `target`, while no other process or thread writes to it. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        import fcntl
    except ImportError:  # Windows: without a lock each process writes a part of its own, which cannot be resumed
        yield part.with_name(f"{part.name}.{os.getpid()}")
        return
    with target.with_name(target.name + ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # released when closed, also by a crash
        yield part


def _mark(path: Path) -> Path:
    return path.with_name(path.name + ".verified.json")


def _facts(path: Path, sha256: str) -> dict[str, Any]:
    stat = path.stat()
    return {"sha256": sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
