"""The graph's state. Everything in it is JSON-plain, so that a checkpoint holds no class of ours."""

from __future__ import annotations

from typing import Annotated, Any

from langchain_core.messages import AnyMessage
from langgraph.channels import EphemeralValue
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

JSON = dict[str, Any]


def extend(old: list[JSON] | None, new: list[JSON] | None) -> list[JSON]:
    """Reducer: appends; None empties the list (a thread's next problem starts afresh)."""
    return [] if new is None else [*(old or []), *new]


def first_reason(old: str | None, new: str | None) -> str:
    """Reducer: of attempts that run at once several may hit a limit, and one reason is enough; None clears it."""
    return "" if new is None else old or new


def longest(old: float | None, new: float | None) -> float:
    """Reducer: of attempts that run at once the longest counts; None starts afresh."""
    return 0.0 if new is None else max(old or 0.0, new)


def latest(old: Any, new: Any) -> Any:
    """Reducer: the new value. All that an attempt is given needs one: while LangGraph streams events it writes that back
    into the run's state, from all attempts of a step at once."""
    return new


class InputState(TypedDict, total=False):
    """What a caller gives: a problem, or messages whose last one is a human's, which is the problem."""

    problem: Annotated[str, EphemeralValue(str, guard=False)]
    """The problem x, in plain text or LaTeX. It is read once: what an earlier call on the thread gave is not left over."""
    messages: Annotated[list[AnyMessage], add_messages]
    """A conversation. Without a `problem` its last message, a human's, is the problem."""


class OutputState(TypedDict, total=False):
    """What a caller gets back."""

    messages: Annotated[list[AnyMessage], add_messages]
    """The conversation with the solution's text as a new AI message."""
    solution: JSON
    """A `schema.Solution` as a dict."""


class Attempted(TypedDict, total=False):
    """What an attempt (a draft, or a strategy's subgraph) hands back to the run."""

    candidates: Annotated[list[JSON], extend]
    """`schema.Candidate` dicts: the complete solutions so far."""
    usage: Annotated[list[JSON], extend]
    """One dict a model call: `node` and the fields of `schema.Usage`."""
    exhausted: Annotated[str, first_reason]
    """Why a limit ended the attempt; empty if none did."""
    elapsed: Annotated[float, longest]
    """Seconds of model time along the longest branch of the run, up to the attempt's end."""


class State(InputState, OutputState, Attempted, total=False):
    """The run's own state."""

    run: Annotated[str, latest]
    """Id of the run; its record is filed under it."""
    asked: str
    """The problem of the run."""
    read: str
    """What tells the message that was the last one when the run began from others; see `graph.begin`."""
    direct_samples: int
    """Direct samples to launch."""
    sampled: int
    """Planned attempts launched so far."""
    wave: int
    """How many of them were launched together last; 0 ends the run."""


class Attempt(TypedDict, total=False):
    """What an attempt is given."""

    run: Annotated[str, latest]
    """Id of the run."""
    problem: str
    """The problem x. In the run's state it has a channel that takes several values."""
    attempt: Annotated[str, latest]
    """Its name in the run: `draft 0`, `attempt 2`."""
    sample: Annotated[int, latest]
    """Number of the attempt, or of the draft (text and programs in turn); the first of each kind is greedy."""
    spent: Annotated[JSON, latest]
    """`schema.Usage` dict: what the run had spent when the attempt began; its `seconds` are those of the longest branch."""
    share: Annotated[int, latest]
    """How many attempts share what is left of the token budget."""


class Trajectory(Attempt, Attempted, total=False):
    """State of one planned attempt."""

    plan: JSON
    """The trajectory T as a `schema.Plan` dict."""
    templates: list[str]
    """Ids of the templates in use: T_rag of all steps, in order of relevance."""
    texts: dict[str, str]
    """Id -> text of those that the library does not hold, because a retriever of the caller's found them."""
    seen: list[str]
    """Ids of all templates that were found so far; a replacement finds others."""
    results: list[JSON]
    """`schema.StepResult` dicts of the steps carried out (the last one per step)."""
    tries: list[JSON]
    """`schema.Candidate` dicts of the complete solutions so far; a redo adds one and removes none."""
    reviews: list[JSON]
    """`schema.Review` dicts, in order."""
    step: int
    """Index of the step to carry out next."""
    feedback: str
    """What the last review wants done better; empty if nothing."""
    refining: bool
    """Whether the trajectory is to be rewritten with the templates that were found."""
    reviewing: bool
    """Whether the last result is to be reviewed."""
    edited: bool
    """Whether a person edited the trajectory: then the solver is shown it, whatever else it is shown."""
