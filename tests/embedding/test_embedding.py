"""The graph inside other people's graphs: what they see of it, and how they set it, whatever their state and context are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from reasonflux_agent import Context, create_reasonflux
from reasonflux_agent.agents.review import create_review
from reasonflux_agent.errors import InputError
from reasonflux_agent.testing import FakeModel
from tests.graph.fakes import Scripted, Shelf

PROBLEM = "What is 3 + 4?"
GIVEN: Any = {"messages": [HumanMessage(PROBLEM)]}
THREAD: Any = {"configurable": {"thread_id": "one"}}
EVENTS = ["begin", "plan", "templates", "step", "candidate", "review", "solution"]
"""Types of a run's events, without those of its model calls."""


@dataclass
class HostContext:
    """A context that has nothing to do with ours."""

    user: str = "ada"


def host(inner: Any, schema: Any = HostContext, **compile: Any) -> Any:
    """A chat graph with ours as one of its nodes."""
    outer = StateGraph(MessagesState, context_schema=schema)
    outer.add_node("solve", inner)
    outer.add_edge(START, "solve")
    outer.add_edge("solve", END)
    return outer.compile(**compile)


def solving(model: Any, **given: Any) -> Any:
    """Plans alone, without drafts, unless a context is given."""
    return create_reasonflux(navigator=model, retriever=Shelf(), **{"context": Context(direct_samples=0), **given}).compile()


# Streams


@pytest.mark.parametrize("mode", ["values", "updates", "messages", "custom", "debug", "tasks", "checkpoints"])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_every_stream_mode_shows_the_run_from_a_hosts_graph(mode: Any, asynchronous: bool) -> None:
    context = Context(direct_samples=0, llm_review=True, stream_calls=mode == "messages")
    graph = host(solving(FakeModel(), context=context), checkpointer=InMemorySaver())
    options: Any = {"stream_mode": mode, "subgraphs": True}
    if asynchronous:
        parts = [part async for part in graph.astream(GIVEN, THREAD, **options)]
    else:
        parts = list(graph.stream(GIVEN, THREAD, **options))
    depths = {len(space) for space, _ in parts}
    data = [item for _, item in parts]
    match mode:
        case "values":
            assert data[-1]["messages"][-1].text == "Adding the numbers gives $\\boxed{7}$."
        case "updates":
            nodes = [node for item in data for node in item]
            assert [n for n in nodes if n != "model_call"] == [
                *("begin", "plan", "retrieve", "solve_step", "review", "answer", "attempt", "verify", "solve")
            ]
        case "messages":
            texts = [(labels["reasonflux_node"], chunk.text) for chunk, labels in data if "reasonflux_node" in labels]
            assert list(dict.fromkeys(node for node, _ in texts)) == ["plan", "solve_step", "review"]
            assert "".join(text for node, text in texts if node == "review") == "ACCEPT"
            assert all(f"reasonflux:{m['reasonflux_node']}" in m["tags"] for _, m in data if "reasonflux_node" in m)
        case "custom":
            assert [event["type"] for event in data if event["type"] != "call"] == EVENTS
            assert {event["run"] for event in data} == {data[0]["run"]}
        case "tasks":
            assert {"plan", "solve_step", "review"} <= {item["name"] for item in data}
        case "debug":
            assert {item["type"] for item in data} == {"checkpoint", "task", "task_result"}
        case "checkpoints":
            assert data[-1]["values"]["messages"]
    assert depths == {"messages": {1, 2}, "custom": {1, 2, 3}}.get(mode, {0, 1, 2})  # a model call is a task of its own


def test_a_host_that_does_not_ask_for_subgraphs_gets_the_message_alone() -> None:
    graph = host(solving(FakeModel()))
    assert list(graph.stream(GIVEN, stream_mode="custom")) == []
    ((message, _),) = graph.stream(GIVEN, stream_mode="messages")
    assert message.text == "Adding the numbers gives $\\boxed{7}$."


async def test_event_handlers_of_langchain_see_the_events_too() -> None:
    graph = host(solving(FakeModel()))
    names = [e["name"] async for e in graph.astream_events(GIVEN, version="v2") if e["event"] == "on_custom_event"]
    assert [name for name in names if name != "reasonflux_call"] == [f"reasonflux_{name}" for name in EVENTS]


# Context


def test_the_config_sets_a_run_whatever_the_hosts_context_is() -> None:
    model = Scripted()
    graph = host(solving(model, context=Context(direct_samples=0, llm_review=True)))
    graph.invoke(GIVEN, {"configurable": {"reasonflux": {"effort": "low"}}}, context=HostContext("bob"))
    assert model.nodes == ["plan", "solve_step"]
    graph.invoke(GIVEN, {"configurable": {"reasonflux": Context(effort="low", granularity="step")}}, context=HostContext())
    assert model.nodes[2:] == ["plan", "solve_step", "solve_step", "solve_step"]
    graph.invoke(GIVEN, context=HostContext())
    assert model.nodes[6:] == ["plan", "solve_step", "review"]


def test_our_own_context_goes_before_the_config() -> None:
    model = Scripted()
    config: Any = {"configurable": {"reasonflux": {"effort": "medium"}}}
    solving(model).invoke({"problem": PROBLEM}, config, context={"effort": "low"})
    assert model.nodes == ["plan", "solve_step"]


def test_a_host_without_a_context_passes_ours_on() -> None:
    model = Scripted()
    host(solving(model), schema=None).invoke(GIVEN, context={"effort": "low"})
    host(solving(model), schema=Context).invoke(GIVEN, context={"effort": "low"})
    assert model.nodes == ["plan", "solve_step"] * 2


@pytest.mark.parametrize("wrong", [{"effrot": "low"}, {"effort": "huge"}])
def test_a_config_that_does_not_fit_is_refused_before_any_call(wrong: Any) -> None:
    model = FakeModel()
    with pytest.raises(InputError, match="context does not fit"):
        host(solving(model)).invoke(GIVEN, {"configurable": {"reasonflux": wrong}})
    assert model.calls == []


# Nodes, chains, batches


class Sheet(TypedDict, total=False):
    question: str
    result: str


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_chain_is_a_node_of_a_graph_with_other_keys(asynchronous: bool) -> None:
    def read(state: Sheet) -> dict[str, Any]:
        return {"problem": state["question"]}

    def write(state: dict[str, Any]) -> Sheet:
        return {"result": state["solution"]["answer"]}

    outer = StateGraph(Sheet)
    outer.add_node("ask", RunnableLambda(read) | solving(FakeModel()) | write)
    outer.add_edge(START, "ask")
    graph = outer.compile()
    given: Sheet = {"question": PROBLEM}
    state = await graph.ainvoke(given) if asynchronous else graph.invoke(given)
    assert state == {"question": PROBLEM, "result": "7"}


async def test_batches_keep_their_order_and_their_contexts() -> None:
    graph = host(solving(FakeModel()))
    batch: Any = [{"messages": [HumanMessage(f"What is {n} + {n}?")]} for n in range(1, 9)]
    expected = [f"\\boxed{{{2 * n}}}" for n in range(1, 9)]
    config: Any = {"max_concurrency": 4, "configurable": {"reasonflux": {"effort": "low"}}}
    for states in (graph.batch(batch, config), await graph.abatch(batch, config)):
        assert [text in state["messages"][-1].text for text, state in zip(expected, states, strict=True)] == [True] * 8


def test_two_of_them_in_one_graph_keep_apart() -> None:
    first, second = Scripted({"solve_step": "It is \\boxed{1}."}), Scripted({"solve_step": "It is \\boxed{2}."})
    outer = StateGraph(MessagesState)
    outer.add_node("one", solving(first))
    outer.add_node("two", solving(second))
    outer.add_edge(START, "one")
    outer.add_edge(START, "two")
    state = outer.compile(checkpointer=InMemorySaver()).invoke(GIVEN, THREAD)
    assert sorted(m.text for m in state["messages"][1:]) == ["It is \\boxed{1}.", "It is \\boxed{2}."]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_person_is_asked_through_the_hosts_checkpointer(asynchronous: bool) -> None:
    model = Scripted()
    graph = host(create_review(navigator=model, retriever=Shelf()).compile(), checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one", "reasonflux": {"effort": "low"}}}

    async def run(given: Any) -> Any:
        return await graph.ainvoke(given, config) if asynchronous else graph.invoke(given, config)

    (question,) = (await run(GIVEN))["__interrupt__"]
    assert question.value["question"] == "plan"
    state = await run(Command(resume="approve"))
    assert state["messages"][-1].text == "So it is \\boxed{7}."
    assert model.nodes == ["plan", "solve_step"]


def test_an_hosts_error_handler_sees_our_errors_as_they_are() -> None:
    graph = host(solving(FakeModel()))
    with pytest.raises(InputError, match="no problem to solve"):
        graph.invoke({"messages": []})
