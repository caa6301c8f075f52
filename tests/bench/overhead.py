"""What the graph costs per model call, beside bare LangGraph with as many nodes, and beside the bare calls."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from reasonflux_agent import ReasonFlux
from tests.bench.timing import Row, interleave

STEPS, PROBLEMS, CONCURRENCY = (1, 4, 16, 64), (1, 4, 16), (1, 8, 64)
USAGE: Any = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}


class Instant(BaseChatModel):
    """Plans in `steps` steps and carries each out, at once."""

    steps: int = 1

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        planning = any("Do not solve" in message.text for message in messages)
        text = "\n".join(f"{n}. Do it" for n in range(1, self.steps + 1)) if planning else "So it is \\boxed{7}."
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text, usage_metadata=USAGE))])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return self._generate(messages)


class Bare(TypedDict, total=False):
    problem: str
    number: int
    texts: list[str]


def bare_graph(model: BaseChatModel, calls: int) -> Any:
    """A LangGraph of one node that calls the model and one router, `calls` times round."""

    async def call(state: Bare) -> Bare:
        reply = await model.ainvoke([("user", state["problem"])])
        return {"number": state.get("number", 0) + 1, "texts": [*state.get("texts", []), reply.text]}

    async def onward(state: Bare) -> str:
        return END if state["number"] >= calls else "call"

    graph = StateGraph(Bare)
    graph.add_node("call", call)
    graph.add_edge(START, "call")
    graph.add_conditional_edges("call", onward, ["call", END])
    return graph.compile()


async def measure(repeats: int) -> list[Row]:
    """Milliseconds per model call; the problems of a round run `concurrency` at once."""
    settings = [(steps, 1, 1) for steps in STEPS] + [(4, n, 1) for n in PROBLEMS[1:]] + [(4, n, n) for n in CONCURRENCY[1:]]
    return [await _measure(*setting, repeats) for setting in settings]


async def _measure(steps: int, problems: int, concurrency: int, repeats: int) -> Row:
    model, calls = Instant(steps=steps), steps + 1
    flux = ReasonFlux(model, templates=0, effort="low", granularity="step", max_steps=100)
    graph, config = bare_graph(model, calls), {"recursion_limit": 1000}

    async def whole() -> None:
        solution = await flux.asolve("What is 3 + 4?")
        assert (solution.answer, solution.total.calls) == ("7", calls)

    async def langgraph() -> None:
        await graph.ainvoke({"problem": "What is 3 + 4?"}, config)

    async def client() -> None:
        for _ in range(calls):
            await model.ainvoke([("user", "What is 3 + 4?")])

    def many(one: Any) -> Any:
        async def run() -> None:
            for _ in range(problems // concurrency):
                await asyncio.gather(*(one() for _ in range(concurrency)))

        return run

    timed = await interleave({"graph": many(whole), "langgraph": many(langgraph), "client": many(client)}, repeats)
    per_call = {name: t.scaled(1000 / calls / problems) for name, t in timed.items()}
    return {
        "steps": steps,
        "problems": problems,
        "concurrency": concurrency,
        **{f"{name}_ms": [round(value, 3) for value in t] for name, t in per_call.items()},
        "overhead_ms": round(per_call["graph"].median - per_call["client"].median, 3),
        "beside_langgraph": round(per_call["graph"].median / per_call["langgraph"].median, 2),
    }


async def checkpoints() -> list[Row]:
    """Bytes and number of checkpoints and writes per model call, as the saver is given them."""
    rows = []
    for steps in STEPS:
        saver = InMemorySaver()
        flux = ReasonFlux(
            Instant(steps=steps), templates=0, effort="low", granularity="step", max_steps=100, checkpointer=saver
        )
        await flux.asolve("What is 3 + 4?", config={"configurable": {"thread_id": "1"}})
        spaces = [space for thread in saver.storage.values() for space in thread.values()]
        states = [len(item[0][1]) + len(item[1][1]) for space in spaces for item in space.values()]
        blobs = [len(value[1]) for value in saver.blobs.values()]
        writes = [len(row[2][1]) for kept in saver.writes.values() for row in kept.values()]
        total = sum(states) + sum(blobs) + sum(writes)
        rows.append({"steps": steps, "checkpoints": len(states), "bytes": total, "bytes_per_call": round(total / (steps + 1))})
    return rows
