"""Threads: runs whose checkpoints are in a database, so that another process can resume one that was stopped or killed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from reasonflux_agent.context import Context
from reasonflux_agent.errors import ThreadError
from reasonflux_agent.runs.database import alock_thread as alock_thread
from reasonflux_agent.runs.database import aopen_checkpointer as aopen_checkpointer
from reasonflux_agent.runs.database import database as database
from reasonflux_agent.runs.database import is_held
from reasonflux_agent.runs.database import lock_thread as lock_thread
from reasonflux_agent.runs.database import open_checkpointer as open_checkpointer
from reasonflux_agent.schema import Solution, Usage, Value
from reasonflux_agent.state import solution_of

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

BEGUN = "reasonflux_begun"
"""Key of the checkpoint metadata that holds, as JSON, what a run was begun with: strategy, library, record, context."""


def begun_with(
    strategy: str | None, context: Context, *, library: str | None = None, record: str | None = None
) -> dict[str, str]:
    """Return the checkpoint metadata of a run that is begun with this; see `BEGUN`."""
    begun = {"strategy": strategy, "library": library, "record": record, "context": context.model_dump(mode="json")}
    return {BEGUN: json.dumps(begun)}


class Thread(Value):
    id: str
    problem: str
    state: Literal["running", "interrupted", "finished"]
    """`running`: a process holds it; `interrupted`: it can be resumed."""
    updated: str
    """When its last checkpoint was written, ISO 8601."""
    calls: int = 0
    """Finished model calls."""
    tokens: int = 0
    """Their prompt and completion tokens."""
    run: str = ""
    """Id of the run, which is the name of its record."""
    begun: str = ""
    """See `BEGUN`."""
    solution: Solution | None = None
    """Of a finished run."""


def list_threads(url: str) -> list[Thread]:
    """Return the threads of a database, the one written last first. Raises ThreadError, MissingExtraError."""
    with open_checkpointer(url) as saver:
        threads = [thread for id in thread_ids(saver) if (thread := read_thread(saver, id))]
    running = {thread.id for thread in threads if thread.state == "interrupted" and is_held(url, thread.id)}
    threads = [thread.model_copy(update={"state": "running"}) if thread.id in running else thread for thread in threads]
    return sorted(threads, key=lambda thread: thread.updated, reverse=True)


def thread_ids(saver: BaseCheckpointSaver[Any]) -> list[str]:
    """Return the ids of the threads that this package has written."""
    with _understood("the database"):
        begins = list(saver.list(None, filter={"source": "input", "step": -1}))
        return list(dict.fromkeys(t.config["configurable"]["thread_id"] for t in begins if BEGUN in t.metadata))


def read_thread(saver: BaseCheckpointSaver[Any], id: str) -> Thread | None:
    """Return a thread, or None if there is none. Its state is never `running`: the checkpoints do not tell.

    Raises ThreadError for checkpoints that cannot be read, or that another program wrote.
    """
    with _understood(f"the thread {id!r}"):
        return _read(saver, id)


@contextmanager
def _understood(what: str) -> Iterator[None]:
    """Raise a ThreadError for what damaged checkpoints, or those of another program, raise."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, NotImplementedError, RecursionError) as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        text = f"What is kept of {what} cannot be read: {why}. Next: name another database, or delete what is damaged."
        raise ThreadError(text) from None


def _read(saver: BaseCheckpointSaver[Any], id: str) -> Thread | None:
    last = saver.get_tuple({"configurable": {"thread_id": id, "checkpoint_ns": ""}})
    if last is None:
        return None
    values = last.checkpoint["channel_values"]
    given: dict[str, Any] = values.get("__start__") or {}
    begins = last.metadata["source"] == "input"  # its other values are of the run before
    solution = solution_of(values) if values.get("solution") and not begins else None
    usage = solution.total if solution else Usage() if begins else _usage(saver, id)
    return Thread(
        id=id,
        problem=given.get("problem") or values.get("problem") or values.get("asked") or "",
        state="finished" if solution else "interrupted",
        updated=last.checkpoint["ts"],
        calls=usage.calls,
        tokens=usage.tokens,
        run="" if begins else values.get("run", ""),
        begun=dict(last.metadata).get(BEGUN, ""),
        solution=solution,
    )


def unknown_thread(id: str, known: Iterable[str]) -> ThreadError:
    """Return the error for an id that no thread has."""
    ids = ", ".join(known)
    exist = f"There are: {ids}." if ids else "None is kept yet. Next: reasonflux solve --thread ID PROBLEM."
    return ThreadError(f"There is no thread {id!r}. {exist}")


def delete_thread(url: str, id: str) -> None:
    """Delete a thread. Raises ThreadError for one that is unknown, or that a process holds."""
    with lock_thread(url, id), open_checkpointer(url) as saver:
        if read_thread(saver, id) is None:
            raise unknown_thread(id, thread_ids(saver))
        saver.delete_thread(id)


def _usage(saver: BaseCheckpointSaver[Any], id: str) -> Usage:
    """Return what the finished model calls since the thread's last input have cost."""
    replies = [result["reply"] for result in finished_calls(saver, id)]
    read, wrote = (sum(reply[name] for reply in replies) for name in ("prompt_tokens", "completion_tokens"))
    return Usage(calls=len(replies), prompt_tokens=read, completion_tokens=wrote)


def finished_calls(saver: BaseCheckpointSaver[Any], id: str) -> list[dict[str, Any]]:
    """Return the results of the model calls since the thread's last input (see calls.py), in order, each once."""
    checkpoints = sorted(saver.list({"configurable": {"thread_id": id}}), key=_when)
    inputs = [t for t in checkpoints if t.metadata["source"] == "input" and not t.config["configurable"]["checkpoint_ns"]]
    since = max(map(_when, inputs), default="")
    written = [write for t in checkpoints if _when(t) >= since for write in t.pending_writes or ()]
    results = [value for _, channel, value in written if channel == "__return__" and "reply" in value]
    return [result for result in results if result.get("asked") != ""]  # empty: a copy of an earlier result


def _when(checkpoint: CheckpointTuple) -> str:
    """Return its id; ids are in the order of time."""
    return str(checkpoint.config["configurable"]["checkpoint_id"])
