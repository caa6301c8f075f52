"""A run as it happens, on standard error: a line for each event, and on a terminal the models' words as they come.

A callback handler, because callbacks tell parallel calls apart and count their tokens.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableConfig
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.cli.bar import is_live
from reasonflux_agent.cli.exits import going_on
from reasonflux_agent.cli.report import padded, printable, shorten
from reasonflux_agent.context import Context
from reasonflux_agent.events import (
    JSON,
    Begin,
    Concluded,
    Labels,
    PlanDrawn,
    PlanRefined,
    TemplatesFound,
    event_of,
    labels_of,
)
from reasonflux_agent.wording import describe

T = TypeVar("T")
TAIL = 8
"""Lines of streamed text in the live view, shared by the calls under way."""
STYLES = {"begin": "dim", "unparsed": "yellow"}
"""Type of an event -> style of its first line; of the others it is bold."""


@dataclass
class _Call:
    """A model call under way."""

    title: str
    text: str = ""
    tokens: int = 0
    first: float = 0.0
    """When its first token came."""


class Progress(BaseCallbackHandler):
    """Shows one run; a context manager. `quiet`: shows nothing."""

    run_inline = True  # in order, also under asyncio

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet, self._several = quiet, False
        self._console = Console(stderr=True, highlight=False)
        self._calls: dict[UUID, _Call] = {}
        self._started, self._done, self._tokens = time.monotonic(), 0, 0
        self._live: Live | None = None
        if is_live() and not quiet:
            self._live = Live(get_renderable=self._view, console=self._console, transient=True, refresh_per_second=8)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
        """Show an event of the run."""
        event = None if self._quiet else event_of(name, data)
        if event is None or (isinstance(event, Concluded) and event.solution.status != "answered"):
            return  # the command reports a run without an answer at its end
        if isinstance(event, Begin):
            setting = Context.of(**event.context).setting
            self._several = setting.direct_samples + setting.trajectories > 1
        head, *body = printable(describe(event)).split("\n")
        if not head:
            return
        head = self._prefix(event) + head
        if self._live:  # in one piece, or the live view is drawn in between
            self._console.print(Group(Text(head, STYLES.get(event.type, "bold")), *map(padded, body)))
            return
        if not isinstance(event, PlanDrawn | PlanRefined | TemplatesFound):
            body = [" ".join(body)] if body else []
        indented = [f"  {' ' * (len(line) - len(line.lstrip(' ')))}{shorten(line)}" for line in body]
        print(shorten(head), *indented, sep="\n", file=sys.stderr, flush=True)

    def on_chat_model_start(
        self, serialized: JSON, messages: Any, *, run_id: UUID, metadata: JSON | None = None, **_: Any
    ) -> None:
        """A model call begins."""
        labels = labels_of(metadata)
        if labels:
            self._calls[run_id] = _Call(f"{self._prefix(labels)}{(metadata or {}).get('reasonflux_role')}, {labels.node}")

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **_: Any) -> None:
        """A piece of a reply, or of a reasoning model's thought."""
        call = self._calls.get(run_id)
        thought = getattr(getattr(chunk, "message", None), "additional_kwargs", {}).get("reasoning_content")
        piece = token if isinstance(token, str) and token else thought
        if call and isinstance(piece, str) and piece:
            call.first = call.first or time.monotonic()
            call.tokens += 1
            call.text += printable(piece)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """A model call ended."""
        call = self._calls.pop(run_id, None)
        generation = response.generations[0][0]
        message = generation.message if isinstance(generation, ChatGeneration) else None
        usage = getattr(message, "usage_metadata", None) or {}
        self._done += 1
        self._tokens += usage.get("total_tokens") or (call.tokens if call else 0)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A model call failed; whether that ends the run is not decided here."""
        self._calls.pop(run_id, None)

    def _prefix(self, labels: Labels) -> str:
        """Return `[draft 1] `, `[attempt 2] `; empty where the run has but one."""
        kind, _, number = labels.attempt.partition(" ")
        return f"[{kind} {int(number) + 1}] " if self._several and number.isdigit() else ""

    def _view(self) -> Group:
        """The calls under way, the end of each one's text, and a bottom line of what was spent."""
        calls = list(self._calls.values())
        shown = calls[-TAIL // 2 :]
        rows: list[Text] = []
        for call in shown:
            rows.append(Text(call.title, "bold cyan", no_wrap=True, overflow="ellipsis"))
            rows += self._end(call.text or "waiting for the first word ...", TAIL // len(shown))
        now = time.monotonic()
        rate = sum(call.tokens / max(now - call.first, 0.01) for call in calls if call.tokens > 1)
        tokens = self._tokens + sum(call.tokens for call in calls)
        facts = [f"{now - self._started:.0f} s", f"model calls done: {self._done}", f"{tokens:,} tokens"]
        rows.append(Text(" | ".join([*facts, f"{rate:.1f} tokens/s"] if rate else facts), "reverse", no_wrap=True))
        return Group(*rows)

    def _end(self, text: str, height: int) -> list[Text]:
        width = max(20, self._console.width - 2)
        lines = Text(text[-height * width :].expandtabs(4), "dim").wrap(self._console, width)
        return [Text.assemble("  ", line, no_wrap=True, overflow="ellipsis") for line in lines[-height:]]


def watch(
    flux: ReasonFlux,
    run: Callable[[ReasonFlux, RunnableConfig], Awaitable[T]],
    *,
    url: str | None = None,
    resume: str = "",
    quiet: bool = False,
) -> T:
    """Return what `run(flux, config)` returns, and show the run until then.

    `url` is the database that keeps the run, and `resume` the command that continues it. The run is on an event loop, because
    Ctrl-C ends a model call there at once.
    """
    from reasonflux_agent.runs.threads import aopen_checkpointer

    async def on_loop() -> T:
        async with aopen_checkpointer(url) if url else nullcontext() as saver:
            return await run(flux if saver is None else flux.with_checkpointer(saver), {"callbacks": [progress]})

    hint = going_on(resume) if resume else nullcontext()
    with hint, redirect_stdout(sys.stderr), Progress(quiet=quiet) as progress:  # standard output is for the answer alone
        return asyncio.run(on_loop())
