"""The runs behind the page: begun, watched, stopped, resumed and forked, also by another process than the one that began them.

What a run did is in its record (`DIR/<run>.jsonl`), and the page shows nothing else of it. What it needs to go on, or to be
forked, is in `DIR/threads.sqlite`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Unpack

from langgraph.types import Command

from reasonflux_agent.agents.review import review
from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError, ReasonFluxError, RecordError, ThreadError
from reasonflux_agent.events import AnyEvent, Concluded
from reasonflux_agent.files import write_atomically
from reasonflux_agent.runs import forks
from reasonflux_agent.runs.feedback import record_of
from reasonflux_agent.runs.journal import to_line
from reasonflux_agent.runs.record import FOLLOWS, Record, Recorder, read_record
from reasonflux_agent.runs.runner import GraphArguments, Kept, Runner
from reasonflux_agent.runs.threads import BEGUN, alock_thread, aopen_checkpointer, begun_with, delete_thread, list_threads
from reasonflux_agent.serving.ui.works import Work
from reasonflux_agent.stages import PLANNING

log = logging.getLogger("reasonflux_agent.serving")
JSON = dict[str, Any]
State = Literal["running", "waiting", "finished", "stopped"]
"""`waiting`: a person is asked; `stopped`: it can go on, if this folder keeps its thread."""
REVIEW = "review"
"""Name of the strategy that asks a person: the navigator's, with `agents.review` around it."""
FORKED = (PLANNING, REVIEW)
"""The strategies whose runs can be forked."""
AT_ONCE, QUEUED, ENDED, TURNS = 4, 100, 50, 10
"""The most runs under way at once, the most that wait for a place, the most ended runs that can be forked, and the most
turns of a conversation that are told."""
FRESH = 120.0
"""A record of another process counts as running if it was written to within so many seconds."""


class Runs:
    """All runs whose records are in `directory`; `parts` are those of a Runner.

    Raises what a Runner raises, and ThreadError or MissingExtraError if threads cannot be kept.
    """

    def __init__(self, directory: str | Path, **parts: Unpack[GraphArguments]) -> None:
        self._recorder = Recorder(directory)
        library = parts.get("library")
        near = (Path(library).parent,) if isinstance(library, str) and library.endswith(".json") else ()
        self.folders = (*near, self.directory)
        """Where learned libraries may lie."""
        self.runner = Runner(record=self._recorder, builders={REVIEW: review}, at_once=AT_ONCE, waiting=QUEUED, **parts)
        self._database = str(self.directory / "threads.sqlite")
        self._works: dict[str, Work] = {}
        self.queue: dict[str, Work] = {}
        """Thread -> a run that waits for a place, or that failed before it began."""
        threads = [thread for thread in list_threads(self._database) if thread.run]
        for old in [thread for thread in threads if thread.state == "finished"][ENDED:]:
            delete_thread(self._database, old.id)
            threads.remove(old)
        self.threads = {thread.run: thread.id for thread in threads}
        """Run -> thread, of all runs whose checkpoints are kept."""
        self.kept = {thread.run: thread.id for thread in threads if thread.state != "finished"}
        """Those that have not finished, and can go on."""
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

    async def begin(self, problem: str, strategy: str, fields: JSON, follows: str = "") -> str:
        """Begin a run and return its id; empty if it waits in the `queue`. `strategy` may be `review`; `fields` are the
        Context's; `follows` is the run whose conversation the problem goes on with.

        Raises InputError, and what the graph raises before the run begins (ModelError, ...).
        """
        if strategy not in self.runner.graphs:
            raise InputError(f"There is no strategy {strategy!r}. There are: {', '.join(self.runner.graphs)}.")
        if not problem.strip():
            raise InputError("There is no problem to solve. Next: write one into the form.")
        self.runner.check_place()
        context, work = self.runner.context_of(fields), Work(f"page-{uuid.uuid4().hex}", problem=problem)
        given: JSON = {"problem": problem}
        if follows:
            turns = [turn for record in self.conversation(follows) for turn in _turns(record)]
            given = {"messages": [*turns, {"role": "user", "content": problem}]}
        work.task = asyncio.create_task(self._drive(work, strategy, given, context, {FOLLOWS: follows} if follows else {}))
        await asyncio.sleep(0)  # it takes its place, if one is free
        if not work.placed:
            self.queue[work.thread] = work
            return ""
        begun = asyncio.create_task(work.begun.wait())
        await asyncio.wait({begun, work.task}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if not work.run:
            await work.task  # raises why it has not begun
        return work.run

    async def drop(self, thread: str) -> None:
        """Take a run out of the queue."""
        if (work := self.queue.pop(thread, None)) and work.task and not work.run:
            work.task.cancel()
            await asyncio.wait({work.task})

    def conversation(self, run: str) -> list[Record]:
        """Return the records of the turns that end with a run, oldest first. Raises RecordError for what is no run."""
        records = [self.record(run)]
        while len(records) < TURNS and (before := records[0].header.get("follows")):
            try:
                records.insert(0, self.record(str(before)))
            except RecordError:  # it was taken away
                break
        return records

    async def follow(self, run: str, problem: str) -> str:
        """Begin the next turn of an ended run's conversation, with its settings; see `begin`."""
        record = self.record(run)
        if record.solution is None:
            raise InputError("This run has not ended, so there is nothing to follow up. Next: wait until it has.")
        fields = {name: record.begin.context[name] for name in ("effort", "granularity")}
        strategy = record.solution.strategy
        return await self.begin(problem, strategy if strategy in self.runner.graphs else PLANNING, fields, run)

    async def places(self, run: str) -> list[tuple[str, int]]:
        """Return where a run can be forked: attempts, each with the index of a step."""
        if run not in self.threads or self.work(run).under_way:
            return []
        async with self._thread(self.threads[run]) as (saver, _, begun):
            return list(forks.places(await forks.history(saver, begun["thread"]))) if begun["strategy"] in FORKED else []

    async def fork(self, run: str, attempt: str, step: int, fields: JSON) -> str:
        """Begin a run that goes another way from a step of this one, and return its id: it asks a person there.

        `fields` are those of the Context that are to be others. Raises InputError and ThreadError.
        """
        if run not in self.threads or self.work(run).under_way:
            raise ThreadError(f"The run {run!r} cannot be forked: its checkpoints are not kept, or it is under way.")
        self.runner.check_place()
        record = self.record(run)
        async with self._thread(self.threads[run]) as (saver, _, begun):
            if begun["strategy"] not in FORKED:
                raise InputError(f"The strategy {begun['strategy']!r} asks nobody, so its runs cannot be forked.")
            context = Context.of(**{**begun["context"], **fields})
            work = Work(f"page-{uuid.uuid4().hex}", uuid.uuid4().hex)
            graph, note = self.runner.graphs[REVIEW], begun_with(REVIEW, context)
            made = await forks.copy(saver, begun["thread"], (attempt, step), work.thread, work.run, note, graph)
        until, began = (datetime.fromisoformat(ts).timestamp() for ts in (made.until, made.began))
        about = {"run": work.run, "context": context.model_dump(mode="json"), "time": round(time.time(), 3)}
        header = {**record.header, **about, "forked": {"run": run, "attempt": attempt, "step": step}}
        kept = [{**event.to_json(), "run": work.run} for event in record.events if made.keeps(event, until, began)]
        write_atomically(self._recorder.path(work.run), b"".join(to_line(row, default=str) for row in (header, *kept)))
        self.kept[work.run] = self.threads[work.run] = work.thread
        self._works[work.run] = work
        work.task = asyncio.create_task(self._drive(work, REVIEW, None, context))
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
            yield saver, config, {**json.loads(str(dict(kept.metadata)[BEGUN])), "thread": thread}

    async def _drive(self, work: Work, strategy: str, given: Any, context: Context, noted: JSON | None = None) -> None:
        """Carry a run on until it ends, asks or fails."""
        try:
            async with self.runner.place():
                work.placed = True
                async with alock_thread(self._database, work.thread), aopen_checkpointer(self._database) as saver:
                    more: JSON = {"kept": Kept(saver, work.thread), "callbacks": [work.drafts], "metadata": noted}
                    async with aclosing(self.runner.events(strategy, given, context, streamed=True, **more)) as events:
                        async for event in events:
                            self._note(work, event)
        except Exception as error:
            if not work.run and work.thread not in self.queue:
                raise
            work.error = str(error) if isinstance(error, ReasonFluxError) else f"{type(error).__name__} (see the server's log)"
            if not isinstance(error, ReasonFluxError):
                log.exception("a run failed")
        finally:
            work.drafts.texts.clear()

    def _note(self, work: Work, event: AnyEvent) -> None:
        """Keep what an event says of the run's state."""
        if not work.run:
            work.run, self._works[event.run] = event.run, work
            self.kept[event.run] = self.threads[event.run] = work.thread
            self.queue.pop(work.thread, None)
            work.begun.set()
        if isinstance(event, Concluded):
            self.kept.pop(work.run, None)


def _turns(record: Record) -> list[dict[str, str]]:
    """A run as two messages of a conversation."""
    said = record.solution.text if record.solution else ""
    return [{"role": "user", "content": record.begin.problem}, {"role": "assistant", "content": said}]
