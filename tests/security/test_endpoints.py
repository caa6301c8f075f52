"""Whatever is sent to an endpoint: a reply of the kind that it promises, never a failure of the server.

Bodies of `/v1/chat/completions` are fuzzed in tests/serving/test_app.py; here are paths and headers, the run page with its
forms and its stream over damaged records, the tools of MCP, and the contexts that a LangGraph server passes on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client as McpClient
from mcp import MCPError
from pydantic import ValidationError
from starlette.types import ASGIApp

from reasonflux_agent import ReasonFlux, create_reasonflux
from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError, ReasonFluxError
from reasonflux_agent.runs.runner import Runner
from reasonflux_agent.serving.app import create_app
from reasonflux_agent.serving.mcp import create_mcp
from reasonflux_agent.serving.ui.routes import create_ui_app
from reasonflux_agent.serving.ui.runs import Runs
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.testing import FakeModel
from tests.graph.fakes import Scripted
from tests.security.test_files import LINES, spoilt_lines
from tests.security.texts import json_values, texts

LOW = Context(effort="low", templates=0)
NAMES = ["host", "origin", "authorization", "content-type", "content-length", "sec-fetch-site", "cookie"]
headers = st.dictionaries(
    st.sampled_from(NAMES),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=40)
    | st.sampled_from(["[", "//[", "²", "9" * 20]),
    max_size=3,
)
paths = st.lists(
    st.sampled_from(["v1", "ui", "models", "runs", "events", "answer", "..", "%2e%2e", "metrics"]) | texts, max_size=4
)


class App:
    """Sends requests to an application on one event loop."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self.runner = app, asyncio.Runner()

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)  # what an application raises, it raises here
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, **more)

        return self.runner.run(one())


@pytest.fixture(scope="module")
def api() -> Iterator[App]:
    one = App(create_app(Runner(navigator=FakeModel(), context=LOW)))
    yield one
    one.runner.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[App]:
    async def app() -> ASGIApp:
        return create_ui_app(Runs(folder, navigator=FakeModel(), context=LOW))

    with asyncio.Runner() as runner:
        made = runner.run(app())
    one = App(made)
    yield one
    one.runner.close()


@given(st.sampled_from(["GET", "POST", "PUT", "OPTIONS"]), paths, headers)
def test_no_path_and_no_header_makes_the_server_fail(api: App, method: str, path: list[str], given: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in given.items()}
    way = "/" + "/".join(quote(part, safe="%", errors="replace") for part in path).lstrip("/")
    reply = api.send(method, way, headers=raw, content=b"{}")
    assert reply.status_code < 500, reply.text
    assert reply.status_code < 400 or reply.json()["error"]["message"]


@given(st.sampled_from(["GET", "POST"]), paths, headers, st.dictionaries(texts, texts, max_size=3))
def test_no_path_and_no_header_makes_the_page_fail(
    page: App, method: str, path: list[str], given: dict[str, str], query: dict[str, str]
) -> None:
    raw = {name: value.encode("latin-1") for name, value in given.items()}
    way = "/ui/" + "/".join(quote(part, safe="%", errors="replace") for part in path)
    asked = urlencode({"q": "x", **query}, errors="replace")
    reply = page.send(method, f"{way}?{asked}", headers=raw)
    assert reply.status_code < 500, reply.text


FIELDS = ["problem", "effort", "granularity", "strategy", "ask", "question", "action", "step", "1.purpose", "1.template"]
forms = st.dictionaries(
    st.sampled_from(FIELDS) | texts, texts | st.sampled_from(["navigator", "plan", "edit", "high", "no"]), max_size=5
)


@settings(max_examples=40)
@given(
    forms | st.just({str(n): "" for n in range(6_000)}), st.sampled_from(["", "runs/x/answer", "runs/x/resume", "runs/x/stop"])
)
def test_no_form_makes_the_page_fail(page: App, form: dict[str, str], place: str) -> None:
    body = urlencode(form, errors="replace")
    reply = page.send("POST", f"/ui/{place}", content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert reply.status_code in (303, 400, 404), reply.text


@given(spoilt_lines(LINES))
def test_a_damaged_record_is_a_page_that_says_so(page: App, folder: Path, content: bytes) -> None:
    (folder / "spoilt.jsonl").write_bytes(content)
    assert page.send("GET", "/ui/").status_code == 200
    reply = page.send("GET", "/ui/runs/spoilt")
    (folder / "spoilt.jsonl").unlink()
    assert reply.status_code in (200, 404), reply.text


def test_the_stream_of_a_damaged_record_does_not_begin(page: App, folder: Path) -> None:
    lines = [{**line, "result": 7} if line["type"] == "step" else line for line in LINES]
    (folder / "spoilt.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    reply = page.send("GET", "/ui/runs/spoilt/events")
    (folder / "spoilt.jsonl").unlink()
    assert reply.status_code == 404
    assert "is damaged" in reply.text


def test_odd_files_hide_no_run(page: App, folder: Path) -> None:
    (folder / "a-folder.jsonl").mkdir()
    (folder / "nowhere.jsonl").symlink_to(folder / "no such file")
    try:
        assert page.send("GET", "/ui/").status_code == 200
        assert page.send("GET", "/ui/runs/a-folder").status_code == 404
    finally:
        (folder / "a-folder.jsonl").rmdir()
        (folder / "nowhere.jsonl").unlink()


@pytest.fixture(scope="module")
def mcp() -> Any:
    small = TemplateLibrary(TemplateLibrary.builtin().templates[:20], "small")
    return create_mcp(ReasonFlux(FakeModel(), library=small, effort="low", templates=0), small)


ARGUMENTS = ["problem", "query", "answer", "work", "expected", "ctx", "callbacks"]
calls = st.tuples(
    st.sampled_from(["reason", "search_templates", "check_answer", "shell", ""]),
    st.dictionaries(st.sampled_from(ARGUMENTS), texts.filter(str.isprintable) | json_values, max_size=4),
)


@settings(max_examples=40)
@given(st.lists(calls, min_size=1, max_size=3))
def test_no_arguments_make_a_tool_fail(mcp: Any, asked: list[tuple[str, dict[str, Any]]]) -> None:
    async def ask() -> None:
        async with McpClient(mcp, read_timeout_seconds=30) as client:
            for name, arguments in asked:
                with suppress(MCPError, ValueError):  # refused; or JSON cannot hold it, so that nothing is sent
                    reply = await client.call_tool(name, arguments)
                    assert "Traceback" not in str(reply.content)

    asyncio.run(ask())


@pytest.mark.parametrize(
    "uri", ["template://../../etc/passwd", "templates://chapters/..%2f..%2fetc", "file:///etc/passwd", "template://%00"]
)
async def test_a_resource_is_no_path(mcp: Any, uri: str) -> None:
    async with McpClient(mcp) as client:
        with pytest.raises(MCPError, match=r"no template|no chapter|[Uu]nknown|not found|[Ii]nvalid"):
            await client.read_resource(uri)


contexts = st.dictionaries(st.sampled_from(sorted(Context.model_fields)) | st.just("shell"), json_values, max_size=3)


@given(contexts)
def test_a_context_fits_or_is_refused_by_name(given: dict[str, Any]) -> None:
    refusal = ""
    try:
        Context.of(**given)
    except InputError as error:
        refusal = str(error)
    assert not refusal or any(name in refusal for name in given)


@settings(max_examples=40)
@given(contexts, st.sampled_from(["context", "configurable"]))
def test_a_host_that_passes_any_context_on(given: dict[str, Any], how: str) -> None:
    """As `langgraph dev` and a host's graph do."""
    given = {**given, "navigator": None, "solver": None, "direct_samples": 0, "trajectories": 1, "reviews": 0, "deadline": 5}
    graph = create_reasonflux(navigator=Scripted(), context=LOW).compile()
    config: Any = {"configurable": {"reasonflux": given}} if how == "configurable" else {}
    try:
        state = graph.invoke({"problem": "x"}, config, context=given if how == "context" else None)
    except (ReasonFluxError, ValidationError):  # the latter is LangGraph's own check of `context=`
        return
    assert state["solution"]["status"] in ("answered", "unanswered", "exhausted")


@pytest.mark.parametrize("given", [1, "effort", ["effort"], True])
def test_a_context_that_is_no_object(given: Any) -> None:
    graph = create_reasonflux(navigator=Scripted(), context=LOW).compile()
    with pytest.raises(InputError, match="context"):
        graph.invoke({"problem": "x"}, {"configurable": {"reasonflux": given}})


@settings(max_examples=40)
@given(st.fixed_dictionaries({}, optional={"problem": json_values, "messages": json_values, "run": json_values}))
def test_any_input_is_solved_or_refused(given: dict[str, Any]) -> None:
    graph = create_reasonflux(navigator=Scripted(), context=LOW).compile()
    try:
        state = graph.invoke(given)
    except (ReasonFluxError, ValueError, TypeError, NotImplementedError):  # but for ours, LangChain's: these are no messages
        return
    assert state["solution"]["answer"] == "7"
