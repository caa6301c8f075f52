"""llama.cpp's OpenAI-compatible server inside this process, on a loopback port: one for each model file."""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path
from typing import Any

from reasonflux_agent.errors import MissingExtraError, ModelError

SLOTS = 8
"""Requests that are decoded at once; more wait in the server's queue."""
CONTEXT = 4096
"""Tokens a slot holds: prompt and reply together."""

_lock = threading.Lock()
_servers: dict[Path, Any] = {}


def serve(path: Path) -> str:
    """The base URL (no trailing slash, no /v1) of a server for the GGUF file at `path`, started on first use.

    Raises MissingExtraError without xllamacpp, ModelError when the file does not load.
    """
    path = path.resolve()
    with _lock:
        if path not in _servers:
            _servers[path] = _start(path)
        return str(_servers[path].listening_address)


def _start(path: Path) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingExtraError("A local: model", "xllamacpp", "local") from error
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * CONTEXT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
    params.endpoint_metrics = True
    params.verbosity = -1
    try:
        return xllamacpp.Server(params)
    except Exception as error:
        raise ModelError(f"llama.cpp does not load {path}: {error}.") from error


@atexit.register
def _stop() -> None:
    with _lock:
        _servers.clear()
