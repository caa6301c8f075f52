"""Answers in a JSON schema of the client's: ChatOpenAI and the openai package, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from reasonflux_agent.prompts.form import form_prompt, parse
from reasonflux_agent.testing import mathematician, serve_fake
from tests.serving.servers import Server, served

ASK: Any = [{"role": "user", "content": "Add 2 and 3."}]


class Sum(BaseModel):
    """A sum."""

    value: int
    formula: str


GOOD = json.dumps({"value": 5, "formula": "\\frac{10}{2}"}).replace("\\\\", "\\")  # as models write it: a form feed in JSON


def former(prompt: str) -> str:
    """Put a solution into the schema; at the first try wrongly where the problem says so."""
    if "JSON schema:" not in prompt:
        return mathematician(prompt)
    if "never" in prompt or ("twice" in prompt and "does not have the form" not in prompt):
        return '{"value": "five"}'
    return f"```json\n{GOOD}\n```"


@pytest.fixture(scope="module")
def forming() -> Iterator[Server]:
    with serve_fake(former) as url, served("--model", f"vllm:fake@{url}") as running:
        yield running


@pytest.fixture
def client(forming: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=forming.url, api_key="unused", max_retries=0)


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
def test_langchains_structured_output(forming: Server, method: Any) -> None:
    model = ChatOpenAI(model="reasonflux", base_url=forming.url, api_key="unused")
    found = model.with_structured_output(Sum, method=method).invoke("Add 2 and 3.")
    assert found == Sum(value=5, formula="\\frac{10}{2}")
    raw = model.with_structured_output(Sum, include_raw=True).invoke("Add 2 and 3.")
    assert (raw["parsed"], raw["parsing_error"]) == (found, None)
    assert json.loads(raw["raw"].text) == found.model_dump()


async def test_langchains_structured_output_as_a_stream(forming: Server) -> None:
    model = ChatOpenAI(model="reasonflux-direct", base_url=forming.url, api_key="unused", stream_usage=True)
    found = [one async for one in model.with_structured_output(Sum).astream("Add 2 and 3.")]
    assert found[-1] == Sum(value=5, formula="\\frac{10}{2}")


def test_the_official_client_parses(client: openai.OpenAI) -> None:
    done = client.chat.completions.parse(model="reasonflux-direct-low", messages=ASK, response_format=Sum)
    assert done.choices[0].message.parsed == Sum(value=5, formula="\\frac{10}{2}")
    assert done.reasonflux["answer"] == "5"
    plain = client.chat.completions.create(model="reasonflux-direct-low", messages=ASK)
    assert done.usage.total_tokens > plain.usage.total_tokens  # the call for the schema is counted
    with client.chat.completions.stream(model="reasonflux-direct-low", messages=ASK, response_format=Sum) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == done.choices[0].message.parsed


def test_the_official_client_parses_a_response(client: openai.OpenAI) -> None:
    done = client.responses.parse(model="reasonflux-direct-low", input="Add 2 and 3.", text_format=Sum)
    assert done.output_parsed == Sum(value=5, formula="\\frac{10}{2}")


def test_a_value_that_does_not_fit_is_asked_for_once_more(client: openai.OpenAI) -> None:
    ask: Any = [{"role": "user", "content": "Add 2 and 3, twice."}]
    done = client.chat.completions.parse(model="reasonflux-direct-low", messages=ask, response_format=Sum)
    assert done.choices[0].message.parsed == Sum(value=5, formula="\\frac{10}{2}")


@pytest.mark.parametrize("stream", [False, True])
def test_what_never_fits_is_a_refusal_that_holds_the_answer(client: openai.OpenAI, stream: bool) -> None:
    ask: Any = [{"role": "user", "content": "Add 2 and 3, never."}]
    if stream:
        with client.chat.completions.stream(model="reasonflux-direct-low", messages=ask, response_format=Sum) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = (
            client.chat.completions.parse(model="reasonflux-direct-low", messages=ask, response_format=Sum).choices[0].message
        )
    assert message.parsed is None
    assert "the value lacks the field 'formula'" in message.refusal
    assert "Answer: 5" in message.refusal
    made = client.responses.create(
        model="reasonflux-direct-low",
        input=ask,
        text={"format": {"type": "json_schema", "name": "sum", "schema": Sum.model_json_schema()}},
        stream=stream,
    )
    response = list(made)[-1].response if stream else made
    assert response.output[-1].content[0].type == "refusal"


def test_the_prompt_shows_solution_and_schema() -> None:
    (message,) = form_prompt("Add 2 and 3.", "It is 5.", {"type": "object"}).render()
    assert message["content"].startswith("Problem:\nAdd 2 and 3.\n\nSolution:\nIt is 5.")
    assert message["content"].endswith('JSON schema:\n{"type": "object"}')
    assert parse('{"a": "\\nabla f\\nand \\sqrt{2}"}') == {"a": "\\nabla f\nand \\sqrt{2}"}
