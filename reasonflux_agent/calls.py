"""One model call as one checkpointed unit: a LangGraph task, so that a resumed run repeats no finished call.

LangGraph saves a unit's result while the node continues. If a node makes a second call, that call waits until the first reply
is saved; so a killed process loses no more than the call under way.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar, cast

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_config, get_stream_writer
from langgraph.constants import TAG_NOSTREAM
from langgraph.func import task

from reasonflux_agent import models
from reasonflux_agent.ending import Ending
from reasonflux_agent.errors import discreet, redacted
from reasonflux_agent.events import PREFIX, CallEnded, Event, Labels
from reasonflux_agent.prompts import Message, Role
from reasonflux_agent.session import Session, session_of

T = TypeVar("T")
GIVEN_UP = "the call was given up"
"""What the record says of a call that was cancelled or interrupted: such an error has no text."""
POLLS, NAP = 2000, 0.003
"""How often a saved reply is looked for, and the seconds in between; after that the run continues without waiting."""


class OutOfBudget(Exception):
    """A limit of the Context is reached; the text says which. The node catches it: the run ends in its best answer so far."""


@dataclass(frozen=True)
class Call:
    role: Role
    messages: list[Message]
    options: models.CallOptions
    labels: Labels
    spec: str | None
    """The model's spec in the run's context, if that sets one: a call of another model is another call."""
    deadline: float | None
    """The Context's, for error texts."""
    streamed: bool = False
    """Whether LangGraph's stream mode `messages` shows the reply."""
    after: str = ""
    """Unit of the node's call before this one; empty if this is the first."""


@dataclass(frozen=True)
class Answer:
    reply: models.Reply
    seconds: float
    """What the call took when it was made; a resumed run gets the result at once."""
    unit: str
    """Name of the checkpointed unit: LangGraph's namespace, which ends in the call's id."""

    @property
    def id(self) -> str:
        return self.unit.rpartition(":")[2]


async def call(model: BaseChatModel, wanted: Call, config: RunnableConfig | None, *, blocking: bool) -> Answer:
    """Call the model. Raises OutOfBudget if the deadline passes first, and ModelError. `blocking`: it suspends nowhere."""
    session = session_of(config)
    if wanted.after and session.checkpointer:
        await _until_saved(session.checkpointer, wanted.after, config, blocking)
    if session.before_call:
        session.before_call()
    units, limit, ending = _UNITS[models.retries_itself(model)], wanted.options.timeout, session.ending or Ending()
    try:
        if blocking:
            return _answer(units[0](_Work(model, wanted, session)).result())
        if not ending.reason:
            async with ending.bounds(limit and limit + 1):
                return _answer(await units[1](_Work(model, wanted, session)))
    except Exception as error:
        if not ending.reason:
            raise _failure(model, wanted, error) from error
    raise OutOfBudget(ending.reason)


def _answer(result: dict[str, Any]) -> Answer:
    return Answer(models.Reply(**result["reply"]), result["seconds"], result["unit"])


async def _until_saved(saver: BaseCheckpointSaver[Any], unit: str, config: RunnableConfig | None, blocking: bool) -> None:
    """Wait for the result of a unit. It is saved with the graph whose node `.../node:id/model_call:id` made the call."""
    space, id = "|".join(unit.split("|")[:-2]), unit.rpartition(":")[2]
    place: RunnableConfig = {"configurable": {"thread_id": (config or {})["configurable"]["thread_id"], "checkpoint_ns": space}}
    for _ in range(POLLS):
        saved = saver.get_tuple(place) if blocking else await saver.aget_tuple(place)
        if saved and any(written == id for written, *_ in saved.pending_writes or ()):
            return
        if blocking:
            time.sleep(NAP)
        else:
            await asyncio.sleep(NAP)


def _failure(model: BaseChatModel, wanted: Call, error: Exception) -> Exception:
    """The error of a failed call: OutOfBudget if the deadline was the cause, else a ModelError."""
    if wanted.options.timeout is not None and models.timed_out(error):
        return OutOfBudget(f"the deadline of {wanted.deadline:g} s passed in the middle of a model call")
    return models.model_error(model, error)


class _Work:
    """What a unit does. Streams show it and some copy it: a model's client cannot be copied, and may hold a password."""

    def __init__(self, model: BaseChatModel, wanted: Call, session: Session) -> None:
        limit, options = wanted.options.timeout, asdict(replace(wanted.options, timeout=None))
        self.model, self.wanted, self.began = model, wanted, time.monotonic()
        self._until = None if limit is None else self.began + limit
        about = json.dumps([wanted.spec, wanted.labels.node, wanted.labels.attempt, wanted.messages, options])
        self.asked = hashlib.sha256(about.encode()).hexdigest()
        """The same for the same call of the same attempt."""
        self.finished, self._cache = session.finished.get(self.asked, []), session.cache
        if self._cache:
            options["seed"] = None if self._is_greedy() else options["seed"]
            self._request = json.dumps([models.describe(model), wanted.messages, options])

    def __deepcopy__(self, memo: dict[int, Any]) -> _Work:
        return self

    def model_dump(self) -> dict[str, Any]:
        """What a server of LangGraph shows."""
        return {"role": self.wanted.role, "messages": self.wanted.messages}

    def options(self) -> dict[str, Any]:
        """The keyword arguments of a try that begins now: the time limit is for all tries. Raises TimeoutError."""
        self.began = time.monotonic()
        if self._until is None:
            return models.call_kwargs(self.model, self.wanted.options)
        if (left := self._until - self.began) <= 0:
            raise TimeoutError("the call's time was up before its next try")
        return models.call_kwargs(self.model, replace(self.wanted.options, timeout=left))

    def config(self) -> RunnableConfig:
        """The labels of the call, for token streams, traces and callback handlers."""
        labels = {f"{PREFIX}{name}": value for name, value in self._labels().items()}
        tags = [f"{PREFIX[:-1]}:{self.wanted.labels.node}", *([] if self.wanted.streamed else [TAG_NOSTREAM])]
        return {"metadata": {**labels, f"{PREFIX}role": self.wanted.role}, "tags": tags}

    def _labels(self) -> dict[str, str]:
        return {**dict(self.wanted.labels), "call": _unit().rpartition(":")[2]}

    def ended(
        self, reply: models.Reply | None = None, seconds: float | None = None, error: BaseException | None = None
    ) -> CallEnded:
        """The event of a try that ended now, or of a cached reply that took `seconds` when it was made."""
        return CallEnded(
            **self._labels(),
            role=self.wanted.role,
            model=str(getattr(self.model, "model_name", None) or getattr(self.model, "model", None) or ""),
            messages=tuple(self.wanted.messages),
            reply=reply,
            error=None if error is None else _told(error),
            seconds=round(time.monotonic() - self.began if seconds is None else seconds, 3),
            time=round(time.time(), 3),
        )

    def _is_greedy(self) -> bool:
        """Whether the seed cannot change the reply."""
        options = self.wanted.options
        return options.temperature == 0 and "temperature" in models.call_kwargs(self.model, options)

    def cached(self) -> tuple[models.Reply, float] | None:
        """The reply that the session's cache has for this request, and its seconds."""
        return self._cache.get(self._request) if self._cache else None

    def read(self, message: AIMessage) -> tuple[models.Reply, float]:
        """The reply in a message, and the seconds that it took; the cache keeps both."""
        reply, seconds = models.read_reply(message), time.monotonic() - self.began
        if self._cache:
            self._cache.keep(self._request, reply, seconds)
        return reply, seconds

    def result(self, reply: models.Reply, seconds: float) -> dict[str, Any]:
        """The unit's result, JSON-plain."""
        return {"reply": vars(reply).copy(), "seconds": seconds, "unit": _unit(), "asked": self.asked}

    def again(self) -> dict[str, Any]:
        """The result of a finished call; its `asked` is empty, so that it is not counted twice."""
        return {**self.finished.pop(0), "unit": _unit(), "asked": ""}


def _told(error: BaseException) -> str:
    return redacted(f"{type(error).__name__}: {error if isinstance(error, Exception) else GIVEN_UP}")[:2000]


async def _made(work: _Work, blocking: bool) -> dict[str, Any]:
    if work.finished:
        return work.again()
    if not (made := work.cached()):
        options, config, messages = work.options(), work.config(), cast(Any, work.wanted.messages)
        try:
            with discreet():
                model = work.model
                made = work.read(
                    model.invoke(messages, config, **options) if blocking else await model.ainvoke(messages, config, **options)
                )
        except BaseException as error:
            await emit(work.ended(error=error), blocking=blocking)
            raise
    await emit(work.ended(*made), blocking=blocking)
    return work.result(*made)


def _invoke(work: _Work) -> dict[str, Any]:
    return drive(_made(work, blocking=True))


async def _ainvoke(work: _Work) -> dict[str, Any]:
    return await _made(work, blocking=False)


def drive(body: Awaitable[T]) -> T:
    """Return the result of a coroutine that never suspends. Raises RuntimeError for one that does."""
    steps = body.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError(
        "A node awaits something that is not of its run, so `invoke` cannot carry it out. Next: await the methods of `run` "
        "alone, or call the graph with `ainvoke`."
    )


async def emit(event: Event, config: RunnableConfig | None = None, *, blocking: bool) -> None:
    """Tell streams (mode `custom`) and callback handlers of an event."""
    data = event.to_json()
    get_stream_writer()(data)
    if _has_handlers(config):
        name = f"{PREFIX}{data['type']}"
        if blocking:
            dispatch_custom_event(name, data, config=config)
        else:
            await adispatch_custom_event(name, data, config=config)


def _has_handlers(config: RunnableConfig | None) -> bool:
    """Whether anything listens: LangChain prepares a custom event at some cost, even for nobody."""
    callbacks = (config or ensure_config()).get("callbacks")
    return bool(getattr(callbacks, "handlers", callbacks))


def by_what_was_asked(results: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return results of finished calls by what was asked, for `Session.finished`; those of an older version do not say."""
    found: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if "asked" in result:
            found.setdefault(result["asked"], []).append(result)
    return found


def _unit() -> str:
    return str(get_config()["configurable"].get("checkpoint_ns", ""))


# If the model's client does not retry by itself, the unit does, with back-off, where the server is at fault.
_plain: Any = task(name="model_call")
_retried: Any = task(name="model_call", retry_policy=models.retry_policy())
_UNITS = {False: (_retried(_invoke), _retried(_ainvoke)), True: (_plain(_invoke), _plain(_ainvoke))}
