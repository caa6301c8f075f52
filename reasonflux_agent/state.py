"""The state of the graph. All values are JSON-plain: a checkpoint holds no class of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from langchain_core.messages import AnyMessage
from langgraph.channels import EphemeralValue
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from reasonflux_agent.schema import Solution

JSON = dict[str, Any]


def extend(old: list[JSON] | None, new: list[JSON] | None) -> list[JSON]:
    """Reducer: append; None empties the list, for the next problem of a thread."""
    return [] if new is None else [*(old or []), *new]


def first_reason(old: str | None, new: str | None) -> str:
    """Reducer: keep the first reason, since several attempts may hit a limit at once; None clears it."""
    return "" if new is None else old or new


def longest(old: float | None, new: float | None) -> float:
    """Reducer: keep the longest time, since attempts run at once; None sets it to 0."""
    return 0.0 if new is None else max(old or 0.0, new)


def latest(old: Any, new: Any) -> Any:
    """Reducer: take the new value. Every input of an attempt needs a reducer: LangGraph, while it streams events, writes the
    inputs of all attempts back into the run's state at once."""
    return new


class InputState(TypedDict, total=False):
    """The input: a problem, or messages."""

    problem: Annotated[str, EphemeralValue(str, guard=False)]
    """The problem x, in plain text or LaTeX. It is not kept for the next call on the thread."""
    messages: Annotated[list[AnyMessage], add_messages]
    """A conversation. Without a `problem` its last message, a human's, is the problem."""


class OutputState(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    """The conversation with the solution's text as a new AI message."""
    solution: JSON
    """A `schema.Solution` as a dict."""


def solution_of(state: Mapping[str, Any]) -> Solution:
    """Return the Solution in the state or output of a finished run, with the run's id."""
    run = state["run"] if "run" in state else state["messages"][-1].id  # the output has no `run`, and its message has the id
    return Solution.model_validate({**state["solution"], "run": run})


class Attempted(TypedDict, total=False):
    """What an attempt (a draft, or a strategy's subgraph) returns to the run."""

    candidates: Annotated[list[JSON], extend]
    """`schema.Candidate` dicts: the complete solutions."""
    usage: Annotated[list[JSON], extend]
    """One dict a model call: `node` and the fields of `schema.Usage`."""
    exhausted: Annotated[str, first_reason]
    """Why a limit or a person ended the attempt; else empty."""
    elapsed: Annotated[float, longest]
    """Seconds of model time along the longest branch of the run, up to the attempt's end."""


class State(InputState, OutputState, Attempted, total=False):
    run: Annotated[str, latest]
    """Id of the run, and name of its record."""
    asked: str
    """The problem of the run; of a follow-up in a conversation, its restatement."""
    system: Annotated[str, latest]
    """The system prompt of the conversation; empty if there is none."""
    read: str
    """Identifies the message that was last when the run began; see `stages.begin`."""
    direct_samples: int
    """Direct samples to launch."""
    sampled: int
    """Planned attempts launched so far."""
    wave: int
    """Attempts launched in the last wave; 0 ends the run."""
    recalling: bool
    """Whether an attempt that begins with a learned template is due."""


class Attempt(TypedDict, total=False):
    """The input of an attempt."""

    run: Annotated[str, latest]
    """Id of the run."""
    system: Annotated[str, latest]
    """The system prompt of the conversation, which begins each prompt; empty if there is none."""
    problem: str
    """The problem x. (In the run's state its channel takes several values.)"""
    attempt: Annotated[str, latest]
    """Name of the attempt in the run: `draft 0`, `attempt 2`, `recall 0`."""
    sample: Annotated[int, latest]
    """Number of the attempt, or of the draft (texts and programs alternate); the first of each kind is greedy."""
    spent: Annotated[JSON, latest]
    """`schema.Usage` dict: what the run had spent when the attempt began; `seconds` along its longest branch."""
    share: Annotated[int, latest]
    """Number of attempts that share the rest of the token budget."""


class Trajectory(Attempt, Attempted, total=False):
    """State of one planned attempt."""

    plan: JSON
    """The trajectory T as a `schema.Plan` dict."""
    templates: list[str]
    """Ids of the templates in use: T_rag of all steps, in order of relevance."""
    texts: dict[str, Any]
    """Id -> text, or `schema.Template` dict, of templates that the caller's retriever found or brought; not of the library."""
    seen: list[str]
    """Ids of all templates found so far; after a replacement of the plan, others are looked for."""
    results: list[JSON]
    """`schema.StepResult` dicts of the steps carried out: the last one of each."""
    tries: list[JSON]
    """`schema.Candidate` dicts: all complete solutions so far, also those that were redone."""
    reviews: list[JSON]
    """`schema.Review` dicts, in order."""
    step: int
    """Index of the step to carry out next."""
    feedback: str
    """What the last review wants better; else empty."""
    refining: bool
    """Whether to rewrite the trajectory with the templates found."""
    reviewing: bool
    """Whether to review the last result."""
    edited: bool
    """Whether a person edited the trajectory; then the solver is always shown it."""
