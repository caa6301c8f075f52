"""The runs behind the page: begun, watched, stopped, and gone on with, also by another process than began them.

What a run did is in its record (`DIR/<run>.jsonl`), which is all that is shown of it. What it needs to go on is in
`DIR/threads.sqlite` until it has finished.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from langchain_core.language_models import BaseChatModel
from langgraph.graph import StateGraph
from langgraph.types import Command

from reasonflux_agent.agents.review import create_review
from reasonflux_agent.calls import SESSION, Session
from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError, ReasonFluxError, RecordError, ThreadError
from reasonflux_agent.graph import create_reasonflux
from reasonflux_agent.plugins import registered
from reasonflux_agent.runs.record import Record, Recorder, read_record
from reasonflux_agent.runs.threads import BEGUN, alock_thread, aopen_checkpointer, list_threads
from reasonflux_agent.serving.ui.drafts import Drafts
from reasonflux_agent.templates import TemplateLibrary

log = logging.getLogger("reasonflux_agent.serving")
JSON = dict[str, Any]
State = Literal["running", "waiting", "finished", "stopped"]
"""`waiting`: a person is asked; `stopped`: it can go on, if this folder keeps its thread."""
REVIEW = "review"
"""Name of the strategy that asks a person: the navigator's, with `agents.review` around it."""
AT_ONCE = 4
"""Runs under way at once."""
FRESH = 120.0
"""A record of another process that was written to within so many seconds counts as running."""


@dataclass
class _Live:
    """A run that this process is at, or was."""

    thread: str
    run: asyncio.Future[str]
    """Its id, once it has begun."""
    task: asyncio.Task[None] | None = None
    drafts: dict[UUID, tuple[str, str]] = field(default_factory=dict)
    """Model call -> its node and what it has written so far."""
    error: str = ""
    """Why it failed, in words."""


class Runs:
    """All runs whose records lie in `directory`; arguments as of `create_reasonflux`. Raises what it and `Recorder` raise, and
    ThreadError or MissingExtraError where threads cannot be kept."""

    def __init__(
        self,
        directory: str | Path,
        *,
        navigator: BaseChatModel | str | None = None,
        solver: BaseChatModel | str | None = None,
        library: TemplateLibrary | str | None = None,
        context: Context | None = None,
    ) -> None:
        self._recorder = Recorder(directory)
        self._database = str(self._recorder.directory / "threads.sqlite")
        self.library = library if isinstance(library, TemplateLibrary) else TemplateLibrary.load(library or "builtin")
        self.context = context or Context()
        parts: JSON = {"navigator": navigator, "solver": solver, "library": self.library, "context": self.context}
        self._graphs: dict[str, StateGraph[Any, Any, Any, Any]] = {
            name: create_reasonflux(strategy=name, **parts) for name in registered("strategies")
        } | {REVIEW: create_review(**parts)}
        self._live: dict[str, _Live] = {}
        threads = [thread for thread in list_threads(self._database) if thread.run and thread.state != "finished"]
        self.kept = {thread.run: thread.id for thread in threads}
        """Run -> thread, of all runs that have not finished and can go on."""
        self._places = asyncio.Semaphore(AT_ONCE)
        self.ended = False
        """Whether the server was told to end."""

    def end(self) -> None:
        """Ends the streams of events, so that open pages keep no server up; runs under way can go on later."""
        self.ended = True

    @property
    def directory(self) -> Path:
        """Where the records lie."""
        return self._recorder.directory

    @property
    def strategies(self) -> list[str]:
        """Names that `begin` knows."""
        return [name for name in self._graphs if name != REVIEW]

    def record(self, run: str) -> Record:
        """What is known of a run. Raises RecordError for one that is not in the folder."""
        path = self._recorder.path(run)
        if not path.is_file():
            raise RecordError(f"There is no run {run!r} in {self.directory}. Next: choose one from the list of runs.")
        return read_record(path)

    def version(self, run: str) -> object:
        """Changes whenever there is something new to show."""
        live, stat = self._live.get(run), self._recorder.path(run).stat()
        drafts = [(node, len(text)) for node, text in live.drafts.values()] if live else []
        return stat.st_mtime_ns, stat.st_size, drafts, live and live.error, self.is_live(run)

    def is_live(self, run: str) -> bool:
        """Whether this process is at it."""
        live = self._live.get(run)
        return bool(live and live.task and not live.task.done())

    def state(self, run: str, record: Record, *, live: bool, waiting: bool) -> State:
        """How it stands with a run; `live`: this process was at it; `waiting`: a question is open."""
        if record.solution:
            return "finished"
        if waiting:
            return "waiting"
        if live:
            return "running"
        ours = run in self.kept
        fresh = time.time() - self._recorder.path(run).stat().st_mtime < FRESH
        return "running" if fresh and not ours else "stopped"

    def drafts(self, run: str) -> list[tuple[str, str]]:
        """Node and text so far of each model call that is under way."""
        return list(self._live[run].drafts.values()) if self.is_live(run) else []

    def error(self, run: str) -> str:
        """Why the run failed; empty if it did not."""
        return self._live[run].error if run in self._live else ""

    async def begin(self, problem: str, strategy: str, fields: JSON) -> str:
        """Begins a run; its id, as soon as it has one. `strategy` may be `review`; `fields` are the Context's.

        Raises InputError, and what the graph raises before it begins (ModelError, ...).
        """
        if strategy not in self._graphs:
            raise InputError(f"There is no strategy {strategy!r}. There are: {', '.join(self._graphs)}.")
        if not problem.strip():
            raise InputError("There is no problem to solve. Next: write one into the form.")
        context = Context.of(**{**self.context.model_dump(exclude_unset=True), **fields})
        self._place()
        live = _Live(f"page-{uuid.uuid4().hex}", asyncio.get_running_loop().create_future())
        live.task = asyncio.create_task(self._drive(live, strategy, {"problem": problem}, context))
        both: set[asyncio.Future[Any]] = {live.run, live.task}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not live.run.done():
            await live.task  # raises why it has not begun
        return live.run.result()

    async def go_on(self, run: str, answers: JSON | None = None) -> None:
        """Goes on with a run that was stopped, or that waits for `answers` (question -> decision). Raises ThreadError."""
        thread = self.kept.get(run)
        if thread is None:
            raise ThreadError(f"The run {run!r} cannot go on: its thread is not kept in {self.directory}.")
        self._place()
        async with self._thread(thread) as (_, _, begun):
            pass
        if self.is_live(run):  # another window was quicker
            raise ThreadError(f"The run {run!r} is under way already.")
        live = _Live(thread, asyncio.get_running_loop().create_future())
        live.run.set_result(run)
        given: Any = Command(resume=answers) if answers else None
        live.task = asyncio.create_task(self._drive(live, begun["strategy"], given, Context.of(**begun["context"])))
        self._live[run] = live

    async def stop(self, run: str) -> None:
        """Stops a run; it can go on after its last finished model call."""
        live = self._live.get(run)
        if live and live.task and not live.task.done():
            live.task.cancel()
            await asyncio.wait({live.task})

    async def questions(self, run: str) -> dict[str, tuple[str, JSON]]:
        """What the run waits for: id of each question -> the task that asks, `attempt:ID`, and `agents.review.Question` as a
        dict."""
        thread = self.kept.get(run)
        if thread is None or self.is_live(run):
            return {}
        async with self._thread(thread) as (graph, config, _):
            tasks = (await graph.aget_state(config)).tasks
            return {asked.id: (f"{task.name}:{task.id}", asked.value) for task in tasks for asked in task.interrupts}

    def _place(self) -> None:
        if self._places.locked():
            raise InputError(f"{AT_ONCE} runs are under way, and no more are taken. Next: wait for one, or stop it.")

    @asynccontextmanager
    async def _thread(self, thread: str) -> AsyncIterator[tuple[Any, JSON, JSON]]:
        """A kept thread: its graph, its config, and what it was begun with."""
        async with aopen_checkpointer(self._database) as saver:
            config: JSON = {"configurable": {"thread_id": thread}}
            kept = await saver.aget_tuple(config)  # type: ignore[arg-type]
            if kept is None:
                raise ThreadError(f"The thread {thread!r} is no longer kept in {self.directory}.")
            begun = json.loads(str(dict(kept.metadata)[BEGUN]))
            yield self._graphs[begun["strategy"]].compile(checkpointer=saver), config, begun

    async def _drive(self, live: _Live, strategy: str, given: Any, context: Context) -> None:
        """Carries a run on until it ends, asks or fails."""
        try:
            held = alock_thread(self._database, live.thread)
            async with self._places, held, aopen_checkpointer(self._database) as saver:
                await self._stream(live, strategy, given, context, saver)
        except Exception as error:
            if not live.run.done():
                raise
            live.error = str(error) if isinstance(error, ReasonFluxError) else f"{type(error).__name__} (see the server's log)"
            if not isinstance(error, ReasonFluxError):
                log.exception("a run failed")
        finally:
            live.drafts.clear()

    async def _stream(self, live: _Live, strategy: str, given: Any, context: Context, saver: Any) -> None:
        graph = self._graphs[strategy].compile(checkpointer=saver, name="reasonflux")
        begun = {"strategy": strategy, "library": None, "record": None, "context": context.model_dump(mode="json")}
        config: Any = {
            "configurable": {"thread_id": live.thread, SESSION: Session(checkpointer=saver)},
            "metadata": {BEGUN: json.dumps(begun)},
            "callbacks": [self._recorder, Drafts(live.drafts)],
        }
        modes: Any = ["custom", "messages"]  # that messages are asked for makes the models stream
        concluded = False
        async for _, mode, data in graph.astream(
            given, config, context=context, stream_mode=modes, subgraphs=True, durability="sync"
        ):
            if mode == "custom" and isinstance(data, dict) and "run" in data:
                concluded = concluded or data["type"] == "solution"
                if not live.run.done():
                    self._live[data["run"]] = live
                    self.kept[data["run"]] = live.thread
                    live.run.set_result(data["run"])
        if concluded:  # the record has all; the checkpoints were for going on
            self.kept.pop(live.run.result(), None)
            self._live.pop(live.run.result(), None)
            await saver.adelete_thread(live.thread)
