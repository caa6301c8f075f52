"""The HTTP application: `/v1/chat/completions`, `/v1/responses`, `/v1/feedback`, `/v1/models`, `/healthz`, `/metrics`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace

import anyio

from reasonflux_agent.ending import whole
from reasonflux_agent.errors import InputError, MissingExtraError
from reasonflux_agent.runs.runner import Runner
from reasonflux_agent.serving.completing import Begun, Completer, Content, Done, Piece, Thought
from reasonflux_agent.serving.feedback import marked, read_feedback
from reasonflux_agent.serving.refused import JSON, Refused, closing, error_of
from reasonflux_agent.serving.replies import Writer
from reasonflux_agent.serving.requests import ChatRequest, listed, model_names, read_request, unknown_model
from reasonflux_agent.serving.responses import ResponseWriter, read_response_request

try:
    from prometheus_client import CONTENT_TYPE_LATEST
    from sse_starlette.sse import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.middleware.cors import CORSMiddleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import BaseRoute, Route
    from starlette.types import Message, Receive, Scope, Send

    from reasonflux_agent.serving.metrics import Metrics
    from reasonflux_agent.serving.middleware import (
        CLOSED,
        IGNORED,
        REQUEST_ID,
        RequestMiddleware,
        error_response,
        ignored_header,
        log,
        read_json_body,
    )
    from reasonflux_agent.serving.server import LAST_WORDS
except ModuleNotFoundError as error:
    raise MissingExtraError("The HTTP server", str(error.name), "serve") from None

MAX_BODY = 1_000_000
"""The most bytes of a request's body, if the caller says nothing."""
PATIENCE = 5.0
"""Seconds that a stream waits for its run to begin, so that the status can say what fails; then its headers are sent."""
KEEP_ALIVE = 10.0
"""Seconds between two comments in a stream that keep a silent connection open."""


def create_app(
    runner: Runner,
    *,
    timeout: float = 600.0,
    api_key: str | None = None,
    max_body: int = MAX_BODY,
    strict: bool = False,
    origins: Iterable[str] = (),
    extra_routes: Iterable[BaseRoute] = (),
) -> Starlette:
    """Return the application over `runner`. Without an `api_key` it serves this machine only.

    timeout: seconds of a request at most, its wait included; then the answer is the best so far. strict: whether parameters
    without a meaning here are refused. origins: the web pages that may ask, as `https://chat.example`. extra_routes: more
    routes (those of the run page, for example) behind the same middleware.
    """
    metrics, names, born = Metrics(), model_names(runner.owners), int(time.time())

    def about(name: str) -> JSON:
        return {"id": name, "object": "model", "created": born, "owned_by": runner.owners[names[name][0]]}

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [about(name) for name in listed(names)]})

    async def model(request: Request) -> Response:
        if (name := request.path_params["name"]) not in names:
            raise unknown_model(name, names)
        return JSONResponse(about(name))

    async def feedback(request: Request) -> Response:
        given = read_feedback(await read_json_body(request, max_body))
        return JSONResponse(await run_in_threadpool(marked, runner, given))

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def numbers(request: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    chat = _Chat(Completer(runner, timeout, names), metrics, max_body, strict)
    routes = [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/responses", replace(chat, responses=True), methods=["POST"]),
        Route("/v1/feedback", feedback, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{name}", model),
        Route("/healthz", health),
        Route("/metrics", numbers),
        *extra_routes,
    ]
    guard = [Middleware(RequestMiddleware, key=api_key, metrics=metrics)]
    if allowed := [*origins]:  # outside of the guard: a browser asks first, and without the key
        told = [IGNORED, REQUEST_ID, "retry-after"]
        methods = ["GET", "POST"]
        cors = Middleware(
            CORSMiddleware, allow_origins=allowed, allow_methods=methods, allow_headers=["*"], expose_headers=told
        )
        guard.insert(0, cors)
    return Starlette(routes=routes, middleware=guard, exception_handlers={HTTPException: _not_found})


async def _not_found(request: Request, error: Exception) -> Response:
    """Return the answer to an unknown path, or to a wrong method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = f"{request.method} {request.url.path} is not served."
    if status == 404:
        text += " There are: POST /v1/chat/completions, POST /v1/responses, POST /v1/feedback, GET /v1/models, "
        text += "GET /healthz, GET /metrics."
    return error_response(Refused(text, status=status))


@dataclass(frozen=True)
class _Chat:
    """The two POST routes, as an ASGI app: it alone receives, and learns at once that its client went away."""

    completer: Completer
    metrics: Metrics
    max_body: int
    strict: bool
    responses: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, facts = Request(scope, receive), scope["state"]["facts"]
        ask, writer = self._read(await read_json_body(request, self.max_body))
        facts |= {"model": ask.model, "stream": bool(ask.stream)}
        headers = ignored_header(ask.ignored)
        async with aclosing(self.completer.pieces(ask)) as pieces, AsyncExitStack() as stack:
            if ask.stream:
                made = self._stream(writer, pieces, headers, scope, stack)
            else:
                made = self._whole(writer, pieces, headers, facts)
            response = await whole(made, unless=_gone(receive))
            if response:
                await response(scope, receive, send)
            else:
                facts["status"] = CLOSED

    def _read(self, body: bytes) -> tuple[ChatRequest, Writer | ResponseWriter]:
        names = self.completer.names
        if self.responses:
            ask, given = read_response_request(body, names, strict=self.strict)
            return ask, ResponseWriter(ask, given)
        ask = read_request(body, names, strict=self.strict)
        return ask, Writer(ask)

    async def _whole(
        self, writer: Writer | ResponseWriter, pieces: AsyncIterator[Piece], headers: dict[str, str], facts: JSON
    ) -> Response:
        thought, content, done = "", "", None
        async for piece in pieces:
            match piece:
                case Begun(run):
                    facts["run"] = run
                case Thought(text):
                    thought += text
                case Content(text):
                    content += text
                case Done():
                    done = piece
        assert done
        self._conclude(done, facts)
        return JSONResponse(writer.whole(thought, content, done), headers=headers)

    async def _stream(
        self,
        writer: Writer | ResponseWriter,
        pieces: AsyncGenerator[Piece, None],
        headers: dict[str, str],
        scope: Scope,
        stack: AsyncExitStack,
    ) -> Response:
        """Return the response; what is refused before the run begins is raised here, unless that takes longer than PATIENCE."""
        facts, first = scope["state"]["facts"], asyncio.ensure_future(anext(pieces))
        stack.push_async_callback(_ended, first)
        await asyncio.wait({first}, timeout=PATIENCE)
        if first.done():
            first.result()

        async def gone(message: Message) -> None:
            if "outcome" not in facts:  # after it, the library takes the end of the response for a disconnect
                facts.setdefault("status", CLOSED)

        async def events() -> AsyncIterator[JSON]:
            try:
                begun = await first
                assert isinstance(begun, Begun)
                facts["run"] = begun.run
                for each in writer.begin(begun.run):
                    yield each
                async for piece in pieces:
                    for each in self._written(writer, piece, facts):
                        yield each
            except asyncio.CancelledError:
                facts.setdefault("status", closing().status)
                raise
            except Exception as error:
                if not isinstance(error, InputError):
                    log.exception("a stream failed")
                facts.setdefault("status", error_of(error)[0])
                for each in writer.fail(error):
                    yield each
            for each in writer.last:
                yield each

        scope["state"][LAST_WORDS] = lambda: [*writer.fail(closing()), *writer.last]
        return EventSourceResponse(events(), headers=headers, sep="\n", ping=KEEP_ALIVE, client_close_handler_callable=gone)

    def _written(self, writer: Writer | ResponseWriter, piece: Piece, facts: JSON) -> list[JSON]:
        match piece:
            case Thought(text):
                return writer.thought(text)
            case Content(text):
                return writer.content(text)
            case Done():
                self._conclude(piece, facts)
                return writer.end(piece)
        return []

    def _conclude(self, done: Done, facts: JSON) -> None:
        self.metrics.count(done.solution)
        facts |= {"outcome": done.solution.status, "tokens": done.solution.total.tokens}


async def _ended(task: asyncio.Future[Piece]) -> None:
    """Cancel a task, unless it is done, and wait for its end."""
    task.cancel()
    with anyio.CancelScope(shield=True):
        await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # marks it as retrieved


async def _gone(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
