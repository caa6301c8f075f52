"""The MCP server: the tools `reason`, `search_templates` and `check_answer`, and the library as resources.

Tools answer in text alone: clients put a tool's structured content into their model's context, where a whole Solution would
cost thousands of tokens.
"""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import quote

import anyio
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from pydantic import Field

from reasonflux_agent import __version__
from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.errors import LibraryError, MissingExtraError, ReasonFluxError
from reasonflux_agent.library import TemplateLibrary
from reasonflux_agent.retrieval import TemplateRetriever, template_search_tool
from reasonflux_agent.serving.guard import bears
from reasonflux_agent.serving.replies import reasoning
from reasonflux_agent.toolkit import check_answer_tool, reason_tool

try:
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context, ResourceSecurity
    from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
    from mcp.server.transport_security import TransportSecuritySettings
    from mcp_types import ToolAnnotations
    from starlette.responses import PlainTextResponse
    from starlette.types import ASGIApp, Receive, Scope, Send
except ModuleNotFoundError as error:
    raise MissingExtraError("The MCP server", str(error.name).partition(".")[0], "mcp") from None

INSTRUCTIONS = """Call reason with the whole text of a hard mathematics problem to have it planned and solved. Call
search_templates for methods that fit a problem that you solve yourself, and check_answer before you state an answer."""
FOUND = 3
"""Templates that a search shows at most."""
CHAPTERS = "templates://chapters"
TITLES = ResourceSecurity(exempt_params={"chapter", "id"})
"""What resources are asked for are keys of a table, no paths: a title may hold what a path may not."""
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True)
"""What the tools promise to clients that ask before a call: nothing is changed by one."""


def create_mcp(flux: ReasonFlux, library: TemplateLibrary) -> MCPServer[Any]:
    """The server over `flux`; `library` is what is searched and what the resources show.

    `reason` tells of plan, templates, steps and reviews by progress notifications, where a client asks for them. A call
    that its client cancels ends the run and its model calls. What fails comes back as a tool error with the text that this
    package gives it. Raises MissingExtraError without the default retriever's packages.
    """
    solve, check = reason_tool(flux), check_answer_tool()
    search = template_search_tool(TemplateRetriever.from_library(library, k=FOUND))

    async def reason(problem: Annotated[str, Field(description="The whole problem, in words or LaTeX.")], ctx: Context) -> str:
        return await _call(solve, ctx, problem=problem)

    async def search_templates(
        query: Annotated[str, Field(description="The kind of problem, or the step to be done, in a few words.")], ctx: Context
    ) -> str:
        return await _call(search, ctx, query=query)

    async def check_answer(
        problem: Annotated[str, Field(description="The whole problem.")],
        answer: Annotated[str, Field(description="The final answer alone.")],
        ctx: Context,
        work: Annotated[str, Field(description="The solution's text; its numbers are recomputed.")] = "",
        expected: Annotated[str, Field(description="An answer to compare with.")] = "",
    ) -> str:
        return await _call(check, ctx, problem=problem, answer=answer, work=work, expected=expected)

    server: MCPServer[Any] = MCPServer("reasonflux", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING")
    for function, tool in ((reason, solve), (search_templates, search), (check_answer, check)):
        server.add_tool(function, tool.name, description=tool.description, annotations=READS, structured_output=False)
    _add_resources(server, library)
    return server


def create_mcp_app(server: MCPServer[Any], *, host: str, api_key: str | None = None) -> ASGIApp:
    """The streamable HTTP application, at `/mcp`.

    With an `api_key` each request must bear it. Without one, requests are taken under this machine's own names alone, so
    that no page of another site reaches the server through a browser.
    """
    names = ["localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host]
    hosts = [own for name in names for own in (name, f"{name}:*")]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=not api_key, allowed_hosts=hosts, allowed_origins=[f"http://{own}" for own in hosts]
    )
    app = server.streamable_http_app(transport_security=security)
    return _keyed(app, api_key) if api_key else app


def _keyed(app: ASGIApp, key: str) -> ASGIApp:
    text = "Incorrect API key provided. It is expected as 'Authorization: Bearer KEY'."
    refusal = PlainTextResponse(text, 401, {"WWW-Authenticate": "Bearer"})

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        # nothing but HTTP has a route
        await (app if scope["type"] != "http" or bears(scope, key) else refusal)(scope, receive, send)

    return guarded


async def _call(tool: BaseTool, ctx: Context, **args: str) -> str:
    call = {"type": "tool_call", "name": tool.name, "args": args, "id": ctx.request_id}
    outcome: ToolMessage | ReasonFluxError | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_watch, ctx.request_context.request, group.cancel_scope)
        try:
            outcome = await tool.ainvoke(call, {"callbacks": [_Progress(ctx)]})
        except ReasonFluxError as error:
            outcome = error
        group.cancel_scope.cancel()
    if isinstance(outcome, ToolMessage) and outcome.status != "error":
        return outcome.text
    raise ToolError(outcome.text if isinstance(outcome, ToolMessage) else str(outcome or "The client has gone."))


async def _watch(request: Any, call: anyio.CancelScope) -> None:
    """Cancels a call whose HTTP client has gone: in the protocols before 2026 nothing else tells it."""
    while request and not await request.is_disconnected():
        await anyio.sleep(1)
    if request:
        call.cancel()


class _Progress(AsyncCallbackHandler):
    """Passes a run's events on as progress notifications; their total is not known before the end."""

    def __init__(self, ctx: Context) -> None:
        self._ctx, self._count = ctx, 0

    async def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
        if name.startswith("reasonflux_") and (text := reasoning(data).strip()):
            self._count += 1
            await self._ctx.report_progress(self._count, message=text)


def _add_resources(server: MCPServer[Any], library: TemplateLibrary) -> None:
    chapters: dict[str, list[dict[str, str]]] = {}
    for t in library:
        row = {"name": t.name, "section": t.section, "uri": f"template://{quote(t.id)}"}
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
