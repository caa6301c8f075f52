"""What clients send back of a conversation: the last user message is the problem, and it alone is strict."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI

from reasonflux_agent.serving.requests import Refused, model_names, read_request
from tests.serving.servers import Server

MODEL = "reasonflux-navigator-low"
USER = {"role": "user", "content": "Add 8 and 9."}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
CALL = {"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
OWN = {"role": "assistant", "content": "It is $\\boxed{17}$.", "refusal": None, "reasoning_content": "Plan: addition:"}
HISTORIES: dict[str, list[Any]] = {
    "openai-python, model_dump() of a reply": [
        USER,
        {**OWN, "annotations": None, "audio": None, "function_call": None, "tool_calls": None},
    ],
    "openai-python, a parsed stream": [USER, {**OWN, "parsed": None, "annotations": [], "tool_calls": []}],
    "a refusal": [USER, {"role": "assistant", "content": None, "refusal": "No."}],
    "a reply without any content": [USER, {"role": "assistant"}],
    "litellm": [
        USER,
        {
            **OWN,
            "tool_calls": None,
            "function_call": None,
            "provider_specific_fields": {"refusal": None},
            "thinking_blocks": [],
        },
    ],
    "open-webui": [
        {"role": "system", "content": ""},
        USER,
        {"role": "assistant", "content": "<details>Plan</details>\n17", "info": {"usage": 1}},
    ],
    "aider": [
        {"role": "system", "content": [{"type": "text", "text": "Act.", "cache_control": {"type": "ephemeral"}}]},
        {"role": "system", "content": "Examples."},
        USER,
        {"role": "assistant", "content": "Ok."},
    ],
    "vercel ai sdk": [
        {"role": "user", "content": [{"type": "text", "text": "Add"}, {"type": "text", "text": "8"}]},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "1", "content": "17"},
        {"role": "assistant", "content": [{"type": "reasoning", "text": "."}, {"type": "text", "text": "17"}]},
    ],
    "tools and functions of old": [
        {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": "{}"}},
        {"role": "function", "name": "add", "content": "17"},
        {"role": "tool", "tool_call_id": "1", "name": "add", "content": [{"type": "text", "text": "17"}]},
    ],
    "images, sound and files": [
        {"role": "user", "content": [{"type": "text", "text": "See"}, IMAGE]},
        {"role": "assistant", "content": None, "audio": {"id": "a"}},
        {
            "role": "user",
            "content": [{"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}}, {"type": "file", "file": {}}],
        },
    ],
    "a developer's instructions, and names": [
        {"role": "developer", "content": "Be 7.", "name": "house"},
        {**USER, "name": "me"},
    ],
    "what nobody knows": [{"role": "ipython", "content": {"a": 1}}, {"content": 7, "id": "x"}, {}],
}


def problem(messages: list[Any]) -> str:
    body = json.dumps({"model": MODEL, "messages": messages}).encode()
    return read_request(body, model_names(["navigator"])).problem


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_whatever_earlier_turns_hold_the_last_one_is_the_problem(history: list[Any]) -> None:
    assert problem([*history, {"role": "user", "content": "Add 2 and 3."}]) == "Add 2 and 3."


@pytest.mark.parametrize(
    "last",
    [
        {"role": "user", "content": [{"type": "text", "text": "Add 2"}, {"type": "text", "text": "and 3."}]},
        {"role": "user", "content": [{"type": "text", "text": "Add 2\nand 3.", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": "Add 2\nand 3.", "name": "me", "tool_calls": None, "cache_control": {"type": "ephemeral"}},
        {"role": "user", "content": "Add 2\nand 3.", "tool_calls": [], "annotations": [], "additional_kwargs": {}},
    ],
)
def test_the_last_turn_may_be_a_text_or_parts_of_one(last: Any) -> None:
    assert problem([OWN, last]) == "Add 2\nand 3."
    assert problem([last, {"role": "system", "content": "Answer in the format of the house."}]) == "Add 2\nand 3."  # aider's


@pytest.mark.parametrize(
    ("last", "param", "says"),
    [
        (
            {**USER, "content": [{"type": "text", "text": "See"}, IMAGE]},
            "messages.1.content.1",
            "type 'image_url' cannot be read",
        ),
        ({**USER, "content": None}, "messages.1.content", "must be a text"),
        ({**USER, "contnet": "x"}, "messages.1.contnet", "messages.1.contnet"),
        ({"role": "tool", "tool_call_id": "1", "content": "17"}, "messages", "has the role 'tool'"),
        ({"role": "User", "content": "17"}, "messages", "has the role 'User'"),
        ({"content": "17"}, "messages", "has the role None"),
    ],
)
def test_the_last_turn_is_strict(last: Any, param: str, says: str) -> None:
    with pytest.raises(Refused, match=says) as caught:
        problem([OWN, last])
    assert caught.value.param == param


def test_the_official_client_sends_our_replies_back(server: Server) -> None:
    """Whole and streamed, as the objects that it gave and as their dumps; in one conversation that grows."""
    with openai.OpenAI(base_url=server.url, api_key="unused", max_retries=0) as client:
        turns: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "Add 40 and 2."}]}]
        for number, effort in enumerate(("low", "medium", "high", "auto")):
            model = f"reasonflux-navigator-{effort}"
            whole = client.chat.completions.create(model=model, messages=turns)
            with client.chat.completions.stream(model=model, messages=turns) as stream:
                streamed = stream.get_final_completion()
            for done in (whole, streamed):
                assert done.choices[0].message.content == f"Adding the numbers gives $\\boxed{{{42 + number}}}$."
                assert done.choices[0].message.reasoning_content
            turns += [whole.choices[0].message, USER, streamed.choices[0].message, USER]
            turns += [whole.choices[0].message.model_dump(), USER, streamed.choices[0].message.model_dump(exclude_unset=True)]
            turns.append({"role": "user", "content": f"Add 40 and {3 + number}."})


def test_langchains_client_sends_our_replies_back(server: Server) -> None:
    model = ChatOpenAI(model="reasonflux-navigator", base_url=server.url, api_key="unused")
    turns: list[Any] = [
        SystemMessage("Be brief."),
        HumanMessage([{"type": "text", "text": "See."}, IMAGE]),
        AIMessage("", tool_calls=[{"id": "1", "name": "add", "args": {}}]),
        ToolMessage("17", tool_call_id="1"),
    ]
    for number in range(3):
        turns.append(HumanMessage(f"Add 40 and {number}.", name="me"))
        first, *rest = model.stream(turns)
        for reply in (model.invoke(turns), sum(rest, first)):
            assert f"\\boxed{{{40 + number}}}" in reply.text
            turns += [reply, HumanMessage("And?")]
