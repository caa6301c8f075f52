"""What this process does for a run, and what the run's models are writing at this moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from reasonflux_agent.events import labels_of

JSON = dict[str, Any]


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
    problem: str = ""
    """What it is to solve, while it waits for a place."""
    placed: bool = False
    """Whether it has a place."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    drafts: Drafts = field(default_factory=Drafts)
    error: str = ""
    """Why it failed, in words."""

    @property
    def under_way(self) -> bool:
        """Whether this process works on the run."""
        return bool(self.task and not self.task.done())
