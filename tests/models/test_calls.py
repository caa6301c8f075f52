"""What a call sends, what is read from the reply, and what is said when it fails."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk

from reasonflux_agent.errors import ModelError
from reasonflux_agent.models import CallOptions, Reply, call_kwargs, load_model, model_error, read_reply
from tests.models.recorder import Recorder, reply, serving

SCHEMA = {"type": "object", "properties": {"steps": {"type": "array", "items": {"type": "string"}}}}
ALL = CallOptions(max_tokens=9, temperature=0.5, seed=3, stop=("END",), schema=SCHEMA, timeout=5.0, logprobs=True)


def streamed(model: BaseChatModel, options: CallOptions) -> AIMessage:
    whole: AIMessageChunk | None = None
    for chunk in model.stream("hi", **call_kwargs(model, options)):
        assert isinstance(chunk, AIMessageChunk)
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    return whole


def invoked(model: BaseChatModel, options: CallOptions) -> AIMessage:
    return model.invoke("hi", **call_kwargs(model, options))


def awaited(model: BaseChatModel, options: CallOptions) -> AIMessage:
    return asyncio.run(model.ainvoke("hi", **call_kwargs(model, options)))


CALLS = [invoked, streamed, awaited]


@pytest.mark.parametrize("call", CALLS)
def test_every_option_arrives(call: Any) -> None:
    with serving(Recorder()) as server:
        call(load_model(f"vllm:m@{server.url}"), ALL)
    (body,) = server.bodies
    assert body["model"] == "m"
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert (body["max_tokens"], body["temperature"], body["seed"], body["stop"]) == (9, 0.5, 3, ["END"])
    assert "max_completion_tokens" not in body
    assert (body["logprobs"], body["top_logprobs"]) == (True, 1)
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert body.get("stream_options") == ({"include_usage": True} if body.get("stream") else None)


@pytest.mark.parametrize("call", CALLS)
def test_what_was_not_asked_is_not_sent(call: Any) -> None:
    with serving(Recorder()) as server:
        call(load_model(f"vllm:m@{server.url}"), CallOptions())
    assert set(server.bodies[0]) <= {"model", "messages", "stream", "stream_options"}


def test_a_copy_may_send_options_of_vllm_alone() -> None:
    with serving(Recorder()) as server:
        model = load_model(f"vllm:m@{server.url}")
        invoked(model.model_copy(update={"extra_body": {"top_k": 20}}), ALL)
        invoked(model, ALL)
    assert [body.get("top_k") for body in server.bodies] == [20, None]
    assert all("response_format" in body for body in server.bodies)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_usage_and_truncation_are_read(call: Any, field: str) -> None:
    answer = reply("four", finish="length")
    answer["choices"][0]["message"][field] = "two-and-two"
    with serving(Recorder((200, answer))) as server:
        got = read_reply(call(load_model(f"vllm:m@{server.url}"), CallOptions()))
    assert got == Reply(
        text="four",
        reasoning="two-and-two",
        truncated=True,
        prompt_tokens=40,
        cached_tokens=32,
        completion_tokens=7,
        logprob=None,
    )


def test_a_cut_json_reply_is_data_and_no_error() -> None:
    with serving(Recorder((200, reply('{"steps": ["on', finish="length")))) as server:
        got = read_reply(invoked(load_model(f"vllm:m@{server.url}"), ALL))
    assert (got.text, got.truncated) == ('{"steps": ["on', True)


def test_the_mean_log_probability_is_read() -> None:
    with serving(Recorder((200, reply("yes", logprobs=[-1.0, -0.5])))) as server:
        assert read_reply(invoked(load_model(f"vllm:m@{server.url}"), ALL)).logprob == -0.75


def test_one_model_serves_one_event_loop_after_another() -> None:
    with serving(Recorder()) as server:
        model = load_model(f"vllm:m@{server.url}")
        assert [awaited(model, CallOptions()).content for _ in range(3)] == ["yes"] * 3


def test_options_that_a_model_cannot_honour_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call_kwargs(GenericFakeChatModel(messages=iter([])), ALL) == {"stop": ["END"]}
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    sent = call_kwargs(load_model("openai:gpt-y"), ALL)
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert (sent["max_tokens"], sent["seed"], sent["timeout"], sent["logprobs"]) == (9, 3, 5.0, True)
    assert "top_logprobs" not in sent


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("plain", "plain", ""),
        ("<think>a</think>b", "b", "a"),
        ("\n<think>\na\n</think>\n\nb <think> c", "b <think> c", "a"),
        ("<think>a</think><think>b</think>c", "c", "a\nb"),
        ("<think>never closed", "", "never closed"),
        ("opened by the template</think>\n\nb", "b", "opened by the template"),
        ("write <think>x</think> like this", "write <think>x</think> like this", ""),
        ("  kept  ", "  kept  ", ""),
    ],
)
def test_thought_and_reply_are_parted(content: str, text: str, reasoning: str) -> None:
    got = read_reply(AIMessage(content))
    assert (got.text, got.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    ("thought", "text"),
    [
        ("6 times 7, so \\boxed{42}.", "\\boxed{42}"),
        ("\\boxed{ \\frac{1}{2} } it is. I must put it within \\boxed{}.", "\\boxed{\\frac{1}{2}}"),
        ("first \\boxed{1}, no: \\boxed{2}", "\\boxed{2}"),
        ("It must go into \\boxed{}. The answer is 42.", ""),
        ("The answer is 42.", ""),
        ("cut in \\boxed{4", ""),
    ],
)
def test_a_thought_that_boxes_its_answer_and_says_no_more_states_it(thought: str, text: str) -> None:
    shapes = [
        AIMessage("", additional_kwargs={"reasoning_content": thought}),
        AIMessage(" \n", additional_kwargs={"reasoning_content": thought}),
        AIMessage(f"<think>{thought}</think>\n"),
        AIMessage(f"<think>{thought}"),
        AIMessage([{"type": "reasoning", "reasoning": thought}]),
    ]
    for message in shapes:
        got = read_reply(message)
        assert (got.text.strip(), got.reasoning) == (text, thought)
    spoken = read_reply(AIMessage("It is 7.", additional_kwargs={"reasoning_content": thought}))
    assert spoken.text == "It is 7."


@given(st.text(), st.text())
def test_whatever_follows_a_thought_is_the_reply(thought: str, rest: str) -> None:
    got = read_reply(AIMessage(f"<think>{thought}</think>{rest}"))
    assert got.text == rest.lstrip() or "think>" in thought + rest


def test_replies_of_other_providers_are_read() -> None:
    blocks: list[str | dict[str, Any]] = [{"type": "reasoning", "reasoning": "r"}, {"type": "text", "text": "t"}]
    got = read_reply(AIMessage(blocks, response_metadata={"stop_reason": "max_tokens"}))
    assert (got.text, got.reasoning, got.truncated, got.prompt_tokens) == ("t", "r", True, 0)


def failure(model: BaseChatModel, options: CallOptions | None = None) -> str:
    with pytest.raises((openai.OpenAIError, ConnectionError)) as caught:
        invoked(model, options or CallOptions())
    error = model_error(model, caught.value)
    assert isinstance(error, ModelError)
    return str(error)


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (400, "This model's maximum context length is 4096 tokens", "refused a prompt that its context does not hold"),
        (400, "bad temperature", "refused the call with HTTP 400"),
        (401, "no", "Next: set the key"),
        (404, "The model `m` does not exist.", "does not serve this model"),
        (429, "busy", "failed with HTTP 429 (tried 3 times)"),
        (503, "loading", "failed with HTTP 503 (tried 3 times)"),
    ],
)
def test_what_a_server_refuses_is_said(status: int, message: str, said: str) -> None:
    with serving(Recorder((status, {"error": {"message": message, "code": status}}))) as server:
        text = failure(load_model(f"vllm:m{status}@{server.url}"))
    assert said in text
    assert message.rstrip(".") in text
    assert server.url in text


def test_a_server_that_is_gone_or_silent() -> None:
    with serving(Recorder()) as server:
        url = server.url
    assert "could not be reached" in failure(load_model(f"vllm:m@{url}"))
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        model = load_model(f"vllm:m@http://127.0.0.1:{silent.getsockname()[1]}/v1")
        text = failure(model, CallOptions(timeout=0.1))
    assert "did not answer in time" in text
    assert "allow more time" in text
