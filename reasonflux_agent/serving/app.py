"""The HTTP application: `/v1/chat/completions`, `/v1/models`, `/healthz`, `/metrics`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing

from reasonflux_agent.ending import whole
from reasonflux_agent.errors import InputError, MissingExtraError
from reasonflux_agent.schema import Solution
from reasonflux_agent.serving.replies import Writer, error_of, reasoning
from reasonflux_agent.serving.requests import JSON, ChatRequest, Refused, model_names, read_request
from reasonflux_agent.serving.service import Service

try:
    from prometheus_client import CONTENT_TYPE_LATEST
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import BaseRoute, Route
    from starlette.types import Receive, Scope, Send

    from reasonflux_agent.serving.guard import CLOSED, Guard, closing, error_response, log
    from reasonflux_agent.serving.metrics import Metrics
except ModuleNotFoundError as error:
    raise MissingExtraError("The HTTP server", str(error.name), "serve") from None

MAX_BODY = 1_000_000
"""Bytes of a request's body at most, where the caller does not say."""
BODY_SECONDS = 30.0
"""A body that takes longer to arrive is given up."""
BEAT_SECONDS = 15.0
"""A stream that is silent for so long gets a comment line, since proxies cut connections that are idle."""


def create_app(
    service: Service, *, api_key: str | None = None, max_body: int = MAX_BODY, extra_routes: Iterable[BaseRoute] = ()
) -> Starlette:
    """The application over `service`. Without an `api_key` it serves this machine alone.

    `extra_routes` (the run page's, say) are guarded, counted and logged as its own are.
    """
    metrics, names, born = Metrics(), model_names(service.owners), int(time.time())

    def about(name: str) -> JSON:
        return {"id": name, "object": "model", "created": born, "owned_by": service.owners[names[name][0]]}

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [about(name) for name in names]})

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in names:
            text = f"The model {name!r} does not exist. There are: {', '.join(names)}."
            raise Refused(text, status=404, param="model", code="model_not_found")
        return JSONResponse(about(name))

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def numbers(request: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    routes = [
        Route("/v1/chat/completions", _Chat(service, metrics, names, max_body), methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{name}", model),
        Route("/healthz", health),
        Route("/metrics", numbers),
        *extra_routes,
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, key=api_key, metrics=metrics)],
        exception_handlers={HTTPException: _not_found},
    )


async def _not_found(request: Request, error: Exception) -> Response:
    """What the router refuses: an unknown path, or a wrong method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = f"{request.method} {request.url.path} is not served."
    if status == 404:
        text += " There are: POST /v1/chat/completions, GET /v1/models, GET /healthz, GET /metrics."
    response: Response = error_response(Refused(text, status=status))
    return response


class _Chat:
    """`POST /v1/chat/completions`, as an ASGI app: so it alone receives, and learns at once that its client went away."""

    def __init__(self, service: Service, metrics: Metrics, names: dict[str, tuple[str, str | None]], max_body: int) -> None:
        self._service, self._metrics, self._names, self._max_body = service, metrics, names, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, facts = Request(scope, receive), scope["state"]["facts"]
        ask = read_request(await self._body(request), self._names)
        facts |= {"model": ask.model, "stream": ask.stream}
        if not await whole(self._answer(ask, facts, scope, receive, send), unless=_gone(receive)):
            facts["status"] = CLOSED

    async def _body(self, request: Request) -> bytes:
        # a page of another site can make a browser send any other type without asking first
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused("The body must be JSON: send it with 'Content-Type: application/json'.", status=415)
        large = Refused(f"The body is larger than {self._max_body:,} bytes.", status=413, code="request_too_large")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._max_body:
            raise large
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for piece in request.stream():
                    body += piece
                    if len(body) > self._max_body:
                        raise large
        except TimeoutError:
            raise Refused(f"The body did not arrive within {BODY_SECONDS:g} s.", status=408) from None
        except ClientDisconnect:
            raise Refused("The client went away while it sent the body.", status=CLOSED) from None
        return bytes(body)

    async def _answer(self, ask: ChatRequest, facts: JSON, scope: Scope, receive: Receive, send: Send) -> bool:
        """True, once the response is sent."""
        context = self._service.context_of(ask.context)
        async with aclosing(self._service.run(ask.strategy, ask.problem, context)) as events:
            begun = await anext(events)  # what is refused is refused before it, so that the status can still say so
            facts["run"] = begun["run"]
            writer = Writer(ask, begun["run"])
            if ask.stream:
                await self._stream(writer, events, facts, send)
                return True
            thought = ""
            async for event in events:
                thought += reasoning(event)
            solution = self._conclude(event, facts)
            await JSONResponse(writer.completion(thought, solution))(scope, receive, send)
            return True

    async def _stream(self, writer: Writer, events: AsyncIterator[JSON], facts: JSON, send: Send) -> None:
        async def push(text: str) -> None:
            await send({"type": "http.response.body", "body": f"{text}\n\n".encode(), "more_body": True})

        async def beat() -> None:
            while True:
                await asyncio.sleep(BEAT_SECONDS)
                await push(": the run goes on")

        # the last header keeps nginx from holding the stream back
        headers = {"content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no"}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        beating = asyncio.create_task(beat())
        try:
            await push(_data(writer.opening()))
            async for event in events:
                if event["type"] == "solution":
                    for chunk in writer.closing(self._conclude(event, facts)):
                        await push(_data(chunk))
                elif text := reasoning(event):
                    await push(_data(writer.thought(text)))
        except (Exception, asyncio.CancelledError) as failed:
            # cancelled by a server that ends; a client that went away hears nothing of it
            error = closing() if isinstance(failed, asyncio.CancelledError) else failed
            if not isinstance(error, InputError):
                log.exception("a stream failed")
            status, body, _ = error_of(error)
            facts.setdefault("status", status)
            await push(_data(body))
        finally:
            beating.cancel()
        await push("data: [DONE]")
        await send({"type": "http.response.body", "body": b""})

    def _conclude(self, event: JSON, facts: JSON) -> Solution:
        solution = Solution.model_validate(event["solution"])
        self._metrics.count(solution)
        facts |= {"outcome": solution.status, "tokens": solution.total.tokens}
        if self._service.ended and not solution.text:
            raise closing()
        return solution


async def _gone(receive: Receive) -> None:
    """Returns when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _data(value: JSON) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}"
