"""One model call as one checkpointed unit: a LangGraph task, so that a resumed run repeats no finished call.

LangGraph saves a unit's result beside the work that goes on with it. Where a node calls twice, its second call waits until the
first one's reply is saved, so that no kill loses more than the call under way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.config import get_config
from langgraph.func import task
from langgraph.types import RetryPolicy

from reasonflux_agent import models
from reasonflux_agent.effects import Call, OutOfBudget, Run
from reasonflux_agent.errors import discreet

CHECKPOINTER = "reasonflux_checkpointer"
"""Key of the config under which `ReasonFlux` hands its checkpointer on."""
BEFORE = "reasonflux_before"
"""Key of the config under which `ReasonFlux` hands on what it wants called before a model call."""
TOOK = "reasonflux_seconds"
"""Key of a reply's metadata under which a cache says how long it took when it was made."""
ASKED: ContextVar[models.CallOptions | None] = ContextVar("reasonflux_asked", default=None)
"""The options of the call under way as they were asked for: a cache is shown only those that the model takes."""
PATIENCE, NAP = 2000, 0.003
"""Looks for a reply that is being saved, and seconds between them: after all of them the run goes on without."""


class Ending:
    """Ends runs on an event loop before their time, in their best answer so far: see `ENDING`."""

    reason = ""
    """Why, once they are to end."""

    def __init__(self) -> None:
        self._clocks: set[asyncio.Timeout] = set()

    def end(self, reason: str) -> None:
        """Ends the model calls under way; no other one begins."""
        self.reason = reason
        for clock in self._clocks:
            if not clock.expired():
                clock.reschedule(0)

    @asynccontextmanager
    async def bounds(self, seconds: float | None) -> AsyncIterator[None]:
        """Raises TimeoutError after so many seconds, or at the end."""
        async with asyncio.timeout(seconds) as clock:
            self._clocks.add(clock)
            try:
                yield
            finally:
                self._clocks.discard(clock)


ENDING: ContextVar[Ending | None] = ContextVar("reasonflux_ending", default=None)
"""What ends the runs that are begun in this context."""


def call(model: BaseChatModel, effect: Call, run: Run, config: RunnableConfig | None) -> models.Reply | OutOfBudget:
    """Calls the model for `run`; OutOfBudget is returned where the deadline passes first. Raises ModelError."""
    if run.unit and (kept := _checkpointer(config)):
        for _ in range(PATIENCE):
            if _is_kept(kept.get_tuple(_where(run, config)), run):
                break
            time.sleep(NAP)
    unit, until = _UNITS[models.retries_itself(model)][0], _until(effect)
    try:
        return _reply(run, unit(model, effect, _labels(run, effect), until).result())
    except Exception as error:
        return _failure(model, effect, run, error)


async def acall(model: BaseChatModel, effect: Call, run: Run, config: RunnableConfig | None) -> models.Reply | OutOfBudget:
    """As `call`, on the event loop."""
    if run.unit and (kept := _checkpointer(config)):
        for _ in range(PATIENCE):
            if _is_kept(await kept.aget_tuple(_where(run, config)), run):
                break
            await asyncio.sleep(NAP)
    if before := (config or {}).get("configurable", {}).get(BEFORE):
        before()
    unit, until, limit = _UNITS[models.retries_itself(model)][1], _until(effect), effect.options.timeout
    ending = ENDING.get() or Ending()
    try:
        if not ending.reason:
            async with ending.bounds(limit and limit + 1):
                return _reply(run, await unit(model, effect, _labels(run, effect), until))
    except Exception as error:
        if not ending.reason:
            return _failure(model, effect, run, error)
    return OutOfBudget(ending.reason)


def _reply(run: Run, result: dict[str, Any]) -> models.Reply:
    run.took, run.unit = result["seconds"], result["unit"]
    return models.Reply(**result["reply"])


def _checkpointer(config: RunnableConfig | None) -> BaseCheckpointSaver[Any] | None:
    """The one that `ReasonFlux` runs with, with durability `sync`; another caller decides for himself how much is saved."""
    return (config or {}).get("configurable", {}).get(CHECKPOINTER)


def _where(run: Run, config: RunnableConfig | None) -> RunnableConfig:
    """Where the result of the last call is saved: with the graph whose node `.../node:id/model_call:id` made it."""
    space = "|".join(run.unit.split("|")[:-2])
    thread = (config or {})["configurable"]["thread_id"]
    return {"configurable": {"thread_id": thread, "checkpoint_ns": space}}


def _is_kept(saved: CheckpointTuple | None, run: Run) -> bool:
    call = run.unit.rpartition(":")[2]
    return saved is not None and any(unit == call for unit, *_ in saved.pending_writes or ())


def _labels(run: Run, effect: Call) -> RunnableConfig:
    """Tags and metadata of a model call, for token streams, traces and records."""
    labels = {"reasonflux_run": run.id, "reasonflux_node": run.node, "reasonflux_role": effect.role}
    return {"metadata": labels, "tags": [f"reasonflux:{run.node}"]}


def _failure(model: BaseChatModel, effect: Call, run: Run, error: Exception) -> OutOfBudget:
    """What the body is told of a call that failed by the deadline; any other failure is the server's. Raises ModelError."""
    if effect.options.timeout is not None and models.timed_out(error):
        return OutOfBudget(f"the deadline of {run.context.deadline:g} s passed in the middle of a model call")
    raise models.model_error(model, error) from error


def _until(effect: Call) -> float | None:
    """When the time of a call is up, in time.monotonic()."""
    return None if effect.options.timeout is None else time.monotonic() + effect.options.timeout


def _left(options: models.CallOptions, until: float | None) -> models.CallOptions:
    """The options for a try that begins now: a call's time is for all its tries. Raises TimeoutError once it is up."""
    if until is None:
        return options
    if (left := until - time.monotonic()) <= 0:
        raise TimeoutError("the call's time was up before its next try")
    return replace(options, timeout=left)


def _invoke(model: BaseChatModel, call: Call, labels: RunnableConfig, until: float | None) -> dict[str, Any]:
    started = time.monotonic()
    ASKED.set(call.options)
    with discreet():
        message = model.invoke(cast(Any, call.messages), labels, **models.call_kwargs(model, _left(call.options, until)))
    return _result(message, started)


async def _ainvoke(model: BaseChatModel, call: Call, labels: RunnableConfig, until: float | None) -> dict[str, Any]:
    started = time.monotonic()
    ASKED.set(call.options)
    options = models.call_kwargs(model, _left(call.options, until))
    with discreet():
        message = await model.ainvoke(cast(Any, call.messages), labels, **options)
    return _result(message, started)


def _result(message: AIMessage, started: float) -> dict[str, Any]:
    unit = get_config()["configurable"].get("checkpoint_ns", "")
    seconds = message.response_metadata.get(TOOK, time.monotonic() - started)
    return {"reply": vars(models.read_reply(message)).copy(), "seconds": seconds, "unit": unit}


# One model call is one checkpointed unit: its result, JSON-plain, is kept, and a resumed run does not call again. Where the
# client does not try again by itself, the unit does, with back-off, if it failed for the server's sake.
_unit: Any = task(name="model_call")
_retried: Any = task(
    name="model_call", retry_policy=RetryPolicy(max_attempts=models.TRIES, retry_on=models.transient, initial_interval=0.5)
)
_UNITS = {False: (_retried(_invoke), _retried(_ainvoke)), True: (_unit(_invoke), _unit(_ainvoke))}
