"""The run's graph: drafts and planned attempts, each a candidate, until the vote is settled.

START → begin → draft × n ──────→ verify → END
              ↘ attempt × wave ↗    │
                   ↑________________│   (not settled, and attempts are left)

`attempt` is the strategy's own graph; for the navigator: plan → retrieve → refine → solve_step ⇄ review → answer.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from reasonflux_agent.context import Context
from reasonflux_agent.ending import WholeGraph
from reasonflux_agent.errors import InputError, SpecError
from reasonflux_agent.events import Begin, Concluded
from reasonflux_agent.models import check_spec
from reasonflux_agent.node import Node, add_router, sequence
from reasonflux_agent.parts import Parts, resolve_models
from reasonflux_agent.plugins import registered
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.direct import DIRECT
from reasonflux_agent.run import Run
from reasonflux_agent.schema import Candidate, Plan, Solution, Usage, how_sure
from reasonflux_agent.state import Attempt, InputState, OutputState, State
from reasonflux_agent.strategies.candidates import candidate, programmed
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.voting import NO_VOTES, Tally, heaviest, settled, tally, wave

MAX_PROBLEM = 20_000
"""Characters of a problem at most."""
STEPS_OF_ATTEMPT = 10_000
"""LangGraph's recursion limit inside an attempt: far above what the Context's limits allow, so that they decide."""

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
    """The uncompiled graph; the caller chooses checkpointer, store and interrupts.

    Input: `{"problem": ...}` or `{"messages": [...]}`; output: `{"solution": ..., "messages": [..., AIMessage]}`.
    `navigator` and `solver` are chat models or specs; one alone serves both roles, none means the embedded default.
    `library` (a TemplateLibrary, a name or a path) is searched by the default retriever; a `retriever` of your own takes
    its place. `context` is what runs use that are given no `context=` themselves. `strategy` is a registered name, or a
    builder of the graph of one attempt (see strategies/__init__.py).
    Raises SpecError for an unknown strategy and for a spec that can name no model, and LibraryError.
    """
    if isinstance(strategy, str):
        strategies = registered("strategies")
        if strategy not in strategies:
            raise SpecError(f"No strategy {strategy!r} is registered. There are: {', '.join(strategies)}.")
        name, build = strategy, strategies[strategy][1]
    else:
        name, build = getattr(strategy, "__name__", "strategy"), strategy
    own = getattr(retriever, "library", None)  # what a TemplateRetriever finds is in its own library
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

    def launch(state: State) -> list[Send] | str:
        if _unread(state):
            return "begin"
        drafts, planned = state["drafts"], state["wave"]
        share = drafts + planned
        sends = [Send("draft", _attempt(state, "draft", sample, share)) for sample in range(drafts)]
        sends += [Send("attempt", _attempt(state, "attempt", sample, share)) for sample in range(planned)]
        return sends or "verify"

    def after_verify(state: State) -> list[Send] | str:
        if _unread(state):
            return "begin"
        samples = range(state["sampled"] - state["wave"], state["sampled"])
        return [Send("attempt", _attempt(state, "attempt", sample, state["wave"])) for sample in samples] or END

    graph = WholeGraph(State, context_schema=Context, input_schema=InputState, output_schema=OutputState)
    graph.add_node("begin", Node(parts, begin), input_schema=State)
    # Its one node would do here, but for threads: nodes that run in one graph at once hold all of a small pool
    # (`max_concurrency`, or cores + 4), and their model calls would wait for it for ever; a subgraph has its own.
    graph.add_node("draft", sequence(parts, draft).compile(name="draft"), input_schema=Attempt)
    graph.add_node("attempt", attempt, input_schema=Attempt)
    graph.add_node("verify", Node(parts, partial(verify, strategy=name), "verify"), input_schema=State)
    graph.add_edge(START, "begin")
    add_router(graph, "begin", launch, ["begin", "draft", "attempt", "verify"])
    graph.add_edge("draft", "verify")
    graph.add_edge("attempt", "verify")
    add_router(graph, "verify", after_verify, ["begin", "attempt", END])
    return graph


async def begin(state: State, run: Run) -> Update:
    """Reads and checks the input, and forgets the thread's former problem."""
    problem = _problem(state)
    run.labels = run.labels.model_copy(update={"run": uuid.uuid4().hex})
    made_of = await run.load()
    await run.emit(Begin, problem=problem, context=run.context.model_dump(mode="json"), parts=made_of)
    messages = state.get("messages") or []
    return {
        "run": run.labels.run,
        "problem": "",
        "asked": problem,
        "read": _mark(messages),
        **afresh(run.context),
    }


def afresh(context: Context) -> Update:
    """The state of a run that has solved nothing yet."""
    setting = context.setting
    # auto: whether to plan at all is decided once the drafts are there
    first = 0 if context.effort == "auto" and setting.drafts else wave(NO_VOTES, setting.trajectories)
    cleared = dict.fromkeys(("candidates", "usage", "exhausted", "elapsed"))
    return {"drafts": setting.drafts, "sampled": first, "wave": first, "solution": {}, **cleared}


def _unread(state: State) -> bool:
    """Whether an edit of the state, which says that a later node made it, asks something that `begin` has not read."""
    messages = state.get("messages") or []
    asks = messages and isinstance(messages[-1], HumanMessage) and _mark(messages) != state.get("read")
    return bool(state.get("problem") or asks) or "asked" not in state


def _mark(messages: list[AnyMessage]) -> str:
    """What tells the last message from others, and from what it says after an edit."""
    return hashlib.sha256(f"{messages[-1].id} {messages[-1].content}".encode(errors="replace")).hexdigest() if messages else ""


def _problem(state: State) -> str:
    """What this call asks. Nothing that an earlier call on the thread left in the state is taken for it."""
    given, messages = state.get("problem") or "", state.get("messages") or []
    text: object = given
    if messages and isinstance(messages[-1], HumanMessage):
        said = _text(messages[-1])
        if not given:
            text = said
        elif said != given and _mark(messages) != state.get("read"):  # an earlier turn that failed has read its message
            raise InputError(
                f"Two problems are given: `problem` is {given!r}, and the last message says {said[:200]!r}. Next: give one "
                "of them; a message that a refused call left on the thread counts until it is removed or answered. A graph "
                "around this one passes both on if its state has both keys; name its own key otherwise."
            )
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            "There is no problem to solve: give a non-empty `problem`, or `messages` whose last one is a human's. "
            f"Given: problem={given!r}, messages of the types {[message.type for message in messages]}."
        )
    if len(text) > MAX_PROBLEM:
        raise InputError(f"The problem has {len(text):,} characters; at most {MAX_PROBLEM:,} are taken.")
    return text.strip().encode(errors="replace").decode()  # half of a surrogate pair, legal in JSON, is no text


def _text(message: HumanMessage) -> str:
    """The text of a message, its parts on lines of their own. Raises InputError for what is no text."""
    lines: list[str] = []
    for part in [message.content] if isinstance(message.content, str) else message.content:
        kind = "text" if isinstance(part, str) else part.get("type")
        text = part if isinstance(part, str) else part.get("text")
        if kind != "text" or not isinstance(text, str):
            raise InputError(
                f"Only text can be read; the last message has a part of the type {kind!r}. Next: write it as text."
            )
        lines.append(text)
    return "\n".join(lines)


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
    """Solver: a complete solution without a plan; even samples reason in text, odd ones are programs, where these may run."""
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
    """Counts the votes; once they are settled, or nothing is left to sample, concludes."""
    if _unread(state) and (asks := state.get("problem") or "") != state.get("asked"):  # events write an attempt's back
        return {"problem": asks}  # handed on: it is there for one step
    candidates = [Candidate(**row) for row in state.get("candidates") or ()]
    standing = await tally(candidates, partial(run.same, problem=state["asked"]))
    setting, exhausted = run.context.setting, state.get("exhausted") or ""
    left = 0 if exhausted else setting.trajectories - state["sampled"]
    if run.context.effort == "auto" and not state["sampled"] and setting.drafts:
        # disagreement is the difficulty: planning is needless where the drafts agree and pass all checks, or one is proven
        done = left == 0 or (standing.weight >= setting.drafts and standing.weight > standing.runner_up)
    else:
        reviews = setting.reviews if run.context.granularity == "whole" else 0
        done = left == 0 or settled(standing, left * (1 + reviews) * heaviest(candidates))
    if not done:
        count = wave(standing, left)
        return {"sampled": state["sampled"] + count, "wave": count, "problem": ""}
    solution = conclude(state["asked"], candidates, standing, state.get("usage") or [], exhausted, strategy)
    await run.emit(Concluded, solution=solution)
    message = AIMessage(solution.text or "No solution was found.", id=run.labels.run, name="reasonflux")
    return {"solution": solution, "messages": [message], "wave": 0, "problem": ""}


def conclude(
    problem: str,
    candidates: list[Candidate],
    standing: Tally,
    usage: list[dict[str, Any]],
    exhausted: str,
    strategy: str,
) -> Solution:
    """The Solution that the votes stand for."""
    best = candidates[standing.leader] if standing.leader is not None else (candidates[-1] if candidates else None)
    # a draft may speak for the group; the trajectory shown is then that of a planned candidate that agrees with it, if any
    group = [candidates[i] for i in standing.members] or candidates  # without a leader none has an answer
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
