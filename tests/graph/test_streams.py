"""Every way to run a graph gives the same Solution, at every effort: drafts and attempts run side by side."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from reasonflux_agent import Context, ReasonFlux, Solution, create_reasonflux
from reasonflux_agent.agents.review import create_review
from reasonflux_agent.toolkit import reason_tool
from tests.graph.fakes import Caller, Scripted, Shelf

PROBLEM = "What is 3 + 4?"
GIVEN: Any = {"problem": PROBLEM}
EFFORTS: Any = ["low", "medium", "high", "auto"]
MODES: Any = ["values", "updates", "messages", "custom", "debug", "tasks", "checkpoints"]


def model() -> Scripted:
    """Its drafts differ, so that `auto` plans; its attempts agree with one of them."""

    def draft(prompt: str, _: int) -> str:
        return "```python\nprint(8)\n```" if "Python program" in prompt else "Thus \\boxed{7}."

    return Scripted({"draft": draft})


def graph(effort: Any, **compile: Any) -> Any:
    return create_reasonflux(navigator=model(), retriever=Shelf(), context=Context(effort=effort)).compile(**compile)


def described(solution: dict[str, Any]) -> tuple[str | None, int, int, int]:
    made = Solution.model_validate(solution)
    return made.answer, made.support, len(made.candidates), made.total.calls


@pytest.fixture(params=EFFORTS)
def effort(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def expected(effort: Any) -> tuple[str | None, int, int, int]:
    """What plain `invoke` gives."""
    return described(graph(effort).invoke(GIVEN)["solution"])


def test_attempts_really_run_side_by_side(effort: Any, expected: tuple[Any, ...]) -> None:
    solution = graph(effort).invoke(GIVEN)["solution"]
    assert solution["answer"] == "7"
    assert len({row["attempt"] for row in solution["candidates"]}) == {"low": 1, "medium": 3, "high": 5, "auto": 4}[effort]


async def test_invoke_and_batch(effort: Any, expected: tuple[Any, ...]) -> None:
    states = [await graph(effort).ainvoke(GIVEN)]
    states += graph(effort).batch([GIVEN] * 2)
    states += await graph(effort).abatch([GIVEN] * 2)
    states += [state for _, state in graph(effort).batch_as_completed([GIVEN])]
    states += [state async for _, state in graph(effort).abatch_as_completed([GIVEN])]
    assert [described(state["solution"]) for state in states] == [expected] * 7


@pytest.mark.parametrize("subgraphs", [False, True])
@pytest.mark.parametrize("kept", [False, True])
async def test_streams(effort: Any, expected: tuple[Any, ...], subgraphs: bool, kept: bool) -> None:
    for index, mode in enumerate([*MODES, MODES]):
        built = graph(effort, checkpointer=InMemorySaver() if kept else None)
        if not kept and "checkpoints" in mode:
            continue
        for asynchronous in (False, True):
            how: Any = {"stream_mode": mode, "subgraphs": subgraphs}
            config: Any = {"configurable": {"thread_id": f"{index} {asynchronous}"}}
            if asynchronous:
                parts = [part async for part in built.astream(GIVEN, config, **how)]
            else:
                parts = list(built.stream(GIVEN, config, **how))
            assert parts
            if mode == "values":
                assert described((parts[-1][1] if subgraphs else parts[-1])["solution"]) == expected
            if kept:
                assert described(built.get_state(config).values["solution"]) == expected


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("kept", [False, True])
async def test_events(effort: Any, expected: tuple[Any, ...], version: Any, kept: bool) -> None:
    built = graph(effort, checkpointer=InMemorySaver() if kept else None)
    config: Any = {"configurable": {"thread_id": "one"}}
    events = [event async for event in built.astream_events(GIVEN, config, version=version)]
    output = events[-1]["data"]["output"]
    assert described((output["verify"] if version == "v1" else output)["solution"]) == expected
    told = [event["data"]["solution"] for event in events if event["name"] == "reasonflux_solution"]
    assert [described(solution) for solution in told] == [expected] * (version == "v2")


async def test_the_log(effort: Any, expected: tuple[Any, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patches = [patch async for patch in graph(effort).astream_log(GIVEN, diff=False)]
    assert described(patches[-1].state["final_output"]["verify"]["solution"]) == expected


async def test_the_third_version_of_events(effort: Any, expected: tuple[Any, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is a beta
        run = await graph(effort).astream_events(GIVEN, version="v3")
        async with run:
            assert [part async for part in run]
            assert described((await run.output())["solution"]) == expected
        with graph(effort).stream_events(GIVEN, version="v3") as parts:
            assert list(parts)
            assert described(parts.output["solution"]) == expected


WAYS: dict[str, Callable[[ReasonFlux], Any]] = {
    "solve": lambda flux: flux.solve(PROBLEM),
    "asolve": lambda flux: asyncio.run(flux.asolve(PROBLEM)),
    "stream": lambda flux: list(flux.stream(PROBLEM))[-1].solution.model_dump(mode="json"),
    "astream": lambda flux: asyncio.run(_last(flux.astream(PROBLEM))).solution.model_dump(mode="json"),
    "batch": lambda flux: flux.batch([PROBLEM])[0],
    "abatch": lambda flux: asyncio.run(flux.abatch([PROBLEM]))[0],
}


async def _last(parts: Any) -> Any:
    return [part async for part in parts][-1]


@pytest.mark.parametrize("way", WAYS)
def test_the_methods_of_reasonflux(effort: Any, expected: tuple[Any, ...], way: str) -> None:
    solution = WAYS[way](ReasonFlux(model(), retriever=Shelf(), effort=effort))
    assert described(solution if isinstance(solution, dict) else solution.model_dump()) == expected


# Under other graphs


def agent(effort: Any) -> Any:
    return create_agent(
        Caller(script=[("reason", GIVEN)]), [reason_tool(ReasonFlux(model(), retriever=Shelf(), effort=effort))]
    )


def chat(effort: Any) -> Any:
    outer = StateGraph(MessagesState)
    outer.add_node("solve", graph(effort))
    outer.add_edge(START, "solve")
    return outer.compile()


@pytest.mark.parametrize("host", [agent, chat])
@pytest.mark.parametrize("api", ["invoke", "stream", "events", "v1", "log", "batch"])
async def test_under_an_agent_and_in_a_chat(effort: Any, host: Callable[[Any], Any], api: str) -> None:
    given: Any = {"messages": [HumanMessage(PROBLEM)]}
    outer = host(effort)
    match api:
        case "invoke":
            states = [outer.invoke(given), await outer.ainvoke(given)]
        case "stream":
            states = [list(outer.stream(given, stream_mode=MODES[:4], subgraphs=True))[-1][2]]
            states += [[p async for p in outer.astream(given, stream_mode="values", subgraphs=True)][-1][1]]
        case "events" | "v1":
            version: Any = "v1" if api == "v1" else "v2"
            events = [event async for event in outer.astream_events(given, version=version)]
            states = [events[-1]["data"]["output"]]
            if api == "v1":
                states = list(states[0].values())
        case "log":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                states = list([p async for p in outer.astream_log(given, diff=False)][-1].state["final_output"].values())
        case _:
            states = [*outer.batch([given]), *await outer.abatch([given])]
    for state in states:
        assert "\\boxed{7}" in state["messages"][-1].text


async def test_a_question_comes_with_the_events(effort: Any) -> None:
    built = create_review(navigator=model(), retriever=Shelf(), context=Context(effort=effort)).compile(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    [event async for event in built.astream_events(GIVEN, config, version="v2")]
    while asked := built.get_state(config).interrupts:
        answers = Command(resume={question.id: {"action": "approve"} for question in asked})
        [event async for event in built.astream_events(answers, config, version="v2")]
    assert described(built.get_state(config).values["solution"])[0] == "7"
