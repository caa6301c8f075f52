"""What production asks of a real vLLM server: adapters, callers who give up, several servers, and `models check`."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, closing
from typing import Any

import openai
import pytest
from langchain_core.language_models import BaseChatModel

from reasonflux_agent import ReasonFlux, load_model
from reasonflux_agent.jobs.check import check_model
from reasonflux_agent.models import CallOptions, call_kwargs
from tests.vllm.server import ADAPTER, DEAD, MARKS, NAME, SPEC, URL, Spent, ask, idle, metric, usage

pytestmark = MARKS


@pytest.fixture(scope="module")
def model() -> BaseChatModel:
    return load_model(SPEC)


def test_an_adapter_is_a_model_by_its_name(model: BaseChatModel) -> None:
    assert ADAPTER, "the server is to serve an adapter; .ci/vllm.sh makes one"
    adapted = load_model(f"vllm:{ADAPTER}@{URL}")
    spent = Spent()
    first, again, base = (ask(m, "Name three colours.", max_tokens=24, logprobs=True) for m in (adapted, adapted, model))
    assert first.text == again.text
    assert first.logprob is not None
    assert base.logprob is not None
    assert abs(first.logprob - base.logprob) > 0.01
    assert spent()["calls"] == 3


def test_navigator_and_solver_may_be_adapter_and_base_of_one_server() -> None:
    solution = ReasonFlux(f"vllm:{ADAPTER}@{URL}", SPEC, effort="low", max_tokens=64).solve("What is 3 + 4?")
    assert {"plan", "solve_step"} <= set(solution.usage)


def test_the_check_knows_this_server() -> None:
    begun = time.monotonic()
    (one,) = check_model(SPEC)
    print(one)
    assert one.ok
    found = {finding.check: finding for finding in one.findings}
    assert {name for name, finding in found.items() if finding.ok is False} <= {"plans in form", "tool calls", "seed"}
    assert found["reasoning apart"].ok is None
    assert found["context"].found == "8192 tokens"
    assert "--enable-auto-tool-choice" not in found["tool calls"].found  # it is set; whether so small a model calls is its own
    assert time.monotonic() - begun < 300


def test_the_check_knows_an_adapter_and_an_unknown_name() -> None:
    (adapter,) = check_model(f"vllm:{ADAPTER}@{URL}", at_once=2)
    assert adapter.findings[1].found == f"{ADAPTER}, an adapter of {NAME}"
    (unknown,) = check_model(f"vllm:nobody@{URL}")
    assert not unknown.ok
    assert unknown.findings[-1].found == f"no 'nobody'; it serves: {NAME!r}, {ADAPTER!r}"


WRITTEN = "vllm:generation_tokens_total"
LONG = {"extra_body": {"ignore_eos": True}, "max_tokens": 4000}


async def cancel(model: Any) -> None:
    written = metric(WRITTEN)
    task = asyncio.ensure_future(model.ainvoke("Count upwards.", **LONG))
    limit = time.monotonic() + 60
    while metric(WRITTEN) == written and time.monotonic() < limit:  # it blocks the loop, but not the call that was sent
        await asyncio.sleep(0.1)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave(model: Any) -> None:
    async with aclosing(model.astream("Count upwards.", **LONG)) as chunks:
        async for chunk in chunks:
            if chunk.content:
                return


def close(model: Any) -> None:
    with closing(model.stream("Count upwards.", **LONG)) as chunks:
        next(chunk for chunk in chunks if chunk.content)


def deadline(model: Any) -> None:
    with pytest.raises(openai.APITimeoutError):
        model.invoke("Count upwards.", **{**call_kwargs(model, CallOptions(timeout=2.0)), **LONG})


def streamed_deadline(model: Any) -> None:
    with pytest.raises((TimeoutError, openai.APITimeoutError)):
        list(model.stream("Count upwards.", **{**call_kwargs(model, CallOptions(timeout=2.0)), **LONG}))


@pytest.mark.parametrize("give_up", [cancel, leave, close, deadline, streamed_deadline])
def test_the_server_stops_for_a_caller_who_gives_up(model: BaseChatModel, give_up: Any) -> None:
    idle()
    written = metric(WRITTEN)
    if asyncio.iscoroutinefunction(give_up):
        asyncio.run(give_up(model))
    else:
        give_up(model)
    idle(5)
    assert metric(WRITTEN) - written < 2000


async def test_many_calls_at_once_wait_their_turn_and_are_all_answered(model: BaseChatModel) -> None:
    spent = Spent()
    options = call_kwargs(model, CallOptions(max_tokens=4, temperature=0.0))
    replies = await asyncio.gather(*(model.ainvoke(f"Say {n}.", **options) for n in range(64)))  # 8 are under way at once
    assert all(reply.usage_metadata for reply in replies)
    assert spent()["calls"] == 64


async def test_servers_that_are_gone_cost_no_call() -> None:
    model = load_model(f"{DEAD.replace('gone', NAME)},http://127.0.0.1:10/v1,{URL}")
    spent = Spent()
    replies = [ask(model, f"Say {n}.", max_tokens=4) for n in range(4)]
    assert spent()["calls"] == 4
    assert all(usage(reply).completion_tokens for reply in replies)
