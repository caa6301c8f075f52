"""Something to see at once: what is told while a model writes slowly, thinks, fails or says nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from langchain_core.messages import AIMessage

from reasonflux_agent.serving import app
from reasonflux_agent.testing import FakeModel, mathematician, serve_fake
from tests.serving.servers import Server, served
from tests.serving.test_app import GOOD, Client

ASK: Any = [{"role": "user", "content": "Add 2 and 3."}]
PACE = 0.25
SUM = "Adding the numbers gives $\\boxed{5}$."


@pytest.fixture(scope="module")
def slow() -> Iterator[Server]:
    """A server whose model takes a quarter of a second for a word."""
    with serve_fake(mathematician, pace=PACE) as url, served("--model", f"vllm:fake@{url}") as running:
        yield running


def told(server: Server, model: str, path: str = "chat/completions") -> list[tuple[float, str, str]]:
    """(seconds since the request, `reasoning` or `content`, text) of each piece."""
    began, found = time.monotonic(), []
    body = {"model": model, "stream": True, **({"messages": ASK} if path != "responses" else {"input": "Add 2 and 3."})}
    with httpx.stream("POST", f"{server.url}/{path}", json=body, timeout=60) as reply:
        for line in reply.iter_lines():
            if not line.startswith("data: {"):
                continue
            row, now = json.loads(line[6:]), time.monotonic() - began
            assert "error" not in row, row
            if path == "responses" and "delta" in row["type"]:
                found.append((now, "content" if "output_text" in row["type"] else "reasoning", row["delta"]))
            elif path != "responses" and row["choices"]:
                delta = row["choices"][0]["delta"]
                for kind, name in (("reasoning", "reasoning_content"), ("content", "content")):
                    if delta.get(name):
                        found.append((now, kind, delta[name]))
    return found


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_the_answer_streams_as_it_is_written_where_one_attempt_decides(slow: Server, path: str) -> None:
    pieces = told(slow, "reasonflux-direct", path)
    assert {kind for _, kind, _ in pieces} == {"content"}
    assert "".join(text for *_, text in pieces) == SUM
    times = [at for at, *_ in pieces]
    assert len(times) == 5
    assert times[-1] - times[0] > 3 * PACE  # not all at the end


def test_the_reasoning_streams_as_it_is_written(slow: Server) -> None:
    pieces = told(slow, "reasonflux-medium")
    times = [at for at, kind, _ in pieces if kind == "reasoning"]
    assert len(times) > 20
    assert times[-1] - times[0] > 10 * PACE
    content = [(at, text) for at, kind, text in pieces if kind == "content"]
    assert "".join(text for _, text in content) == SUM
    assert len(content) == 1  # three attempts vote: the answer is known at the end


def thinker(first: str = "") -> Callable[[str], AIMessage]:
    """A model that thinks; its first reply breaks off behind this text, if there is one."""
    thought = {"reasoning_content": "Hm, two and three."}
    replies = [AIMessage(first, additional_kwargs=thought, response_metadata={"finish_reason": None})] if first else []
    return lambda prompt: replies.pop() if replies else AIMessage("It is $\\boxed{5}$.", additional_kwargs=thought)


def test_a_thought_streams_before_the_answer() -> None:
    with serve_fake(thinker(), pace=PACE) as url, served("--model", f"vllm:x@{url}") as server:
        pieces = told(server, "reasonflux-direct")
    assert [kind for _, kind, _ in pieces] == ["reasoning"] * 5 + ["content"] * 3
    assert "".join(text for _, kind, text in pieces if kind == "reasoning") == "Solution\nHm, two and three.\n\n"
    assert pieces[3][0] - pieces[0][0] > 0.3


@pytest.mark.parametrize(
    ("first", "whole"),
    [
        ("It is", "It is $\\boxed{5}$."),
        ("So it", "So it\n\n[The reply above broke off. What follows replaces it.]\n\nIt is $\\boxed{5}$."),
    ],
)
def test_a_reply_that_broke_off_is_not_taken_back(first: str, whole: str) -> None:
    with serve_fake(thinker(first)) as url, served("--model", f"vllm:x@{url}") as server:
        content = "".join(text for _, kind, text in told(server, "reasonflux-direct") if kind == "content")
    assert content == whole


def test_a_silent_stream_is_kept_open_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "KEEP_ALIVE", 0.2)
    monkeypatch.setattr(app, "PATIENCE", 0.1)
    one = Client(FakeModel(delay=1.0))
    text = one.post({**GOOD, "stream": True}).text
    assert text.count(": ping") >= 2
    assert text.endswith("data: [DONE]\n\n")
    one.close()


def test_a_stream_that_waits_for_a_place_has_its_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is wrong is still told: in the stream."""
    with serve_fake(mathematician, delay=8) as url, served("--model", f"vllm:fake@{url}", "--max-concurrency", "1") as server:
        body = {**GOOD, "stream": True}
        with (
            httpx.stream("POST", f"{server.url}/chat/completions", json=body, timeout=60) as first,
            httpx.stream("POST", f"{server.url}/chat/completions", json=body, timeout=60) as second,
        ):
            assert (first.status_code, second.status_code) == (200, 200)  # the second one comes after PATIENCE
            assert "\\boxed{5}" in "".join(second.iter_text())


def test_the_openai_client_reads_over_comments(slow: Server) -> None:
    with openai.OpenAI(base_url=slow.url, api_key="unused") as client:
        chunks = client.chat.completions.create(model="reasonflux-direct", messages=ASK, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SUM
