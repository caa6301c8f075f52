"""The routes of the run page, under `/ui`."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route

from reasonflux_agent.errors import InputError, LibraryError, ReasonFluxError, RecordError
from reasonflux_agent.runs.record import Record, reading
from reasonflux_agent.serving.guard import Guard
from reasonflux_agent.serving.metrics import Metrics
from reasonflux_agent.serving.ui import formulas
from reasonflux_agent.serving.ui.html import Html, join, tag
from reasonflux_agent.serving.ui.pages import ASK, about, home, new_form, page, run_page
from reasonflux_agent.serving.ui.past import Past
from reasonflux_agent.serving.ui.question import Form, drops, is_changed, question_form, read_decision, read_steps
from reasonflux_agent.serving.ui.runs import REVIEW, Runs
from reasonflux_agent.serving.ui.tree import branches
from reasonflux_agent.serving.ui.view import news, sections
from reasonflux_agent.templates import render_template

log = logging.getLogger("reasonflux_agent.serving")
JSON = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]
BASE = "/ui"
MAX_FORM, MAX_FIELDS = 1_000_000, 5_000
"""Bytes and fields of a filled-in form at most."""
POLL_SECONDS, BEATS = 0.2, 75
"""How often a record is looked at; a stream that is silent for so many looks gets a comment line."""
POLICY = "default-src 'self'; img-src data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "same-origin"}


def create_ui_app(runs: Runs) -> Starlette:
    """The run page alone, for this machine alone."""

    async def root(request: Request) -> Response:
        return RedirectResponse(f"{BASE}/")

    return Starlette(
        routes=[Route("/", root), *ui_routes(runs)],
        middleware=[Middleware(Guard, key=None, metrics=Metrics())],
    )


def ui_routes(runs: Runs) -> list[BaseRoute]:
    """The routes, for `create_app(extra_routes=...)`. Raises MissingExtraError."""
    formulas.require()
    site = _Site(runs)
    routes = [
        Route("/", _page(site.home)),
        Route("/", _page(site.begin), methods=["POST"]),
        Route("/runs/{run}", _page(site.run)),
        Route("/runs/{run}/events", _page(site.events)),
        Route("/runs/{run}/answer", _page(site.answer), methods=["POST"]),
        Route("/runs/{run}/keep", _page(site.keep), methods=["POST"]),
        Route("/runs/{run}/resume", _page(site.resume), methods=["POST"]),
        Route("/runs/{run}/stop", _page(site.stop), methods=["POST"]),
        *(Route(f"/{name}", _file(name)) for name in ("page.css", "page.js")),
    ]
    return [Mount(BASE, routes=routes)]


def _file(name: str) -> Handler:
    async def send(request: Request) -> Response:
        return FileResponse(Path(__file__).with_name(name), headers={**HEADERS, "cache-control": "no-cache"})

    return send


def _page(handler: Handler) -> Handler:
    """Adds the headers; an error becomes a page that says what to do next."""

    async def send(request: Request) -> Response:
        try:
            if request.method == "POST":
                _same_site(request)
            response = await handler(request)
        except ReasonFluxError as error:
            status = 404 if isinstance(error, RecordError) else 400
            text = tag("p", str(error), role="alert", class_="error")
            response = HTMLResponse(page("Not possible", BASE, tag("h1", "That is not possible"), text), status)
        response.headers.update({"cache-control": "no-store", **HEADERS})
        return response

    return send


def _same_site(request: Request) -> None:
    """A page of another site can make a browser send a form here; the browser says whose page it was."""
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    foreign = origin is not None and origin.partition("://")[2] != host
    if foreign or request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise InputError("This form was sent by another site's page. Next: open the run page itself, and use its form.")


async def _form(request: Request) -> Form:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM:
            raise InputError(f"What was sent has more than {MAX_FORM:,} bytes.")
    try:
        return parse_qs(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise InputError(f"The form has more than {MAX_FIELDS:,} fields.") from None


class _Site:
    """The handlers."""

    def __init__(self, runs: Runs) -> None:
        self._runs, self._past = runs, Past(runs)
        self._names = {template.id: template.name for template in runs.library}
        self._filled: dict[tuple[str, str], tuple[str, list[JSON], str]] = {}
        """(Run, task that asks) -> the question, its steps as a person has changed them, and why they were not taken."""

    async def home(self, request: Request) -> Response:
        query = request.query_params.get("q", "").strip()
        given = {"effort": self._runs.context.effort, "granularity": self._runs.context.granularity, "strategy": "navigator"}
        return HTMLResponse(await self._home(query, given))

    async def _home(self, query: str, given: JSON, error: str = "") -> str:
        rows, total = await run_in_threadpool(self._past.search, query, set(self._runs.kept))
        return home(BASE, rows, total, query, new_form(BASE, self._runs.strategies, given, error))

    async def begin(self, request: Request) -> Response:
        given = {name: values[0].strip() for name, values in (await _form(request)).items()}
        ask, strategy = given.get("ask", "no"), given.get("strategy", "navigator")
        fields: JSON = {name: given[name] for name in ("effort", "granularity") if given.get(name)}
        try:
            if ask not in ASK or (ask != "no" and strategy != "navigator"):
                raise InputError(f"The strategy {strategy!r} asks nobody. Next: choose navigator, or to be asked never.")
            asking = {"ask_at_reviews": True} if ask == "reviews" else {}
            run = await self._runs.begin(given.get("problem", ""), REVIEW if ask != "no" else strategy, {**fields, **asking})
        except ReasonFluxError as error:
            return HTMLResponse(await self._home("", given, str(error)), 400)
        return RedirectResponse(f"{BASE}/runs/{run}", 303)

    async def run(self, request: Request) -> Response:
        with reading(request.path_params["run"]):
            record, state, body = await self._read(request.path_params["run"])
            return HTMLResponse(run_page(BASE, record, body, live=state == "running"))

    async def _read(self, run: str) -> tuple[Record, str, dict[str, Html]]:
        """A run's record, its state, and all sections of its page."""
        live = self._runs.is_live(run)  # first: if it ends while it is read, it is read once more
        record = await run_in_threadpool(self._runs.record, run)
        body = await run_in_threadpool(sections, record, self._text, self._runs.drafts(run))
        questions = {} if live or record.solution else await self._runs.questions(run)
        state = self._runs.state(run, record, live=live, waiting=bool(questions))
        place = f"{BASE}/runs/{run}"
        names = {branch.unit: branch.name for branch in branches(record)} if questions else {}
        units = sorted(questions, key=lambda id: list(names).index(questions[id][0]) if questions[id][0] in names else -1)
        forms = [
            question_form(id, asked, place, self._names, names.get(unit, "The attempt"), self._changes(run, id, unit, asked))
            for id in units
            for unit, asked in [questions[id]]
        ]
        if forms:  # what can be typed where a template is added
            known = [tag("option", name, value=id) for id, name in self._names.items()]
            forms.append(tag("datalist", known, id="template-ids"))
        can = live if state == "running" else run in self._runs.kept
        head = about(place, state, record.header["time"], self._runs.error(run), can)
        return record, state, {**body, "questions": join(forms), "about": head}

    def _changes(self, run: str, id: str, unit: str, asked: JSON) -> tuple[list[JSON], str] | None:
        """What a person has changed of this question, or of the one whose answer the run could not use."""
        question, steps, why = self._filled.get((run, unit), ("", [], ""))
        return (steps, why) if question == id or (question and asked["error"]) else None

    async def events(self, request: Request) -> Response:
        run = request.path_params["run"]
        with reading(run):
            await self._read(run)  # refuses what is no run, or a damaged one, before the stream begins
        return StreamingResponse(self._stream(run), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _stream(self, run: str) -> AsyncIterator[str]:
        """The sections that changed, whenever some did, until the run is no longer under way."""
        sent: dict[str, Html] = {}
        seen: object = None
        told, quiet, state = -1, 0, "running"
        while state == "running" and not self._runs.ended:
            if (version := self._runs.version(run)) == seen:
                quiet += 1
                if quiet % BEATS == 0:
                    yield ": the run goes on\n\n"
                    seen = None  # a run of another process may have gone silent
                await asyncio.sleep(POLL_SECONDS)
                continue
            seen = version
            record, state, body = await self._read(run)
            if changed := {id: html for id, html in body.items() if sent.get(id) != html}:
                yield _event("sections", changed)
            sent = body
            said = [text for line in record.lines[max(told, 0) :] if (text := news(line))] if told >= 0 else []
            told = len(record.lines)
            if state == "waiting":
                said.append("The run waits for your answer.")
            if said:
                yield _event("news", said[-1])
        if state != "running":
            yield _event("end", state)

    async def answer(self, request: Request) -> Response:
        run, form, question, unit, asked = await self._asked(request)
        if drops(form, asked):
            why = "This button does not use what you changed. Next: go on with your edits, or press it again to drop them."
            self._filled[run, unit] = question, read_steps(form), why
        else:
            await self._runs.go_on(run, {question: read_decision(form)})
        return RedirectResponse(f"{BASE}/runs/{run}", 303)

    async def keep(self, request: Request) -> Response:
        """Keeps what was changed in one question's form while another one is answered."""
        await self._asked(request)
        return Response(status_code=204)

    async def _asked(self, request: Request) -> tuple[str, Form, str, str, JSON]:
        """A form that was sent: its run, its fields, its question's id, the task that asks, and the question."""
        run, form = request.path_params["run"], await _form(request)
        questions, question = await self._runs.questions(run), (form.get("question") or [""])[0]
        if question not in questions:
            raise InputError("This question was answered already, or is not asked any more. Next: reload the run's page.")
        (unit, asked), steps = questions[question], read_steps(form)
        if is_changed(steps, asked):  # to be shown again, should the run not be able to use them
            self._filled[run, unit] = question, steps, ""
        else:
            self._filled.pop((run, unit), None)
        return run, form, question, unit, asked

    async def resume(self, request: Request) -> Response:
        run = request.path_params["run"]
        await self._runs.go_on(run)
        return RedirectResponse(f"{BASE}/runs/{run}", 303)

    async def stop(self, request: Request) -> Response:
        run = request.path_params["run"]
        await self._runs.stop(run)
        return RedirectResponse(f"{BASE}/runs/{run}", 303)

    def _text(self, id: str) -> tuple[str, str]:
        """Name and text of a template; its id alone where this library does not hold it."""
        try:
            template = self._runs.library.get(id)
        except LibraryError:
            return id, "The library that is loaded here does not hold it."
        return template.name, render_template(template, max_chars=4000)


def _event(name: str, value: object) -> str:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n"
