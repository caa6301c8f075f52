"""One object for everything: `ReasonFlux().solve(problem)`."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing
from functools import cached_property
from pathlib import Path
from typing import Any, Self, Unpack
from weakref import WeakSet

from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, merge_configs
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import StateSnapshot

from reasonflux_agent.calls import by_what_was_asked
from reasonflux_agent.context import Context, RunSettings, Settings
from reasonflux_agent.ending import whole
from reasonflux_agent.errors import InputError, ThreadError
from reasonflux_agent.events import AnyEvent
from reasonflux_agent.graph import create_reasonflux
from reasonflux_agent.models import unload
from reasonflux_agent.models.specs import spec_of_path
from reasonflux_agent.node import stream_event
from reasonflux_agent.parts import resolve_models
from reasonflux_agent.runs.feedback import TakesFeedback
from reasonflux_agent.runs.record import Recorder
from reasonflux_agent.runs.threads import BEGUN, begun_with, finished_calls, thread_ids, unknown_thread
from reasonflux_agent.schema import Solution
from reasonflux_agent.session import session_of, with_session
from reasonflux_agent.stages import afresh
from reasonflux_agent.state import solution_of
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.turns import Turns

JSON = dict[str, Any]


class ReasonFlux(TakesFeedback):
    """Solve problems by planning with thought templates.

    `navigator` and `solver` are chat models or specs (see `load_model`); one alone serves both roles, and so does `model`;
    none means the embedded default. `library`: a TemplateLibrary, a registered name or a path. `record`: a folder for records.
    Any field of `Context` can be given by name (`effort="high"`), here for all runs or at a call for that one.
    `with ReasonFlux() as flux`, or `close()`, frees the embedded server. Raises SpecError for a spec that can name no model.

    The constructor of the original ReasonFlux is understood too: `navigator_path`, `inference_path` (a directory or hub id
    means `hf:`), `template_matcher_path` (a sentence-transformers model), `template_path` (a library file).
    """

    def __init__(
        self,
        navigator: BaseChatModel | str | None = None,
        solver: BaseChatModel | str | None = None,
        *,
        model: BaseChatModel | str | None = None,
        strategy: str = "navigator",
        library: TemplateLibrary | str | None = None,
        retriever: BaseRetriever | None = None,
        record: str | Path | None = None,
        checkpointer: BaseCheckpointSaver[Any] | None = None,
        navigator_path: str | None = None,
        inference_path: str | None = None,
        template_matcher_path: str | None = None,
        template_path: str | None = None,
        **context: Unpack[Settings],
    ) -> None:
        ways = {
            "navigator": (navigator, navigator_path and spec_of_path(navigator_path, "hf")),
            "solver": (solver, inference_path and spec_of_path(inference_path, "hf")),
        }
        for role, names in ways.items():
            if len([one for one in (model, *names) if one is not None]) > 1:
                raise InputError(f"The {role} is given twice; `model` plays both roles. Next: give one of them.")
        own = [next((one for one in (model, *names) if one is not None), None) for names in ways.values()]
        self.context = Context.from_env(**context)
        if own != [None, None]:  # what is given here is not overruled by the environment
            self.context = self.context.model_copy(update={"navigator": None, "solver": None})
        if template_matcher_path is not None:
            from reasonflux_agent.templates import TemplateRetriever
            from reasonflux_agent.templates.embeddings import SPECS

            library = library or template_path
            loaded = library if isinstance(library, TemplateLibrary) else TemplateLibrary.load(library or "builtin")
            retriever = TemplateRetriever.from_library(loaded, spec_of_path(template_matcher_path, "st", SPECS))
        self._own = resolve_models(*own)
        self._graph = create_reasonflux(
            strategy=strategy,
            navigator=self._own[0],
            solver=self._own[1],
            library=library or template_path,
            retriever=retriever,
            context=self.context,
        )
        self._turns = Turns()
        self._local: set[str] = set()
        """The `local:` specs of its runs: what `close` frees."""
        self._checkpointer = checkpointer
        self._recorder = Recorder(record) if record is not None else None
        named = library or template_path
        self._begun = {
            "strategy": strategy,
            "library": str(Path(named).resolve() if Path(named).exists() else named) if isinstance(named, str) else None,
            "record": None if record is None else str(Path(record).resolve()),
        }

    @cached_property
    def graph(self) -> Any:
        """The compiled graph."""
        return self._graph.compile(checkpointer=self._checkpointer, name="reasonflux")

    def close(self) -> None:
        """Stop the embedded servers of its models, except those that another open ReasonFlux uses.

        Call it when no run is under way. A later run starts them again.
        """
        mine, self._local = self._local, set()
        unload(mine, {spec for other in _OPEN for spec in other._local})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)

    def with_checkpointer(self, checkpointer: BaseCheckpointSaver[Any] | None) -> Self:
        """The same, with its runs kept by `checkpointer`: for one that only opens where an event loop runs."""
        other = copy.copy(self)
        other._local = set()
        other.__dict__.pop("graph", None)
        other._checkpointer = checkpointer
        return other

    def solve(self, problem: str, *, config: RunnableConfig | None = None, **context: Unpack[RunSettings]) -> Solution:
        """Return the Solution of one problem. Bad model output ends in a Solution, too; see its `status`.

        Raises InputError before any model is called, and ModelError when a model's server fails.
        """
        state = self.graph.invoke({"problem": problem}, **self._how(config, self._context(context)))
        return solution_of(state)

    async def asolve(self, problem: str, *, config: RunnableConfig | None = None, **context: Unpack[RunSettings]) -> Solution:
        """As `solve`, on the event loop."""
        given, chosen = {"problem": problem}, self._context(context)
        async with self._turns.one() as end:
            how = self._how(config, chosen, before_call=end)
            state = await self.graph.ainvoke(given, **how)
        return solution_of(state)

    def resume(self, thread: str, *, config: RunnableConfig | None = None, **context: Any) -> Solution:
        """Continue a stopped or killed run after its last finished model call, in the context that it began with.

        `context` sets fields of that context. A run that met a limit continues if a field is given: `deadline=600`. The
        Solution of any other finished run is returned without a model call. Raises ThreadError for a thread that the
        checkpointer does not know, or that another strategy began, and ModelError when a model's server fails.
        """
        how, solution, afresh = self._resumed(self._kept, thread, self.graph.get_state(_on(thread)), config, context)
        if solution:
            return solution
        if afresh:
            self.graph.update_state(how["config"], afresh, as_node="begin")
        return solution_of(self.graph.invoke(None, **how))

    async def aresume(self, thread: str, *, config: RunnableConfig | None = None, **context: Any) -> Solution:
        """As `resume`, on the event loop."""
        kept, snapshot = self._kept, await self.graph.aget_state(_on(thread))
        how, solution, afresh = await asyncio.to_thread(self._resumed, kept, thread, snapshot, config, context)
        if solution:
            return solution
        if afresh:
            await self.graph.aupdate_state(how["config"], afresh, as_node="begin")
        return solution_of(await self.graph.ainvoke(None, **how))

    def stream(
        self, problem: str, *, config: RunnableConfig | None = None, **context: Unpack[RunSettings]
    ) -> Iterator[AnyEvent]:
        """Yield the events of the run (see events.py) as they happen, from `Begin` to `Concluded`."""
        how = self._how(config, self._context({**context, "stream_calls": True}))
        for part in self.graph.stream({"problem": problem}, **how, stream_mode=_MODES, subgraphs=True):
            if event := stream_event(part):
                yield event

    async def astream(
        self, problem: str, *, config: RunnableConfig | None = None, **context: Unpack[RunSettings]
    ) -> AsyncIterator[AnyEvent]:
        """As `stream`, on the event loop."""
        how = self._how(config, self._context({**context, "stream_calls": True}))
        async with aclosing(self.graph.astream({"problem": problem}, **how, stream_mode=_MODES, subgraphs=True)) as parts:
            async for part in parts:
                if event := stream_event(part):
                    yield event

    def batch(
        self,
        problems: Iterable[str],
        *,
        max_concurrency: int = 8,
        config: RunnableConfig | None = None,
        **context: Unpack[RunSettings],
    ) -> list[Solution | Exception]:
        """Solves many problems, `max_concurrency` at once; a problem that fails gives its exception in its place."""
        given, how = self._many(problems, max_concurrency, config, context)
        return _outcomes(self.graph.batch(given, **how, return_exceptions=True))

    async def abatch(
        self,
        problems: Iterable[str],
        *,
        max_concurrency: int = 8,
        config: RunnableConfig | None = None,
        **context: Unpack[RunSettings],
    ) -> list[Solution | Exception]:
        """As `batch`, on the event loop."""
        given, how = self._many(problems, max_concurrency, config, context)
        return _outcomes(await whole(self.graph.abatch(given, **how, return_exceptions=True)) or [])

    def _many(
        self, problems: Iterable[str], max_concurrency: int, config: RunnableConfig | None, context: Mapping[str, Any]
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The inputs of many runs, and their keyword arguments."""
        if isinstance(problems, str) or max_concurrency < 1:
            raise InputError("A batch takes a list of problems, not one text, and solves at least one at once.")
        if self._checkpointer is not None:
            raise InputError("A checkpointer keeps one run a thread. Next: call `solve`, each with a thread_id of its own.")
        how = self._how({**(config or {}), "max_concurrency": max_concurrency}, self._context(context))
        return [{"problem": each} for each in problems], how

    reason = solve  # the original's name

    def _context(self, overrides: Mapping[str, Any]) -> Context:
        return Context.of(**{**self.context.model_dump(exclude_unset=True), **overrides}) if overrides else self.context

    def _how(self, config: RunnableConfig | None, context: Context, **session: Any) -> dict[str, Any]:
        """Return the keyword arguments of a run. A checkpointer keeps what it begins with, and each step before the next."""
        _OPEN.add(self)
        specs = (context.navigator or self._own[0], context.solver or self._own[1])
        self._local |= {spec.strip() for spec in specs if isinstance(spec, str) and spec.strip().startswith("local:")}
        ours: RunnableConfig = {"callbacks": [self._recorder] if self._recorder else []}
        session |= {"ending": session_of(ensure_config(config)).ending, "checkpointer": self._checkpointer}
        if self._checkpointer is None:
            return {"config": with_session(merge_configs(config, ours), **session), "context": context}
        if not ensure_config(config).get("configurable", {}).get("thread_id"):
            raise InputError("A checkpointer needs a thread. Next: give config={'configurable': {'thread_id': 'homework-3'}}.")
        ours["metadata"] = begun_with(context=context, **self._begun)
        return {"config": with_session(merge_configs(config, ours), **session), "context": context, "durability": "sync"}

    @property
    def _kept(self) -> BaseCheckpointSaver[Any]:
        if self._checkpointer is None:
            raise InputError("Nothing can be resumed without a checkpointer. Next: give ReasonFlux the one that kept the run.")
        return self._checkpointer

    def _resumed(
        self, saver: BaseCheckpointSaver[Any], thread: str, snapshot: StateSnapshot, config: RunnableConfig | None, fields: JSON
    ) -> tuple[JSON, Solution | None, JSON]:
        """How to go on with a run; the Solution of a finished one; the new state of one that is to go on past its limit."""
        if snapshot.created_at is None:
            raise unknown_thread(thread, thread_ids(saver))
        noted = dict(snapshot.metadata or {}).get(BEGUN)
        begun = json.loads(str(noted)) if noted else {}  # nothing, if the bare graph began it
        if begun.get("strategy", self._begun["strategy"]) != self._begun["strategy"]:
            raise ThreadError(
                f"The thread {thread!r} was begun with the strategy {begun['strategy']!r}, not {self._begun['strategy']!r}. "
                f"Next: ReasonFlux(strategy={begun['strategy']!r}, ...).resume({thread!r})."
            )
        before = begun["context"] if begun else self.context.model_dump(exclude_unset=True)
        how = self._how(merge_configs(config, _on(thread)), Context.of(**{**before, **fields}))
        fresh: dict[str, Any] = {}
        if not snapshot.tasks:  # not `next`: that leaves out tasks whose results are kept already
            solution = solution_of(snapshot.values)
            if not (fields and solution.status == "exhausted"):
                return how, solution, fresh
            fresh = afresh(how["context"].of_strategy(self._begun["strategy"] or ""))
        finished = by_what_was_asked(finished_calls(saver, thread))
        return {**how, "config": with_session(how["config"], finished=finished)}, None, fresh


_MODES = ["custom", "messages"]
_OPEN: WeakSet[ReasonFlux] = WeakSet()
"""All that have run and are still referred to."""


def _outcomes(states: list[Any]) -> list[Solution | Exception]:
    return [s if isinstance(s, Exception) else solution_of(s) for s in states]


def _on(thread: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread}}
