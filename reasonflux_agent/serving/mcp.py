"""The MCP server: the tools `reason`, `search_templates` and `check_answer`, prompts, and the library as resources.

Tools answer in text, and in structured content that is short: clients put it into their model's context, where a whole Solution
would cost thousands of tokens.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any
from urllib.parse import quote

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field

from reasonflux_agent import __version__
from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.ending import Ending, whole
from reasonflux_agent.errors import LibraryError, MissingExtraError, ReasonFluxError
from reasonflux_agent.events import event_of
from reasonflux_agent.schema import Solution, Template
from reasonflux_agent.serving.mcp_results import Checked, Found, FoundTemplate, Reasoned
from reasonflux_agent.serving.middleware import WRONG_KEY, has_key
from reasonflux_agent.serving.replies import reasoning
from reasonflux_agent.session import with_session
from reasonflux_agent.templates import TemplateLibrary, TemplateRetriever, template_search_tool
from reasonflux_agent.toolkit import Text, check_answer_tool, reason_tool

try:
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context, ResourceSecurity
    from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
    from mcp.server.transport_security import TransportSecuritySettings
    from mcp_types import CallToolResult, TextContent, ToolAnnotations
    from sse_starlette.sse import AppStatus
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.types import ASGIApp, Receive, Scope, Send
except ModuleNotFoundError as error:
    raise MissingExtraError("The MCP server", str(error.name).partition(".")[0], "mcp") from None

INSTRUCTIONS = """Call reason with the whole text of a hard mathematics problem to have it planned and worked out. Call
search_templates for methods that fit a problem that you solve yourself, and check_answer before you state an answer."""
FOUND = 3
"""Templates that a search shows at most."""
CONCLUDING = 2
"""Seconds that calls get to conclude when the server ends."""
NUMBERS = ("answer", "expected", "deadline")
"""Arguments that are taken as numbers too, as models write them."""
HEALTH = "/healthz"
"""The route that says that the server is up. It needs no key."""
CHAPTERS = "templates://chapters"
TITLES = ResourceSecurity(exempt_params={"chapter", "id"})
"""The parameters of resources are keys of a table and not paths: a title may hold characters that a path may not."""
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True)
"""What the tools promise to clients that ask a person before a call: a call changes nothing."""


def create_mcp(flux: ReasonFlux, library: TemplateLibrary, ending: Ending | None = None) -> MCPServer[Any]:
    """Return the server over `flux`. library: what is searched and shown as resources. ending: ends the runs under way.

    `reason` sends the run's events as progress notifications, if the client asks for them. A call that its client cancels
    ends the run and its model calls. A failure comes back as a tool error with this package's text. Raises MissingExtraError
    without the default retriever's packages.
    """
    solve, check = reason_tool(flux), check_answer_tool()
    search = template_search_tool(TemplateRetriever.from_library(library, k=FOUND))

    async def reason(
        problem: Annotated[str, Field(description="The whole problem, in words or LaTeX.")],
        ctx: Context,
        effort: Annotated[str, Field(description="low, medium, high or auto: how much to spend.")] = "",
        deadline: Annotated[Text, Field(description="Seconds after which the best answer so far is given.")] = "",
    ) -> Annotated[CallToolResult, Reasoned]:
        done = await _call(solve, ctx, ending, problem=problem, effort=effort, deadline=deadline)
        return _result(done, Reasoned.of(Solution.model_validate(done.artifact)))

    async def search_templates(
        query: Annotated[str, Field(description="The kind of problem, or the step to be done, in a few words.")], ctx: Context
    ) -> Annotated[CallToolResult, Found]:
        done = await _call(search, ctx, query=query)
        found = [library.get(id) for id in done.artifact]
        return _result(done, Found(templates=[FoundTemplate(id=t.id, name=t.name, uri=_uri(t)) for t in found]))

    async def check_answer(
        problem: Annotated[str, Field(description="The whole problem.")],
        answer: Annotated[Text, Field(description="The final answer alone.")],
        ctx: Context,
        work: Annotated[Text, Field(description="The solution's text; its numbers are recomputed.")] = "",
        expected: Annotated[Text, Field(description="An answer to compare with.")] = "",
    ) -> Annotated[CallToolResult, Checked]:
        done = await _call(check, ctx, problem=problem, answer=answer, work=work, expected=expected)
        return _result(done, Checked(**done.artifact))

    server = _Server("reasonflux", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING")
    for function, tool in ((reason, solve), (search_templates, search), (check_answer, check)):
        server.add_tool(function, tool.name, description=tool.description, annotations=READS)
    _add_prompts(server)
    _add_resources(server, library)

    server.custom_route(HEALTH, methods=["GET"])(_health)
    return server


async def _health(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


class _Server(MCPServer[Any]):
    """The SDK's server with a check of arguments: the SDK ignores unknown ones, and refuses wrong ones in pydantic's words."""

    async def list_tools(self) -> Any:
        """Return the tools. Their schemas say that other arguments are refused."""
        tools = await super().list_tools()
        for tool in tools:
            tool.input_schema["additionalProperties"] = False
        return tools

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None) -> Any:
        """Call a tool. Raises ToolError with the arguments that were given, those that exist, and the closest ones."""
        tools = {tool.name: tool.input_schema for tool in await self.list_tools()}
        if name not in tools:
            raise ToolError(f"There is no tool {name[:80]!r}. There are: {', '.join(tools)}.{_closest(name, tools)}")
        takes, required = tools[name]["properties"], tools[name]["required"]
        given = {key: value for key, value in arguments.items() if value is not None or key in required or key not in takes}
        given |= {key: json.dumps(given[key]) for key in NUMBERS if type(given.get(key)) in (int, float)}
        forms = ", ".join(f"{key} (a text{'' if key in required else ', optional'})" for key in takes)
        if unknown := [key for key in given if key not in takes]:
            said = f"{name} takes no argument {unknown[0][:80]!r}.{_closest(unknown[0], takes)}"
        elif missing := [key for key in required if key not in given]:
            said = f"{name} needs the argument {missing[0]!r}; given: {', '.join(map(repr, given)) or 'nothing'}."
        elif wrong := [key for key, value in given.items() if not isinstance(value, str)]:
            said = f"{name} takes a text for {wrong[0]!r}; given: {json.dumps(given[wrong[0]], ensure_ascii=False)[:200]}."
        else:
            return await super().call_tool(name, given, context)
        raise ToolError(f"{said} It takes: {forms}.")


def _closest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def create_mcp_app(server: MCPServer[Any], *, host: str, api_key: str | None = None) -> ASGIApp:
    """Return the streamable HTTP application, at `/mcp`.

    With an `api_key` each request must carry it. Without one, requests are taken only under this machine's own names, so
    that no page of another site reaches the server through a browser.
    """
    names = ["localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host]
    hosts = [own for name in names for own in (name, f"{name}:*")]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=not api_key, allowed_hosts=hosts, allowed_origins=[f"http://{own}" for own in hosts]
    )
    app = server.streamable_http_app(transport_security=security)
    return _keyed(app, api_key) if api_key else app


def conclude(ending: Ending) -> None:
    """Make calls end in the best answer so far, and then end the streams that clients keep open. Call it on the event loop."""
    ending.end("the server was told to end")
    asyncio.get_running_loop().call_later(CONCLUDING, setattr, AppStatus, "should_exit", True)


def _keyed(app: ASGIApp, key: str) -> ASGIApp:
    refusal = PlainTextResponse(WRONG_KEY, 401, {"WWW-Authenticate": "Bearer"})

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        # nothing but HTTP has a route
        free = scope["type"] != "http" or scope["path"] == HEALTH
        await (app if free or has_key(scope, key) else refusal)(scope, receive, send)

    return guarded


def _result(done: ToolMessage, found: BaseModel) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=str(done.text))], structured_content=found.model_dump(mode="json"))


async def _call(tool: BaseTool, ctx: Context, ending: Ending | None = None, **args: str) -> ToolMessage:
    """Return the message of a tool, with its artifact. Raises ToolError."""
    call = {"type": "tool_call", "name": tool.name, "args": args, "id": ctx.request_id}
    request = ctx.request_context.request
    config = with_session({"callbacks": [_Progress(ctx)]}, ending=ending)
    try:
        done: ToolMessage | None = await whole(tool.ainvoke(call, config), unless=_gone(request) if request else None)
    except ReasonFluxError as error:
        raise ToolError(str(error)) from error
    if done is None or done.status == "error":
        raise ToolError(done.text if done else "The client has gone.")
    return done


async def _gone(request: Request) -> None:
    """Return when an HTTP client has gone: in the protocols before 2026 nothing else says so."""
    while not await request.is_disconnected():
        await asyncio.sleep(1)


class _Progress(AsyncCallbackHandler):
    """Passes a run's events on as progress notifications; their total is not known before the end."""

    def __init__(self, ctx: Context) -> None:
        self._ctx, self._count = ctx, 0

    async def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
        if (event := event_of(name, data)) and (text := reasoning(event).strip()):
            self._count += 1
            await self._ctx.report_progress(self._count, message=text)


def _add_prompts(server: MCPServer[Any]) -> None:
    @server.prompt()
    def solve_with_templates(problem: str) -> str:
        """Solve a problem with the methods of the library, and check the answer."""
        return (
            f"Problem:\n{problem}\n\nCall search_templates for the kind of problem. If a template fits, carry out its steps on "
            "this problem; else call reason. Then call check_answer, and state the answer only if it holds."
        )

    @server.prompt()
    def check_my_answer(problem: str, answer: str) -> str:
        """Find out whether an answer holds, and where it goes wrong if not."""
        return (
            f"Problem:\n{problem}\n\nMy answer: {answer}\n\nCall check_answer with both. If it does not hold, call reason, and "
            "say where my answer goes wrong. Do not solve it in your head."
        )

    @server.prompt()
    def write_a_template(problem: str, solution: str) -> str:
        """Make a template of a solved problem, in the format of the library."""
        return (
            f"Problem:\n{problem}\n\nSolution:\n{solution}\n\nRead the resource {CHAPTERS}, and one template of the nearest "
            "chapter. Write a template in the same form for problems of this kind: name, description, scenario, a flow of "
            "general steps without this problem's numbers, and this problem as the worked example."
        )


def _uri(template: Template) -> str:
    return f"template://{quote(template.id)}"


def _add_resources(server: MCPServer[Any], library: TemplateLibrary) -> None:
    chapters: dict[str, list[dict[str, str]]] = {}
    for t in library:
        row = {"name": t.name, "section": t.section, "uri": _uri(t)}
        chapters.setdefault(t.chapter, []).append(row)
    index = [
        {"chapter": chapter, "templates": len(rows), "uri": f"{CHAPTERS}/{quote(chapter, safe='')}"}
        for chapter, rows in chapters.items()
    ]

    @server.resource(CHAPTERS, mime_type="application/json")
    def list_chapters() -> str:
        """The library's chapters, with the resources that list their templates."""
        return json.dumps(index, ensure_ascii=False)

    @server.resource(f"{CHAPTERS}/{{chapter}}", mime_type="application/json", security=TITLES)
    def list_templates(chapter: str) -> str:
        """The templates of a chapter, with the resources that hold them."""
        if chapter not in chapters:
            raise ResourceNotFoundError(f"The library has no chapter {chapter!r}. There are: {', '.join(chapters)}.")
        return json.dumps(chapters[chapter], ensure_ascii=False)

    @server.resource("template://{+id}", mime_type="application/json", security=TITLES)
    def template(id: str) -> str:
        """A thought template: name, tags, when it applies, its flow of steps, a worked example."""
        try:
            return library.get(id).model_dump_json()
        except LibraryError as error:
            raise ResourceNotFoundError(str(error)) from error
