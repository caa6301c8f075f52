"""The project against a real vLLM server. `.ci/vllm.sh` starts one and sets the variables."""

from __future__ import annotations

import time
import uuid
from functools import reduce
from operator import add
from typing import Literal

import openai
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from pydantic import BaseModel, ConfigDict, Field

from reasonflux_agent import ReasonFlux, load_model
from reasonflux_agent.errors import ModelError
from reasonflux_agent.models import CallOptions, call_kwargs, model_error, read_reply
from reasonflux_agent.schema import Solution
from tests.vllm.server import DEAD, MARKS, NAME, SPEC, URL, Spent, ask, idle, metric, usage

pytestmark = MARKS


@pytest.fixture(scope="module")
def model() -> BaseChatModel:
    return load_model(SPEC)


def test_a_reply_and_what_it_cost(model: BaseChatModel) -> None:
    spent = Spent()
    reply = ask(model, "What is the capital of France? Answer in one short sentence.", logprobs=True)
    assert "Paris" in reply.text
    assert not reply.truncated
    assert reply.logprob is not None
    assert reply.logprob < 0
    spent.must_be(usage(reply))


def test_the_token_limit_cuts_and_is_told(model: BaseChatModel) -> None:
    reply = ask(model, "Write a long story about a lighthouse.", max_tokens=16)
    assert reply.truncated
    assert reply.completion_tokens == 16


def test_a_repeated_prompt_comes_from_the_prefix_cache(model: BaseChatModel) -> None:
    prompt = f"{uuid.uuid4()}\n" + "\n".join(f"The square of {n} is {n * n}." for n in range(60)) + "\nSay yes."
    first, second = ask(model, prompt, max_tokens=4), ask(model, prompt, max_tokens=4)
    assert first.prompt_tokens == second.prompt_tokens
    assert first.cached_tokens < 64  # the system prompt at most
    assert second.cached_tokens > 0.9 * second.prompt_tokens


class Fact(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=30)
    kind: Literal["number", "person"]
    digits: list[int] = Field(min_length=2, max_length=2)
    even: bool


def test_a_schema_constrains_the_reply(model: BaseChatModel) -> None:
    prompt = "Write a poem about the number 42."  # nothing here asks for JSON
    reply = ask(model, prompt, schema=Fact.model_json_schema(), max_tokens=128)
    assert not reply.truncated
    Fact.model_validate_json(reply.text)
    with pytest.raises(ValueError, match="Invalid JSON"):
        Fact.model_validate_json(ask(model, prompt, max_tokens=128).text)


def test_stop_strings_end_the_reply_and_are_not_in_it(model: BaseChatModel) -> None:
    prompt = "Count from 1 to 9, in digits, separated by commas."
    assert "7" in ask(model, prompt).text
    reply = ask(model, prompt, stop=("7",))
    assert "6" in reply.text
    assert "7" not in reply.text
    assert not reply.truncated


def test_a_seed_repeats_a_sample(model: BaseChatModel) -> None:
    def sample(seed: int) -> str:
        return ask(model, "Invent a name for a cat.", temperature=1.5, seed=seed, max_tokens=24).text

    first = sample(1)
    assert sample(1) == first
    assert any(sample(seed) != first for seed in (2, 3, 4))


def test_options_of_vllm_alone_reach_it(model: BaseChatModel) -> None:
    choice = model.bind(extra_body={"structured_outputs": {"choice": ["heptagon", "pentagon"]}})
    assert choice.invoke("Which polygon has five sides? Explain.").text in ("heptagon", "pentagon")
    long = model.bind(extra_body={"ignore_eos": True}, max_tokens=40, temperature=0.0)
    message = long.invoke("Say only: yes")
    assert isinstance(message, AIMessage)
    assert read_reply(message).completion_tokens == 40


def test_a_stream_adds_up_to_one_reply(model: BaseChatModel) -> None:
    spent = Spent()
    options = CallOptions(max_tokens=48, temperature=0.0, logprobs=True)
    chunks = list(model.stream("Name three colours.", **call_kwargs(model, options)))
    assert sum(bool(chunk.text) for chunk in chunks) > 3
    reply = read_reply(reduce(add, chunks))
    assert reply.text == "".join(chunk.text for chunk in chunks)
    assert reply.logprob is not None
    spent.must_be(usage(reply))


async def test_it_streams_on_the_event_loop_too(model: BaseChatModel) -> None:
    options = CallOptions(max_tokens=32, temperature=0.0)
    chunks = [chunk async for chunk in model.astream("Name three colours.", **call_kwargs(model, options))]
    assert len(chunks) > 3
    assert read_reply(reduce(add, chunks)).completion_tokens > 3


def test_requests_at_once_are_served_as_a_batch(model: BaseChatModel) -> None:
    fixed = model.bind(extra_body={"ignore_eos": True}, max_tokens=40)
    passes, spent = metric("vllm:iteration_tokens_total_count"), Spent()
    replies = fixed.batch([f"Count upwards from {n}." for n in range(6)], {"max_concurrency": 6})
    spent.must_be(reduce(add, map(usage, map(read_reply, replies))))
    # through the model; one after the other they would take 240
    assert 40 <= metric("vllm:iteration_tokens_total_count") - passes < 120


@pytest.mark.parametrize(
    ("spec", "kind", "says"),
    [
        pytest.param(f"vllm:nobody@{URL}", openai.NotFoundError, "does not serve this model", id="unknown model"),
        pytest.param(DEAD, openai.APIConnectionError, "could not be reached", id="dead port"),
    ],
)
def test_a_server_that_cannot_serve_is_one_typed_error(spec: str, kind: type[Exception], says: str) -> None:
    broken = load_model(spec)
    with pytest.raises(kind) as caught:
        ask(broken, "hello")
    error = model_error(broken, caught.value)
    assert isinstance(error, ModelError)
    for part in (spec, spec.partition("@")[2], says, "Next:"):
        assert part in str(error)
    with pytest.raises(ModelError, match=says):
        ReasonFlux(navigator=spec, solver=spec, effort="low").solve("What is 1 + 1?")


def test_a_call_goes_on_to_the_next_server_when_one_is_gone() -> None:
    flux = ReasonFlux(f"{DEAD.replace('gone', NAME)},{URL}", strategy="direct", effort="low", max_tokens=16)
    calls = [flux.solve("Say hello.").total for _ in range(3)]
    assert [(call.calls, call.completion_tokens > 0) for call in calls] == [(1, True)] * 3


def test_a_prompt_beyond_the_context_is_named_as_such(model: BaseChatModel) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(model, "word " * 20_000)
    assert "context" in str(model_error(model, caught.value))


PROBLEM = "Pens cost 3 dollars and notebooks 5 dollars. Ann buys 4 pens and 2 notebooks. How many dollars does she pay?"


def check_run(solution: Solution, spent: Spent) -> None:
    """What must hold of every run, however well so small a model does."""
    assert solution.status in ("answered", "unanswered")
    assert solution.candidates
    assert solution.text
    assert (solution.answer is None) == (solution.status == "unanswered")
    for node, cost in solution.usage.items():
        assert cost.calls > 0, node
        assert cost.completion_tokens > 0, node
        assert cost.prompt_tokens > cost.cached_tokens, node
        assert cost.seconds > 0, node
    spent.must_be(solution.total)


def test_a_planned_solve_counts_every_call() -> None:
    spent = Spent()
    flux = ReasonFlux(navigator=SPEC, solver=SPEC, effort="medium", direct_samples=0, max_tokens=384)
    solution = flux.solve(PROBLEM)
    check_run(solution, spent)
    assert {"plan", "solve_step"} <= set(solution.usage)
    assert solution.plan.steps
    # all plans are asked for with the same beginning, so that the server need not read it again
    again = flux.solve("A box holds 6 red pens and twice as many blue ones. How many pens does it hold?")
    assert again.total.cached_tokens > 0.2 * again.total.prompt_tokens


async def test_attempts_at_once_on_the_event_loop_are_all_counted() -> None:
    spent = Spent()
    flux = ReasonFlux(navigator=SPEC, solver=SPEC, effort="high", max_tokens=256)
    solution = await flux.asolve(PROBLEM)
    check_run(solution, spent)
    assert solution.usage["draft"].calls >= 2
    assert solution.usage["plan"].calls >= 2
    assert len(solution.candidates) > 2


def test_a_streamed_solve_shows_its_tokens_and_counts_the_same() -> None:
    spent = Spent()
    events = list(ReasonFlux(navigator=SPEC, solver=SPEC, effort="low", max_tokens=256).stream(PROBLEM))
    assert sum(event.type == "token" for event in events) > 20
    assert {"begin", "plan", "step"} <= {event.type for event in events}
    check_run(events[-1].solution, spent)


@pytest.mark.parametrize("deadline", [pytest.param(1, id="while planning"), pytest.param(6, id="while solving")])
def test_a_deadline_ends_the_run_and_frees_the_server(deadline: int) -> None:
    started = time.monotonic()
    flux = ReasonFlux(navigator=SPEC, solver=SPEC, effort="high", max_tokens=4096, deadline=deadline)
    solution = flux.solve("Write out the numbers from 1 to 2000 in words, one by one, then state their sum.")
    assert time.monotonic() - started < 2 * deadline + 5
    assert solution.status == "exhausted"
    assert "deadline" in solution.reason
    idle()
