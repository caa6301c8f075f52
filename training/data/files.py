"""Digests of values and files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reasonflux_agent.errors import InputError

JSON = dict[str, Any]


def digest(value: object) -> str:
    """A short digest of a JSON value or text."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def digest_files(paths: Sequence[Path]) -> JSON:
    """How many files there are, and one SHA-256 over theirs, whatever they are called. Raises InputError."""
    try:
        each = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}. Next: correct the path.") from None
    return {"files": len(each), "sha256": each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()}
