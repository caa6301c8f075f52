"""`reasonflux mcp` as a real process, met by the client of the MCP SDK: over stdio and HTTP, in both of its protocols."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from reasonflux_agent import TemplateLibrary
from reasonflux_agent.testing import serve_fake
from tests.serving.mcp_server import COMMAND, ENV, over_http
from tests.serving.servers import ENVIRONMENT, Silent, silent, until

pytest.importorskip("mcp.client", reason="the extra mcp is not installed")
import httpx2  # what the SDK's client is built on
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

MODES = ["auto", "legacy"]
"""The protocol of 2026, without sessions, and the ones before, which begin with a handshake."""
PROBLEM = {"problem": "What is 3 + 4?"}
EVIL = "evil.example"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Silent]:
    with silent() as running:
        yield running


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with serve_fake() as url:
        yield f"vllm:fake@{url}"


@pytest.fixture(scope="module")
def url(model: str) -> Iterator[str]:
    with over_http("--model", model) as served:
        yield served


def stdio(*args: str) -> StdioServerParameters:
    return StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:], *args], env=ENV)


def text(result: Any) -> str:
    return "\n".join(part.text for part in result.content)


def assert_clean(description: str | None) -> None:
    """A description is there, and carries nothing of how its source is indented."""
    assert description
    assert not re.search(r"\n|  |\t", description), description


async def meet(client: Client) -> None:
    """Everything that the server offers."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == ["reason", "search_templates", "check_answer"]
    for tool in tools.values():
        assert_clean(tool.description)
        assert {field["type"] for field in tool.input_schema["properties"].values()} == {"string"}
        assert tool.input_schema["additionalProperties"] is False
        assert tool.annotations
        assert tool.annotations.read_only_hint
        assert tool.output_schema["type"] == "object"
    assert tools["check_answer"].input_schema["required"] == ["problem", "answer"]

    heard: list[tuple[float, str]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message or ""))

    solved = await client.call_tool("reason", PROBLEM, progress_callback=hear)
    assert not solved.is_error
    assert "Answer: 7 (single: one solution, nothing confirms it)" in text(solved)
    short = {"answer": "7", "certainty": "single", "status": "answered", "support": 1, "solutions": 1}
    assert short.items() <= solved.structured_content.items()
    assert solved.structured_content["calls"] > 0
    assert len(json.dumps(solved.structured_content)) < 300  # it goes into the context of the client's model
    assert [number for number, _ in heard] == list(range(1, len(heard) + 1))
    beginnings = [re.split(r"[:\n]", message)[0] for _, message in heard]
    made = "Candidate by navigator"
    assert beginnings == ["Trajectory", "Templates", "Result up to step 2", made, "Review by the checks"]

    found = await client.call_tool("search_templates", {"query": "remainder of a large power"})
    assert text(found).startswith("Template: ")
    first = found.structured_content["templates"][0]
    assert text(found).startswith(f"Template: {first['name']}")
    assert (await read(client, first["uri"]))["id"] == first["id"]
    checked = await client.call_tool("check_answer", {"problem": "Solve x + 2 = 5 for x.", "answer": "4"})
    assert text(checked).startswith("NO: ")
    assert checked.structured_content["holds"] is False
    assert checked.structured_content["checks"]["substitution"] is False
    checked = await client.call_tool("check_answer", {"problem": "Name a number.", "answer": "4"})
    assert checked.structured_content["holds"] is None
    checked = await client.call_tool("check_answer", {"problem": "Solve x + 2 = 5 for x.", "answer": 3, "expected": 3.0})
    assert text(checked).startswith("yes: It means the same as 3.0.")
    assert checked.structured_content["holds"] is True

    heard.clear()
    quick = await client.call_tool("reason", {**PROBLEM, "effort": "low", "deadline": 60}, progress_callback=hear)
    assert "Answer: 7" in text(quick)
    assert not any(message.startswith("Review") for _, message in heard)
    for wrong, said in (({"effort": "most"}, "effort"), ({"deadline": "soon"}, "deadline")):
        refused = await client.call_tool("reason", {**PROBLEM, **wrong})
        assert refused.is_error
        assert said in text(refused)

    prompts = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
    assert list(prompts) == ["solve_with_templates", "check_my_answer", "write_a_template"]
    for prompt in prompts.values():
        assert_clean(prompt.description)
        values = {argument.name: f"<{argument.name}>" for argument in prompt.arguments or ()}
        (message,) = (await client.get_prompt(prompt.name, values)).messages
        assert all(value in message.content.text for value in values.values())

    for arguments, said in (({"problem": " "}, "non-empty"), ({"problem": "x" * 20_001}, "at most 20,000"), ({}, "problem")):
        refused = await client.call_tool("reason", arguments)
        assert refused.is_error
        assert said in text(refused)

    assert [str(r.uri) for r in (await client.list_resources()).resources] == ["templates://chapters"]
    for resource in (await client.list_resources()).resources:
        assert_clean(resource.description)
    for kind in (await client.list_resource_templates()).resource_templates:
        assert_clean(kind.description)
    kinds = {t.uri_template for t in (await client.list_resource_templates()).resource_templates}
    assert kinds == {"templates://chapters/{chapter}", "template://{+id}"}
    chapters = await read(client, "templates://chapters")
    assert sum(row["templates"] for row in chapters) == len(TemplateLibrary.builtin())
    rows = await read(client, next(row["uri"] for row in chapters if " " in row["chapter"]))
    template = await read(client, rows[0]["uri"])
    assert template["name"] == rows[0]["name"]
    assert template["flow"]
    for uri, said in (("templates://chapters/None", "no chapter 'None'"), ("template://a/b/c", "no template 'a/b/c'")):
        with pytest.raises(MCPError, match=said):
            await client.read_resource(uri)


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_wrong_arguments_are_refused_in_our_words(transport: str, url: str, model: str) -> None:
    reason_takes = "problem (a text), effort (a text, optional), deadline (a text, optional)."
    takes = "It takes: problem (a text), answer (a text), work (a text, optional), expected (a text, optional)."
    good = {"problem": "Solve x + 2 = 5 for x.", "answer": "4"}
    cases: list[tuple[str, dict[str, Any], str]] = [
        (
            "check_answer",
            {**good, "expectd": "3"},
            f"check_answer takes no argument 'expectd'. Did you mean 'expected'? {takes}",
        ),
        ("check_answer", {"problem": "x"}, f"check_answer needs the argument 'answer'; given: 'problem'. {takes}"),
        ("check_answer", {**good, "answer": True}, f"check_answer takes a text for 'answer'; given: true. {takes}"),
        ("check_answer", {**good, "problem": 4}, f"check_answer takes a text for 'problem'; given: 4. {takes}"),
        ("check_answer", {**good, "work": ["a"]}, f"check_answer takes a text for 'work'; given: [\"a\"]. {takes}"),
        ("reason", {"problem": None}, f"reason takes a text for 'problem'; given: null. It takes: {reason_takes}"),
        ("reason", {}, f"reason needs the argument 'problem'; given: nothing. It takes: {reason_takes}"),
        ("reason", {**PROBLEM, "x": None}, f"reason takes no argument 'x'. It takes: {reason_takes}"),
    ]
    async with Client(url if transport == "http" else stdio("--model", model), mode="auto") as client:
        for name, arguments, said in cases:
            refused = await client.call_tool(name, arguments)
            assert (refused.is_error, text(refused)) == (True, said)
        unknown = await client.call_tool("solve", PROBLEM)
        assert text(unknown) == "There is no tool 'solve'. There are: reason, search_templates, check_answer."
        numbers = {**good, "answer": 3, "expected": 3.0}
        assert text(await client.call_tool("check_answer", numbers)).startswith("yes: It means the same as 3.0.")
        # null is how many clients leave an optional argument out
        assert text(await client.call_tool("check_answer", {**good, "work": None, "expected": None})).startswith("NO: ")


async def read(client: Client, uri: str) -> Any:
    (content,) = (await client.read_resource(uri)).contents
    assert content.mime_type == "application/json"
    return json.loads(content.text)  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_over_stdio_finds_all(model: str, mode: str) -> None:
    async with Client(stdio("--model", model), mode=mode) as client:
        await meet(client)


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_over_http_finds_all(url: str, mode: str) -> None:
    async with Client(url, mode=mode) as client:
        await meet(client)


async def test_the_state_of_the_server_needs_no_key(model: str) -> None:
    with over_http("--model", model, "--host", "0.0.0.0", REASONFLUX_API_KEY="secret") as url:
        assert httpx.get(url.replace("/mcp", "/healthz"), trust_env=False).text == "ok"
        assert httpx.get(url, trust_env=False).status_code == 401


async def test_many_calls_go_on_at_once(url: str) -> None:
    async with Client(url, mode="auto") as client:
        calls = [client.call_tool("reason", {"problem": f"What is {n} + 1?"}) for n in range(12)]
        answers = [text(done) for done in await asyncio.gather(*calls)]
    assert [re.findall(r"Answer: (\d+)", answer) for answer in answers] == [[str(n + 1)] for n in range(12)]


@pytest.fixture(scope="module")
def waiting(upstream: Silent) -> Iterator[dict[str, Any]]:
    """Servers whose model never answers."""
    args = ("--model", f"vllm:fake@{upstream.url}")
    with over_http(*args) as url:
        yield {"http": url, "stdio": stdio(*args)}


@pytest.mark.parametrize(("transport", "mode"), [("stdio", "auto"), ("http", "auto"), ("http", "legacy")])
async def test_a_cancelled_call_ends_its_model_call(
    upstream: Silent, waiting: dict[str, Any], transport: str, mode: str
) -> None:
    async with Client(waiting[transport], mode=mode) as client:
        call = asyncio.create_task(client.call_tool("reason", PROBLEM))
        assert await asyncio.to_thread(upstream.asked.acquire, timeout=60)
        call.cancel()
        assert await asyncio.to_thread(upstream.hung_up.acquire, timeout=20)
        # and the server goes on
        assert "NO:" in text(await client.call_tool("check_answer", {"problem": "Solve x = 5 for x.", "answer": "4"}))


async def test_a_client_that_goes_away_ends_server_and_run(upstream: Silent, waiting: dict[str, Any]) -> None:
    async with Client(waiting["stdio"], mode="auto") as client:
        call = asyncio.create_task(client.call_tool("reason", PROBLEM))
        assert await asyncio.to_thread(upstream.asked.acquire, timeout=60)
    assert await asyncio.to_thread(upstream.hung_up.acquire, timeout=20)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)


async def test_a_model_that_fails_is_a_tool_error_with_our_text() -> None:
    async with Client(stdio("--model", "vllm:fake@http://127.0.0.1:9/v1"), mode="auto") as client:
        failed = await client.call_tool("reason", PROBLEM)
    assert failed.is_error
    assert "Next:" in text(failed)


def test_a_spec_that_names_no_model_is_refused_at_the_start() -> None:
    done = subprocess.run([*COMMAND, "--model", "nonsense"], capture_output=True, text=True, timeout=60, env=ENV, check=False)
    assert done.returncode == 2
    assert "'nonsense' names no model" in done.stderr


def test_stdout_is_the_protocols_alone_and_the_server_ends_with_stdin() -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}) + "\n"
    done = subprocess.run(COMMAND, input=line, capture_output=True, text=True, timeout=60, env=ENV, check=False)
    assert done.returncode == 0, done.stderr
    assert [json.loads(row)["id"] for row in done.stdout.splitlines()] == [1]


def test_it_ends_when_it_is_told_to() -> None:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([*COMMAND, "--transport", "http", "--port", "0"], stderr=log, env=ENV)

        def said() -> bytes:
            log.seek(0)
            return log.read()

        assert until(lambda: b"Serving on" in said(), 60.0), said()
        process.terminate()
        assert process.wait(20) == 0, said()
        assert b"Traceback" not in said()


@pytest.mark.local_model
async def test_a_model_in_the_servers_own_process_leaves_the_protocol_alone() -> None:
    server = stdio("--model", "local:smollm2-135m")
    cache = {name: os.environ[name] for name in ("REASONFLUX_CACHE",) if name in os.environ}
    server.env = {**ENVIRONMENT, **cache, "REASONFLUX_EFFORT": "low", "REASONFLUX_MAX_TOKENS": "48"}
    async with Client(server, mode="auto") as client:
        done = await client.call_tool("reason", PROBLEM)
    assert not done.is_error
    assert "Answer: " in text(done)


# Who may ask


def test_under_a_foreign_name_nobody_is_served(url: str) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    assert httpx.post(url, json=hello, headers={**accept, "Host": EVIL}).status_code == 421
    assert httpx.post(url, json=hello, headers={**accept, "Origin": f"http://{EVIL}"}).status_code == 403


async def test_with_a_key_whoever_bears_it_is_served_under_any_name(model: str) -> None:
    with over_http("--model", model, "--host", "0.0.0.0", REASONFLUX_API_KEY="secret") as url:
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
            refused = httpx.post(url, json={}, headers=wrong)
            assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        headers = {"Authorization": "Bearer secret", "Host": EVIL}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as bearing,
            Client(streamable_http_client(url, http_client=bearing), mode="auto") as client,
        ):
            assert "Answer: 7" in text(await client.call_tool("reason", PROBLEM))


@pytest.mark.parametrize(
    ("args", "said", "code"),
    [
        (["--transport", "http", "--host", "0.0.0.0"], "there is no key. Next: set REASONFLUX_API_KEY", 2),
        (["--port", "8000"], "--transport http", 2),
        (["--transport", "http", "--port", "0", "--host", "no.such.host.invalid"], "no key", 2),
        (["--library", "nowhere"], "neither a registered name nor a path", 2),
        (["--transport", "carrier-pigeon"], "carrier-pigeon", 2),
    ],
)
def test_what_cannot_be_served_is_refused(args: list[str], said: str, code: int) -> None:
    done = subprocess.run([*COMMAND, *args], capture_output=True, text=True, timeout=60, env=ENV, check=False)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(url: str) -> None:
    port = url.split(":")[2].split("/")[0]
    command = [*COMMAND, "--transport", "http", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=ENV, check=False)
    assert done.returncode == 2
    assert f"port {port} cannot be served on" in done.stderr


def test_without_the_extra_the_pip_line_is_printed() -> None:
    program = "import sys; sys.modules['mcp'] = None; sys.argv[1:] = ['mcp']; import reasonflux_agent.cli as c; c.main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=ENV)
    assert done.returncode == 5
    assert "The MCP server needs mcp, which is not installed. Next: pip install 'reasonflux-agent[mcp]'" in done.stderr
