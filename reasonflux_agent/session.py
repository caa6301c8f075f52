"""What a caller gives one run besides its Context: objects that are not JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from reasonflux_agent.ending import Ending
from reasonflux_agent.models import Reply

SESSION = "reasonflux_session"
"""Key of `config["configurable"]` for the run's `Session`."""


class Replies(Protocol):
    """Replies that are kept by request: model, messages and options, as text."""

    def get(self, request: str) -> tuple[Reply, float] | None: ...
    def keep(self, request: str, reply: Reply, seconds: float) -> None: ...


@dataclass(frozen=True)
class Session:
    """What a caller gives one run besides its Context: objects that are not JSON. Pass it by `with_session(config, ...)`."""

    checkpointer: BaseCheckpointSaver[Any] | None = None
    """A second call of a node waits until the first reply is saved here. Needs durability `sync`."""
    finished: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Results of finished calls by what was asked (`by_what_was_asked`): a run that repeats its work makes no call again."""
    before_call: Callable[[], None] | None = None
    """Called before each model call, on the event loop."""
    cache: Replies | None = None
    """Replies that are kept: a request that it knows is not sent."""
    ending: Ending | None = None
    """Ends the run before its time, in its best answer so far."""


def session_of(config: Mapping[str, Any] | None) -> Session:
    """Return the session of a run; an empty one if the caller gave none."""
    found = ((config or {}).get("configurable") or {}).get(SESSION)
    return found if isinstance(found, Session) else Session()


def with_session(config: RunnableConfig | None, **fields: Any) -> RunnableConfig:
    """Return `config` with these fields of its session set."""
    session = replace(session_of(config), **fields)
    return {**(config or {}), "configurable": {**((config or {}).get("configurable") or {}), SESSION: session}}
