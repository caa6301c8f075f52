"""Files that appear whole or not at all, and the folder of everything that is cached."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def cache_root() -> Path:
    """Return $REASONFLUX_CACHE, else `reasonflux` in $XDG_CACHE_HOME or ~/.cache. The folder need not exist yet."""
    root = os.environ.get("REASONFLUX_CACHE")
    return Path(root or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "reasonflux")).expanduser()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file, and its folders where they are missing. A reader finds the old content or the new one. Raises OSError."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; rename it to `path` at the end, or remove it after an exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def lock(file: IO[Any], *, wait: bool) -> bool:
    """Lock an open file until it is closed or the process ends; False if another process holds it. Windows has no such lock."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
