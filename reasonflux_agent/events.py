"""The run log: one typed event for everything that happens in a run.

The nodes emit events; records, streams, the command line, the page, the endpoint, MCP and the training builders read them.
Every event says which run, attempt, node and model call it belongs to. These fields are set once, by the node's `Run`.

An event travels as JSON (`event.to_json()`): in LangGraph's `custom` stream mode, in a callback's `on_custom_event` under the
name `reasonflux_<type>`, and as a line of a record. `read_event` makes it typed again. docs/record.md describes each type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from reasonflux_agent.models import Reply
from reasonflux_agent.schema import Plan, Review, Solution, StepResult

JSON = dict[str, Any]
PREFIX = "reasonflux_"
"""Begins the name of every callback event and metadata label of this package."""


class Labels(BaseModel):
    """Where in a run something happens. Model calls carry these fields as callback metadata, with `PREFIX` before each name."""

    model_config = ConfigDict(frozen=True)

    run: str
    """Id of the run; its record has the same name."""
    attempt: str = ""
    """`draft 0`, `attempt 2`: the branch of the run; empty for the run's own nodes."""
    node: str = ""
    """Name of the node."""
    unit: str = ""
    """One pass through the node. A resumed run that repeats the pass gives it the same name."""
    call: str = ""
    """Id of the model call that this is, or that it follows from; empty if there was none in this pass."""


def labels_of(metadata: Mapping[str, Any] | None) -> Labels | None:
    """Return the labels that a model call carries in its callback metadata; None for a call outside a run of ours."""
    given = metadata or {}
    found = {name: given[PREFIX + name] for name in Labels.model_fields if PREFIX + name in given}
    return Labels(**found) if found.get("run") else None


class Event(Labels):
    """What all events share."""

    number: int = 0
    """1 for the first event of the unit, and so on; a resumed run that emits the event again gives it the same number."""
    time: float = 0.0
    """When it was emitted, in seconds since the epoch."""

    def to_json(self) -> JSON:
        """Return the event as a JSON-plain dict, with its `type`."""
        return self.model_dump(mode="json")


class Begin(Event):
    """The run has read its input and loaded its models."""

    type: Literal["begin"] = "begin"
    problem: str
    context: JSON
    """The fields of the run's `Context`."""
    parts: dict[str, str] = {}
    """What the run is made of: `navigator`, `solver`, `library`."""


class Restated(Event):
    """The last turn of a conversation was written as a problem of its own."""

    type: Literal["restated"] = "restated"
    turn: str
    """What the user said last."""
    problem: str
    """What the run solves in its place."""
    by: Literal["navigator", "conversation"] = "navigator"
    """`conversation`: the navigator's words are of no use, and the problem is the whole conversation."""


class PlanDrawn(Event):
    """The navigator has laid out a trajectory."""

    type: Literal["plan"] = "plan"
    plan: Plan


class TemplatesFound(Event):
    """The library was searched for the steps that are left."""

    type: Literal["templates"] = "templates"
    templates: tuple[str, ...]
    """Ids of the templates in use from now on, best first."""
    plan: Plan
    """The trajectory, each step with the templates that were found for it."""


class PlanRefined(Event):
    """The navigator has rewritten the trajectory with the templates."""

    type: Literal["refined"] = "refined"
    plan: Plan


class CallEnded(Event):
    """A model call ended, with a reply or an error."""

    type: Literal["call"] = "call"
    role: str
    """`navigator` or `solver`."""
    model: str = ""
    """The name by which its server knows it; `Begin.parts` has the spec."""
    messages: tuple[dict[str, str], ...] = ()
    """What was sent: `role` and `content` of each message."""
    reply: Reply | None = None
    """None if the call failed."""
    error: str | None = None
    seconds: float = 0.0


class Token(Event):
    """A piece of a reply that is being written. Streams have it; records do not."""

    type: Literal["token"] = "token"
    role: str = ""
    text: str
    thought: str = ""
    """A piece of the thought before the reply, where the server tells it apart; `text` is empty then."""


class Unparsed(Event):
    """A reply does not have the form that was asked for."""

    type: Literal["unparsed"] = "unparsed"
    prompt: str
    """Name of the prompt."""
    reply: str
    error: str
    """What is wrong with it; the model is told this."""


class StepDone(Event):
    """The solver has carried out a step, or the whole trajectory."""

    type: Literal["step"] = "step"
    result: StepResult
    templates: tuple[str, ...] = ()
    """Ids of the templates that the solver was shown."""
    planned: bool = True
    """Whether the solver was shown the plan; a worked example can take its place (prompts/solve.py)."""


class ProgramRun(Event):
    """A program of the solver was run in isolation."""

    type: Literal["program"] = "program"
    code: str
    output: str
    error: str | None = None


class Reviewed(Event):
    """A result was judged."""

    type: Literal["review"] = "review"
    review: Review
    by: str = "navigator"
    """`checks` or `navigator`."""


class Decided(Event):
    """A person has answered a question of the run."""

    type: Literal["decision"] = "decision"
    question: str
    decision: JSON
    """A `agents.review.Decision` as a dict."""


class CandidateMade(Event):
    """A complete solution was made."""

    type: Literal["candidate"] = "candidate"
    source: str
    answer: str | None
    checks: dict[str, bool] = {}


class Concluded(Event):
    """The run has ended with a Solution."""

    type: Literal["solution"] = "solution"
    solution: Solution

    @model_validator(mode="before")
    @classmethod
    def _name_the_run(cls, given: Any) -> Any:
        """Tell the Solution its run: its JSON does not hold it."""
        if not isinstance(given, dict) or not given.get("run") or "solution" not in given:
            return given
        solution = Solution.model_validate(given["solution"])
        return {**given, "solution": solution.model_copy(update={"run": given["run"]})}


class Feedback(Event):
    """A person, or a program, has marked the run's Solution as right or wrong. The last mark counts."""

    type: Literal["feedback"] = "feedback"
    correct: bool
    answer: str | None = None
    """The right answer: the given one, or the run's own if it was marked as right; None if it is not known."""
    comment: str = ""


class Note(Event):
    """What a strategy of a plugin wants to tell; nothing here reads it."""

    type: Literal["note"] = "note"
    title: str
    data: JSON = {}


AnyEvent = Annotated[
    Begin
    | Restated
    | PlanDrawn
    | TemplatesFound
    | PlanRefined
    | CallEnded
    | Token
    | Unparsed
    | StepDone
    | ProgramRun
    | Reviewed
    | Decided
    | CandidateMade
    | Concluded
    | Feedback
    | Note,
    Field(discriminator="type"),
]
"""All events; `AnyEvent` is what `ReasonFlux.stream` yields and what a record holds."""
_READER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
TYPES = frozenset(kind.model_fields["type"].default for kind in get_args(get_args(AnyEvent)[0]))
"""The values of `type`."""


def read_event(data: object) -> AnyEvent:
    """Return the typed event of a JSON-plain dict. Raises pydantic's ValidationError (a ValueError) if it is none."""
    return _READER.validate_python(data)


def streamed_event(data: object) -> AnyEvent | None:
    """Return the event that LangGraph's stream mode `custom` gave.

    None if it is not one of ours: another library's, or of a class that a plugin has made.
    """
    try:
        return read_event(data) if isinstance(data, dict) and data.get("run") else None
    except ValidationError:
        return None


def event_of(name: str, data: object) -> AnyEvent | None:
    """Return the event that a callback handler's `on_custom_event(name, data)` was given; None as for `streamed_event`."""
    return streamed_event(data) if name.startswith(PREFIX) else None


def json_schema() -> JSON:
    """Return the JSON schema of a record's lines after the header."""
    return _READER.json_schema()
