"""The runs behind the endpoint: one compiled graph a strategy, a bounded number of runs at once, and a queue in front."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel

from reasonflux_agent.calls import with_session
from reasonflux_agent.context import Context
from reasonflux_agent.ending import Ending
from reasonflux_agent.graph import create_reasonflux
from reasonflux_agent.plugins import registered
from reasonflux_agent.runs.record import Recorder
from reasonflux_agent.serving.guard import RETRY_AFTER, closing
from reasonflux_agent.serving.requests import Refused
from reasonflux_agent.templates import TemplateLibrary

QUEUE = 4
"""Requests that may wait, per run that may be under way."""


class Service:
    """Runs problems by any registered strategy. `context` is what runs start from; `timeout` bounds a run, its wait included.

    Raises InputError, SpecError, LibraryError or PluginError for what cannot be used.
    """

    def __init__(
        self,
        *,
        navigator: BaseChatModel | str | None = None,
        solver: BaseChatModel | str | None = None,
        library: TemplateLibrary | str | None = None,
        context: Context | None = None,
        record: str | Path | None = None,
        max_concurrency: int = 8,
        timeout: float = 600.0,
    ) -> None:
        loaded = library if isinstance(library, TemplateLibrary) else TemplateLibrary.load(library or "builtin")
        self.context, self.timeout = context or Context(), timeout
        self.owners = {name: plugin for name, (plugin, _) in registered("strategies").items()}
        """Strategy -> the plugin that registered it."""
        self._graphs: dict[str, Any] = {
            name: create_reasonflux(strategy=name, navigator=navigator, solver=solver, library=loaded).compile(name=name)
            for name in self.owners
        }
        self._ending = Ending()
        callbacks = [Recorder(record)] if record is not None else []
        self._config = with_session({"callbacks": [*callbacks]}, ending=self._ending)
        self._places = asyncio.Semaphore(max_concurrency)
        self._limit, self._waiting = max_concurrency * QUEUE, 0

    def context_of(self, fields: dict[str, Any]) -> Context:
        """The server's context with a request's fields. Raises InputError."""
        return Context.of(**{**self.context.model_dump(exclude_unset=True), **fields}) if fields else self.context

    def end(self) -> None:
        """Makes all runs end in their best answers so far; those that wait are refused."""
        self._ending.end("the server was told to end")

    @property
    def ended(self) -> bool:
        """Whether it was told to."""
        return bool(self._ending.reason)

    async def run(self, strategy: str, problem: str, context: Context) -> AsyncGenerator[dict[str, Any], None]:
        """The run's events, from `begin` to `solution`; closing the iterator cancels the run and its model calls.

        Raises Refused (429) when too many wait already or the wait takes all the time, `closing()`, and what the graph raises.
        """
        async with self._place() as left:
            if self.ended:
                raise closing()
            bounded = context.model_copy(update={"deadline": min(left, context.deadline or left)})
            stream = self._graphs[strategy].astream(
                {"problem": problem}, self._config, context=bounded, stream_mode="custom", subgraphs=True
            )
            async with aclosing(stream):
                async for _, event in stream:
                    if isinstance(event, dict) and "run" in event:  # a plugin's nodes may stream events of their own
                        yield event

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[float]:
        """A place among the runs under way; gives the seconds that are left of the timeout."""
        if self._places.locked() and self._waiting >= self._limit:
            raise _busy(f"{self._waiting} requests are waiting already")
        begun = time.monotonic()
        self._waiting += 1
        try:
            async with asyncio.timeout(self.timeout):
                await self._places.acquire()
        except TimeoutError:
            raise _busy(f"no place became free in {self.timeout:g} s") from None
        finally:
            self._waiting -= 1
        try:
            yield max(0.1, self.timeout - (time.monotonic() - begun))
        finally:
            self._places.release()


def _busy(why: str) -> Refused:
    text = f"The server is busy: {why}. Next: try again in {RETRY_AFTER} s, or raise its --max-concurrency."
    return Refused(text, status=429, code="rate_limit_exceeded", retry_after=RETRY_AFTER)
