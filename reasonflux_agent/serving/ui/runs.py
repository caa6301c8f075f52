"""The runs behind the page: begun, watched, stopped and resumed, also by another process than the one that began them.

What a run did is in its record (`DIR/<run>.jsonl`), and the page shows nothing else of it. What it needs to go on is in
`DIR/threads.sqlite` until it has finished.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Unpack
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langgraph.types import Command

from reasonflux_agent.agents.review import review
from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError, ReasonFluxError, ThreadError
from reasonflux_agent.events import Concluded, labels_of
from reasonflux_agent.runs.feedback import record_of
from reasonflux_agent.runs.record import Record, Recorder, read_record
from reasonflux_agent.runs.runner import GraphArguments, Kept, Runner
from reasonflux_agent.runs.threads import BEGUN, alock_thread, aopen_checkpointer, list_threads

log = logging.getLogger("reasonflux_agent.serving")
JSON = dict[str, Any]
State = Literal["running", "waiting", "finished", "stopped"]
"""`waiting`: a person is asked; `stopped`: it can go on, if this folder keeps its thread."""
REVIEW = "review"
"""Name of the strategy that asks a person: the navigator's, with `agents.review` around it."""
AT_ONCE = 4
"""The most runs under way at once."""
FRESH = 120.0
"""A record of another process counts as running if it was written to within so many seconds."""


class Drafts(BaseCallbackHandler):
    """What the models of a run are writing at this moment: a record holds finished calls only."""

    run_inline = True

    def __init__(self) -> None:
        self.texts: dict[UUID, tuple[str, str]] = {}
        """Model call -> its node and what it has written so far."""

    def on_chat_model_start(self, *_: Any, run_id: UUID, metadata: JSON | None = None, **more: Any) -> None:
        """A call begins."""
        if labels := labels_of(metadata):
            self.texts[run_id] = labels.node, ""

    def on_llm_new_token(self, token: str | list[Any], *, run_id: UUID, **_: Any) -> None:
        """A piece of its reply arrives."""
        if run_id in self.texts and isinstance(token, str):
            node, text = self.texts[run_id]
            self.texts[run_id] = node, text + token

    def on_llm_end(self, *_: Any, run_id: UUID, **more: Any) -> None:
        """The call has ended."""
        self.texts.pop(run_id, None)

    on_llm_error = on_llm_end


@dataclass
class Work:
    """What this process does, or has done, for a run."""

    thread: str = ""
    run: str = ""
    """Its id, once it has begun."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    drafts: Drafts = field(default_factory=Drafts)
    error: str = ""
    """Why it failed, in words."""

    @property
    def under_way(self) -> bool:
        """Whether this process works on the run."""
        return bool(self.task and not self.task.done())


class Runs:
    """All runs whose records are in `directory`; `parts` are those of a Runner.

    Raises what a Runner raises, and ThreadError or MissingExtraError if threads cannot be kept.
    """

    def __init__(self, directory: str | Path, **parts: Unpack[GraphArguments]) -> None:
        self._recorder = Recorder(directory)
        self.runner = Runner(record=self._recorder, builders={REVIEW: review}, at_once=AT_ONCE, **parts)
        self._database = str(self.directory / "threads.sqlite")
        self._works: dict[str, Work] = {}
        threads = [thread for thread in list_threads(self._database) if thread.run and thread.state != "finished"]
        self.kept = {thread.run: thread.id for thread in threads}
        """Run -> thread, of all runs that have not finished and can go on."""
        self.ended = False
        """Whether the server was told to end."""

    def end(self) -> None:
        """End the streams of events, so that open pages keep no server up. Runs under way can go on later."""
        self.ended = True

    @property
    def directory(self) -> Path:
        """Where the records are."""
        return self._recorder.directory

    def record(self, run: str) -> Record:
        """Return what is known of a run. Raises RecordError for one that is not in the folder."""
        return read_record(record_of(self._recorder, run))

    def work(self, run: str) -> Work:
        """Return what this process does for a run."""
        return self._works.get(run, Work())

    def version(self, run: str) -> object:
        """Return a value that changes whenever there is something new to show."""
        work, stat = self.work(run), self._recorder.path(run).stat()
        return stat.st_mtime_ns, stat.st_size, str(work.drafts.texts), work.error, work.under_way

    def state(self, run: str, record: Record, *, under_way: bool, waiting: bool) -> State:
        """Return the state of a run. under_way: whether this process works on it. waiting: whether a question is open."""
        if record.solution:
            return "finished"
        if waiting:
            return "waiting"
        fresh = time.time() - self._recorder.path(run).stat().st_mtime < FRESH
        return "running" if under_way or (fresh and run not in self.kept) else "stopped"

    async def begin(self, problem: str, strategy: str, fields: JSON) -> str:
        """Begin a run and return its id. `strategy` may be `review`; `fields` are the Context's.

        Raises InputError, and what the graph raises before the run begins (ModelError, ...).
        """
        if strategy not in self.runner.graphs:
            raise InputError(f"There is no strategy {strategy!r}. There are: {', '.join(self.runner.graphs)}.")
        if not problem.strip():
            raise InputError("There is no problem to solve. Next: write one into the form.")
        work = Work(f"page-{uuid.uuid4().hex}")
        driven = self._drive(work, strategy, {"problem": problem}, self.runner.context_of(fields))
        work.task, begun = asyncio.create_task(driven), asyncio.create_task(work.begun.wait())
        await asyncio.wait({begun, work.task}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if not work.run:
            await work.task  # raises why it has not begun
        return work.run

    async def resume(self, run: str, answers: JSON | None = None) -> None:
        """Go on with a run that was stopped, or that waits for `answers` (question -> decision). Raises ThreadError."""
        thread = self.kept.get(run)
        if thread is None:
            raise ThreadError(f"The run {run!r} cannot go on: its thread is not kept in {self.directory}.")
        self.runner.check_place()
        async with self._thread(thread) as (_, _, begun):
            pass
        if self.work(run).under_way:  # another window was quicker
            raise ThreadError(f"The run {run!r} is under way already.")
        work = self._works[run] = Work(thread, run)
        given: Any = Command(resume=answers) if answers else None
        work.task = asyncio.create_task(self._drive(work, begun["strategy"], given, Context.of(**begun["context"])))

    async def stop(self, run: str) -> None:
        """Stop a run. It can go on after its last finished model call."""
        if (task := self.work(run).task) and not task.done():
            task.cancel()
            await asyncio.wait({task})

    async def questions(self, run: str) -> dict[str, tuple[str, JSON]]:
        """Return what the run waits for: id of each question -> the attempt that asks, and an `agents.review.Question` as a
        dict."""
        thread = self.kept.get(run)
        if thread is None or self.work(run).under_way:
            return {}
        async with self._thread(thread) as (saver, config, begun):
            graph = self.runner.graphs[begun["strategy"]].copy({"checkpointer": saver})
            tasks = (await graph.aget_state(config, subgraphs=True)).tasks
            return {
                asked.id: (task.state.values.get("attempt", ""), asked.value) for task in tasks for asked in task.interrupts
            }

    @asynccontextmanager
    async def _thread(self, thread: str) -> AsyncIterator[tuple[Any, Any, JSON]]:
        """A kept thread: the checkpointer, its config, and what it was begun with."""
        async with aopen_checkpointer(self._database) as saver:
            config: Any = {"configurable": {"thread_id": thread}}
            kept = await saver.aget_tuple(config)
            if kept is None:
                raise ThreadError(f"The thread {thread!r} is no longer kept in {self.directory}.")
            yield saver, config, json.loads(str(dict(kept.metadata)[BEGUN]))

    async def _drive(self, work: Work, strategy: str, given: Any, context: Context) -> None:
        """Carry a run on until it ends, asks or fails."""
        try:
            held = alock_thread(self._database, work.thread)
            async with self.runner.place(), held, aopen_checkpointer(self._database) as saver:
                concluded = False
                kept = Kept(saver, work.thread)
                stream = self.runner.events(strategy, given, context, kept=kept, callbacks=[work.drafts], streamed=True)
                async with aclosing(stream) as events:
                    async for event in events:
                        concluded = concluded or isinstance(event, Concluded)
                        if not work.run:
                            work.run, self._works[event.run], self.kept[event.run] = event.run, work, work.thread
                            work.begun.set()
                if concluded:  # the record has everything; the checkpoints were for going on
                    self.kept.pop(work.run, None)
                    self._works.pop(work.run, None)
                    await saver.adelete_thread(work.thread)
        except Exception as error:
            if not work.run:
                raise
            work.error = str(error) if isinstance(error, ReasonFluxError) else f"{type(error).__name__} (see the server's log)"
            if not isinstance(error, ReasonFluxError):
                log.exception("a run failed")
        finally:
            work.drafts.texts.clear()
