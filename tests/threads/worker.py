"""What is killed: a process that solves a problem in a thread, or goes on with it.

It is not forked from the tests, which have threads of their own, but from multiprocessing's fork server, which has imported
everything, so that a new process is a matter of milliseconds.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import traceback
import warnings
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"  # read when langgraph is imported

from reasonflux_agent import ReasonFlux
from reasonflux_agent.errors import ThreadError
from reasonflux_agent.runs.threads import aopen_checkpointer, open_checkpointer
from tests.graph.fakes import Shelf

PROBLEM = "What is 3 + 4?"
THREAD = "proof"
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(
    ["tests.threads.worker", "langchain_openai", "langgraph.checkpoint.sqlite.aio", "openai.resources.chat"]
)


def start(*given: Any) -> BaseProcess:
    """A new process that does `work(*given)`; if it fails, it says why in RECORD.error."""
    process = _processes.Process(target=_work, args=given, daemon=True)
    process.start()
    return process


def _work(database: str, model: str, record: str, *rest: Any) -> None:
    try:
        work(database, model, record, *rest)
    except Exception:
        Path(f"{record}.error").write_text(traceback.format_exc())  # the fork server's own streams are nobody's
        raise


def work(database: str, model: str, record: str, context: dict[str, Any], asynchronous: bool) -> None:
    """Ends with status 0 when the thread is finished."""
    warnings.simplefilter("error")  # so that a value that the strict serde does not know fails the run
    flux = ReasonFlux(model, retriever=Shelf(), record=record, **context)
    config: Any = {"configurable": {"thread_id": THREAD}}

    async def on_the_loop() -> None:
        async with aopen_checkpointer(database) as saver:
            kept = flux.with_checkpointer(saver)
            try:
                await kept.aresume(THREAD)
            except ThreadError:
                await kept.asolve(PROBLEM, config=config)

    if asynchronous:
        asyncio.run(on_the_loop())
        return
    with open_checkpointer(database) as saver:
        kept = flux.with_checkpointer(saver)
        try:
            kept.resume(THREAD)
        except ThreadError:
            kept.solve(PROBLEM, config=config)
