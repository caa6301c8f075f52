"""The application in-process: what is refused, and that no body whatever makes it fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError
from reasonflux_agent.runs.runner import Runner
from reasonflux_agent.serving.app import create_app
from reasonflux_agent.serving.middleware import require_key
from reasonflux_agent.testing import FakeModel
from tests.graph.fakes import Scripted

PATH = "/v1/chat/completions"
GOOD: dict[str, Any] = {"model": "reasonflux-direct", "messages": [{"role": "user", "content": "Add 2 and 3."}]}


class Client:
    """Sends requests to one app on one event loop."""

    def __init__(self, model: Any, record: Path | None = None, **options: Any) -> None:
        self.runner = Runner(navigator=model, context=Context(effort="low", templates=0), record=record)
        self._transport = httpx.ASGITransport(create_app(self.runner, **options))
        self._runner = asyncio.Runner()

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://localhost") as client:
                return await client.request(method, path, **more)

        return self._runner.run(one())

    def post(self, body: bytes | str | Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", PATH, content=content, headers={"Content-Type": "application/json", **headers})

    def close(self) -> None:
        self._runner.close()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    one = Client(FakeModel(), max_body=100_000)
    yield one
    one.close()


@pytest.fixture(scope="module")
def strict() -> Iterator[Client]:
    one = Client(FakeModel(), max_body=100_000, strict=True)
    yield one
    one.close()


def error_of(reply: httpx.Response) -> dict[str, Any]:
    """The error object, after a check of its shape."""
    body = reply.json()
    assert body.keys() == {"error"}
    error: dict[str, Any] = body["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert error["message"]
    return error


REFUSED: list[tuple[Any, int, str | None, str]] = [
    (b"", 400, None, "not JSON"),
    (b"\xff", 400, None, "not UTF-8"),
    (b'{"model": "\\ud800"}', 400, None, "surrogate"),
    (b"[" * 50_000, 400, None, "nested too deeply"),
    (b'{"temperature": NaN}', 400, None, "NaN"),
    (b'{"seed": ' + b"1" * 5000 + b"}", 400, None, "not JSON"),
    (b" " * 100_001, 413, None, "larger than 100,000 bytes"),
    ([], 400, None, "JSON list"),
    ({}, 400, "model", "required"),
    ({**GOOD, "model": "gpt-9"}, 404, "model", "'gpt-9' does not exist. There are: reasonflux, reasonflux-low"),
    ({**GOOD, "model": 3}, 400, "model", "string"),
    ({**GOOD, "messages": []}, 400, "messages", "at least 1"),
    ({**GOOD, "messages": [{"role": "user", "content": " "}]}, 400, None, "no problem to solve"),
    ({**GOOD, "messages": [{"role": "user", "content": "9" * 20_001}]}, 400, None, "at most 20,000"),
    ({**GOOD, "messages": [{"role": "tool", "content": "9"}]}, 400, "messages", "has the role 'tool'"),
    ({**GOOD, "messages": [{"role": "assistant", "content": "9"}]}, 400, "messages", "must be the user's"),
    ({**GOOD, "messages": [{"role": "system", "content": "9"}]}, 400, "messages", "has the role 'system'"),
    ({**GOOD, "messages": ["9"]}, 400, "messages.0", "dictionary"),
    ({**GOOD, "messages": [{"role": "user"}]}, 400, "messages.0.content", "must be a text, or a list of parts"),
    ({**GOOD, "messages": [{"role": "user", "content": "9", "contents": "8"}]}, 400, "messages.0.contents", "holds: role"),
    ({**GOOD, "messages": [{"role": "user", "content": ["9"]}]}, 400, "messages.0.content.0", "an object with a 'type'"),
    (
        {**GOOD, "messages": [{"role": "user", "content": [{"type": "text", "text": None}]}]},
        400,
        "messages.0.content.0.text",
        "must be a text",
    ),
    (
        {**GOOD, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        400,
        "messages.0.content.0",
        "the type 'image_url' cannot be read",
    ),
    ({**GOOD, "tools": [{}], "tool_choice": "required"}, 400, "tool_choice", "demands the call of a tool"),
    ({**GOOD, "response_format": {"type": "grammar"}}, 400, "response_format", "'response_format' is"),
    ({**GOOD, "response_format": {"type": "json_schema", "json_schema": []}}, 400, "response_format", "with a 'schema'"),
    ({**GOOD, "n": 0}, 400, "n", "greater than or equal to 1"),
    ({**GOOD, "stop": [1]}, 400, "stop", "string"),
    ({**GOOD, "max_tokens": 0}, 400, None, "max_tokens = 0"),
    ({**GOOD, "temperature": 3}, 400, None, "temperature = 3"),
    ({**GOOD, "seed": 2**63}, 400, "seed", "less than"),
    ({**GOOD, "reasoning_effort": "huge"}, 400, None, "'low', 'medium', 'high' or 'auto'"),
    (
        {**GOOD, "reasonflux": {"solver": "vllm:x@http://elsewhere"}},
        400,
        "reasonflux",
        "no field 'solver' that a client may set",
    ),
    ({**GOOD, "reasonflux": {"cls": 1}}, 400, "reasonflux", "no field 'cls'"),
    ({**GOOD, "reasonflux": {"direct_samples": 65}}, 400, None, "direct_samples = 65"),
]


STRICT: list[tuple[Any, int, str | None, str]] = [
    ({**GOOD, "tools": [{"type": "function"}]}, 400, "tools", "cannot be honoured"),
    ({**GOOD, "logprobs": True}, 400, "logprobs", "cannot be honoured"),
    ({**GOOD, "top_p": 0.5}, 400, "top_p", "cannot be honoured"),
    ({**GOOD, "top_k": 5}, 400, "top_k", "Unrecognized request argument supplied: top_k"),
    ({**GOOD, "max_tokens": 5}, 400, None, "max_tokens = 5"),
    ({**GOOD, "stream_options": {"include_usage": True}}, 400, "stream_options", "'stream' to true"),
]
"""What is refused with `--strict` alone."""


@pytest.mark.parametrize(("body", "status", "param", "says"), REFUSED + STRICT, ids=[row[3] for row in REFUSED + STRICT])
def test_a_bad_request_is_told_what_is_wrong(
    client: Client, strict: Client, body: Any, status: int, param: str | None, says: str
) -> None:
    if (body, status, param, says) in REFUSED:
        assert client.post(body).json() == strict.post(body).json()
    else:
        reply = client.post(body)
        assert reply.status_code == 200
        assert reply.headers["x-reasonflux-ignored"] == next(name for name in body if name not in GOOD)
    reply = strict.post(body)
    assert reply.status_code == status
    error = error_of(reply)
    assert says in error["message"]
    assert (error["param"], error["type"]) == (param, "invalid_request_error")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FUZZED = ["stream", "n", "stop", "tools", "tool_choice", "max_tokens", "temperature", "seed", "stream_options", "user"]
names = st.sampled_from([*GOOD, *FUZZED, "response_format", "reasoning_effort", "reasoning", "top_p"])
contexts = st.dictionaries(st.sampled_from(sorted(Context.model_fields)), values, max_size=2)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": values}), max_size=3
)
bodies = (
    st.binary(max_size=200)
    | values
    | st.dictionaries(names | st.text(max_size=8), values, max_size=3).map(lambda more: {**GOOD, **more})
    | contexts.map(lambda context: {**GOOD, "reasonflux": context})
    | messages.map(lambda given: {**GOOD, "messages": given})
)


@given(bodies)
def test_no_body_makes_the_server_fail(client: Client, body: Any) -> None:
    reply = client.post(body)
    assert reply.status_code in (200, 400, 404)
    if reply.status_code != 200:
        error_of(reply)
    elif reply.headers["content-type"] == "application/json":
        assert reply.json()["choices"][0]["message"]["role"] == "assistant"
    else:
        assert reply.text.endswith("data: [DONE]\n\n")


items = st.lists(
    st.fixed_dictionaries({}, optional={"type": values, "role": st.sampled_from(["user", "system"]), "content": values}),
    max_size=3,
)
response_bodies = (
    values
    | st.dictionaries(
        st.sampled_from(
            ["stream", "text", "instructions", "reasoning", "max_output_tokens", "tools", "include", "conversation"]
        )
        | st.text(max_size=8),
        values,
        max_size=3,
    ).map(lambda more: {"model": "reasonflux-direct", "input": "Add 2 and 3.", **more})
    | (items | values).map(lambda given: {"model": "reasonflux-direct", "input": given})
)


@given(response_bodies)
def test_no_body_makes_the_responses_format_fail(client: Client, body: Any) -> None:
    reply = client.send(
        "POST", "/v1/responses", content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    assert reply.status_code in (200, 400, 404)
    if reply.status_code != 200:
        error_of(reply)
    elif reply.headers["content-type"] == "application/json":
        assert reply.json()["output"][-1]["role"] == "assistant"
    else:
        assert reply.text.split("event: ")[-1].startswith("response.completed")


def test_a_page_of_another_site_gets_nothing_done(client: Client) -> None:
    assert client.send("POST", PATH, content=json.dumps(GOOD), headers={"Content-Type": "text/plain"}).status_code == 415
    rebound = client.send("GET", "/v1/models", headers={"Host": "evil.example:8400"})
    assert rebound.status_code == 403
    assert "'evil.example'" in error_of(rebound)["message"]
    assert client.send("GET", "/v1/models", headers={"Host": "[::1]:8400"}).status_code == 200


def test_what_is_not_there_is_an_error_in_the_same_shape(client: Client) -> None:
    assert "POST /v1/chat/completions" in error_of(client.send("GET", "/v1/completions"))["message"]
    reply = client.send("GET", PATH)
    assert reply.status_code == 405
    error_of(reply)


def test_a_failing_model_is_a_502_and_in_a_stream_an_event() -> None:
    broken = Client(Scripted({"reason": ConnectionError("gone")}))
    reply = broken.post(GOOD)
    assert reply.status_code == 502
    assert error_of(reply)["code"] == "model_error"
    assert "could not be reached" in error_of(reply)["message"]
    stream = broken.post({**GOOD, "stream": True})
    assert stream.status_code == 200
    *_, last, done = stream.text.strip().split("\n\n")
    assert done == "data: [DONE]"
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "model_error"
    assert 'status="502"} 2.0' in broken.send("GET", "/metrics").text
    broken.close()


def test_a_bug_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(request: Request) -> PlainTextResponse:
        raise RuntimeError("the secret of the house")

    one = Client(FakeModel(), extra_routes=[Route("/fail", fail)])
    reply = one.send("GET", "/fail")
    assert reply.status_code == 500
    assert error_of(reply)["type"] == "server_error"
    assert "secret" not in reply.text
    assert "the secret of the house" in caplog.text
    one.close()


def test_routes_of_others_are_behind_the_key() -> None:
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse("page")

    one = Client(FakeModel(), api_key="sesame", extra_routes=[Route("/page", page)])
    assert one.send("GET", "/page").status_code == 401
    assert one.send("GET", "/page", headers={"Authorization": "bearer sesame"}).text == "page"
    assert one.send("GET", "/page", headers={"Authorization": "Basic sesame"}).status_code == 401
    one.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_an_open_address_requires_a_key(host: str) -> None:
    with pytest.raises(InputError, match="there is no key"):
        require_key(host, "")
    require_key(host, "sesame")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_requires_none(host: str) -> None:
    require_key(host, None)
