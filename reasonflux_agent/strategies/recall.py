"""recall: the template that stands out for the problem alone is shown as a worked turn; without one, a direct solution.

There is no plan call. A worked example is a trajectory itself, and a small solver follows it line by line.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph

from reasonflux_agent.events import TemplatesFound
from reasonflux_agent.node import sequence
from reasonflux_agent.parts import Parts
from reasonflux_agent.prompts.solve import SOLVE, worked_examples
from reasonflux_agent.run import Run
from reasonflux_agent.schema import Plan, Step, Template
from reasonflux_agent.state import Trajectory
from reasonflux_agent.strategies.candidates import candidate, printed_answer, solve
from reasonflux_agent.strategies.direct import reason as reason_directly
from reasonflux_agent.strategies.search import document_id, foreign, looked_up, standing_out
from reasonflux_agent.verify.grading import equivalent


def recall(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """Return the graph of one attempt: one search, then one call; one more if a program fails, or does not print the answer."""
    return sequence(parts, retrieve, reason)


async def retrieve(state: Trajectory, run: Run) -> dict[str, Any]:
    """Library: the template that stands out, with the one that it was learned together with, if any."""
    library, ids = run.parts.library, list[str]()
    documents = await run.search(state["problem"]) if run.context.setting.templates else []
    found = standing_out(documents[:1])
    texts = foreign(found, library)
    for id in map(document_id, found):
        if worked := worked_examples(looked_up([id], texts, library)):
            partner = worked[0].provenance.get("shown_with", "")
            ids = [id, partner] if partner in texts or partner in library else [id]
    plan = Plan(steps=(Step(purpose="Solve the problem like the worked example.", templates=tuple(ids)),)) if ids else Plan()
    await run.emit(TemplatesFound, templates=ids, plan=plan)
    return {"templates": ids, "texts": {id: texts[id] for id in ids if id in texts}, "plan": plan}


async def reason(state: Trajectory, run: Run) -> dict[str, Any]:
    """Solver: the whole problem in one reply, after the worked example."""
    templates = looked_up(state["templates"], state.get("texts", {}), run.parts.library)
    if not templates:
        return await reason_directly(state, run)
    problem, plan = state["problem"], Plan(**state["plan"])
    prints = await run.compute(lambda: all(map(prints_answer, templates)))
    text, reply = await solve(run, SOLVE, sampled=state["sample"] > 0, prints=prints, problem=problem, templates=templates)
    return {"candidates": [await candidate(run, "recall", problem, text, reply=reply, plan=plan)]}


def prints_answer(template: Template | str) -> bool:
    """Return whether the worked example of a template ends with the output of its program, and that is the answer as it is."""
    if isinstance(template, str) or not template.example:
        return False
    example = template.example
    output, _, rest = "\n".join(example.steps).rpartition("```output\n")[2].partition("\n```")
    return bool(output) and not rest.strip() and equivalent(printed_answer(output), example.answer, problem=example.problem)
