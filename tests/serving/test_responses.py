"""The Responses format: the openai package against a real server, and what its stream promises."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from langchain_openai import ChatOpenAI

from tests.serving.servers import Server

MODEL = "reasonflux-direct-low"
PROBLEM = "Add 2 and 3."
SUM = "Adding the numbers gives $\\boxed{5}$."


@pytest.fixture
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key="unused", max_retries=0)


def test_a_response_holds_reasoning_message_and_usage(client: openai.OpenAI) -> None:
    done = client.responses.create(model="reasonflux-medium", input=PROBLEM, instructions="Be brief.", max_output_tokens=400)
    assert done.output_text == SUM
    assert [item.type for item in done.output] == ["reasoning", "message"]
    assert "Trajectory, attempt 0" in done.output[0].summary[0].text
    assert (done.status, done.error, done.incomplete_details) == ("completed", None, None)
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens > 50
    assert done.id == f"resp_{done.reasonflux['run']}"
    assert done.instructions == "Be brief."
    assert done.reasonflux["answer"] == "5"


@pytest.mark.parametrize("model", ["reasonflux-medium", MODEL, "reasonflux-low"])
def test_a_stream_is_typed_numbered_and_in_order(client: openai.OpenAI, model: str) -> None:
    whole = client.responses.create(model=model, input=PROBLEM)
    events = list(client.responses.create(model=model, input=PROBLEM, stream=True))
    assert [event.sequence_number for event in events] == [*range(len(events))]
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds[:2] == ["created", "in_progress"]
    assert kinds[-1] == "completed"
    reasoning = ["reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done"]
    reasoning += ["reasoning_summary_part.done"]
    message = ["content_part.added", "output_text.delta", "output_text.done", "content_part.done"]
    item = ["output_item.added", "{}", "output_item.done"]
    order = [item[0], *([*reasoning, item[2], item[0]] if model != MODEL else []), *message, item[2]]
    assert [kind for at, kind in enumerate(kinds[2:-1]) if kind != kinds[at + 1]] == order
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text == SUM
    final = events[-1].response
    assert final.output_text == SUM
    assert [one.type for one in final.output] == [one.type for one in whole.output]
    if model != "reasonflux-medium":  # whose attempts run side by side
        assert final.output[0].model_dump(exclude={"id"}) == whole.output[0].model_dump(exclude={"id"})
    assert final.usage == whole.usage
    assert len([kind for kind in kinds if kind == "output_text.delta"]) > (1 if model != "reasonflux-medium" else 0)


def test_the_helper_of_the_official_client_follows_a_stream(client: openai.OpenAI) -> None:
    with client.responses.stream(model="reasonflux-low", input=PROBLEM) as stream:
        kinds = {event.type for event in stream}
        assert stream.get_final_response().output_text == SUM
    assert {"response.output_text.delta", "response.completed"} <= kinds


def test_a_conversation_is_sent_back_as_items(client: openai.OpenAI) -> None:
    first = client.responses.create(model="reasonflux-low", input="Add 8 and 9.")
    call: Any = {"type": "function_call", "call_id": "1", "name": "add", "arguments": "{}"}
    items: Any = [{"role": "user", "content": "Add 8 and 9."}, *first.output, call]
    items += [{"type": "function_call_output", "call_id": "1", "output": "17"}]
    items += [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is 2 + 3?"}]}]
    assert "\\boxed{5}" in client.responses.create(model="reasonflux-low", input=items).output_text


def test_tools_and_efforts(client: openai.OpenAI) -> None:
    tool: Any = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}, "strict": False}
    raw = client.responses.with_raw_response.create(
        model="reasonflux", input=PROBLEM, tools=[tool], reasoning={"effort": "none", "summary": "auto"}, top_p=0.5
    )
    assert raw.headers["x-reasonflux-ignored"] == "tools, top_p"
    assert raw.parse().reasonflux["strategy"] == "direct"
    with pytest.raises(openai.BadRequestError, match="demands the call of a tool"):
        client.responses.create(model="reasonflux", input=PROBLEM, tools=[tool], tool_choice="required")


@pytest.mark.parametrize(
    ("more", "param", "says"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id", "Next: send the whole conversation as 'input'"),
        ({"background": True}, "background", "none is"),
        ({"input": []}, "input", "holds no message"),
        ({"input": 7}, "input", "must be a text, or a list"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input", "cannot be read"),
        ({"model": "gpt-9"}, "model", "does not exist"),
    ],
)
def test_what_is_refused(client: openai.OpenAI, more: dict[str, Any], param: str, says: str) -> None:
    given: Any = {"model": MODEL, "input": PROBLEM, **more}
    with pytest.raises((openai.BadRequestError, openai.NotFoundError), match=says) as caught:
        client.responses.create(**given)
    assert caught.value.param == param


def test_out_of_time_is_incomplete(client: openai.OpenAI) -> None:
    more: Any = {"extra_body": {"reasonflux": {"deadline": 0.3}}}
    for stream in (False, True):
        made: Any = client.responses.create(model="reasonflux-low", input="Add slowly 2 and 3.", stream=stream, **more)
        done = [*made][-1].response if stream else made
        assert (done.status, done.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_langchains_client_uses_it(server: Server) -> None:
    model = ChatOpenAI(model="reasonflux-low", base_url=server.url, api_key="unused", use_responses_api=True)
    reply = model.invoke(PROBLEM)
    assert reply.text == SUM
    first, *rest = model.stream([("system", "Be brief."), ("human", "What is 2 + 3?")])
    assert "\\boxed{5}" in sum(rest, first).text
