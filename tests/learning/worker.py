"""What is killed: a process that learns. It comes from a fork server that has imported everything, so it starts quickly."""

from __future__ import annotations

import multiprocessing
import traceback
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from reasonflux_agent import learn
from reasonflux_agent.errors import InputError

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.learning.worker", "langchain_openai", "openai.resources.chat", "wordllama", "faiss"])


def start(rows: str, out: str, model: str, concurrency: int) -> BaseProcess:
    """Return a new process that learns; if it fails, it says why in OUT.error."""
    process = _processes.Process(target=_work, args=(rows, out, model, concurrency), daemon=True)
    process.start()
    return process


def _work(rows: str, out: str, model: str, concurrency: int) -> None:
    options: dict[str, Any] = {"model": model, "concurrency": concurrency}
    try:
        for _ in range(50):  # the lock of a killed process is free once the system has buried it
            try:
                learn(rows, out, **options)
                return
            except InputError as error:
                if "Another process" not in str(error):
                    raise
    except Exception:
        Path(f"{out}.error").write_text(traceback.format_exc())
        raise
