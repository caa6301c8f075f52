"""What a node's body may ask for, and the run that it sees.

A body is a generator: it yields effects (a model call, a program, a search, a comparison) and receives their results, so that
one definition serves sync and async. `nodes.py` carries the effects out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

from reasonflux_agent import models
from reasonflux_agent.context import Context
from reasonflux_agent.prompts import Exchange, Message, ParseError, Role, correction, plain
from reasonflux_agent.schema import Usage

if TYPE_CHECKING:
    from reasonflux_agent.nodes import Parts

T = TypeVar("T")
Effect = Any
"""One of the effect classes below."""
Body = Generator[Effect, Any, T]

AGAIN = 1_000
"""Distance between the seeds of a sample and of its repetition: more than a run has samples."""
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
    """Compare two answers to a problem; the result is a bool."""

    a: str
    b: str
    problem: str = ""


@dataclass(frozen=True)
class Compute:
    """Call a function that may take its time over a text, and raises nothing; the result is what it returns."""

    function: Callable[[], Any]


@dataclass(frozen=True)
class Load:
    """Load the models of the run; the result says what the run is made of, for its record."""


@dataclass(frozen=True)
class AskPerson:
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
    before: Usage
    """What of it the run had spent when this branch began."""
    share: int
    """Branches that run side by side, this one included."""
    parts: Parts
    usage: list[dict[str, Any]] = field(default_factory=list)
    sample: int = 0
    """Number of the attempt or draft that the node belongs to."""
    attempt: str = ""
    """Name of that attempt or draft."""
    took: float = 0.0
    """Seconds that the last call took when it was made: a resumed run is given its result at once."""
    unit: str = ""
    """The unit of work that the last call was; empty before the first one."""
    emitted: int = 0
    """Events of this node so far: a resumed run emits them again, with the same numbers."""

    def ask(
        self, exchange: Exchange[T], *, sampled: bool = False, logprobs: bool = False, again: int = 0, **given: Any
    ) -> Body[tuple[T, models.Reply]]:
        """Asks until the reply parses, `PARSE_TRIES` times at most; then the last ParseError is raised."""
        messages = exchange.render(**given)
        for attempt in range(1, PARSE_TRIES + 1):
            reply = yield from self.call(exchange, messages, sampled=sampled or attempt > 1, logprobs=logprobs, again=again)
            parsed: T | ParseError = yield Compute(partial(_parsed, exchange, reply.text))
            if not isinstance(parsed, ParseError):
                return parsed, reply
            yield Emit("unparsed", {"exchange": exchange.name, "reply": reply.text, "error": str(parsed)})
            if attempt == PARSE_TRIES:
                raise parsed
            messages = exchange.render(**given) + correction(reply.text, parsed)
        raise AssertionError("unreachable")

    def call(
        self,
        exchange: Exchange[Any],
        messages: list[Message],
        *,
        sampled: bool = False,
        logprobs: bool = False,
        stop: tuple[str, ...] = (),
        again: int = 0,
    ) -> Body[models.Reply]:
        """One model call within what is left of the budget. Raises OutOfBudget.

        `stop` adds to the strings that end the reply. `again` is how often the same messages were sent before: a server would
        repeat a sample for the same seed.
        """
        options = models.CallOptions(
            max_tokens=self._tokens_left(exchange.max_tokens or self.context.max_tokens),
            temperature=self.context.temperature if sampled or not self.context.greedy else 0.0,
            seed=None if self.context.seed is None else self.context.seed + self.sample + AGAIN * again,
            stop=exchange.stop + stop,
            timeout=self._seconds_left(),
            logprobs=logprobs,
        )
        started, self.took = time.monotonic(), 0.0
        reply: models.Reply | OutOfBudget = yield Call(exchange.role, plain(messages), options)
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


def _parsed(exchange: Exchange[T], reply: str) -> T | ParseError:
    try:
        return exchange.parse(reply)
    except ParseError as error:
        return error


NodeBody = Callable[[Any, Run], Body[dict[str, Any]]]
"""What a node does: `body(state, run)` yields effects and returns the update of the state."""
