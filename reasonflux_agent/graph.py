"""The run's graph: direct samples (`draft`) and planned attempts, each a candidate, until the vote is settled.

START → begin → draft × n ──────→ verify → END
              → attempt × wave ↗    │
              ↘ recall ────────↗    │
                   ↑________________│   (not settled, and attempts are left)

`attempt` is the strategy's own graph; for the navigator: plan → retrieve → refine → solve_step ⇄ review → answer.
`recall` is what the navigator does first where a learned template stands out for the problem: no plan, one or two calls. The
other attempts follow only if its solution fails a verifier; at effort high they are made at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from reasonflux_agent.context import Context
from reasonflux_agent.ending import WholeGraph
from reasonflux_agent.errors import SpecError
from reasonflux_agent.events import Begin, Concluded
from reasonflux_agent.models import check_spec
from reasonflux_agent.node import Node, add_router, sequence
from reasonflux_agent.parts import Parts, resolve_models
from reasonflux_agent.plugins import registered
from reasonflux_agent.problem import is_unread, mark, read_problem
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.direct import DIRECT
from reasonflux_agent.run import Run
from reasonflux_agent.schema import Candidate, Plan, Solution, Usage, how_sure
from reasonflux_agent.state import Attempt, InputState, OutputState, State
from reasonflux_agent.strategies.candidates import candidate, programmed
from reasonflux_agent.strategies.recall import recall
from reasonflux_agent.strategies.search import document_id, standing_out
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.voting import NO_VOTES, Tally, heaviest, settled, tally, wave

STEPS_OF_ATTEMPT = 10_000
"""LangGraph's recursion limit inside an attempt. The limits of the Context end an attempt long before it."""

PLANNING = "navigator"
"""The strategy that plans, and that begins with a learned template where one stands out."""

Update = dict[str, Any]


def create_reasonflux(
    *,
    strategy: str | Callable[[Parts], StateGraph[Any, Any, Any, Any]] = "navigator",
    navigator: BaseChatModel | str | None = None,
    solver: BaseChatModel | str | None = None,
    library: TemplateLibrary | str | None = None,
    retriever: BaseRetriever | None = None,
    context: Context | None = None,
) -> StateGraph[Any, Any, Any, Any]:
    """Return the uncompiled graph; the caller chooses checkpointer, store and interrupts.

    Input: `{"problem": ...}` or `{"messages": [...]}`. Output: `{"solution": ..., "messages": [..., AIMessage]}`.

    `navigator` and `solver` are chat models or specs. A missing role uses the other model; if both are missing, DEFAULT_MODEL.
    `library` (a TemplateLibrary, a name or a path) is what the default retriever searches; `retriever` replaces it.
    `context` holds the defaults of runs; a run's own `context=` is laid over it. `strategy` is a registered name, or a function
    that builds the graph of one attempt (strategies/__init__.py).

    Raises SpecError for an unknown strategy and for a spec that names no model, and LibraryError.
    """
    if isinstance(strategy, str):
        strategies = registered("strategies")
        if strategy not in strategies:
            raise SpecError(f"No strategy {strategy!r} is registered. There are: {', '.join(strategies)}.")
        name, build = strategy, strategies[strategy][1]
    else:
        name, build = getattr(strategy, "__name__", "strategy"), strategy
    own = getattr(retriever, "library", None)  # a TemplateRetriever finds the templates of its own library
    library = library or (own if isinstance(own, TemplateLibrary) else "builtin")
    loaded = library if isinstance(library, TemplateLibrary) else TemplateLibrary.load(library)
    navigator, solver = resolve_models(navigator, solver)
    for spec in (navigator, solver, *((context.navigator, context.solver) if context else ())):
        if isinstance(spec, str):
            check_spec(spec)
        elif spec is not None and not isinstance(spec, Runnable):
            raise SpecError(f"A model is a spec, as 'vllm:NAME', or a chat model of LangChain; given: {spec!r}.")
    parts = Parts(
        navigator=navigator,
        solver=solver,
        retriever=retriever,
        library=loaded,
        defaults=context or Context(),
        strategy=name,
    )
    attempt = build(parts).compile(name=name).with_config(recursion_limit=STEPS_OF_ATTEMPT)

    def launched(state: State) -> list[Send]:
        samples = range(state["sampled"] - state["wave"], state["sampled"])
        due = [("draft", sample) for sample in range(state["direct_samples"])]
        due += [("attempt", sample) for sample in samples]
        due += [("recall", 0)] if state.get("recalling") else []
        return [Send(kind, _attempt(state, kind, sample, len(due))) for kind, sample in due]

    def launch(state: State) -> list[Send] | str:
        return "begin" if is_unread(state) else launched(state) or "verify"

    def after_verify(state: State) -> list[Send] | str:
        return "begin" if is_unread(state) else launched(state) or END

    graph = WholeGraph(State, context_schema=Context, input_schema=InputState, output_schema=OutputState)
    graph.add_node("begin", Node(parts, begin), input_schema=State)
    # A subgraph, though it has one node: nodes that run at the same time in one graph can hold all threads of its pool
    # (`max_concurrency`, or cores + 4), and their model calls would never get a thread. A subgraph has its own pool.
    graph.add_node("draft", sequence(parts, draft).compile(name="draft"), input_schema=Attempt)
    graph.add_node("attempt", attempt, input_schema=Attempt)
    ends = ["begin", "draft", "attempt", "verify"]
    if name == PLANNING:
        graph.add_node("recall", recall(parts).compile(name="recall"), input_schema=Attempt)
        graph.add_edge("recall", "verify")
        ends.append("recall")
    graph.add_node("verify", Node(parts, partial(verify, strategy=name), "verify"), input_schema=State)
    graph.add_edge(START, "begin")
    add_router(graph, "begin", launch, ends)
    graph.add_edge("draft", "verify")
    graph.add_edge("attempt", "verify")
    add_router(graph, "verify", after_verify, [end for end in ends if end != "verify"] + [END])
    return graph


async def begin(state: State, run: Run) -> Update:
    """Read and check the input, load the models, and clear the state of the thread's former problem."""
    problem = read_problem(state)
    run.labels = run.labels.model_copy(update={"run": uuid.uuid4().hex})
    made_of = await run.load()
    await run.emit(Begin, problem=problem, context=run.context.model_dump(mode="json"), parts=made_of)
    messages = state.get("messages") or []
    return {
        "run": run.labels.run,
        "problem": "",
        "asked": problem,
        "read": mark(messages),
        **afresh(run.context, await _known(problem, run)),
    }


async def _known(problem: str, run: Run) -> bool:
    """Return whether a template that was learned from solved problems stands out for this one."""
    library, used = run.parts.library, run.parts.strategy == PLANNING and run.context.setting.templates
    if not used or not any("retrieval" in template.provenance for template in library):
        return False
    first = [*map(document_id, standing_out((await run.search(problem))[:1]))]
    return any(id in library and "retrieval" in library.get(id).provenance for id in first)


def afresh(context: Context, known: bool = False) -> Update:
    """Return the state of a run that has solved nothing yet. `known`: whether to begin with a learned template."""
    cleared = dict.fromkeys(("candidates", "usage", "exhausted", "elapsed"))
    due = _due(context) if not known or context.effort == "high" else {"direct_samples": 0, "sampled": 0, "wave": 0}
    return {**due, "recalling": known, "solution": {}, **cleared}


def _due(context: Context) -> Update:
    """Return the direct samples and attempts that are launched first."""
    setting = context.setting
    # at effort auto the direct samples come first, and decide whether to plan
    planned = wave(NO_VOTES, setting.trajectories) if context.early_stop else setting.trajectories
    first = 0 if context.effort == "auto" and setting.direct_samples else planned
    return {"direct_samples": setting.direct_samples, "sampled": first, "wave": first, "recalling": False}


def _attempt(state: State, kind: str, sample: int, share: int) -> Attempt:
    spent = sum((Usage.of(row) for row in state.get("usage") or ()), Usage())
    spent = spent.model_copy(update={"seconds": state["elapsed"]})
    return {
        "run": state["run"],
        "problem": state["asked"],
        "attempt": f"{kind} {sample}",
        "sample": sample,
        "spent": spent.model_dump(mode="json"),
        "share": max(1, share),
    }


async def draft(state: Attempt, run: Run) -> Update:
    """Solver: a complete solution without a plan. Even samples reason in text; odd ones are programs, if programs may run."""
    number, is_program = divmod(state["sample"], 2) if run.context.programs else (state["sample"], 0)
    if is_program:
        made = await programmed(run, state["problem"], sampled=number > 0)
    else:
        try:
            text, reply = await run.ask(DIRECT, sampled=number > 0, logprobs=True, problem=state["problem"])
        except ParseError:
            return {}
        made = await candidate(run, "draft", state["problem"], text, reply=reply)
    return {"candidates": [made]}


async def verify(state: State, run: Run, strategy: str) -> Update:
    """Count the votes. If they are settled, or nothing is left to sample, conclude; else ask for more attempts."""
    # while LangGraph streams events, it writes an attempt's problem back
    if is_unread(state) and (asks := state.get("problem") or "") != state.get("asked"):
        return {"problem": asks}  # `problem` lasts one step: pass it on to `begin`
    candidates = [Candidate(**row) for row in state.get("candidates") or ()]
    standing = await tally(candidates, partial(run.same, problem=state["asked"]))
    setting, exhausted = run.context.setting, state.get("exhausted") or ""
    left = 0 if exhausted else setting.trajectories - state["sampled"]
    if state.get("recalling") and run.context.effort != "high":
        sound = [made for made in candidates if made.answer is not None and all(made.checks.values())]
        due = _due(run.context)
        done = bool(sound or exhausted or not (due["direct_samples"] or due["wave"]))
        if not done:
            return {**due, "problem": ""}
    elif run.context.effort == "auto" and not state["sampled"] and setting.direct_samples:
        # planning is needless if the direct samples agree and pass all verifiers, or one is proven
        done = left == 0 or (standing.weight >= setting.direct_samples and standing.weight > standing.runner_up)
    else:
        reviews = setting.reviews if run.context.granularity == "whole" else 0
        over = run.context.early_stop and settled(standing, left * (1 + reviews) * heaviest(candidates))
        done = left == 0 or over
    launched: Update = {"direct_samples": 0, "recalling": False, "problem": ""}
    if not done:
        count = wave(standing, left) if run.context.early_stop else left
        return {**launched, "sampled": state["sampled"] + count, "wave": count}
    solution = conclude(state["asked"], candidates, standing, state.get("usage") or [], exhausted, strategy)
    await run.emit(Concluded, solution=solution)
    message = AIMessage(solution.text or "No solution was found.", id=run.labels.run, name="reasonflux")
    return {**launched, "solution": solution, "messages": [message], "wave": 0}


def conclude(
    problem: str,
    candidates: list[Candidate],
    standing: Tally,
    usage: list[dict[str, Any]],
    exhausted: str,
    strategy: str,
) -> Solution:
    """Return the Solution for this result of the vote."""
    best = candidates[standing.leader] if standing.leader is not None else (candidates[-1] if candidates else None)
    # if the leader is a direct sample, the trajectory of a planned candidate that agrees with it is shown
    group = [candidates[i] for i in standing.members] or candidates  # without a leader no candidate has an answer
    shown = best if best and best.plan else next((c for c in group if c.plan), best)
    per_node: dict[str, Usage] = {}
    for row in usage:
        per_node[row["node"]] = per_node.get(row["node"], Usage()) + Usage.of(row)
    answered = best is not None and best.answer is not None
    if exhausted:
        status, reason = "exhausted", exhausted
    elif answered:
        status, reason = "answered", f"{standing.weight:g} of {standing.total:g} votes stand behind the answer"
    else:
        status, reason = "unanswered", "no candidate states an answer"
    return Solution.model_validate(
        {
            "problem": problem,
            "answer": best.answer if best else None,
            "text": best.text if best else "",
            "status": status,
            "reason": reason,
            "strategy": strategy,
            "plan": (shown.plan if shown else None) or Plan(),
            "results": shown.results if shown else (),
            "reviews": shown.reviews if shown else (),
            "candidates": tuple(candidates),
            **how_sure(candidates, [candidates[i] for i in standing.members]),
            "votes": standing.weight / standing.total if standing.total else 0.0,
            "usage": per_node,
        }
    )
