"""Runs that many clients share: a graph for each strategy, a bounded number of runs at once, one end for all of them.

The endpoint, the run page and the tutor solve their problems here. A program of its own has `ReasonFlux`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypedDict, Unpack, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from reasonflux_agent.context import Context
from reasonflux_agent.ending import Ending
from reasonflux_agent.errors import InputError, discreet
from reasonflux_agent.events import AnyEvent
from reasonflux_agent.graph import create_reasonflux
from reasonflux_agent.models import CallOptions, Reply, aload_model, call_kwargs, model_error, read_reply
from reasonflux_agent.node import stream_event
from reasonflux_agent.parts import resolve_models
from reasonflux_agent.plugins import registered
from reasonflux_agent.prompts import Message, plain
from reasonflux_agent.runs.feedback import TakesFeedback
from reasonflux_agent.runs.record import Recorder
from reasonflux_agent.runs.threads import begun_with
from reasonflux_agent.session import with_session
from reasonflux_agent.templates import TemplateLibrary

JSON = dict[str, Any]


class GraphArguments(TypedDict, total=False):
    """What all runs are made of; see `create_reasonflux`."""

    navigator: BaseChatModel | str | None
    solver: BaseChatModel | str | None
    library: TemplateLibrary | str | None
    retriever: BaseRetriever | None
    context: Context | None


class Busy(InputError):
    """No more runs are taken at the moment."""


class Kept(NamedTuple):
    """Where the checkpoints of a run are kept, so that it can go on later."""

    saver: BaseCheckpointSaver[Any]
    thread: str


class Runner(TakesFeedback):
    """Runs problems by any registered strategy.

    record: the directory for run records, or its Recorder. builders: strategies beside the registered ones, by name.
    at_once: the most runs under way at once. waiting: the most runs that wait for a place.
    Raises InputError, SpecError, LibraryError or PluginError for parts that cannot be used.
    """

    def __init__(
        self,
        *,
        record: Recorder | str | Path | None = None,
        builders: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
        at_once: int = 8,
        waiting: int = 0,
        **parts: Unpack[GraphArguments],
    ) -> None:
        self.context = parts.get("context") or Context()
        self._recorder = Recorder(record) if isinstance(record, str | Path) else record
        self.owners = {name: plugin for name, (plugin, _) in registered("strategies").items()}
        """Strategy -> the plugin that registered it."""
        library = parts.get("library") or "builtin"
        self.library = library if isinstance(library, TemplateLibrary) else TemplateLibrary.load(library)
        parts |= {"library": self.library, "context": self.context}
        chosen: dict[str, Any] = {**{name: name for name in self.owners}, **builders}
        self.graphs: dict[str, Any] = {
            name: create_reasonflux(strategy=strategy, **parts).compile(name="reasonflux") for name, strategy in chosen.items()
        }
        """Strategy -> its compiled graph."""
        self._solver = resolve_models(parts.get("navigator"), parts.get("solver"))[1]
        self._ending = Ending()
        self._places = asyncio.Semaphore(at_once)
        self._at_once, self._limit, self._waiting = at_once, waiting, 0

    def context_of(self, fields: Mapping[str, Any]) -> Context:
        """Return the runner's context with the fields of one run. Raises InputError."""
        return Context.of(**{**self.context.model_dump(exclude_unset=True), **fields}) if fields else self.context

    def end(self, reason: str) -> None:
        """Make all runs end in their best answers so far."""
        self._ending.end(reason)

    @property
    def ended(self) -> bool:
        return bool(self._ending.reason)

    def check_place(self) -> None:
        """Raise Busy if all places are taken and no more runs may wait."""
        if self._places.locked() and self._waiting >= self._limit:
            waiting = f" and {self._waiting} wait" if self._limit else ""
            raise Busy(f"{self._at_once} runs are under way{waiting}, and no more are taken. Next: wait until one has ended.")

    @asynccontextmanager
    async def place(self, seconds: float | None = None) -> AsyncIterator[float]:
        """Hold a place for a run; gives the seconds that it was waited for. Raises Busy, also after `seconds` of waiting."""
        self.check_place()
        began = time.monotonic()
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._places.acquire()
        except TimeoutError:
            raise Busy(f"No place for the run became free in {seconds:g} s. Next: try again later.") from None
        finally:
            self._waiting -= 1
        try:
            yield time.monotonic() - began
        finally:
            self._places.release()

    async def events(
        self,
        strategy: str,
        given: Any,
        context: Context,
        *,
        kept: Kept | None = None,
        callbacks: Iterable[BaseCallbackHandler] = (),
        streamed: bool = False,
        metadata: JSON | None = None,
    ) -> AsyncGenerator[AnyEvent, None]:
        """Yield the events of a run, from `Begin` to `Concluded`; what a plugin's nodes stream besides is left out. Closing the
        generator cancels the run and its model calls.

        given: the graph's input, a Command, or None to resume. kept: where its checkpoints are kept. streamed: whether the
        models write their replies piece by piece, each piece a `Token`. metadata: what callbacks are told besides. Raises what
        the graph raises.
        """
        graph = self.graphs[strategy]
        handlers = [*([self._recorder] if self._recorder else []), *callbacks]
        config: RunnableConfig = {"callbacks": handlers, "metadata": metadata or {}}
        context = context.model_copy(update={"stream_calls": streamed})
        how: JSON = {"context": context, "stream_mode": ["custom", *(["messages"] if streamed else [])], "subgraphs": True}
        if kept:
            graph = graph.copy({"checkpointer": kept.saver})
            noted = {**config["metadata"], **begun_with(strategy, context)}
            config |= {"configurable": {"thread_id": kept.thread}, "metadata": noted}
            how["durability"] = "sync"
        session = with_session(config, ending=self._ending, checkpointer=kept and kept.saver)
        async with aclosing(graph.astream(given, session, **how)) as parts:
            async for part in parts:
                if ours := stream_event(part):
                    yield ours

    def solver(self, context: Context) -> BaseChatModel | str:
        """Return the model, or the spec of the model, that solves in a run with this context."""
        return context.solver or self._solver

    async def reply(self, messages: list[Message], context: Context, **options: Any) -> Reply:
        """Return the solver's reply to messages outside of any run; `options` as in `models.CallOptions`. It is not recorded.

        Raises ModelError, also if the time is up or the runs were ended.
        """
        async with self._asked(context, options) as (model, how):
            return read_reply(await model.ainvoke(cast(Any, plain(messages)), **how))

    async def writing(self, messages: list[Message], context: Context, **options: Any) -> AsyncGenerator[str | Reply, None]:
        """Yield the texts of the solver's reply as it is written, and then the Reply; else as `reply`."""
        async with self._asked(context, options) as (model, how):
            whole: Any = None
            async for piece in model.astream(cast(Any, plain(messages)), **how):
                whole = piece if whole is None else whole + piece
                yield piece.text
            yield read_reply(whole)

    @asynccontextmanager
    async def _asked(self, context: Context, options: JSON) -> AsyncIterator[tuple[BaseChatModel, JSON]]:
        model = await aload_model(self.solver(context))
        asked = CallOptions(**{"max_tokens": context.max_tokens, **options})
        try:
            async with self._ending.bounds(asked.timeout):
                with discreet():
                    yield model, call_kwargs(model, asked)
        except Exception as error:
            raise model_error(model, error) from error
