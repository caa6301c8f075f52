"""review: the navigator's graph with a person in it.

… → plan → retrieve → refine → approve → solve_step → review → judge → …
                                  ↑ asks                         ↑ asks, if the context says `ask_at_reviews`

Both nodes interrupt with a `Question` and are resumed with a `Decision`, as dicts: `Command(resume={"action": "approve"})`.
A trajectory is edited as a whole: the question shows its steps with their templates and the work done on them, the decision
returns them as they shall be. So a step is added, deleted, moved or reworded in the list, its template swapped or its query
looked up anew, its work written by the person, or cleared to have it done (again).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langgraph.graph import StateGraph
from pydantic import Field, ValidationError

from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError, LibraryError
from reasonflux_agent.events import Decided, TemplatesFound
from reasonflux_agent.graph import create_reasonflux
from reasonflux_agent.parts import Parts
from reasonflux_agent.run import Run
from reasonflux_agent.schema import Plan, Review, Step, StepResult, Value, Verdict
from reasonflux_agent.state import Trajectory
from reasonflux_agent.strategies.navigator import apply, navigator
from reasonflux_agent.strategies.search import document_id, foreign
from reasonflux_agent.templates import TemplateLibrary, render_template

Update = dict[str, Any]
Action = Literal["approve", "edit", "accept", "redo", "finish", "stop"]
ACTIONS: dict[str, tuple[Action, ...]] = {
    "plan": ("approve", "edit", "stop"),
    "review": ("approve", "edit", "accept", "redo", "finish", "stop"),
}
"""What can be decided at each question."""
MEANINGS: dict[Action, str] = {
    "approve": "go on as proposed",
    "edit": "go on with `steps`",
    "accept": "keep the result",
    "redo": "do it again, with `feedback`",
    "finish": "the answer is there",
    "stop": "end with the best answer so far",
}
STOPPED = "a person stopped the run"


class DraftStep(Value):
    """A step of the trajectory as a person sees and edits it."""

    purpose: str = Field(min_length=1, title="Purpose", description="What the step is to achieve.")
    query: str = Field("", title="Query", description="What to look up in the library for it.")
    templates: tuple[str, ...] | None = Field(
        None, title="Templates", description="Ids of its templates, best first; null: those that its query finds."
    )
    work: str = Field(
        "",
        title="Work",
        description="The work done up to the end of this step; steps before it are not carried out. Empty: to be done.",
    )


class Decision(Value):
    """What a person answers."""

    action: Action = Field(title="Action")
    steps: tuple[DraftStep, ...] = Field((), title="Steps", description="For edit: the whole trajectory as it shall be.")
    feedback: str = Field("", title="Feedback", description="For redo: what is wrong.")


class Question(Value):
    """What a person is asked: the value of the interrupt."""

    question: Literal["plan", "review"]
    """`plan`: may the trajectory be carried out; `review`: how to go on after a result."""
    actions: tuple[Action, ...]
    """What can be decided."""
    problem: str
    abstraction: str
    steps: tuple[DraftStep, ...]
    """The trajectory, with the work done so far."""
    templates: dict[str, str]
    """Id -> text of the templates in use."""
    review: Review | None = None
    """At a review: the verdict that is proposed."""
    error: str = ""
    """Why the last answer could not be used; empty if this is the first time of asking."""


def create_review(
    *,
    navigator: BaseChatModel | str | None = None,
    solver: BaseChatModel | str | None = None,
    library: TemplateLibrary | str | None = None,
    retriever: BaseRetriever | None = None,
    context: Context | None = None,
) -> StateGraph[Any, Any, Any, Any]:
    """The uncompiled graph that asks a person; arguments, input, output and errors as of `create_reasonflux`.

    Compile it with a checkpointer, which an interrupt needs. Attempts that run at once (effort `high`) ask at once: resume
    them by `Command(resume={interrupt.id: decision, ...})`. An answer that cannot be used is asked for again, with `error`.
    """
    return create_reasonflux(
        strategy=review, navigator=navigator, solver=solver, library=library, retriever=retriever, context=context
    )


def review(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """The graph of one attempt."""
    return navigator(parts, approve=approve, judge=judge)


async def approve(state: Trajectory, run: Run) -> Update:
    """Person: whether the trajectory may be carried out, or another one instead."""
    decision = await _decide("plan", state, run)
    match decision.action:
        case "edit":
            return await _edit(decision.steps, state, run)
        case "stop":
            return {"exhausted": STOPPED}
    return {}


async def judge(state: Trajectory, run: Run) -> Update:
    """Person: what the review of the last result means, if reviews are asked about; else what the review said."""
    if state.get("exhausted"):
        return {}
    *earlier, proposed = [Review(**row) for row in state["reviews"]]
    before: Any = {**state, "reviews": [row.model_dump(mode="json") for row in earlier]}
    if not run.context.ask_at_reviews:
        return apply(before, run, proposed)
    decision = await _decide("review", state, run, proposed)
    match decision.action:
        case "approve":
            return apply(before, run, proposed)
        case "stop":
            return {"exhausted": STOPPED}
        case "edit":
            edited = await _edit(decision.steps, state, run)
            said = Review(index=proposed.index, verdict="accept", feedback="a person edited the trajectory.")
            return apply(before, run, said) | edited
    verdict: Verdict = decision.action
    return apply(before, run, Review(index=proposed.index, verdict=verdict, feedback=decision.feedback))


async def _decide(question: Literal["plan", "review"], state: Trajectory, run: Run, review: Review | None = None) -> Decision:
    """Asks until the answer can be used."""
    plan, work = Plan(**state["plan"]), {row["index"]: row["text"] for row in state["results"]}
    asked = Question(
        question=question,
        actions=ACTIONS[question],
        problem=state["problem"],
        abstraction=plan.abstraction,
        steps=tuple(DraftStep(**step.model_dump(), work=work.get(index, "")) for index, step in enumerate(plan.steps)),
        templates={id: _text(id, state, run) for id in state["templates"]},
        review=review,
    )
    while True:
        answer = await run.person(asked.model_dump(mode="json"), decision_schema(asked.actions, run.context.max_steps))
        try:
            decision = read_decision(answer, asked, run)
        except InputError as error:
            asked = asked.model_copy(update={"error": str(error)})
            continue
        await run.emit(Decided, question=question, decision=decision.model_dump(mode="json"))
        return decision


def decision_schema(actions: tuple[Action, ...], max_steps: int) -> dict[str, Any]:
    """The JSON schema of a Decision, with what is possible at a question and nothing else."""
    schema = Decision.model_json_schema()
    fields = schema["properties"]
    fields["action"] |= {"enum": list(actions), "description": "; ".join(f"{name}: {MEANINGS[name]}" for name in actions)}
    fields["steps"] |= {"maxItems": max_steps}
    if "redo" not in actions:
        del fields["feedback"]
    return schema


def read_decision(answer: object, asked: Question, run: Run) -> Decision:
    """What a run was resumed with, as a Decision; a bare word is its action, and JSON text is read. Raises InputError."""
    if isinstance(answer, str):
        try:
            answer = json.loads(answer) if answer.lstrip().startswith("{") else {"action": answer.strip()}
        except ValueError as error:
            raise InputError(f"The answer begins like JSON, but cannot be read: {error}.") from None
    try:
        decision = Decision.model_validate(answer)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'answer'}: {item['msg']}" for item in error.errors(include_url=False)
        )
        form = 'Forms that work: {"action": "approve"}; {"action": "edit", "steps": [{"purpose": ...}, ...]}.'
        raise InputError(f"The answer does not fit: {faults}. {form} Possible here: {', '.join(asked.actions)}.") from None
    if decision.action not in asked.actions:
        raise InputError(f"{decision.action!r} is no answer to this question. Possible here: {', '.join(asked.actions)}.")
    if decision.action == "edit" and not 1 <= len(decision.steps) <= run.context.max_steps:
        raise InputError(f"An edit gives 1 to {run.context.max_steps} `steps` (max_steps); given: {len(decision.steps)}.")
    if decision.action == "redo" and not decision.feedback.strip():
        raise InputError("A redo says in `feedback` what is wrong; given: nothing.")
    for id in {id for step in decision.steps for id in step.templates or ()}:
        if id not in asked.templates:
            _text(id, {}, run)
    return decision


def _text(id: str, state: Mapping[str, Any], run: Run) -> str:
    """What a template is in prompts. Raises InputError with the closest ids."""
    if id in state.get("texts", {}):
        return str(state["texts"][id])
    try:
        return render_template(run.parts.library.get(id))
    except LibraryError as error:
        raise InputError(str(error)) from None


async def _edit(steps: tuple[DraftStep, ...], state: Trajectory, run: Run) -> Update:
    """The trajectory as the person wants it, its templates looked up where the person names none."""
    texts, ids = dict(state["texts"]), list[str]()
    drawn: list[Step] = []
    for step in steps:
        if step.templates is None and step.query:
            documents = (await run.search(f"{step.purpose}\n{step.query}"))[: run.context.setting.templates]
            found = [*map(document_id, documents)]
            texts |= foreign(documents, run.parts.library)
        else:
            found = list(step.templates or ())
        ids += found
        drawn.append(Step(purpose=step.purpose, query=step.query, templates=tuple(found)))
    results = [StepResult(index=i, text=step.work).model_dump(mode="json") for i, step in enumerate(steps) if step.work.strip()]
    plan = Plan(abstraction=state["plan"]["abstraction"], steps=tuple(drawn))
    ids = list(dict.fromkeys(ids))
    await run.emit(TemplatesFound, templates=ids, plan=plan)
    done = [row["text"] for row in results] == [row["text"] for row in state["results"]]
    return {
        "plan": plan,
        "templates": ids,
        "texts": {id: text for id, text in texts.items() if id in ids},
        "seen": list(dict.fromkeys([*state["seen"], *ids])),
        "results": results,
        "step": results[-1]["index"] + 1 if results else 0,
        # complete solutions from before stay in the vote only if the person left the work as it was
        "tries": state["tries"] if done else [],
        "feedback": "",
        "edited": True,
    }
