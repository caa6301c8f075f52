"""Follow-ups and system prompts at the endpoint: earlier turns reach the graph as texts, whatever else clients keep in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reasonflux_agent.serving.requests import model_names, read_request
from reasonflux_agent.testing import FakeModel
from tests.serving.test_app import Client
from tests.serving.test_history import HISTORIES

TURNS = [
    {"role": "user", "content": "Add 40 and 2."},
    {"role": "assistant", "content": "Adding the numbers gives $\\boxed{42}$.", "reasoning_content": "Plan: addition"},
]
ADD = {"role": "user", "content": [{"type": "text", "text": "Now add 10 to that."}]}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    one = Client(FakeModel())
    yield one
    one.close()


def conversation(messages: list[Any]) -> list[Any]:
    body = json.dumps({"model": "reasonflux-direct", "messages": messages}).encode()
    return read_request(body, model_names(["direct"])).conversation


def asked(client: Client, *messages: Any, **more: Any) -> Any:
    return client.post({"model": "reasonflux-direct", "messages": list(messages), **more})


def test_a_follow_up_is_solved_with_its_context(client: Client) -> None:
    message = asked(client, *TURNS, ADD).json()["choices"][0]["message"]
    assert message["content"] == "Adding the numbers gives $\\boxed{52}$."
    assert message["reasoning_content"].startswith("Problem, restated\nNow add 10 to that. (before: 42)\n\n")


def test_a_stream_tells_of_the_restatement_first(client: Client) -> None:
    lines = asked(client, *TURNS, ADD, stream=True).text.splitlines()
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    thought = "".join(delta.get("reasoning_content") or "" for delta in deltas)
    assert thought.startswith("Problem, restated\nNow add 10 to that. (before: 42)")
    assert "\\boxed{52}" in "".join(delta.get("content") or "" for delta in deltas)


def test_the_restatement_counts_in_the_usage(client: Client) -> None:
    alone, follow_up = (asked(client, *given, ADD).json()["usage"]["total_tokens"] for given in ([], TURNS))
    assert follow_up > alone + 100


def test_a_turn_that_stands_alone_costs_what_it_did(client: Client) -> None:
    bodies = [asked(client, *given, TURNS[0]).json() for given in ([], TURNS)]
    assert bodies[0]["usage"] == bodies[1]["usage"]
    assert "restated" not in bodies[1]["choices"][0]["message"]["reasoning_content"]


def test_a_system_prompt_reaches_the_model() -> None:
    model = FakeModel()
    client = Client(model)
    developer = {"role": "developer", "content": "Use metres."}
    asked(client, {"role": "system", "content": "Answer in German."}, *TURNS, ADD, developer)
    client.close()
    assert len(model.calls) == 2
    assert all(prompt.startswith("Answer in German.\n\nUse metres.\n\n") for prompt in model.calls)


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_whatever_earlier_turns_hold_they_are_texts(history: list[Any], client: Client) -> None:
    messages = conversation([*history, ADD])
    assert messages[-1] == {"role": "user", "content": "Now add 10 to that."}
    assert all(message["role"] in ("system", "user", "assistant") for message in messages)
    assert all(isinstance(message["content"], str) for message in messages)
    assert asked(client, *history, ADD).status_code == 200


def test_the_parts_of_earlier_turns() -> None:
    history = [*HISTORIES["vercel ai sdk"], *HISTORIES["aider"]]
    assert [(message["role"], message["content"]) for message in conversation([*history, ADD])] == [
        ("user", "Add\n8"),
        ("assistant", ""),
        ("assistant", ".\n17"),
        ("system", "Act."),
        ("system", "Examples."),
        ("user", "Add 8 and 9."),
        ("assistant", "Ok."),
        ("user", "Now add 10 to that."),
    ]
