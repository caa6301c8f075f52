"""review: the navigator's graph with a person in it.

… → plan → retrieve → refine → approve → solve_step → review → judge → …
                                  ↑ asks                         ↑ asks, if the context says `ask_at_reviews`

Both nodes interrupt with a `Question` and are resumed with a `Decision`, as dicts: `Command(resume={"action": "approve"})`.
The question shows all steps, with their templates and the work done. An edit returns the whole list as it is to be: a person
adds, deletes, moves and rewords steps, names their templates or changes their queries, and writes or clears their work. A
step whose work is cleared is carried out again. Agent chat UIs ask and answer in LangChain's form: see approval.py.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langgraph.graph import StateGraph
from pydantic import Field, ValidationError

from reasonflux_agent.agents.approval import human_request, read_decisions
from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError
from reasonflux_agent.events import Decided, TemplatesFound
from reasonflux_agent.graph import create_reasonflux
from reasonflux_agent.parts import Parts
from reasonflux_agent.run import Run
from reasonflux_agent.schema import Plan, Review, Step, StepResult, Value
from reasonflux_agent.state import Trajectory
from reasonflux_agent.strategies.navigator import apply, in_use, navigator
from reasonflux_agent.strategies.search import document_id, foreign, step_query
from reasonflux_agent.templates import TemplateLibrary, render_template

Update = dict[str, Any]
Action = Literal["approve", "edit", "accept", "redo", "finish", "stop"]
ACTIONS: dict[str, tuple[Action, ...]] = {
    "plan": ("approve", "edit", "stop"),
    "review": ("approve", "edit", "accept", "redo", "finish", "stop"),
}
"""The actions possible at each question."""
MEANINGS: dict[Action, str] = {
    "approve": "go on as proposed",
    "edit": "go on with `steps`",
    "accept": "keep the result",
    "redo": "do it again, with `feedback`",
    "finish": "the answer is there",
    "stop": "end with the best answer so far",
}
STOPPED: Update = {"exhausted": "a person stopped the run"}


class DraftStep(Value):
    """A step of the trajectory as a person sees and edits it."""

    purpose: str = Field(min_length=1, description="What the step is to achieve.")
    query: str = Field("", description="What to look up in the library for it.")
    templates: tuple[str, ...] | None = Field(
        None, description="Ids of its templates, best first; null: those that its query finds."
    )
    work: str = Field(
        "", description="The work up to the end of this step; the steps before it are not carried out. Empty: to be done."
    )


class Decision(Value):
    """What a person answers."""

    action: Action
    steps: tuple[DraftStep, ...] = Field((), description="For edit: the whole trajectory as it is to be.")
    feedback: str = Field("", description="For redo: what is wrong.")


class Question(Value):
    """What a person is asked: the value of the interrupt."""

    question: Literal["plan", "review"]
    """`plan`: may the trajectory be carried out? `review`: how to go on after a result?"""
    attempt: str = ""
    """The attempt that asks: `attempt 0`."""
    actions: tuple[Action, ...]
    """The possible actions."""
    problem: str
    abstraction: str
    steps: tuple[DraftStep, ...]
    """The trajectory, with the work done so far."""
    templates: dict[str, str]
    """Id -> text of the templates in use."""
    review: Review | None = None
    """At a review: the proposed verdict."""
    error: str = ""
    """Why the last answer cannot be used; empty when the question is new."""
    action_requests: tuple[dict[str, Any], ...] = ()
    """The same question for agent chat UIs, with `review_configs`: see `agents.approval`."""
    review_configs: tuple[dict[str, Any], ...] = ()


def create_review(
    *,
    navigator: BaseChatModel | str | None = None,
    solver: BaseChatModel | str | None = None,
    library: TemplateLibrary | str | None = None,
    retriever: BaseRetriever | None = None,
    context: Context | None = None,
) -> StateGraph[Any, Any, Any, Any]:
    """Return the uncompiled graph that asks a person. Arguments, input, output and errors are those of `create_reasonflux`.

    Compile it with a checkpointer, which an interrupt needs. Attempts that run at once (effort `high`) ask at once: resume
    with `Command(resume={interrupt.id: decision, ...})`. An answer that cannot be used is asked for again, with `error`.
    """
    return create_reasonflux(
        strategy=review, navigator=navigator, solver=solver, library=library, retriever=retriever, context=context
    )


def review(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """Return the graph of one attempt."""
    return navigator(parts, approve=approve, judge=judge)


async def approve(state: Trajectory, run: Run) -> Update:
    """Ask whether to carry the trajectory out, or another one."""
    decision = await _decide("plan", state, run)
    if decision.action == "edit":
        return await _edit(decision.steps, state, run)
    return STOPPED if decision.action == "stop" else {}


async def judge(state: Trajectory, run: Run) -> Update:
    """Apply the verdict of the last review, or, if reviews are asked about, what a person decides."""
    if state.get("exhausted"):
        return {}
    *earlier, proposed = [Review(**row) for row in state["reviews"]]
    before: Any = {**state, "reviews": [row.model_dump(mode="json") for row in earlier]}
    if not run.context.ask_at_reviews:
        return apply(before, run, proposed)
    decision = await _decide("review", state, run, proposed)
    match decision.action:
        case "stop":
            return STOPPED
        case "approve":
            return apply(before, run, proposed)
        case "edit":
            edited = await _edit(decision.steps, state, run)
            noted = Review(index=proposed.index, verdict="accept", feedback="a person edited the trajectory.")
            return apply(before, run, noted) | edited
    return apply(before, run, Review(index=proposed.index, verdict=decision.action, feedback=decision.feedback))


async def _decide(question: Literal["plan", "review"], state: Trajectory, run: Run, review: Review | None = None) -> Decision:
    """Ask until the answer can be used."""
    plan, work = Plan(**state["plan"]), {row["index"]: row["text"] for row in state["results"]}
    texts = (text if isinstance(text, str) else render_template(text) for text in in_use(state, run))
    asked = Question(
        question=question,
        attempt=run.labels.attempt,
        actions=ACTIONS[question],
        problem=state["problem"],
        abstraction=plan.abstraction,
        steps=tuple(DraftStep(**step.model_dump(), work=work.get(index, "")) for index, step in enumerate(plan.steps)),
        templates=dict(zip(state["templates"], texts, strict=True)),
        review=review,
    )
    while True:
        shown = asked.model_dump(mode="json")
        answer = await run.person(shown | human_request(shown), decision_schema(asked.actions, run.context.max_steps))
        try:
            decision = read_decision(read_decisions(answer, shown), asked, run)
        except InputError as error:
            asked = asked.model_copy(update={"error": str(error)})
            continue
        await run.emit(Decided, question=question, decision=decision.model_dump(mode="json"))
        return decision


def decision_schema(actions: tuple[Action, ...], max_steps: int) -> dict[str, Any]:
    """Return the JSON schema of a Decision, restricted to these actions and to this many steps."""
    schema = Decision.model_json_schema()
    fields = schema["properties"]
    fields["action"] |= {"enum": list(actions), "description": "; ".join(f"{name}: {MEANINGS[name]}" for name in actions)}
    fields["steps"] |= {"maxItems": max_steps}
    if "redo" not in actions:
        del fields["feedback"]
    return schema


def read_decision(answer: object, asked: Question, run: Run) -> Decision:
    """Return the decision that a run is resumed with: a dict, its JSON text, or the action as a bare word.

    Raises InputError if it does not fit the question; an unknown template id is answered with the closest ones.
    """
    possible = f"Possible here: {', '.join(asked.actions)}."
    if isinstance(answer, str):
        try:
            answer = json.loads(answer) if answer.lstrip().startswith("{") else {"action": answer.strip()}
        except ValueError as error:
            raise InputError(f"The answer begins like JSON, but cannot be read: {error}.") from None
    try:
        decision = Decision.model_validate(answer)
    except ValidationError as error:
        rows = [(".".join(map(str, row["loc"])) or "answer", row["msg"]) for row in error.errors(include_url=False)]
        faults = "; ".join(f"{where}: {what}" for where, what in rows)
        form = 'Forms that work: {"action": "approve"}; {"action": "edit", "steps": [{"purpose": ...}, ...]}.'
        raise InputError(f"The answer does not fit: {faults}. {form} {possible}") from None
    if decision.action not in asked.actions:
        raise InputError(f"{decision.action!r} is no answer to this question. {possible}")
    if decision.action == "edit" and not 1 <= len(decision.steps) <= run.context.max_steps:
        raise InputError(f"An edit gives 1 to {run.context.max_steps} `steps` (max_steps); given: {len(decision.steps)}.")
    if decision.action == "redo" and not decision.feedback.strip():
        raise InputError("A redo says in `feedback` what is wrong; given: nothing.")
    for id in {id for step in decision.steps for id in step.templates or ()} - asked.templates.keys():
        run.parts.library.get(id)  # raises LibraryError, an InputError
    return decision


async def _edit(steps: tuple[DraftStep, ...], state: Trajectory, run: Run) -> Update:
    """Return the update that puts a person's trajectory in place. Steps without `templates` get those their query finds."""
    texts, edited = dict(state["texts"]), list[Step]()
    for step in steps:
        ids = step.templates or ()
        if step.templates is None and step.query:
            documents = (await run.search(step_query(Step(purpose=step.purpose, query=step.query))))[
                : run.context.setting.templates
            ]
            ids = tuple(map(document_id, documents))
            texts |= foreign(documents, run.parts.library)
        edited.append(Step(purpose=step.purpose, query=step.query, templates=ids))
    plan = Plan(abstraction=state["plan"]["abstraction"], steps=tuple(edited))
    templates = list(dict.fromkeys(id for step in edited for id in step.templates))
    await run.emit(TemplatesFound, templates=templates, plan=plan)
    results = [StepResult(index=index, text=step.work) for index, step in enumerate(steps) if step.work.strip()]
    unchanged = [result.text for result in results] == [row["text"] for row in state["results"]]
    return {
        "plan": plan,
        "templates": templates,
        "texts": {id: text for id, text in texts.items() if id in templates},
        "seen": list(dict.fromkeys([*state["seen"], *templates])),
        "results": results,
        "step": results[-1].index + 1 if results else 0,
        "tries": state["tries"] if unchanged else [],  # complete solutions stay in the vote only with the work they came from
        "feedback": "",
        "edited": True,
    }
