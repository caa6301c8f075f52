"""The nodes of a run: read the problem, restate a follow-up, make direct samples, count the votes and conclude."""

from __future__ import annotations

import uuid
from contextlib import suppress
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage

from reasonflux_agent.context import Context
from reasonflux_agent.conversation import Conversation, read_conversation, system_prompt
from reasonflux_agent.events import Begin, Concluded, Restated
from reasonflux_agent.problem import is_said, is_unread, mark, read_problem
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.direct import DIRECT
from reasonflux_agent.prompts.restate import LONGEST, flattened, restate_prompt
from reasonflux_agent.run import Run
from reasonflux_agent.schema import Candidate, Plan, Solution, Template, Usage, how_sure
from reasonflux_agent.state import Attempt, State
from reasonflux_agent.strategies.candidates import candidate, programmed
from reasonflux_agent.strategies.search import document_id, foreign, looked_up, standing_out
from reasonflux_agent.voting import NO_VOTES, Tally, heaviest, settled, tally, wave

PLANNING = "navigator"
"""The strategy that plans, and that begins with a learned template where one stands out."""

Update = dict[str, Any]


async def begin(state: State, run: Run) -> Update:
    """Read and check the input, load the models, and clear the state of the thread's former problem."""
    problem = read_problem(state)
    run.labels = run.labels.model_copy(update={"run": uuid.uuid4().hex})
    made_of = await run.load()
    await run.emit(Begin, problem=problem, context=run.context.model_dump(mode="json"), parts=made_of)
    update: Update = {"run": run.labels.run, "problem": "", "asked": problem, "read": mark(state.get("messages") or [])}
    if state.get("problem") and not is_said(state, problem):  # the history has it, and the next turn may refer to it
        said = HumanMessage(problem, id=f"{run.labels.run}-problem")
        # a dict, since a stream of messages shows the message objects of an update
        update |= {"messages": [{"role": "user", "content": problem, "id": said.id}], "read": mark([said])}
    known = await is_known(problem, run)
    return {**update, "system": system_prompt(state.get("messages") or []), **afresh(run.context, known)}


def conversation(state: State) -> Conversation:
    """Return the conversation that the run's problem ends."""
    messages = state.get("messages") or []
    for at in reversed(range(len(messages))):  # what answers the problem may stand behind it, when a run goes on past its limit
        if isinstance(messages[at], HumanMessage) and mark(messages[at : at + 1]) == state.get("read"):
            return read_conversation(messages, at)
    return Conversation((), state["asked"], state.get("system") or "")


async def restate(state: State, run: Run) -> Update:
    """Navigator: the last turn as a problem of its own; else the whole conversation is the problem."""
    said = conversation(state)
    problem, by = flattened(said), "conversation"
    if len(said.last) <= LONGEST:
        with suppress(ParseError):
            restated, reply = await run.ask(restate_prompt(said), tries=1)
            problem, by = (problem, by) if reply.truncated else (restated, "navigator")
    await run.emit(Restated, turn=said.last, problem=problem, by=by)
    return {"asked": problem, **first_launch(run.context, await is_known(problem, run))}


async def is_known(problem: str, run: Run) -> bool:
    """Return whether a template that was learned from solved problems stands out for this one."""
    from reasonflux_agent.templates.interchange.namespaces import StoreRetriever

    library = run.parts.library
    if run.parts.strategy != PLANNING or not run.context.setting.templates:
        return False
    if not (library.has_learned or isinstance(run.parts.retriever, StoreRetriever)):
        return False
    first = standing_out((await run.search(problem))[:1])
    found = looked_up([*map(document_id, first)], foreign(first, library), library)
    return any(isinstance(template, Template) and "retrieval" in template.provenance for template in found)


def afresh(context: Context, known: bool = False) -> Update:
    """Return the state of a run that has solved nothing yet. `known`: whether to begin with a learned template."""
    cleared = dict.fromkeys(("candidates", "usage", "exhausted", "elapsed"))
    return {**first_launch(context, known), "solution": {}, **cleared}


def first_launch(context: Context, known: bool = False) -> Update:
    """Return the direct samples and attempts that are made first, and whether a learned template is followed."""
    if known and context.effort != "high":
        return {"direct_samples": 0, "sampled": 0, "wave": 0, "recalling": True}
    setting = context.setting
    # at effort auto the direct samples come first, and decide whether to plan
    planned = wave(NO_VOTES, setting.trajectories) if context.early_stop else setting.trajectories
    first = 0 if context.effort == "auto" and setting.direct_samples else planned
    return {"direct_samples": setting.direct_samples, "sampled": first, "wave": first, "recalling": known}


def attempt_of(state: State, kind: str, sample: int, share: int) -> Attempt:
    spent = sum((Usage.of(row) for row in state.get("usage") or ()), Usage())
    spent = spent.model_copy(update={"seconds": state["elapsed"]})
    return {
        "run": state["run"],
        "system": state.get("system") or "",
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
        due = first_launch(run.context)
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
