"""The embedded server: llama.cpp on a loopback port, one for each model file, alive as long as this process.

It runs in a child process. Inside ours, a request under way would hold up (or crash) the interpreter's exit, a fork would
copy llama.cpp without its threads, and a fault in native code would take the application along.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasonflux_agent.errors import InputError, MissingExtraError, ModelError

SLOTS = 8
"""Requests that are decoded at once; more wait in the server's queue. $REASONFLUX_SLOTS sets another number: 32 of them wrote
21 tokens a second in all where eight wrote 13, each one slower, for 0.1 GB of memory a slot (docs/LOG.md)."""
CONTEXT = 4096
"""Tokens that a slot holds, prompt and reply together."""
OPENMP = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}
"""llama.cpp's threads wait for one another many times a token. By default they spin while they wait, and where another process
holds a core they spin for nothing: 0.8 tokens/s instead of 18 (docs/LOG.md). So they spin for a moment, then sleep. GNU's
OpenMP run-time, which the wheel for Linux has, reads the first name; LLVM's and Intel's read the second (milliseconds)."""
PROMPTS = 512
"""MiB for prompts that slots held before, to be taken up again: 18,000 tokens of the default model. llama.cpp takes 8 GB."""


@dataclass(frozen=True)
class Endpoint:
    url: str
    """Without a trailing slash and without /v1."""
    key: str
    """Bearer token that it asks for, made anew for each server."""


_lock = threading.Lock()
_running: dict[Path, tuple[Endpoint, subprocess.Popen[str]]] = {}
_owner = os.getpid()


def serve(path: Path) -> Endpoint:
    """Return the server of the GGUF file at `path`. It is started on first use, and again when it has died.

    A forked process goes on with its parent's servers. Raises MissingExtraError without xllamacpp, ModelError if the file does
    not load, InputError for a wrong $REASONFLUX_SLOTS or $REASONFLUX_THREADS.
    """
    path = path.resolve()
    with _lock:
        if path not in _running or (_owner == os.getpid() and _running[path][1].poll() is not None):
            _running[path] = _start(path)
        return _running[path][0]


def stop(path: Path) -> None:
    """Stop the server of the file at `path`, if one runs; the next `serve` starts another."""
    with _lock:
        _stop(path.resolve())


def _stop(path: Path) -> None:
    if _owner == os.getpid() and (found := _running.pop(path, None)):
        found[1].kill()
        found[1].wait()


def _start(path: Path) -> tuple[Endpoint, subprocess.Popen[str]]:
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtraError("A local: model", "xllamacpp", "local")
    key = secrets.token_urlsafe(24)
    settings = {
        "path": str(path),
        "slots": _number("REASONFLUX_SLOTS", SLOTS, "requests that a local: model decodes at once"),
        "context": CONTEXT,
        "prompts": PROMPTS,
        "threads": _number("REASONFLUX_THREADS", min(_cores(), 256), "threads that a local: model computes with"),
        "key": key,
    }
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "reasonflux_agent.models.local.llama"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=_environment(),
            start_new_session=True,  # Ctrl-C interrupts the caller; the server goes with it, or serves the next call
        )
        try:
            answer = _ask(process, settings)
        except BaseException:
            process.kill()
            raise
        if "url" not in answer:
            process.kill()
            log.seek(0)
            error, said = answer.get("error", "its process died"), " ".join(map(str.strip, log.read().splitlines()[-3:]))
            then = "check the file (`reasonflux models pull NAME --verify` for a known one) and the free memory."
            if "libgomp" in error:  # containers without a compiler have no OpenMP
                then = "install OpenMP's library (Debian, Ubuntu: apt-get install libgomp1)."
            raise ModelError(f"llama.cpp was asked to load {path} and did not: {error} {said} Next: {then}")
    return Endpoint(answer["url"], key), process


def _ask(process: subprocess.Popen[str], settings: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(settings) + "\n")
        process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline() or "{}")
        return answer
    except (OSError, ValueError) as error:
        return {"error": repr(error)}


def _number(name: str, default: int, what: str) -> int:
    """The setting `name` of the environment. Raises InputError for anything but a number from 1 to 256."""
    given = os.environ.get(name) or str(default)
    if not given.isdecimal() or not 1 <= int(given) <= 256:
        raise InputError(f"{name}={given!r}: the {what} are 1 to 256.")
    return int(given)


def _environment() -> dict[str, str]:
    """The child's environment: ours, and how threads wait, unless the user has decided that."""
    decided = os.environ.keys() & {*OPENMP, "OMP_WAIT_POLICY"}
    return ({} if decided else OPENMP) | os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _cores() -> int:
    """Physical cores that this process may use: more threads than that make llama.cpp slower, not faster."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    siblings = {cpu: Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") for cpu in os.sched_getaffinity(0)}
    cores = len({path.read_text() if path.exists() else cpu for cpu, path in siblings.items()})
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return min(cores, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return cores


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _stop_all() -> None:  # without the lock, which a thread that loads a model may hold for long
    for path in list(_running):
        _stop(path)
