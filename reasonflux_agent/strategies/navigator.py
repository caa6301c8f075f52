"""navigator: plan, retrieve, refine, carry out, review (paper, sections 3.2 and 3.3).

START → plan → retrieve → refine → solve_step ⇄ review → … → answer → END
                  ↑__________________________|   (the review wants another remainder of the trajectory)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.documents import Document
from langgraph.graph import END, START, StateGraph

from reasonflux_agent.candidates import candidate, solve
from reasonflux_agent.context import Context
from reasonflux_agent.exchanges import ParseError
from reasonflux_agent.exchanges.answer import ANSWER
from reasonflux_agent.exchanges.plan import PLAN
from reasonflux_agent.exchanges.refine import REFINE
from reasonflux_agent.exchanges.review import REVIEW
from reasonflux_agent.exchanges.solve import STEP, WHOLE, demonstrate
from reasonflux_agent.grading import extract_answer
from reasonflux_agent.nodes import Body, Emit, OutOfBudget, Parts, Run, Search
from reasonflux_agent.plugins import registered
from reasonflux_agent.schema import Candidate, Plan, Review, Step, StepResult, Verdict
from reasonflux_agent.state import Attempt, Attempted, Trajectory

Update = dict[str, Any]
PROBLEM = -1
"""Key of what was found for the problem as a whole, beside the indices of the steps."""


def navigator(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """The graph of one planned attempt."""

    def after_plan(state: Trajectory) -> Literal["retrieve", "answer"]:
        return "answer" if state.get("exhausted") else "retrieve"

    def after_retrieve(state: Trajectory) -> Literal["refine", "solve_step"]:
        # a replaced remainder was written by the navigator just now; nothing found is nothing to refine with
        first = not state["reviews"]
        return "refine" if first and state["templates"] and parts.context().setting.refine else "solve_step"

    def after_refine(state: Trajectory) -> Literal["solve_step", "answer"]:
        return "answer" if state.get("exhausted") else "solve_step"

    def after_solve(state: Trajectory) -> Literal["review", "solve_step", "answer"]:
        if state.get("exhausted"):
            return "answer"
        index = state["results"][-1]["index"]
        reviewed = sum(row["index"] == index for row in state["reviews"])
        return "review" if reviewed < parts.context().setting.reviews else _onward(state)

    def after_review(state: Trajectory) -> Literal["retrieve", "solve_step", "answer"]:
        verdict = state["reviews"][-1]["verdict"] if state["reviews"] else "accept"
        if state.get("exhausted") or verdict == "finish":
            return "answer"
        return "retrieve" if verdict == "replace" else _onward(state)

    graph = StateGraph(Trajectory, context_schema=Context, input_schema=Attempt, output_schema=Attempted)
    for body in (plan, retrieve, refine, solve_step, review, answer):
        graph.add_node(body.__name__, parts.node(body), input_schema=Trajectory)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", after_plan)
    graph.add_conditional_edges("retrieve", after_retrieve)
    graph.add_conditional_edges("refine", after_refine)
    graph.add_conditional_edges("solve_step", after_solve)
    graph.add_conditional_edges("review", after_review)
    graph.add_edge("answer", END)
    return graph


def _onward(state: Trajectory) -> Literal["solve_step", "answer"]:
    return "solve_step" if state["step"] < len(state["plan"]["steps"]) else "answer"


def plan(state: Trajectory, run: Run) -> Body[Update]:
    """Navigator: the abstraction and the trajectory."""
    blank: Update = {"step": 0, "results": [], "reviews": [], "templates": {}, "seen": [], "tries": [], "feedback": ""}
    drawn = Plan(steps=(Step(purpose="Solve the problem."),))
    try:
        drawn, _ = yield from run.ask(PLAN, sampled=state["sample"] > 0, problem=state["problem"])
    except ParseError:
        pass  # a plan that cannot be read is data, and recorded: the run goes on with the plan that says nothing
    except OutOfBudget as limit:
        return {**blank, "plan": drawn.model_dump(mode="json"), "exhausted": str(limit)}
    drawn = drawn.model_copy(update={"steps": drawn.steps[: run.context.max_steps]})
    yield Emit("plan", {"plan": drawn.model_dump(mode="json")})
    return {**blank, "plan": drawn.model_dump(mode="json")}


def retrieve(state: Trajectory, run: Run) -> Body[Update]:
    """Library: templates for the problem and for every step still to come, above the confidence floor."""
    drawn, due, limit = Plan(**state["plan"]), state["step"], run.context.setting.templates
    found: dict[int, list[Document]] = {}
    if limit:
        queries = {PROBLEM: f"{drawn.abstraction}\n{state['problem']}".strip()}
        queries |= {index: step.query for index, step in enumerate(drawn.steps) if index >= due and step.query}
        for index, query in queries.items():
            documents: list[Document] = yield Search(query)
            found[index] = [document for document in documents if _id(document) not in state["seen"]]
    texts = merge(found, limit)
    steps = [
        step if index < due else step.model_copy(update={"templates": _ids(found.get(index, ()), texts)})
        for index, step in enumerate(drawn.steps)
    ]
    if due < len(steps):  # what fits the problem as a whole is noted with the step that is carried out next
        together = dict.fromkeys(_ids(found.get(PROBLEM, ()), texts) + steps[due].templates)
        steps[due] = steps[due].model_copy(update={"templates": tuple(together)})
    drawn = drawn.model_copy(update={"steps": tuple(steps)})
    yield Emit("templates", {"templates": list(texts), "plan": drawn.model_dump(mode="json")})
    return {"plan": drawn.model_dump(mode="json"), "templates": texts, "seen": [*state["seen"], *texts]}


def merge(found: Mapping[int, Sequence[Document]], limit: int) -> dict[str, str]:
    """The best `limit` documents over all queries, id -> text, by reciprocal-rank fusion (Cormack et al., 2009).

    The query of the whole problem counts double: a step's own words are few and the navigator's, not the problem's.
    """
    score: dict[str, float] = {}
    text: dict[str, str] = {}
    for index, documents in found.items():
        for rank, document in enumerate(documents[:limit]):
            key = _id(document)
            score[key] = score.get(key, 0.0) + (2.0 if index == PROBLEM else 1.0) / (60 + rank)
            text[key] = document.page_content
    return {key: text[key] for key in sorted(score, key=lambda key: -score[key])[:limit]}


def _id(document: Document) -> str:
    return str(document.id or document.metadata.get("id") or document.page_content[:80])


def _ids(documents: Sequence[Document], kept: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(key for document in documents if (key := _id(document)) in kept)


def refine(state: Trajectory, run: Run) -> Body[Update]:
    """Navigator: the trajectory rewritten with what was found."""
    drawn = Plan(**state["plan"])
    try:
        better, _ = yield from run.ask(
            REFINE, sampled=state["sample"] > 0, problem=state["problem"], templates=state["templates"], plan=drawn
        )
    except ParseError:
        return {}
    ids = tuple(dict.fromkeys(i for step in drawn.steps for i in step.templates))
    steps = list(better.steps[: run.context.max_steps])
    steps[0] = steps[0].model_copy(update={"templates": ids})
    better = Plan(abstraction=better.abstraction or drawn.abstraction, steps=tuple(steps))
    yield Emit("refined", {"plan": better.model_dump(mode="json")})
    return {"plan": better.model_dump(mode="json")}


def solve_step(state: Trajectory, run: Run) -> Body[Update]:
    """Solver: the step that is due, or (granularity `whole`) the whole trajectory in one reply."""
    drawn, whole, feedback = Plan(**state["plan"]), run.context.granularity == "whole", state["feedback"]
    index = len(drawn.steps) - 1 if whole else state["step"]
    results = [StepResult(**row) for row in state["results"]]
    before = [] if whole else [r for r in results if r.index < index]
    given: Update = {"problem": state["problem"], "templates": state["templates"], "plan": drawn, "feedback": feedback}
    if whole:
        given |= _as_turns(state["templates"], run)
        if given["shown"] and not run.context.setting.refine:
            given["plan"] = None  # it was drawn before the templates were known, and a template is a trajectory itself
    else:
        given |= {"step": index, "results": before}
    sampled = state["sample"] > 0 or bool(feedback)  # a greedy redo would repeat itself
    text, reply = yield from solve(run, WHOLE if whole else STEP, sampled=sampled, **given)
    tried = sum(row["index"] == index for row in state["reviews"])
    result = StepResult(index=index, text=text, attempt=tried + 1)
    yield Emit("step", {"result": result.model_dump(mode="json")})
    results = [*before, result]
    update: Update = {"results": [r.model_dump(mode="json") for r in results], "step": index + 1, "feedback": ""}
    if whole:
        made = candidate("navigator", state["problem"], text, reply=reply, plan=drawn, results=tuple(results))
        update["tries"] = [*state["tries"], made.model_dump(mode="json")]
    return update


def _as_turns(templates: Mapping[str, str], run: Run) -> Update:
    """The templates that have a worked example, to be shown as turns; the others stay text."""
    library = run.parts.library
    shown = [t for key in templates if key in library and demonstrate(t := library.get(key))]
    rest = {key: text for key, text in templates.items() if all(t.id != key for t in shown)}
    return {"shown": shown, "templates": rest}


def review(state: Trajectory, run: Run) -> Body[Update]:
    """Checks first, then the navigator: go on, redo, replace what is left, or finish."""
    drawn = Plan(**state["plan"])
    results = [StepResult(**row) for row in state["results"]]
    last = results[-1]
    whole = run.context.granularity == "whole"
    verdicts = state["tries"][-1]["checks"] if whole else {}
    failed = [name for name, passed in verdicts.items() if not passed]
    if verdicts.get("substitution"):
        said = Review(index=last.index, verdict="finish", feedback="the answer, put back into the problem, holds.")
    elif failed:
        again = any(row["verdict"] == "redo" for row in state["reviews"])
        # what fails twice with these templates is tried with others, if these were what it followed
        verdict: Verdict = "replace" if again and state["templates"] else "redo"
        meant = " ".join(_meaning(name) for name in failed)
        said = Review(index=last.index, verdict=verdict, feedback=f"this does not hold: {meant}")
    else:
        try:
            said, _ = yield from run.ask(
                REVIEW, problem=state["problem"], plan=drawn, results=results, templates=state["templates"]
            )
        except ParseError:
            said = Review(index=last.index, verdict="accept", feedback="(the review could not be read)")
    said = said.model_copy(update={"index": last.index})
    by = "checks" if failed or verdicts.get("substitution") else "navigator"
    yield Emit("review", {"review": said.model_dump(mode="json"), "by": by})
    update: Update = {"reviews": [*state["reviews"], said.model_dump(mode="json")]}
    start = 0 if whole else last.index
    if said.verdict == "redo":
        update |= {"step": last.index, "feedback": said.feedback or "it is not right."}
    elif said.verdict == "replace":
        # without a new remainder it is only the templates that are replaced
        steps = (drawn.steps[:start] + (said.steps or drawn.steps[start:]))[: run.context.max_steps]
        drawn = drawn.model_copy(update={"steps": steps})
        update |= {"plan": drawn.model_dump(mode="json"), "step": start, "feedback": said.feedback}
        update["results"] = [row for row in state["results"] if row["index"] < start]
    return update


def _meaning(check: str) -> str:
    """What a check stands for, in words for the solver: the first line of its docstring."""
    _, function = registered("checks").get(check, ("", None))
    return ((function.__doc__ if function else "") or f"{check}.").strip().splitlines()[0]


def answer(state: Trajectory, run: Run) -> Body[Update]:
    """Solver: the final answer where the steps did not state it; then the candidates are handed back."""
    drawn, reviews = Plan(**state["plan"]), tuple(Review(**row) for row in state["reviews"])
    results = tuple(StepResult(**row) for row in state["results"])
    made = [Candidate(**row) for row in state["tries"]]
    update: Update = {}
    if results and not made:
        text, reply = "\n\n".join(r.text for r in results), None
        if extract_answer(results[-1].text) is None:
            try:
                end, reply = yield from run.ask(
                    ANSWER, problem=state["problem"], plan=drawn, results=results, templates=state["templates"]
                )
                text = f"{text}\n\n{end}"
            except ParseError:
                pass
            except OutOfBudget as limit:
                update["exhausted"] = str(limit)
        made = [candidate("navigator", state["problem"], text, reply=reply, plan=drawn, results=results)]
    for one in made:
        yield Emit("candidate", {"source": one.source, "answer": one.answer, "checks": one.checks})
    return update | {"candidates": [c.model_copy(update={"reviews": reviews}).model_dump(mode="json") for c in made]}
