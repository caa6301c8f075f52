"""Editing the state of a thread, and going on from any of its checkpoints: what Studio's edit button does."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import InvalidUpdateError
from langgraph.types import Command

from reasonflux_agent import Context, create_reasonflux
from reasonflux_agent.agents.review import create_review
from reasonflux_agent.testing import FakeModel
from tests.graph.fakes import Scripted, Shelf

PROBLEM: Any = {"problem": "What is 3 + 4?"}
CONFIG: Any = {"configurable": {"thread_id": "one"}}
APPROVE: Any = {"action": "approve"}


def model() -> Scripted:
    def draft(prompt: str, _: int) -> str:
        return "```python\nprint(8)\n```" if "Python program" in prompt else "Thus \\boxed{7}."

    return Scripted({"draft": draft})


def finished(**context: Any) -> Any:
    graph = create_reasonflux(navigator=model(), retriever=Shelf(), context=Context(**context)).compile(InMemorySaver())
    graph.invoke(PROBLEM, CONFIG)
    return graph


def interrupted(**context: Any) -> Any:
    graph = create_review(navigator=model(), retriever=Shelf(), context=Context(**context)).compile(InMemorySaver())
    graph.invoke(PROBLEM, CONFIG)
    assert graph.get_state(CONFIG).interrupts
    return graph


def checkpoints(graph: Any) -> list[Any]:
    """Of the run and of its drafts and attempts, finished or not."""
    saver = graph.checkpointer
    spaces = {kept.config["configurable"]["checkpoint_ns"] for kept in saver.list(CONFIG)}
    found = []
    for space in sorted(spaces):
        found += list(graph.get_state_history({"configurable": {"thread_id": "one", "checkpoint_ns": space}}))
    return found


async def on(graph: Any, config: Any, asynchronous: bool, value: Any = None) -> Any:
    """Goes on from a checkpoint to the end; whoever is asked approves."""
    state = await graph.ainvoke(value, config) if asynchronous else graph.invoke(value, config)
    while asked := state.get("__interrupt__"):
        answers = Command(resume={question.id: APPROVE for question in asked})
        state = await graph.ainvoke(answers, CONFIG) if asynchronous else graph.invoke(answers, CONFIG)
    return state


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("begun", [finished, interrupted])
@pytest.mark.parametrize("context", [{}, {"effort": "high"}, {"granularity": "step"}, {"effort": "auto"}], ids=str)
async def test_each_checkpoint_can_be_edited(begun: Any, context: Any, asynchronous: bool) -> None:
    """As Studio does it: an update of the state, by the node that ran last or by a named one."""
    graph = begun(**context)
    edits = 0
    for snapshot in checkpoints(graph):
        inner = snapshot.config["configurable"]["checkpoint_ns"] != ""
        nodes = ("plan", "retrieve", "refine", "approve", "solve_step", "review", "judge", "answer", "draft")
        nodes = nodes if inner else ("begin", "draft", "attempt", "verify")
        for node in (None, *nodes):
            try:
                if asynchronous:
                    await graph.aupdate_state(snapshot.config, {"exhausted": ""}, as_node=node)
                else:
                    graph.update_state(snapshot.config, {"exhausted": ""}, as_node=node)
                edits += 1
            except (InvalidUpdateError, ValueError) as error:  # LangGraph's: which node did it, or it is none of this graph
                assert node is None or "does not exist" in str(error), (node, snapshot.next, error)  # noqa: PT017
    assert edits > 10


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("begun", [finished, interrupted])
@pytest.mark.parametrize("context", [{}, {"effort": "high"}, {"granularity": "step"}, {"effort": "auto"}], ids=str)
async def test_a_run_goes_on_from_each_checkpoint(begun: Any, context: Any, asynchronous: bool) -> None:
    graph = begun(**context)
    history = [snapshot for snapshot in graph.get_state_history(CONFIG) if snapshot.next]
    assert len(history) >= 2
    for snapshot in history:
        if snapshot.next == ("__start__",):
            continue  # LangGraph goes on from an input by being given it again
        state = await on(graph, snapshot.config, asynchronous)
        assert state["solution"]["answer"] == "7"


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("effort", ["low", "medium", "high", "auto"])
async def test_another_problem_is_solved_from_an_edit(effort: Any, asynchronous: bool) -> None:
    """`problem` asks something else wherever it is put, before the drafts and attempts or after all of them."""

    def add(prompt: str, _: int) -> str:
        return f"It is \\boxed{{{9 if '4 + 5' in prompt else 7}}}."

    adder, context = Scripted({"solve_step": add, "draft": add}), Context(effort=effort, programs=False)
    graph = create_reasonflux(navigator=adder, retriever=Shelf(), context=context).compile(InMemorySaver())
    graph.invoke(PROBLEM, CONFIG)
    for snapshot in list(graph.get_state_history(CONFIG)):
        if snapshot.next in (("__start__",), ("verify",)):
            continue
        node = "verify" if not snapshot.next else "__start__" if snapshot.next == ("begin",) else "begin"
        edited = graph.update_state(snapshot.config, {"problem": "What is 4 + 5?"}, as_node=node)
        state = await on(graph, edited, asynchronous)
        assert (state["solution"]["problem"], state["solution"]["answer"]) == ("What is 4 + 5?", "9"), node


def test_an_edited_plan_is_carried_out() -> None:
    graph = interrupted(direct_samples=0)
    (attempt,) = graph.get_state(CONFIG, subgraphs=True).tasks
    plan = {**attempt.state.values["plan"], "steps": [{"purpose": "Do it by hand."}]}
    graph.update_state(attempt.state.config, {"plan": plan})
    state = graph.invoke(Command(resume=APPROVE), CONFIG)
    assert [step["purpose"] for step in state["solution"]["plan"]["steps"]] == ["Do it by hand."]


@pytest.mark.parametrize("strategy", ["navigator", "original", "direct", "propose", "recall"])
def test_each_strategy_can_be_edited(strategy: str) -> None:
    graph = create_reasonflux(strategy=strategy, navigator=model(), retriever=Shelf()).compile(InMemorySaver())
    graph.invoke(PROBLEM, CONFIG)
    for snapshot in checkpoints(graph):
        for node in (None, *graph.nodes, *dict(graph.get_subgraphs())["attempt"].nodes):
            with suppress(InvalidUpdateError):
                graph.update_state(snapshot.config, {"exhausted": ""}, as_node=node)


@pytest.mark.parametrize("effort", ["low", "medium", "auto"])
def test_what_an_edit_asks_is_solved_whichever_node_it_is_filed_under(effort: Any) -> None:
    graph = create_reasonflux(navigator=FakeModel(), context=Context(effort=effort)).compile(InMemorySaver())
    graph.invoke(PROBLEM, CONFIG)
    for checkpoint in list(graph.get_state_history(CONFIG)):
        for edit in ({"problem": "What is 7 + 8?"}, {"messages": [HumanMessage("What is 7 + 8?")]}):
            for node in ("begin", "draft", "attempt", "verify"):
                state = graph.invoke(None, graph.update_state(checkpoint.config, edit, as_node=node))
                assert state["solution"]["answer"] == "15", (checkpoint.metadata, edit, node)


def test_a_message_that_was_edited_is_asked_anew() -> None:
    graph = create_reasonflux(navigator=FakeModel()).compile(InMemorySaver())
    graph.invoke({"messages": [HumanMessage("What is 3 + 4?", id="1")]}, CONFIG)
    before = next(kept for kept in graph.get_state_history(CONFIG) if kept.next == ("verify",))
    edited = graph.update_state(before.config, {"messages": [HumanMessage("What is 7 + 8?", id="1")]})
    assert graph.invoke(None, edited)["solution"]["answer"] == "15"
