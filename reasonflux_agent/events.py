"""The run log: one typed event for everything that happens in a run.

The nodes emit events; records, streams, the command line, the page, the endpoint, MCP and the training builders read them.
Every event says which run, attempt, node and model call it belongs to. These fields are set once, by the node's `Run`.

An event travels as JSON (`event.to_json()`): in LangGraph's `custom` stream mode, in a callback's `on_custom_event` under the
name `reasonflux_<type>`, and as a line of a record. `read_event` makes it typed again. docs/record.md describes each type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from reasonflux_agent.labels import PREFIX as PREFIX
from reasonflux_agent.labels import Labels as Labels
from reasonflux_agent.labels import labels_of as labels_of
from reasonflux_agent.models import Reply
from reasonflux_agent.schema import Plan, Review, Solution, StepResult

JSON = dict[str, Any]


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


def template_name(id: str) -> str:
    """Return the readable end of a template's id: `algebra/sums/pairing-terms` gives `Pairing terms`."""
    return id.rsplit("/", 1)[-1].replace("-", " ").capitalize()


def outline(plan: Plan) -> Iterator[str]:
    """Yield the lines of a trajectory: the kind of problem, the numbered steps, and the templates of each, indented."""
    if plan.abstraction:
        yield f"Kind: {plan.abstraction}"
    for number, step in enumerate(plan.steps, 1):
        yield f"{number}. {step.purpose}"
        if step.templates:
            yield "   with " + "; ".join(map(template_name, step.templates))


def describe(event: Event) -> str:
    """Return what an event says, as lines of plain text; the first one is its title. Empty for `call`, `token` and `note`."""
    return "\n".join(_lines(event)).rstrip()


def _lines(event: Event) -> Iterator[str]:
    match event:
        case Begin(parts=parts, context=context):
            models = " and ".join(dict.fromkeys((parts["navigator"], parts["solver"])))
            yield f"Effort {context['effort']}, model {models}, library {parts['library']}"
        case Restated(problem=problem, by=by):
            yield "Problem, restated" if by == "navigator" else "Problem: the last message with the whole conversation"
            yield problem if by == "navigator" else ""
        case PlanDrawn(plan=plan) | PlanRefined(plan=plan):
            yield "Trajectory" if isinstance(event, PlanDrawn) else "Refined trajectory"
            yield from outline(plan)
        case TemplatesFound(templates=found, plan=plan):
            yield "Templates" if found else "Templates: none fits, the run continues without"
            for number, step in enumerate(plan.steps if found else (), 1):
                if step.templates:
                    yield f"{number}. {step.purpose}"
                    yield "   with " + "; ".join(map(template_name, step.templates))
        case Unparsed(prompt=prompt, error=error):
            yield f"A reply to {prompt!r} could not be read: {error}"
        case StepDone(result=result):
            again = f", attempt {result.attempt}" if result.attempt > 1 else ""
            yield f"Result up to step {result.index + 1}{again}"
            yield result.text
        case ProgramRun(code=code, output=output, error=error):
            yield "Program"
            yield f"```python\n{code}\n```"
            yield f"failed: {error}" if error else f"printed: {output.strip()}"
        case Reviewed(review=said, by=by):
            yield f"Review by the {by}: {said.verdict}"
            if said.feedback:
                yield said.feedback
            yield from outline(Plan(steps=said.steps))
        case Decided(question=question, decision=decision):
            yield f"Decision about the {question}: {decision.get('action', '')}"
        case CandidateMade(source=source, answer=answer, checks=checks):
            failed = ", ".join(name for name, passed in checks.items() if not passed)
            yield f"Candidate by {source}: {answer or 'no answer'}" + (f" (failed checks: {failed})" if failed else "")
        case Concluded(solution=solution):
            yield f"{solution.status.capitalize()}: {solution.verdict}"
