"""original: ReasonFlux v1 as it was released, as the baseline to beat.

Analysis, trajectory, one template by hierarchical search, one adjustment; then for every step a teacher's instruction and
a student's solution: 3 + 2n calls for n steps, with no review, no redo and no vote.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph

from reasonflux_agent.calls import OutOfBudget
from reasonflux_agent.context import Context
from reasonflux_agent.events import PlanDrawn, PlanRefined, StepDone, TemplatesFound
from reasonflux_agent.node import Node, add_router
from reasonflux_agent.parts import Parts
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.original import ADJUST, ANALYSE, FOLLOW, INSTRUCT, LAY_OUT
from reasonflux_agent.run import Run
from reasonflux_agent.schema import Plan, Step, StepResult
from reasonflux_agent.state import Attempt, Attempted, Trajectory
from reasonflux_agent.strategies.candidates import candidate

Update = dict[str, Any]


class Original(Trajectory, total=False):
    """State of an attempt of the original."""

    analysis: str
    """The navigator's words on what the problem is about."""
    said: list[str]
    """The teacher's instructions so far, one a step."""


def original(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """The graph of one attempt. Without a retriever of the caller's, its template comes from v1's hierarchical search."""
    parts = replace(parts, search="hierarchical")

    labels = {"instruct": "next step", "answer": "done, or a limit"}

    def after(state: Original) -> Literal["instruct", "answer"]:
        due = state.get("step", 0) < len(state["plan"]["steps"] if "plan" in state else ())
        return "instruct" if due and not state.get("exhausted") else "answer"

    graph = StateGraph(Original, context_schema=Context, input_schema=Attempt, output_schema=Attempted)
    for body in (analyse, lay_out, adjust, instruct, follow, answer):
        graph.add_node(body.__name__, Node(parts, body), input_schema=Original)
    graph.add_edge(START, "analyse")
    graph.add_edge("analyse", "lay_out")
    graph.add_edge("lay_out", "adjust")
    add_router(graph, "adjust", after, labels)
    graph.add_edge("instruct", "follow")
    add_router(graph, "follow", after, labels)
    graph.add_edge("answer", END)
    return graph


async def analyse(state: Original, run: Run) -> Update:
    """Navigator: what the problem is about."""
    blank: Update = {"step": 0, "results": [], "said": [], "templates": [], "plan": Plan(), "analysis": ""}
    try:
        analysis, _ = await run.ask(ANALYSE, sampled=state["sample"] > 0, problem=state["problem"])
    except ParseError:
        return blank
    except OutOfBudget as limit:
        return {**blank, "exhausted": str(limit)}
    return {**blank, "analysis": analysis}


async def lay_out(state: Original, run: Run) -> Update:
    """Navigator: the trajectory."""
    try:
        drawn, _ = await run.ask(LAY_OUT, problem=state["problem"], analysis=state["analysis"])
    except ParseError:
        drawn = Plan(steps=(Step(purpose="Solve the problem."),))
    drawn = drawn.cut(run.context.max_steps)
    await run.emit(PlanDrawn, plan=drawn)
    return {"plan": drawn}


async def adjust(state: Original, run: Run) -> Update:
    """Library and navigator: one template, one adjustment."""
    drawn = Plan(**state["plan"])
    query = next((step.query for step in drawn.steps if step.query), state["analysis"] or state["problem"])
    found = (await run.search(query)) if run.context.setting.templates else []
    texts = {str(found[0].id): found[0].page_content} if found else {}
    await run.emit(TemplatesFound, templates=list(texts), plan=drawn)
    try:
        template = next(iter(texts.values()), "")
        drawn, _ = await run.ask(ADJUST, problem=state["problem"], plan=drawn, template=template)
    except ParseError:
        pass
    steps = [s.model_copy(update={"templates": tuple(texts)}) for s in drawn.steps[: run.context.max_steps]]
    drawn = drawn.model_copy(update={"steps": tuple(steps)})
    await run.emit(PlanRefined, plan=drawn)
    return {"plan": drawn, "templates": list(texts)}


def _turns(state: Original) -> list[tuple[str, StepResult]]:
    return list(zip(state["said"], (StepResult(**row) for row in state["results"]), strict=False))


async def instruct(state: Original, run: Run) -> Update:
    """Navigator as teacher: the instruction for the step that is due."""
    drawn, step = Plan(**state["plan"]), state["step"]
    try:
        said, _ = await run.ask(INSTRUCT, problem=state["problem"], plan=drawn, step=step, turns=_turns(state))
    except ParseError:
        said = drawn.steps[step].purpose
    return {"said": [*state["said"], said]}


async def follow(state: Original, run: Run) -> Update:
    """Solver as student: carries the instruction out."""
    if len(state["said"]) <= state["step"]:
        return {}  # a limit ended the instruction before it was given
    step, last = state["step"], state["step"] == len(state["plan"]["steps"]) - 1
    try:
        text, _ = await run.ask(FOLLOW, problem=state["problem"], instruction=state["said"][-1], turns=_turns(state), last=last)
    except ParseError:
        text = ""
    result = StepResult(index=step, text=text)
    await run.emit(StepDone, result=result)
    return {"results": [*state["results"], result], "step": step + 1}


async def answer(state: Original, run: Run) -> Update:
    """The last step's answer, as it stands: the original asks no more."""
    results = tuple(StepResult(**row) for row in state["results"])
    if not results:
        return {"candidates": []}
    text = "\n\n".join(r.text for r in results)
    made = await candidate(run, "original", state["problem"], text, plan=Plan(**state["plan"]), results=results)
    return {"candidates": [made]}
