"""One model call as one checkpointed unit: a LangGraph task, so that a resumed run repeats no finished call.

LangGraph saves a unit's result beside the work that goes on with it. Where a node calls twice, its second call waits until the
first one's reply is saved, so that no kill loses more than the call under way.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from contextvars import ContextVar
from dataclasses import asdict, replace
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
from reasonflux_agent.ending import ENDING, Ending
from reasonflux_agent.errors import discreet

CHECKPOINTER = "reasonflux_checkpointer"
"""Key of the config under which `ReasonFlux` hands its checkpointer on."""
KEPT = "reasonflux_kept"
"""Key of the config under which `ReasonFlux` hands on the results of finished calls, by what was asked: a run that goes on past
a limit does its work again, and makes none of them again."""
BEFORE = "reasonflux_before"
"""Key of the config under which `ReasonFlux` hands on what it wants called before a model call."""
TOOK = "reasonflux_seconds"
"""Key of a reply's metadata under which a cache says how long it took when it was made."""
ASKED: ContextVar[models.CallOptions | None] = ContextVar("reasonflux_asked", default=None)
"""The options of the call under way as they were asked for: a cache is shown only those that the model takes."""
PATIENCE, NAP = 2000, 0.003
"""Looks for a reply that is being saved, and seconds between them: after all of them the run goes on without."""


def call(model: BaseChatModel, effect: Call, run: Run, config: RunnableConfig | None) -> models.Reply | OutOfBudget:
    """Calls the model for `run`; OutOfBudget is returned where the deadline passes first. Raises ModelError."""
    if run.unit and (kept := _checkpointer(config)):
        for _ in range(PATIENCE):
            if _is_kept(kept.get_tuple(_where(run, config)), run):
                break
            time.sleep(NAP)
    unit, work = _UNITS[models.retries_itself(model)][0], _work(model, effect, run, config)
    try:
        return _reply(run, unit(work).result())
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
    unit, work, limit = _UNITS[models.retries_itself(model)][1], _work(model, effect, run, config), effect.options.timeout
    ending = ENDING.get() or Ending()
    try:
        if not ending.reason:
            async with ending.bounds(limit and limit + 1):
                return _reply(run, await unit(work))
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


def _failure(model: BaseChatModel, effect: Call, run: Run, error: Exception) -> OutOfBudget:
    """What the body is told of a call that failed by the deadline; any other failure is the server's. Raises ModelError."""
    if effect.options.timeout is not None and models.timed_out(error):
        return OutOfBudget(f"the deadline of {run.context.deadline:g} s passed in the middle of a model call")
    raise models.model_error(model, error) from error


class _Work:
    """What a unit does; `until` is when the call's time is up, in time.monotonic().

    Streams show what units are given, and some copy it: a model's client cannot be copied, and its fields may hold a password.
    `asked` is the same for the same call of the same attempt; `kept` are the results of such calls that are finished.
    """

    def __init__(
        self,
        model: BaseChatModel,
        call: Call,
        labels: RunnableConfig,
        until: float | None,
        asked: str,
        kept: list[dict[str, Any]],
    ) -> None:
        self.model, self.call, self.labels, self.until, self.asked, self.kept = model, call, labels, until, asked, kept

    def __deepcopy__(self, memo: dict[int, Any]) -> _Work:
        return self

    def model_dump(self) -> dict[str, Any]:
        """What a server of LangGraph shows."""
        return {"role": self.call.role, "messages": self.call.messages}

    def options(self) -> dict[str, Any]:
        """The keyword arguments of a try that begins now: a call's time is for all its tries. Raises TimeoutError."""
        ASKED.set(self.call.options)
        if self.until is None:
            return models.call_kwargs(self.model, self.call.options)
        if (left := self.until - time.monotonic()) <= 0:
            raise TimeoutError("the call's time was up before its next try")
        return models.call_kwargs(self.model, replace(self.call.options, timeout=left))


def _work(model: BaseChatModel, effect: Call, run: Run, config: RunnableConfig | None) -> _Work:
    """Its labels are for token streams, traces and records."""
    metadata = {"reasonflux_run": run.id, "reasonflux_node": run.node, "reasonflux_role": effect.role}
    limit, options = effect.options.timeout, asdict(replace(effect.options, timeout=None))
    labels: RunnableConfig = {"metadata": metadata, "tags": [f"reasonflux:{run.node}"]}
    about = json.dumps([getattr(run.context, effect.role), run.node, run.attempt, effect.messages, options])
    asked = hashlib.sha256(about.encode()).hexdigest()
    kept = (config or {}).get("configurable", {}).get(KEPT, {}).get(asked, [])
    return _Work(model, effect, labels, None if limit is None else time.monotonic() + limit, asked, kept)


def _invoke(work: _Work) -> dict[str, Any]:
    if work.kept:
        return _again(work)
    started, options = time.monotonic(), work.options()
    with discreet():
        message = work.model.invoke(cast(Any, work.call.messages), work.labels, **options)
    return _result(work, message, started)


async def _ainvoke(work: _Work) -> dict[str, Any]:
    if work.kept:
        return _again(work)
    started, options = time.monotonic(), work.options()
    with discreet():
        message = await work.model.ainvoke(cast(Any, work.call.messages), work.labels, **options)
    return _result(work, message, started)


def _result(work: _Work, message: AIMessage, started: float) -> dict[str, Any]:
    seconds = message.response_metadata.get(TOOK, time.monotonic() - started)
    return {"reply": vars(models.read_reply(message)).copy(), "seconds": seconds, "unit": _unit_id(), "asked": work.asked}


def _again(work: _Work) -> dict[str, Any]:
    """The result of a finished call; nobody counts it twice."""
    return {**work.kept.pop(0), "unit": _unit_id(), "asked": ""}


def by_what_was_asked(results: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Results of finished calls by what was asked, for `KEPT`; those of an older version do not say."""
    found: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if "asked" in result:
            found.setdefault(result["asked"], []).append(result)
    return found


def _unit_id() -> str:
    return str(get_config()["configurable"].get("checkpoint_ns", ""))


# One model call is one checkpointed unit: its result, JSON-plain, is kept, and a resumed run does not call again. Where the
# client does not try again by itself, the unit does, with back-off, if it failed for the server's sake.
_unit: Any = task(name="model_call")
_retried: Any = task(
    name="model_call", retry_policy=RetryPolicy(max_attempts=models.TRIES, retry_on=models.transient, initial_interval=0.5)
)
_UNITS = {False: (_retried(_invoke), _retried(_ainvoke)), True: (_unit(_invoke), _unit(_ainvoke))}
