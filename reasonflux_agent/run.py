"""What a node sees of its run: the context, what was spent, and the ways to ask.

A node is an `async def body(state, run)`. It awaits what it needs (`run.ask`, `run.search`, `run.program`, ...), so that one
definition serves `ainvoke` and `invoke`: in the latter nothing that it awaits suspends (`Run.blocking`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Any, TypeVar

from langchain_core.documents import Document
from langchain_core.runnables import RunnableConfig
from langgraph.types import interrupt

from reasonflux_agent import models
from reasonflux_agent.calls import Call, OutOfBudget, call, emit
from reasonflux_agent.context import Context
from reasonflux_agent.errors import searching
from reasonflux_agent.events import Event, Labels, ProgramRun, Unparsed
from reasonflux_agent.parts import Parts
from reasonflux_agent.prompts import Message, ParseError, Prompt, correction, plain
from reasonflux_agent.schema import Usage
from reasonflux_agent.verify.grading import equivalent
from reasonflux_agent.verify.programs import ProgramResult, run_program

T = TypeVar("T")
AGAIN = 1_000
"""Distance between the seeds of a sample and of its repetition: more than a run has samples."""
PARSE_TRIES = 2
"""Calls for one prompt at most: a reply that does not parse is sent back once, with what is wrong."""


@dataclass
class Run:
    """What a node's body sees of the run."""

    context: Context
    parts: Parts
    labels: Labels
    """Which run, attempt, node and pass this is; set on every event."""
    spent: Usage
    """What the run has spent, as far as this branch knows."""
    before: Usage
    """The part of it that was spent when this branch began."""
    share: int
    """Number of branches that run side by side, this one included."""
    sample: int
    """Number of the attempt or draft that the node belongs to."""
    config: RunnableConfig | None
    blocking: bool
    """Whether `invoke` carries the node out: nothing that it awaits suspends then, so its coroutine runs through in one go."""
    system: str = ""
    """The caller's system prompt, which begins each prompt."""
    usage: list[dict[str, Any]] = field(default_factory=list)
    """One row for each model call of this pass: `node` and the fields of `schema.Usage`."""
    _unit: str = ""
    _emitted: int = 0

    async def ask(
        self,
        prompt: Prompt[T],
        *,
        sampled: bool = False,
        logprobs: bool = False,
        again: int = 0,
        tries: int = PARSE_TRIES,
        **given: Any,
    ) -> tuple[T, models.Reply]:
        """Render the prompt with `given`, call its role's model, and parse the reply; return (parsed, reply).

        A reply that does not parse is sent back with what is wrong, `tries` calls at most; then ParseError is raised.
        """
        messages = prompt.render(**given)
        for attempt in range(1, tries + 1):
            reply = await self.call(prompt, messages, sampled=sampled or attempt > 1, logprobs=logprobs, again=again)
            parsed = await self.compute(partial(_parsed, prompt, reply.text))
            if not isinstance(parsed, ParseError):
                return parsed, reply
            await self.emit(Unparsed, prompt=prompt.name, reply=reply.text, error=str(parsed))
            if attempt == tries:
                raise parsed
            messages = prompt.render(**given) + correction(reply.text, parsed)
        raise AssertionError("unreachable")

    async def call(
        self,
        prompt: Prompt[Any],
        messages: list[Message],
        *,
        sampled: bool = False,
        logprobs: bool = False,
        stop: tuple[str, ...] = (),
        again: int = 0,
    ) -> models.Reply:
        """Make one model call within what is left of the budget. Raises OutOfBudget and ModelError.

        `stop` adds to the strings that end the reply. `again` counts how often the same messages were sent before: a server
        would repeat a sample for the same seed.
        """
        options = models.CallOptions(
            max_tokens=self._tokens_left(prompt.max_tokens or self.context.max_tokens),
            temperature=self.context.temperature if sampled or not self.context.greedy else 0.0,
            seed=None if self.context.seed is None else self.context.seed + self.sample + AGAIN * again,
            stop=prompt.stop + stop,
            timeout=self._seconds_left(),
            logprobs=logprobs,
        )
        spec = getattr(self.context, prompt.role)
        if self.system:
            messages = [{"role": "system", "content": self.system}, *messages]
        streamed, deadline = self.context.stream_calls, self.context.deadline
        wanted = Call(prompt.role, plain(messages), options, self.labels, spec, deadline, streamed, self._unit)
        began, usage, model = time.monotonic(), Usage(calls=1), self.parts.spec(prompt.role, self.context)
        try:
            loaded = models.load_model(model) if self.blocking else await models.aload_model(model)
            answer = await call(loaded, wanted, self.config, blocking=self.blocking)
        except OutOfBudget:
            self._spend(usage, time.monotonic() - began)
            raise
        self._unit, reply = answer.unit, answer.reply
        self.labels = self.labels.model_copy(update={"call": answer.id})
        counted = ("prompt_tokens", "cached_tokens", "completion_tokens")
        usage += Usage(**{name: getattr(reply, name) for name in counted})
        self._spend(usage, max(time.monotonic() - began, answer.seconds))
        return reply

    def _spend(self, usage: Usage, seconds: float) -> None:
        usage += Usage(seconds=round(seconds, 3))
        self.spent += usage
        self.usage.append({"node": self.labels.node, **usage.model_dump()})

    async def load(self) -> dict[str, str]:
        """Load the models of the run; return the names of its parts."""
        return await self.compute(partial(self.parts.names, self.context))

    async def search(self, query: str) -> list[Document]:
        """Return the documents that the retriever finds, best first."""
        if self.parts.retriever is None and "searcher" not in vars(self.parts):
            await self.compute(lambda: self.parts.searcher)  # the first use builds its index
        with searching(retriever := self.parts.searcher, query):
            return retriever.invoke(query, self.config) if self.blocking else await retriever.ainvoke(query, self.config)

    async def compute(self, function: Callable[[], T]) -> T:
        """Return `function()`, which may take its time over a text; it does not block the event loop."""
        return function() if self.blocking else await asyncio.to_thread(function)

    async def program(self, code: str) -> ProgramResult:
        """Run a program in isolation, and emit what it printed."""
        result = await self.compute(partial(run_program, code))
        await self.emit(ProgramRun, code=code, output=result.output, error=result.error)
        return result

    async def same(self, a: str, b: str, problem: str = "") -> bool:
        """Return whether two answers to a problem are equivalent."""
        return await self.compute(partial(equivalent, a, b, problem=problem))

    async def person(self, question: dict[str, Any], schema: dict[str, Any]) -> Any:
        """Interrupt the run with a question; return what it is resumed with. Both are JSON-plain.

        `schema` is the JSON schema of the answer. The node starts anew when the run is resumed: it repeats what it did before,
        except its model calls.
        """
        return interrupt(question, response_schema=schema)

    async def emit(self, kind: type[Event], **fields: Any) -> None:
        """Emit an event of this class with these fields; where it happened is added."""
        self._emitted += 1
        event = kind(**dict(self.labels), number=self._emitted, time=round(time.time(), 3), **fields)
        await emit(event, self.config, blocking=self.blocking)

    def _tokens_left(self, wanted: int) -> int:
        if self.context.token_budget is None:
            return wanted
        # of what was left when the branches began, each has its share: they do not see what the others spend
        share = ceil((self.context.token_budget - self.before.tokens) / self.share)
        left = share - (self.spent.tokens - self.before.tokens)
        if left <= 0:
            raise OutOfBudget(f"the token budget of {self.context.token_budget} is spent")
        return min(wanted, max(16, left))

    def _seconds_left(self) -> float | None:
        if self.context.deadline is None:
            return None
        left = self.context.deadline - self.spent.seconds
        if left <= 0:
            raise OutOfBudget(f"the deadline of {self.context.deadline:g} s has passed")
        return left


def _parsed(prompt: Prompt[T], reply: str) -> T | ParseError:
    try:
        return prompt.parse(reply)
    except ParseError as error:
        return error


NodeBody = Callable[[Any, Run], Awaitable[dict[str, Any]]]
"""What a node does: `async def body(state, run)` returns the update of the state, with values of `schema` where it likes."""
