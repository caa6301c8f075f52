"""The endpoint as its users see it: the official client, LangChain's, curl; each against a real server process."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI

from reasonflux_agent.runs.record import read_record
from reasonflux_agent.testing import serve_fake
from tests.serving.servers import COMMAND, ENVIRONMENT, Server, Silent, Upstream, served, silent, until

MODEL = "reasonflux-navigator-low"
PROBLEM = "Add 2 and 3."
ASK = [{"role": "user", "content": PROBLEM}]
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key="unused", max_retries=0)


def test_the_official_client_gets_answer_reasoning_and_usage(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=400, temperature=0.5, seed=3)
    choice = done.choices[0]
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert choice.message.content == "Adding the numbers gives $\\boxed{5}$."
    thought = choice.message.reasoning_content
    assert thought.startswith("Trajectory\nKind: addition\n1. Collect the numbers | find: adding integers\n2. Add them")
    assert "Templates" in thought
    assert "Adding the numbers" not in thought  # one attempt decides: what the solver writes is the answer
    assert done.usage.prompt_tokens > 50
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens
    assert done.usage.prompt_tokens_details.cached_tokens == 0
    assert done.reasonflux["answer"] == "5"
    assert done.reasonflux["status"] == "answered"
    assert done.id == f"chatcmpl-{done.reasonflux['run']}"


def test_a_stream_tells_the_same_piece_by_piece(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=ASK)
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model=MODEL, messages=ASK, stream=True, stream_options=options))
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    thoughts = [delta.reasoning_content for delta in deltas if getattr(delta, "reasoning_content", None)]
    assert len(thoughts) >= 4
    assert "".join(thoughts) == whole.choices[0].message.reasoning_content
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_the_reasoning_of_several_attempts_is_told_by_node_and_attempt(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(model="reasonflux-medium", messages=ASK)
    thought = done.choices[0].message.reasoning_content
    for part in (
        "Trajectory, attempt 0\nKind: addition",
        "Direct solution, draft 0\nAdding",
        "Direct solution, draft 1\n```python",
        "The program printed: 5",
        "Solution, attempt 0\nAdding the numbers",
        "Candidate by navigator: 5",
    ):
        assert thought.count(part) == 1, thought


async def test_the_asynchronous_client_streams_too(server: Server) -> None:
    async with openai.AsyncOpenAI(base_url=server.url, api_key="unused") as client:
        stream = await client.chat.completions.create(model="reasonflux-direct", messages=ASK, stream=True)
        content = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(content).endswith("\\boxed{5}$.")


def test_strategies_and_efforts_are_models(client: openai.OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    efforts = ["reasonflux", "reasonflux-low", "reasonflux-medium", "reasonflux-high", "reasonflux-auto"]
    assert ids[:5] == efforts
    assert {*ids[5:]} == {f"reasonflux-{name}" for name in ("direct", "original", "program", "propose", "recall")}
    for name in ("reasonflux-navigator-medium", "reasonflux-original-low", "reasonflux-propose-auto"):
        assert client.models.retrieve(name).id == name
    assert client.models.retrieve("reasonflux-direct-high").owned_by == "builtin"
    with pytest.raises(openai.NotFoundError, match=r"'gpt-9' does not exist. There are: .*reasonflux-direct"):
        client.models.retrieve("gpt-9")


def test_the_context_can_be_set_by_name_by_parameter_and_by_extra_body(client: openai.OpenAI, upstream: Upstream) -> None:
    def calls(model: str, **more: object) -> int:
        before = upstream.calls
        client.chat.completions.create(model=model, messages=ASK, **more)
        return upstream.calls - before

    assert calls("reasonflux-navigator-low") == 2
    assert calls("reasonflux-navigator", reasoning_effort="low") == 2
    assert calls("reasonflux-navigator-high", extra_body={"reasonflux": {"effort": "low", "direct_samples": 1}}) == 3


def test_earlier_turns_are_no_part_of_the_problem(client: openai.OpenAI) -> None:
    turns = [{"role": "system", "content": "Be 7."}, {"role": "user", "content": "Add 8 and 9."}]
    turns += [{"role": "assistant", "content": "17"}, {"role": "user", "content": [{"type": "text", "text": PROBLEM}]}]
    done = client.chat.completions.create(model=MODEL, messages=turns)
    assert done.reasonflux["answer"] == "5"


def test_what_cannot_be_honoured_is_refused_in_openais_shape(client: openai.OpenAI) -> None:
    demanded = {"tools": [TOOL], "tool_choice": "required"}
    with pytest.raises(openai.BadRequestError, match="'tool_choice' demands the call of a tool") as caught:
        client.chat.completions.create(model=MODEL, messages=ASK, **demanded)
    assert caught.value.param == "tool_choice"
    assert caught.value.code == "unsupported_parameter"
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id.startswith("req_")
    client.chat.completions.create(model=MODEL, messages=ASK, n=1, top_p=1, tools=[], user="me", presence_penalty=0)


def test_out_of_time_is_the_best_answer_so_far(client: openai.OpenAI) -> None:
    ask = [{"role": "user", "content": "Add slowly 2 and 3."}]
    done = client.chat.completions.create(model=MODEL, messages=ask, extra_body={"reasonflux": {"deadline": 0.3}})
    assert done.choices[0].finish_reason == "length"
    assert done.reasonflux["status"] == "exhausted"
    assert "deadline" in done.choices[0].message.content


def test_langchains_client_invokes_and_streams(server: Server) -> None:
    model = ChatOpenAI(model=MODEL, base_url=server.url, api_key="unused", stream_usage=True)
    turns = [("system", "Be brief."), ("human", PROBLEM)]
    reply = model.invoke(turns)
    assert reply.text.endswith("\\boxed{5}$.")
    assert reply.usage_metadata["total_tokens"] > 50
    chunks = list(model.stream(turns))
    assert "".join(chunk.text for chunk in chunks) == reply.text
    assert [chunk.usage_metadata["total_tokens"] for chunk in chunks if chunk.usage_metadata] == [
        reply.usage_metadata["total_tokens"]
    ]


def test_curl(server: Server) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    body = json.dumps({"model": MODEL, "messages": ASK, "stream": True})
    command = [curl, "-sN", f"{server.url}/chat/completions", "-H", "Content-Type: application/json", "-d", body]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    assert json.loads(lines[0].removeprefix("data: "))["object"] == "chat.completion.chunk"
    refused = subprocess.run([*command[:-2], "-d", "{"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert json.loads(refused)["error"]["code"] == "invalid_json"


async def test_sixty_four_at_once_are_served_within_the_limit_or_told_to_come_back(server: Server, upstream: Upstream) -> None:
    assert until(lambda: upstream.under_way == 0)  # a call that an earlier test gave up may still sleep
    upstream.peak = 0
    async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=64)) as client:

        async def one(number: int) -> httpx.Response:
            ask = [{"role": "user", "content": f"Add slowly {number} and 1000."}]
            return await client.post(f"{server.url}/chat/completions", json={"model": MODEL, "messages": ask})

        replies = await asyncio.gather(*map(one, range(64)))
        served_ = {n: r for n, r in enumerate(replies) if r.status_code == 200}
        turned_away = [reply for reply in replies if reply.status_code == 429]
        assert len(served_) + len(turned_away) == 64
        assert 40 <= len(served_) < 64
        assert {n: r.json()["reasonflux"]["answer"] for n, r in served_.items()} == {n: str(n + 1000) for n in served_}
        assert all(reply.headers["retry-after"] == "5" for reply in turned_away)
        assert turned_away[0].json()["error"]["code"] == "rate_limit_exceeded"
        assert upstream.peak <= 8
        assert (await one(1)).status_code == 200


@pytest.fixture(scope="module")
def hanging() -> Iterator[Silent]:
    with silent() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def waiting(hanging: Silent) -> Iterator[Server]:
    """A server whose model never answers, and which runs one request at a time."""
    with served("--model", f"vllm:fake@{hanging.url}", "--max-concurrency", "1") as running:
        yield running


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_ends_the_run_and_its_model_call(waiting: Server, hanging: Silent, stream: bool) -> None:
    body = {"model": MODEL, "messages": ASK, "stream": stream}
    with httpx.Client(timeout=httpx.Timeout(60, read=3)) as client, pytest.raises(httpx.ReadTimeout):
        client.post(f"{waiting.url}/chat/completions", json=body)
    assert hanging.asked.acquire(timeout=60)
    assert hanging.hung_up.acquire(timeout=60)
    gone = f'model="{MODEL}",status="499"}} {1 + stream}.0'
    assert until(lambda: gone in httpx.get(f"{waiting.root}/metrics").text)  # so the one place is free again


def test_health_metrics_and_a_log_without_contents(server: Server, client: openai.OpenAI) -> None:
    client.chat.completions.create(model="reasonflux-direct-low", messages=[{"role": "user", "content": "Add 31415 and 1."}])
    assert httpx.get(f"{server.root}/healthz").json() == {"status": "ok"}
    numbers = httpx.get(f"{server.root}/metrics").text
    assert 'reasonflux_requests_total{model="reasonflux-direct-low",status="200"} 1.0' in numbers
    assert 'reasonflux_request_seconds_count{model="reasonflux-direct-low"} 1.0' in numbers
    assert 'reasonflux_tokens_total{kind="prompt",node="reason"}' in numbers
    assert "reasonflux_requests_in_flight 1.0" in numbers  # the one that asks
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    last = next(line for line in reversed(lines) if line.get("model") == "reasonflux-direct-low")
    assert {"method": "POST", "path": "/v1/chat/completions", "status": 200, "outcome": "answered"}.items() <= last.items()
    assert "31415" not in server.log.read_text()


def test_other_addresses_need_a_key_at_the_start() -> None:
    done = subprocess.run([*COMMAND, "--host", "0.0.0.0"], capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "there is no key. Next: set REASONFLUX_API_KEY" in done.stderr


def test_a_port_that_is_taken_is_one_clear_error(server: Server) -> None:
    port = server.root.rpartition(":")[2]
    done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
    assert done.returncode == 2
    assert f"127.0.0.1 port {port} cannot be served on" in done.stderr


def test_with_a_key_records_a_body_limit_and_a_graceful_end(tmp_path: Path) -> None:
    upstream = Upstream()
    options = ("--host", "0.0.0.0", "--record", str(tmp_path), "--max-body", "2000")
    with (
        serve_fake(upstream) as url,
        served("--model", f"vllm:fake@{url}", *options, REASONFLUX_API_KEY="sesame") as server,
        openai.OpenAI(base_url=server.url, api_key="sesame", max_retries=0) as client,
    ):
        with pytest.raises(openai.AuthenticationError, match="Incorrect API key") as caught:
            openai.OpenAI(base_url=server.url, api_key="wrong").models.list()
        assert caught.value.code == "invalid_api_key"
        assert httpx.get(f"{server.url}/models").status_code == 401
        assert httpx.get(f"{server.root}/metrics").status_code == 401
        assert httpx.get(f"{server.root}/healthz").status_code == 200
        with pytest.raises(openai.APIStatusError, match="larger than 2,000 bytes") as large:
            client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "9" * 2000}])
        assert large.value.status_code == 413

        ask = [{"role": "user", "content": "Add slowly 2 and 3."}]
        stream = client.chat.completions.create(model=MODEL, messages=ask, stream=True)
        next(iter(stream))
        server.process.terminate()
        chunks = list(stream)  # the run under way is finished
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert server.process.wait(60) == 0
        assert "sesame" not in server.log.read_text()
        assert "Traceback" not in server.log.read_text()
        record = read_record(tmp_path / f"{chunks[0].id.removeprefix('chatcmpl-')}.jsonl")
        assert record.solution is not None
        assert len(record.calls) == upstream.calls == 2
