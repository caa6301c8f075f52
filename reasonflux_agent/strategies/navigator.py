"""navigator: plan, retrieve, refine, carry out, review (paper, sections 3.2 and 3.3).

START → plan → retrieve → refine → solve_step ⇄ review → … → answer → END
                  ↑__________________________|   (the review wants another remainder of the trajectory)
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph

from reasonflux_agent.calls import OutOfBudget
from reasonflux_agent.context import Context
from reasonflux_agent.events import PlanDrawn, PlanRefined, Reviewed, StepDone, TemplatesFound
from reasonflux_agent.node import Node, add_router
from reasonflux_agent.parts import Parts
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.answer import ANSWER
from reasonflux_agent.prompts.plan import PLAN
from reasonflux_agent.prompts.refine import REFINE
from reasonflux_agent.prompts.review import REVIEW
from reasonflux_agent.prompts.solve import SOLVE, worked_examples
from reasonflux_agent.run import NodeBody, Run
from reasonflux_agent.schema import Candidate, Plan, Review, Step, StepResult, Template, Verdict
from reasonflux_agent.state import Attempt, Attempted, Trajectory
from reasonflux_agent.strategies.candidates import candidate, solve
from reasonflux_agent.strategies.search import document_id, foreign, looked_up, standing_out, step_query, trajectory_query
from reasonflux_agent.verify.grading import extract_answer
from reasonflux_agent.verify.verifiers import failure

Update = dict[str, Any]
LIMIT = "a limit is reached"
"""Label of an edge."""


def navigator(
    parts: Parts, *, approve: NodeBody | None = None, judge: NodeBody | None = None
) -> StateGraph[Any, Any, Any, Any]:
    """Return the graph of one planned attempt.

    `approve` and `judge` put a person into it (see agents/review.py): a node before the first step is carried out, and one
    after each review, which then only proposes its verdict.
    """

    def after_plan(state: Trajectory) -> Literal["retrieve", "answer"]:
        return "answer" if state.get("exhausted") else "retrieve"

    carry_out = "approve" if approve else "solve_step"

    def after_retrieve(state: Trajectory) -> str:
        return "refine" if state.get("refining") else carry_out

    def after_refine(state: Trajectory) -> str:
        return "answer" if state.get("exhausted") else carry_out

    def after_solve(state: Trajectory) -> Literal["review", "solve_step", "answer"]:
        if state.get("exhausted"):
            return "answer"
        return "review" if state.get("reviewing") else _onward(state)

    def after_review(state: Trajectory) -> Literal["retrieve", "solve_step", "answer"]:
        verdict = state["reviews"][-1]["verdict"] if state.get("reviews") else "accept"
        if state.get("exhausted") or verdict == "finish":
            return "answer"
        return "retrieve" if verdict == "replace" else _onward(state)

    def after_approve(state: Trajectory) -> Literal["solve_step", "answer"]:
        return "answer" if state.get("exhausted") else _onward(state)

    graph = StateGraph(Trajectory, context_schema=Context, input_schema=Attempt, output_schema=Attempted)
    for body in (plan, retrieve, refine, solve_step, answer):
        graph.add_node(body.__name__, Node(parts, body), input_schema=Trajectory)
    graph.add_node("review", Node(parts, note_verdict if judge else review, "review"), input_schema=Trajectory)
    graph.add_edge(START, "plan")
    add_router(graph, "plan", after_plan, {"retrieve": "planned", "answer": LIMIT})
    add_router(graph, "retrieve", after_retrieve, {"refine": "rewrite the plan", carry_out: "carry the plan out"})
    add_router(graph, "refine", after_refine, {carry_out: "rewritten", "answer": LIMIT})
    ends = {"solve_step": "next step", "answer": "done, or a limit"}
    add_router(graph, "solve_step", after_solve, {"review": "review the result", **ends})
    redo = {"retrieve": "other templates or steps", **ends, "solve_step": "redo, or next step"}
    add_router(graph, "judge" if judge else "review", after_review, redo)
    graph.add_edge("answer", END)
    if approve:
        graph.add_node("approve", Node(parts, approve), input_schema=Trajectory)
        add_router(
            graph, "approve", after_approve, {"solve_step": "approved or edited", "answer": "stopped, or nothing is left"}
        )
    if judge:
        graph.add_node("judge", Node(parts, judge), input_schema=Trajectory)
        graph.add_edge("review", "judge")
    return graph


def _onward(state: Trajectory) -> Literal["solve_step", "answer"]:
    steps = state["plan"]["steps"] if "plan" in state else ()  # none: a person edits the state before there is a plan
    return "solve_step" if state.get("step", 0) < len(steps) else "answer"


async def plan(state: Trajectory, run: Run) -> Update:
    """Navigator: the abstraction and the trajectory."""
    blank: Update = {name: [] for name in ("results", "reviews", "templates", "seen", "tries")}
    blank |= {"step": 0, "texts": {}, "feedback": "", "edited": False}
    drawn = Plan(steps=(Step(purpose="Solve the problem."),))
    try:
        drawn, _ = await run.ask(PLAN, sampled=state["sample"] > 0, problem=state["problem"])
    except ParseError:
        pass  # a plan that cannot be read is data, and recorded: the run goes on with the plan that says nothing
    except OutOfBudget as limit:
        return {**blank, "plan": drawn, "exhausted": str(limit)}
    drawn = drawn.cut(run.context.max_steps)
    await run.emit(PlanDrawn, plan=drawn)
    return {**blank, "plan": drawn}


async def retrieve(state: Trajectory, run: Run) -> Update:
    """Library: templates for the problem and the steps still to come, above the confidence floor.

    A template is noted with the steps whose own query finds it, else with the step that is due.
    """
    drawn, due, limit, library = Plan(**state["plan"]), state["step"], run.context.setting.templates, run.parts.library
    steps, ids, texts = list(drawn.steps), list[str](), dict[str, str]()
    if limit:
        found = await run.search(trajectory_query(state["problem"], drawn, due))
        if not state["reviews"]:  # after a try that failed, a template that does not stand out is worth a try as well
            found = [*standing_out(found[:limit])]
        ids = [id for id in map(document_id, found) if id not in state["seen"]][:limit]
        texts = {id: text for id, text in foreign(found, library).items() if id in ids}
        for index in range(due, len(steps)) if ids else ():
            own = await run.search(step_query(steps[index]))
            fitting = tuple(id for id in map(document_id, own) if id in ids)
            steps[index] = steps[index].model_copy(update={"templates": fitting})
        if due < len(steps):
            noted = {id for step in steps[due:] for id in step.templates}
            rest = tuple(id for id in ids if id not in noted)
            steps[due] = steps[due].model_copy(update={"templates": rest + steps[due].templates})
    drawn = drawn.model_copy(update={"steps": tuple(steps)})
    await run.emit(TemplatesFound, templates=ids, plan=drawn)
    # a replaced remainder was written by the navigator just now; nothing found is nothing to refine with
    refining = bool(ids and not state["reviews"] and run.context.setting.refine)
    update: Update = {"plan": drawn, "templates": ids, "texts": texts, "refining": refining}
    return {**update, "seen": [*state["seen"], *ids]}


def in_use(state: Trajectory, run: Run) -> list[Template | str]:
    """The templates that prompts show."""
    return looked_up(state["templates"], state["texts"], run.parts.library)


async def refine(state: Trajectory, run: Run) -> Update:
    """Navigator: the trajectory rewritten with what was found."""
    drawn = Plan(**state["plan"])
    try:
        better, _ = await run.ask(
            REFINE, sampled=state["sample"] > 0, problem=state["problem"], templates=in_use(state, run), plan=drawn
        )
    except ParseError:
        return {}
    ids = tuple(dict.fromkeys(i for step in drawn.steps for i in step.templates))
    steps = list(better.steps[: run.context.max_steps])
    steps[0] = steps[0].model_copy(update={"templates": ids})
    better = Plan(abstraction=better.abstraction or drawn.abstraction, steps=tuple(steps))
    await run.emit(PlanRefined, plan=better)
    return {"plan": better}


async def solve_step(state: Trajectory, run: Run) -> Update:
    """Solver: the step that is due, or (granularity `whole`) the whole trajectory in one reply."""
    drawn, whole, feedback = Plan(**state["plan"]), is_whole(state, run.context), state["feedback"]
    index = len(drawn.steps) - 1 if whole else state["step"]
    results = [StepResult(**row) for row in state["results"]]
    before = [] if whole else [r for r in results if r.index < index]
    templates, informed = in_use(state, run), bool(run.context.setting.refine or state.get("edited"))
    given: Update = {"informed": informed} if whole else {"step": index, "results": before}
    given |= {"problem": state["problem"], "plan": drawn, "templates": templates, "feedback": feedback}
    sampled = state["sample"] > 0 or bool(feedback)  # a greedy redo would repeat itself
    last = index == len(drawn.steps) - 1
    text, reply = await solve(run, SOLVE, sampled=sampled, last=last, **given)
    # all reviews are of a whole trajectory: its index changes with the length of a replaced plan
    reviewed = sum(whole or row["index"] == index for row in state["reviews"])
    result = StepResult(index=index, text=text, attempt=reviewed + 1)
    planned = not whole or informed or not worked_examples(templates)
    await run.emit(StepDone, result=result, templates=state["templates"], planned=planned)
    results = [*before, result]
    update: Update = {"results": results, "step": index + 1, "feedback": ""}
    update["reviewing"] = reviewed < run.context.setting.reviews
    if whole:
        made = await candidate(run, "navigator", state["problem"], text, reply=reply, plan=drawn, results=tuple(results))
        update["tries"] = [*state["tries"], made]
    return update


def is_whole(state: Trajectory, context: Context) -> bool:
    """Whether one reply carries the whole trajectory out. What a person began is carried on step by step."""
    begun = any(row["index"] < len(state["plan"]["steps"]) - 1 for row in state["results"])
    return context.granularity == "whole" and not begun


async def review(state: Trajectory, run: Run) -> Update:
    """Go on, redo, replace what is left, or finish. The checks judge a whole solution first; a step, the navigator alone."""
    said = await assess(state, run)
    return apply(state, run, said)


async def note_verdict(state: Trajectory, run: Run) -> Update:
    """As `review`, but its verdict is only noted; a person is asked before it is applied."""
    said = await assess(state, run)
    return {"reviews": [*state["reviews"], said]}


async def assess(state: Trajectory, run: Run) -> Review:
    """The verdict on the last result."""
    drawn = Plan(**state["plan"])
    results = [StepResult(**row) for row in state["results"]]
    last, whole = results[-1], is_whole(state, run.context)
    verdicts = state["tries"][-1]["checks"] if whole else {}
    failed, by = [name for name, passed in verdicts.items() if not passed], "checks"
    if verdicts.get("substitution"):
        said = Review(index=last.index, verdict="finish", feedback="the answer, put back into the problem, holds.")
    elif failed:
        again = any(row["verdict"] == "redo" for row in state["reviews"])
        # what fails twice with these templates is tried with others, what failed without any with some
        verdict: Verdict = "replace" if again or not state["templates"] else "redo"
        tried = state["tries"][-1]

        def wrong() -> str:
            return " ".join(failure(name, state["problem"], tried["text"], tried["answer"]) for name in failed)

        said = Review(index=last.index, verdict=verdict, feedback=await run.compute(wrong))
    elif run.context.setting.llm_review or not verdicts:
        by = "navigator"
        try:
            given: Update = {"problem": state["problem"], "plan": drawn, "results": results, "templates": in_use(state, run)}
            said, _ = await run.ask(REVIEW, whole=whole, **given)
        except ParseError:
            said = Review(index=last.index, verdict="accept", feedback="(the review could not be read)")
    else:
        said = Review(index=last.index, verdict="accept", feedback="no check fails.")
    said = said.model_copy(update={"index": last.index})
    await run.emit(Reviewed, review=said, by=by)
    return said


def apply(state: Trajectory, run: Run, said: Review) -> Update:
    """What a verdict on the last result means for the trajectory."""
    drawn = Plan(**state["plan"])
    update: Update = {"reviews": [*state["reviews"], said]}
    start = 0 if is_whole(state, run.context) else said.index
    if said.verdict == "redo":
        update |= {"step": said.index, "feedback": said.feedback or "it is not right."}
    elif said.verdict == "replace":
        # without a new remainder it is only the templates that are replaced
        steps = (drawn.steps[:start] + (said.steps or drawn.steps[start:]))[: run.context.max_steps]
        drawn = drawn.model_copy(update={"steps": steps})
        update |= {"plan": drawn, "step": start, "feedback": said.feedback}
        update["results"] = [row for row in state["results"] if row["index"] < start]
    return update


async def answer(state: Trajectory, run: Run) -> Update:
    """Solver: the final answer where the steps did not state it; then the candidates are handed back."""
    drawn, reviews = Plan(**state["plan"]), tuple(Review(**row) for row in state["reviews"])
    results = tuple(StepResult(**row) for row in state["results"])
    made = [Candidate(**row) for row in state["tries"]]
    update: Update = {}
    if results and not made:
        text, reply = "\n\n".join(r.text for r in results), None
        stated = await run.compute(lambda: extract_answer(results[-1].text))
        if stated is None and not state.get("exhausted"):
            try:
                end, reply = await run.ask(
                    ANSWER, problem=state["problem"], plan=drawn, results=results, templates=in_use(state, run)
                )
                text = f"{text}\n\n{end}"
            except ParseError:
                pass
            except OutOfBudget as limit:
                update["exhausted"] = str(limit)
        made = [await candidate(run, "navigator", state["problem"], text, reply=reply, plan=drawn, results=results)]
    return update | {"candidates": [c.model_copy(update={"reviews": reviews}) for c in made]}
