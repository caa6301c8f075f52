"""Turns a generator of effects into a graph node, sync and async from one definition.

A node's body yields what it wants done (a model call, a program, a search, a comparison) and receives the result; the two
drivers below carry it out. Every model call is a LangGraph task: one checkpointed unit, so that a resumed run repeats no
finished call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar, cast, get_args, get_type_hints

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import set_config_context
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.config import get_config, get_stream_writer
from langgraph.func import task
from langgraph.graph import StateGraph
from langgraph.runtime import get_runtime
from langgraph.types import RetryPolicy, interrupt

from reasonflux_agent import models
from reasonflux_agent.context import Context
from reasonflux_agent.exchanges import Exchange, Message, ParseError, Role, correction
from reasonflux_agent.grading import aequivalent, equivalent
from reasonflux_agent.library import TemplateLibrary
from reasonflux_agent.programs import arun_program, run_program
from reasonflux_agent.schema import Usage

T = TypeVar("T")
Effect = Any
"""One of the effect classes below."""
Body = Generator[Effect, Any, T]

DEPTH = 8
"""Templates that the default retriever finds for a query: more than are used, so that a replacement finds others."""
CHECKPOINTER = "reasonflux_checkpointer"
"""Key of the config under which `ReasonFlux` hands its checkpointer on."""
PATIENCE, NAP = 2000, 0.003
"""Looks for a reply that is being saved, and seconds between them: after all of them the run goes on without."""
PARSE_TRIES = 2
"""Calls of one exchange at most: a reply that does not parse is sent back once with what was wrong."""


@dataclass(frozen=True)
class Call:
    """Call a model; the result is a `models.Reply`, or OutOfBudget where the deadline passed before the model answered."""

    role: Role
    messages: list[Message]
    options: models.CallOptions


@dataclass(frozen=True)
class Search:
    """Look the query up in the library; the result is a list of documents, best first."""

    query: str


@dataclass(frozen=True)
class RunProgram:
    """Run a program in isolation; the result is a `programs.ProgramResult`."""

    code: str


@dataclass(frozen=True)
class Same:
    """Compare two answers; the result is a bool."""

    a: str
    b: str


@dataclass(frozen=True)
class Load:
    """Load the models of the run; the result says what the run is made of, for its record."""


@dataclass(frozen=True)
class Ask:
    """Ask a person; the result is whatever the run is resumed with. Both JSON-plain; `schema` is the JSON schema of the latter.

    The node begins anew when the run is resumed: what it did before is done twice, but for its model calls.
    """

    question: dict[str, Any]
    schema: dict[str, Any]


@dataclass(frozen=True)
class Emit:
    """Tell whoever listens: a custom event for streams and callback handlers.

    `{"type": name, "run": id, "node": name, "number": 1 for the first event of this pass through the node, **data}`
    """

    name: str
    data: dict[str, Any]


class OutOfBudget(Exception):
    """A limit of the Context is reached; its text says which. Caught by the node: the run ends in its best answer so far."""


@dataclass
class Run:
    """What a node's body sees of the run: its context, its spending, and the ways to ask."""

    context: Context
    node: str
    id: str
    spent: Usage
    share: int
    parts: Parts
    usage: list[dict[str, Any]] = field(default_factory=list)
    sample: int = 0
    """Number of the attempt or draft that the node belongs to."""
    took: float = 0.0
    """Seconds that the last call took when it was made: a resumed run is given its result at once."""
    unit: str = ""
    """The unit of work that the last call was; empty before the first one."""
    emitted: int = 0
    """Events of this node so far: a resumed run emits them again, with the same numbers."""

    def ask(
        self, exchange: Exchange[T], *, sampled: bool = False, logprobs: bool = False, **given: Any
    ) -> Body[tuple[T, models.Reply]]:
        """Asks until the reply parses, `PARSE_TRIES` times at most; then the last ParseError is raised."""
        messages = exchange.render(**given)
        for attempt in range(1, PARSE_TRIES + 1):
            reply = yield from self.call(exchange, messages, sampled=sampled or attempt > 1, logprobs=logprobs)
            try:
                return exchange.parse(reply.text), reply
            except ParseError as error:
                yield Emit("unparsed", {"exchange": exchange.name, "reply": reply.text, "error": str(error)})
                if attempt == PARSE_TRIES:
                    raise
                messages = exchange.render(**given) + correction(reply.text, error)
        raise AssertionError("unreachable")

    def call(
        self, exchange: Exchange[Any], messages: list[Message], *, sampled: bool = False, logprobs: bool = False
    ) -> Body[models.Reply]:
        """One model call within what is left of the budget. Raises OutOfBudget."""
        options = models.CallOptions(
            max_tokens=self._tokens_left(exchange.max_tokens or self.context.max_tokens),
            temperature=self.context.temperature if sampled or not self.context.greedy else 0.0,
            seed=None if self.context.seed is None else self.context.seed + self.sample,
            stop=exchange.stop,
            timeout=self._seconds_left(),
            logprobs=logprobs,
        )
        started, self.took = time.monotonic(), 0.0
        reply: models.Reply | OutOfBudget = yield Call(exchange.role, messages, options)
        usage = Usage(calls=1, seconds=round(max(time.monotonic() - started, self.took), 3))
        if isinstance(reply, models.Reply):
            usage += Usage(
                prompt_tokens=reply.prompt_tokens,
                cached_tokens=reply.cached_tokens,
                completion_tokens=reply.completion_tokens,
            )
        self.spent += usage
        self.usage.append({"node": self.node, **usage.model_dump()})
        if isinstance(reply, OutOfBudget):
            raise reply
        return reply

    def _tokens_left(self, wanted: int) -> int:
        if self.context.token_budget is None:
            return wanted
        left = self.context.token_budget - self.spent.tokens
        if left <= 0:
            raise OutOfBudget(f"the token budget of {self.context.token_budget} is spent")
        return min(wanted, max(16, left // self.share))

    def _seconds_left(self) -> float | None:
        if self.context.deadline is None:
            return None
        left = self.context.deadline - self.spent.seconds
        if left <= 0:
            raise OutOfBudget(f"the deadline of {self.context.deadline:g} s has passed")
        return left


NodeBody = Callable[[Any, Run], Body[dict[str, Any]]]
"""What a node does: `body(state, run)` yields effects and returns the update of the state."""


@dataclass(frozen=True)
class Parts:
    """What a strategy is built from; `node` makes a graph node of a generator function `body(state, run)`."""

    navigator: BaseChatModel | str
    solver: BaseChatModel | str
    retriever: BaseRetriever | None = None
    """None: the default one for `library`, made at first use."""
    library: TemplateLibrary = field(default_factory=TemplateLibrary.builtin)
    defaults: Context = field(default_factory=Context)
    search: Literal["hybrid", "hierarchical"] = "hybrid"
    """How the default retriever searches."""

    def node(self, body: NodeBody, name: str = "") -> Runnable[Any, Any]:
        """A node, named like the function unless a name is given."""
        return Node(self, body, name or body.__name__)

    def context(self) -> Context:
        """The context of the run that is under way; to be called in a node or a router."""
        given: object = get_runtime(Context).context
        if isinstance(given, Context):
            return given
        # inside a host's graph the context is the host's, so ours has a place of its own in the config
        own = get_config().get("configurable", {}).get("reasonflux")
        if own is not None:
            return own if isinstance(own, Context) else Context.of(**own)
        # or the host has none, and passes ours on: it is made of our fields
        if isinstance(given, dict) and given and given.keys() <= Context.model_fields.keys():
            return Context.of(**given)
        return self.defaults

    def model(self, role: Role, context: Context) -> BaseChatModel:
        """The model of a role in this run; equal specs share one loaded model."""
        return models.load_model(self.spec(role, context))

    async def amodel(self, role: Role, context: Context) -> BaseChatModel:
        """As `model`, on the event loop; in a thread only where there is something to load."""
        spec = self.spec(role, context)
        ready = models.loaded(spec)
        return await asyncio.to_thread(models.load_model, spec) if ready is None else ready

    def spec(self, role: Role, context: Context) -> BaseChatModel | str:
        """What plays a role in this run."""
        spec: BaseChatModel | str = getattr(context, role) or getattr(self, role)
        return spec

    def names(self, context: Context) -> dict[str, str]:
        """What the run is made of, for its record; its models are loaded for it, so that an unknown one is refused early."""
        described = {role: models.describe(self.model(role, context)) for role in ("navigator", "solver")}
        return {**described, "library": self.library.name}

    @cached_property
    def searcher(self) -> BaseRetriever:
        """The retriever of this graph."""
        if self.retriever is not None:
            return self.retriever
        from reasonflux_agent.retrieval import TemplateRetriever

        return TemplateRetriever.from_library(self.library, k=DEPTH, mode=self.search)


class Node(Runnable[dict[str, Any], dict[str, Any]]):
    """A generator of effects as a Runnable with both `invoke` and `ainvoke`."""

    def __init__(self, parts: Parts, body: NodeBody, name: str) -> None:
        self.parts, self.body = parts, body
        self.name: str = name

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        run, steps = self._begin(input)
        result: Any = None
        try:
            while True:
                result = self._do(steps.send(result), run, config)
        except StopIteration as end:
            return self._end(run, end.value)
        except OutOfBudget as error:
            return self._end(run, {"exhausted": str(error)})

    async def ainvoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        run, steps = self._begin(input)
        result: Any = None
        try:
            while True:
                result = await self._ado(steps.send(result), run, config)
        except StopIteration as end:
            return self._end(run, end.value)
        except OutOfBudget as error:
            return self._end(run, {"exhausted": str(error)})

    def _begin(self, state: dict[str, Any]) -> tuple[Run, Body[dict[str, Any]]]:
        context = self.parts.context()
        spent = sum((_usage(row) for row in state.get("usage") or ()), Usage(**(state.get("spent") or {})))
        run = Run(context, self.name, state.get("run", ""), spent, state.get("share") or 1, self.parts)
        run.sample = state.get("sample") or 0
        return run, self.body(state, run)

    def _end(self, run: Run, update: dict[str, Any]) -> dict[str, Any]:
        if run.usage and update.get("usage", ()) is not None:
            return {**update, "usage": run.usage, "elapsed": run.spent.seconds}
        return update

    def _do(self, effect: Effect, run: Run, config: RunnableConfig | None) -> Any:
        match effect:
            case Call():
                model = self.parts.model(effect.role, run.context)
                if run.unit and (kept := _checkpointer(config)):
                    for _ in range(PATIENCE):  # until the reply of this node's last call is kept
                        if _is_kept(kept.get_tuple(_where(run, config)), run):
                            break
                        time.sleep(NAP)
                try:
                    return _reply(run, _calls(model)[0](model, effect, _labels(run, effect)).result())
                except Exception as error:
                    return _failure(model, effect, run, error)
            case Search(query):
                return self.parts.searcher.invoke(query, config)
            case Load():
                return self.parts.names(run.context)
            case RunProgram(code):
                return run_program(code)
            case Same(a, b):
                return equivalent(a, b)
            case Ask(question, schema):
                return interrupt(question, response_schema=schema)
            case Emit(name, data):
                event = _event(run, name, data)
                get_stream_writer()(event)
                dispatch_custom_event(f"reasonflux_{name}", event, config=config)
        return None

    async def _ado(self, effect: Effect, run: Run, config: RunnableConfig | None) -> Any:
        match effect:
            case Call(_, _, options):
                model = await self.parts.amodel(effect.role, run.context)
                if run.unit and (kept := _checkpointer(config)):
                    for _ in range(PATIENCE):
                        if _is_kept(await kept.aget_tuple(_where(run, config)), run):
                            break
                        await asyncio.sleep(NAP)
                try:
                    result = await asyncio.wait_for(
                        _calls(model)[1](model, effect, _labels(run, effect)), options.timeout and options.timeout + 1
                    )
                    return _reply(run, result)
                except Exception as error:
                    return _failure(model, effect, run, error)
            case Search(query):
                if "searcher" not in vars(self.parts):
                    await asyncio.to_thread(lambda: self.parts.searcher)  # the first use builds its index
                return await self.parts.searcher.ainvoke(query, config)
            case Load():
                return await asyncio.to_thread(self.parts.names, run.context)
            case RunProgram(code):
                return await arun_program(code)
            case Same(a, b):
                return await aequivalent(a, b)
            case Ask(question, schema):
                return interrupt(question, response_schema=schema)
            case Emit(name, data):
                event = _event(run, name, data)
                get_stream_writer()(event)
                await adispatch_custom_event(f"reasonflux_{name}", event, config=config)
        return None


class Router(Runnable[Any, Any]):
    """A router that the event loop runs itself: LangGraph hands a plain function to a thread, and waits for it."""

    def __init__(self, route: Callable[[Any], Any]) -> None:
        self.route = route
        self.name: str = route.__name__

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        with set_config_context(config or {}) as context:
            return context.run(self.route, input)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self.invoke(input, config)


def add_router(
    graph: StateGraph[Any, Any, Any, Any], source: str, route: Callable[[Any], Any], targets: Sequence[str] | None = None
) -> None:
    """Adds conditional edges; `targets` are those of the Literal that `route` returns, where they are not given."""
    graph.add_conditional_edges(source, Router(route), list(targets or get_args(get_type_hints(route)["return"])))


def _usage(row: dict[str, Any]) -> Usage:
    return Usage(**{name: row[name] for name in Usage.model_fields})


def _reply(run: Run, result: dict[str, Any]) -> models.Reply:
    run.took, run.unit = result["seconds"], result["unit"]
    return models.Reply(**result["reply"])


# LangGraph saves a unit's result beside the work that goes on with it. Where a node calls twice, its second call waits, so that
# no kill loses more than the call under way.
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


def _event(run: Run, name: str, data: dict[str, Any]) -> dict[str, Any]:
    run.emitted += 1
    return {"type": name, "run": run.id, "node": run.node, "number": run.emitted, **data}


def _labels(run: Run, effect: Call) -> RunnableConfig:
    """Tags and metadata of a model call, for token streams, traces and records."""
    labels = {"reasonflux_run": run.id, "reasonflux_node": run.node, "reasonflux_role": effect.role}
    return {"metadata": labels, "tags": [f"reasonflux:{run.node}"]}


def _failure(model: BaseChatModel, effect: Call, run: Run, error: Exception) -> OutOfBudget:
    """What the body is told of a call that failed by the deadline; any other failure is the server's. Raises ModelError."""
    if effect.options.timeout is not None and models.timed_out(error):
        return OutOfBudget(f"the deadline of {run.context.deadline:g} s passed in the middle of a model call")
    raise models.model_error(model, error) from error


def _invoke(model: BaseChatModel, call: Call, labels: RunnableConfig) -> dict[str, Any]:
    started = time.monotonic()
    message = model.invoke(cast(Any, call.messages), labels, **models.call_kwargs(model, call.options))
    return _result(message, started)


async def _ainvoke(model: BaseChatModel, call: Call, labels: RunnableConfig) -> dict[str, Any]:
    started = time.monotonic()
    message = await model.ainvoke(cast(Any, call.messages), labels, **models.call_kwargs(model, call.options))
    return _result(message, started)


def _result(message: AIMessage, started: float) -> dict[str, Any]:
    unit = get_config()["configurable"].get("checkpoint_ns", "")
    return {"reply": vars(models.read_reply(message)).copy(), "seconds": time.monotonic() - started, "unit": unit}


# One model call is one checkpointed unit: its result, JSON-plain, is kept, and a resumed run does not call again. Where the
# client does not try again by itself, the unit does, with back-off, if it failed for the server's sake.
_unit: Any = task(name="model_call")
_retried: Any = task(
    name="model_call", retry_policy=RetryPolicy(max_attempts=models.TRIES, retry_on=models.transient, initial_interval=0.5)
)
_CALLS = {False: (_retried(_invoke), _retried(_ainvoke)), True: (_unit(_invoke), _unit(_ainvoke))}


def _calls(model: BaseChatModel) -> tuple[Any, Any]:
    """The unit of a model's calls, sync and async."""
    return _CALLS[models.retries_itself(model)]
