"""The HTTP application: `/v1/chat/completions`, `/v1/feedback`, `/v1/models`, `/healthz`, `/metrics`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from reasonflux_agent.ending import whole
from reasonflux_agent.errors import InputError, MissingExtraError
from reasonflux_agent.events import AnyEvent, Concluded
from reasonflux_agent.runs.runner import Runner
from reasonflux_agent.schema import Solution
from reasonflux_agent.serving.feedback import marked, read_feedback
from reasonflux_agent.serving.replies import Writer, error_of, reasoning
from reasonflux_agent.serving.requests import JSON, ChatRequest, Refused, model_names, read_request, unknown_model

try:
    from prometheus_client import CONTENT_TYPE_LATEST
    from sse_starlette.sse import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import BaseRoute, Route
    from starlette.types import Message, Receive, Scope, Send

    from reasonflux_agent.serving.metrics import Metrics
    from reasonflux_agent.serving.middleware import CLOSED, RequestMiddleware, closing, error_response, log, read_json_body
    from reasonflux_agent.serving.server import LAST_WORDS
except ModuleNotFoundError as error:
    raise MissingExtraError("The HTTP server", str(error.name), "serve") from None

MAX_BODY = 1_000_000
"""The most bytes of a request's body, if the caller says nothing."""
DONE = {"data": "[DONE]"}
"""The last event of OpenAI's streams."""


def create_app(
    runner: Runner,
    *,
    timeout: float = 600.0,
    api_key: str | None = None,
    max_body: int = MAX_BODY,
    extra_routes: Iterable[BaseRoute] = (),
) -> Starlette:
    """Return the application over `runner`. Without an `api_key` it serves this machine only.

    timeout: seconds of a request at most, its wait included; then the answer is the best so far. extra_routes: more routes
    (those of the run page, for example) behind the same middleware.
    """
    metrics, names, born = Metrics(), model_names(runner.owners), int(time.time())

    def about(name: str) -> JSON:
        return {"id": name, "object": "model", "created": born, "owned_by": runner.owners[names[name][0]]}

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [about(name) for name in names]})

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

    routes = [
        Route("/v1/chat/completions", _Chat(runner, timeout, metrics, names, max_body), methods=["POST"]),
        Route("/v1/feedback", feedback, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{name}", model),
        Route("/healthz", health),
        Route("/metrics", numbers),
        *extra_routes,
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(RequestMiddleware, key=api_key, metrics=metrics)],
        exception_handlers={HTTPException: _not_found},
    )


async def _not_found(request: Request, error: Exception) -> Response:
    """Return the answer to an unknown path, or to a wrong method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = f"{request.method} {request.url.path} is not served."
    if status == 404:
        text += " There are: POST /v1/chat/completions, POST /v1/feedback, GET /v1/models, GET /healthz, GET /metrics."
    return error_response(Refused(text, status=status))


@dataclass
class _Chat:
    """`POST /v1/chat/completions`, as an ASGI app: it alone receives, and learns at once that its client went away."""

    runner: Runner
    timeout: float
    metrics: Metrics
    names: dict[str, tuple[str, str | None]]
    max_body: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, facts = Request(scope, receive), scope["state"]["facts"]
        ask = read_request(await read_json_body(request, self.max_body), self.names)
        facts |= {"model": ask.model, "stream": bool(ask.stream)}
        async with AsyncExitStack() as stack:
            response = await whole(self._answer(ask, scope, stack), unless=_gone(receive))
            if response:
                await response(scope, receive, send)
            else:
                facts["status"] = CLOSED

    async def _answer(self, ask: ChatRequest, scope: Scope, stack: AsyncExitStack) -> Response:
        """Return the response; the `stack` holds the run of one that streams."""
        facts, (strategy, effort) = scope["state"]["facts"], self.names[ask.model]
        messages, context = ask.conversation, self.runner.context_of(ask.context(effort))
        waited = await stack.enter_async_context(self.runner.place(self.timeout))
        if self.runner.ended:
            raise closing()
        left = max(0.1, self.timeout - waited)
        context = context.model_copy(update={"deadline": min(left, context.deadline or left)})
        run = self.runner.events(strategy, {"messages": messages}, context)
        events = await stack.enter_async_context(aclosing(run))
        begun = await anext(events)  # what is refused is refused before it, so that the status can still say so
        facts["run"] = begun.run
        writer = Writer(ask, begun.run)
        if ask.stream:
            return self._stream(writer, events, scope)
        told = [event async for event in events]
        last = told[-1]
        assert isinstance(last, Concluded)
        return JSONResponse(writer.completion("".join(map(reasoning, told)), self._conclude(last.solution, facts)))

    def _stream(self, writer: Writer, events: AsyncIterator[AnyEvent], scope: Scope) -> EventSourceResponse:
        facts = scope["state"]["facts"]

        async def gone(message: Message) -> None:
            if "outcome" not in facts:  # after it, the library takes the end of the response for a disconnect
                facts.setdefault("status", CLOSED)

        async def chunks() -> AsyncIterator[dict[str, str]]:
            try:
                yield _data(writer.opening())
                async for event in events:
                    if isinstance(event, Concluded):
                        for chunk in writer.closing(self._conclude(event.solution, facts)):
                            yield _data(chunk)
                    elif text := reasoning(event):
                        yield _data(writer.thought(text))
            except asyncio.CancelledError:
                facts.setdefault("status", closing().status)
                raise
            except Exception as error:
                if not isinstance(error, InputError):
                    log.exception("a stream failed")
                status, body, _ = error_of(error)
                facts.setdefault("status", status)
                yield _data(body)
            yield DONE

        scope["state"][LAST_WORDS] = [_data(error_of(closing())[1]), DONE]
        return EventSourceResponse(chunks(), sep="\n", client_close_handler_callable=gone)

    def _conclude(self, solution: Solution, facts: JSON) -> Solution:
        self.metrics.count(solution)
        facts |= {"outcome": solution.status, "tokens": solution.total.tokens}
        if self.runner.ended and not solution.text:
            raise closing()
        return solution


async def _gone(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _data(value: JSON) -> dict[str, str]:
    return {"data": json.dumps(value)}
