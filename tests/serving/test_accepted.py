"""What clients send besides the problem: honoured, or left out and named; and what chat clients ask about a chat."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError
from reasonflux_agent.serving.housekeeping import is_housekeeping
from reasonflux_agent.serving.middleware import check_origins, ignored_header
from reasonflux_agent.serving.requests import model_names, request_of
from reasonflux_agent.testing import FakeModel
from tests.serving.servers import Server, Upstream
from tests.serving.test_app import GOOD, Client

ASK: Any = [{"role": "user", "content": "Add 2 and 3."}]
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
CHAT = "<chat_history>\nUSER: Add 2 and 3.\nASSISTANT: It is 5.\n</chat_history>"
HOUSEKEEPING = {
    "open-webui, title": f"### Task:\nGenerate a concise title.\n### Output:\nJSON\n### Chat History:\n{CHAT}",
    "open-webui, tags": f"### Task:\nGenerate 1-3 broad tags.\n\n### Chat History:\n{CHAT}\n",
    "open-webui, follow-ups": f"### Task:\nSuggest 3-5 follow-up questions.\n### Chat History:\n{CHAT}",
    "open-webui, autocompletion": f"### Task:\nYou complete text.\n### Context:\n{CHAT}\n<type>search</type><text>Ad</text>",
    "librechat, title": "Provide a concise, 5-word-or-less title for the conversation, using title case. Only return the title."
    "\n\nConversation:\nUser: Add 2 and 3.\nAI: It is 5.",
}


@pytest.fixture
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key="unused", max_retries=0)


@pytest.fixture
def calls(upstream: Upstream) -> Callable[[Callable[[], Any]], int]:
    def count(ask: Callable[[], Any]) -> int:
        before = upstream.calls
        ask()
        return upstream.calls - before

    return count


def test_what_has_no_meaning_here_is_left_out_and_named(client: openai.OpenAI) -> None:
    more: Any = {"top_p": 0.9, "frequency_penalty": 0.5, "logprobs": True, "tools": [TOOL], "tool_choice": "auto"}
    raw = client.chat.completions.with_raw_response.create(
        model="reasonflux-direct", messages=ASK, **more, extra_body={"top_k": 40, "chat_template_kwargs": {"x": 1}}
    )
    named = raw.headers["x-reasonflux-ignored"].split(", ")
    assert named == ["chat_template_kwargs", "frequency_penalty", "logprobs", "tools", "top_k", "top_p"]
    done = raw.parse()
    assert done.choices[0].message.content == "Adding the numbers gives $\\boxed{5}$."
    assert done.choices[0].message.tool_calls is None
    assert done._request_id.startswith("req_")
    plain = client.chat.completions.with_raw_response.create(model="reasonflux-direct", messages=ASK, temperature=0)
    assert "x-reasonflux-ignored" not in plain.headers
    with client.chat.completions.with_streaming_response.create(
        model="reasonflux-direct", messages=ASK, stream=True, top_p=0.5
    ) as stream:
        assert stream.headers["x-reasonflux-ignored"] == "top_p"


def test_a_header_takes_no_name_that_breaks_it() -> None:
    assert ignored_header(["a\r\nSet-Cookie: x", "é", "", "b", "x" * 65]) == {"x-reasonflux-ignored": "b"}
    assert ignored_header(["a\nb"]) == {}


@pytest.mark.parametrize(("given", "used"), [(1, 16), (15, 16), (16, 16), (400, 400), (10**6, 200_000)])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_of_tokens_is_brought_into_bounds(name: str, given: int, used: int) -> None:
    names = model_names(["navigator"])
    ask = request_of({**GOOD, "model": "reasonflux", name: given}, names)
    assert ask.run(names) == ("navigator", {"max_tokens": used})
    assert ask.ignored == ((name,) if given != used else ())


@pytest.mark.parametrize(
    ("model", "more", "strategy", "effort"),
    [
        ("reasonflux", {}, "navigator", None),
        ("reasonflux-high", {}, "navigator", "high"),
        ("reasonflux-high", {"reasoning_effort": "low"}, "navigator", "low"),
        ("reasonflux", {"reasoning_effort": "none"}, "direct", "low"),
        ("reasonflux-navigator", {"reasoning_effort": "none"}, "navigator", "low"),
        ("reasonflux", {"reasoning_effort": "minimal"}, "navigator", "low"),
        ("reasonflux", {"reasoning_effort": "xhigh"}, "navigator", "high"),
        ("reasonflux", {"reasoning": {"effort": "medium", "summary": "auto"}}, "navigator", "medium"),
        ("reasonflux", {"reasoning": {"effort": None}}, "navigator", None),
        ("reasonflux", {"reasoning_effort": "auto"}, "navigator", "auto"),
    ],
)
def test_an_effort_in_any_spelling(model: str, more: dict[str, Any], strategy: str, effort: str | None) -> None:
    names = model_names(["navigator", "direct"])
    fields = {} if effort is None else {"effort": effort}
    assert request_of({**GOOD, "model": model, **more}, names).run(names) == (strategy, fields)
    Context(**fields)


def test_n_are_the_top_candidates_of_the_vote(client: openai.OpenAI, calls: Any) -> None:
    done = client.chat.completions.create(model="reasonflux-medium", messages=ASK, n=3)
    assert [choice.index for choice in done.choices] == [0, 1, 2]
    texts = [choice.message.content for choice in done.choices]
    assert all("\\boxed{5}" in text for text in texts)
    assert sum("```python" in text for text in texts) == 1  # of two direct samples and a plan, the second one is a program
    streamed = list(client.chat.completions.create(model="reasonflux-medium", messages=ASK, n=3, stream=True))
    told = ["", "", ""]
    for chunk in streamed:
        told[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert sorted(told) == sorted(texts)
    assert sorted(c.choices[0].index for c in streamed if c.choices[0].finish_reason) == [0, 1, 2]
    assert calls(lambda: client.chat.completions.create(model="reasonflux-direct-low", messages=ASK, n=4)) == 4


def test_nothing_behind_a_stop_is_sent(client: openai.OpenAI) -> None:
    for model in ("reasonflux-direct-low", "reasonflux-medium"):
        done = client.chat.completions.create(model=model, messages=ASK, stop=["gives", "never"])
        assert done.choices[0].message.content == "Adding the numbers "
        chunks = client.chat.completions.create(model=model, messages=ASK, stop="gives", stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Adding the numbers "
        assert done.reasonflux["answer"] == "5"


@pytest.mark.parametrize("task", HOUSEKEEPING.values(), ids=HOUSEKEEPING)
@pytest.mark.parametrize("stream", [False, True])
def test_a_task_about_a_chat_costs_one_plain_call(client: openai.OpenAI, calls: Any, task: str, stream: bool) -> None:
    ask: Any = [{"role": "user", "content": task}]
    found: list[Any] = []

    def one() -> None:
        made = client.chat.completions.create(model="reasonflux-high", messages=ask, stream=stream, max_tokens=50)
        found.extend(made if stream else [made])

    assert calls(one) == 1
    assert found[-1].reasonflux["strategy"] == "plain"
    choices = [chunk.choices[0] for chunk in found]
    text = "".join(c.delta.content or "" for c in choices) if stream else choices[0].message.content
    assert text.startswith("Adding the numbers gives")


CODING = {
    "edit": "Act as an expert software developer.\nTake requests for changes to the supplied code.",
    "commit": "You are an expert software engineer that generates concise, one-line Git commit messages based on the diffs.",
    "summary": "*Briefly* summarize this partial conversation about programming.",
}
"""The beginnings of aider's system prompts."""


@pytest.mark.parametrize("system", CODING.values(), ids=CODING)
def test_a_change_of_files_costs_one_plain_call(client: openai.OpenAI, calls: Any, system: str) -> None:
    turns = [{"role": "user", "content": "Change it."}, {"role": "assistant", "content": "Ok."}]
    ask: Any = [{"role": "system", "content": system}, *turns, *ASK]
    assert calls(lambda: client.chat.completions.create(model="reasonflux", messages=ask)) == 1
    asking = [{"role": "system", "content": "Act as an expert code analyst."}, *ask[1:]]
    assert not is_housekeeping(asking)


def test_a_plain_call_is_told_as_it_is_written(client: openai.OpenAI) -> None:
    ask: Any = [{"role": "user", "content": HOUSEKEEPING["open-webui, title"]}]
    chunks = client.chat.completions.create(model="reasonflux", messages=ask, stream=True, stop="gives")
    told = [text for chunk in chunks if (text := chunk.choices[0].delta.content)]
    assert "".join(told) == "Adding the numbers "
    assert len(told) > 1


@pytest.mark.parametrize(
    "problem", ["Task: add 2 and 3.", "### Task:\nAdd 2 and 3.", f"What is 2 + 3?\n{CHAT}", "Provide a title for 2 + 3."]
)
def test_a_problem_is_no_task_about_a_chat(problem: str) -> None:
    assert not is_housekeeping([{"role": "user", "content": problem}])
    asked = {"role": "user", "content": HOUSEKEEPING["open-webui, title"]}
    assert is_housekeeping([asked])
    assert not is_housekeeping([asked, {"role": "assistant", "content": "x"}, {"role": "user", "content": "And 3 + 4?"}])


SHAPES: dict[str, dict[str, Any]] = {
    "open-webui 0.12.4": {"model": "reasonflux", "stream": True, "tools": [TOOL] * 40, "messages": ASK},
    "open-webui": {
        "model": "reasonflux",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "system", "content": "Be brief."}, *ASK],
        "temperature": 0.8,
        "top_k": 40,
        "top_p": 0.9,
        "min_p": 0.0,
        "repeat_penalty": 1.1,
        "num_ctx": 2048,
        "keep_alive": "5m",
        "seed": 0,
        "max_tokens": 128,
        "frequency_penalty": 0,
    },
    "aider": {
        "model": "reasonflux-medium",
        "stream": True,
        "temperature": 0,
        "messages": [
            {"role": "system", "content": "Act as an expert."},
            {"role": "user", "content": "Add 8 and 9."},
            {"role": "assistant", "content": "17"},
            *ASK,
            {"role": "system", "content": "Reply in the format of the house."},
        ],
        "extra_headers": {"x": "y"},
        "num_retries": 0,
        "reasoning_effort": "high",
    },
    "vercel ai sdk": {
        "model": "reasonflux-direct",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Add 2 and 3."}]}],
        "tools": [TOOL],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "stream": False,
    },
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_shapes_of_chat_clients_are_answered(server: Server, shape: dict[str, Any]) -> None:
    reply = httpx.post(f"{server.url}/chat/completions", json=shape, timeout=60)
    assert reply.status_code == 200, reply.text
    if shape["stream"]:
        rows = [json.loads(row[6:]) for row in reply.text.split("\n\n") if row.startswith("data: {")]
        text = "".join(row["choices"][0]["delta"].get("content") or "" for row in rows if row["choices"])
    else:
        text = reply.json()["choices"][0]["message"]["content"]
    assert "\\boxed{5}" in text


ORIGIN = "https://chat.example"


def test_a_page_that_is_allowed_may_ask_and_no_other() -> None:
    one = Client(FakeModel(), api_key="sesame", origins=[ORIGIN])
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    asks["Access-Control-Request-Headers"] = "authorization,content-type,x-stainless-lang"
    first = one.send("OPTIONS", "/v1/chat/completions", headers=asks)
    assert first.status_code == 200
    assert first.headers["access-control-allow-origin"] == ORIGIN
    assert "x-stainless-lang" in first.headers["access-control-allow-headers"]
    refused = one.send("OPTIONS", "/v1/chat/completions", headers={**asks, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers
    reply = one.post({**GOOD, "top_p": 0.5}, Origin=ORIGIN, Authorization="Bearer sesame")
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert "x-reasonflux-ignored" in reply.headers["access-control-expose-headers"]
    assert reply.headers["x-request-id"].startswith("req_")
    wrong = one.post(GOOD, Origin=ORIGIN)
    assert (wrong.status_code, wrong.headers["access-control-allow-origin"]) == (401, ORIGIN)
    assert wrong.headers["x-request-id"].startswith("req_")
    one.close()
    none = Client(FakeModel())
    assert "access-control-allow-origin" not in none.post(GOOD, Origin=ORIGIN).headers
    none.close()


def test_an_origin_is_checked_before_the_server_starts() -> None:
    assert check_origins([f"{ORIGIN}/", "http://localhost:3000"], None) == [ORIGIN, "http://localhost:3000"]
    assert check_origins(["*"], "sesame") == ["*"]
    with pytest.raises(InputError, match="every web page"):
        check_origins(["*"], None)
    for wrong in ("chat.example", "https://chat.example/page", "https://*.example"):
        with pytest.raises(InputError, match=r"no origin\. Next:"):
            check_origins([wrong], None)
