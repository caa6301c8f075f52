"""The routes of the run page, under `/ui`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import htpy as h
from markupsafe import Markup
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from reasonflux_agent.errors import InputError, LibraryError, ReasonFluxError, RecordError
from reasonflux_agent.runs.record import Record, reading
from reasonflux_agent.schema import Template
from reasonflux_agent.serving.metrics import Metrics
from reasonflux_agent.serving.middleware import RequestMiddleware, read_body
from reasonflux_agent.serving.ui.libraries import Handler, Libraries
from reasonflux_agent.serving.ui.marking import MARK, mark_form, read_mark
from reasonflux_agent.serving.ui.onward import follow_form, fork_form
from reasonflux_agent.serving.ui.pages import ASK, BASE, about, home, new_form, place, refusal, run_page
from reasonflux_agent.serving.ui.past import search
from reasonflux_agent.serving.ui.prose import render
from reasonflux_agent.serving.ui.question import Form, drops, first, is_changed, question_form, read_decision, read_steps
from reasonflux_agent.serving.ui.runs import REVIEW, Runs
from reasonflux_agent.serving.ui.view import news, sections

JSON = dict[str, Any]
MAX_FORM, MAX_FIELDS = 1_000_000, 5_000
"""The most bytes and fields of a filled-in form."""
POLL_SECONDS, QUIET_POLLS = 0.2, 75
"""How often a record is looked at; after so many looks without news its state is read again."""
POLICY = "default-src 'self'; img-src data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "same-origin"}


def create_ui_app(runs: Runs) -> Starlette:
    """Return the run page as an application that serves this machine only."""

    async def root(request: Request) -> Response:
        return RedirectResponse(f"{BASE}/")

    return Starlette(
        routes=[Route("/", root), *ui_routes(runs)],
        middleware=[Middleware(RequestMiddleware, key=None, metrics=Metrics())],
    )


def ui_routes(runs: Runs) -> list[BaseRoute]:
    """Return the routes, for `create_app(extra_routes=...)`."""
    site = _Site(runs)
    routes = [
        Route("/", _page(site.home)),
        Route("/", _page(site.begin), methods=["POST"]),
        Route("/drop", _page(site.drop), methods=["POST"]),
        *(Route(f"/libraries{path}", _page(handler)) for path, handler in site.libraries.routes.items()),
        Route("/runs/{run}", _page(site.run)),
        Route("/runs/{run}/events", _page(site.events)),
        *(Route(f"/runs/{{run}}/{name}", _page(handler), methods=["POST"]) for name, handler in site.posts.items()),
        *(Route(f"/{name}", _file(name)) for name in ("page.css", "page.js")),
    ]
    return [Mount(BASE, routes=routes)]


def _file(name: str) -> Handler:
    async def send(request: Request) -> Response:
        return FileResponse(Path(__file__).with_name(name), headers={**HEADERS, "cache-control": "no-cache"})

    return send


def _page(handler: Handler) -> Handler:
    """Add the headers. An error becomes a page that says what to do next."""

    async def send(request: Request) -> Response:
        try:
            if request.method == "POST":
                _refuse_other_sites(request)
            response = await handler(request, **request.path_params)
        except ReasonFluxError as error:
            response = HTMLResponse(refusal(str(error)), 404 if isinstance(error, RecordError) else 400)
        response.headers.update({"cache-control": "no-store", **HEADERS, **response.headers})
        return response

    return send


def _refuse_other_sites(request: Request) -> None:
    """A page of another site can make a browser send a form here; the browser says whose page it was."""
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    foreign = origin is not None and origin.partition("://")[2] != host
    if foreign or request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise InputError("This form was sent by another site's page. Next: open the run page itself, and use its form.")


async def _form(request: Request) -> Form:
    body = await read_body(request, MAX_FORM)
    try:
        return parse_qs(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise InputError(f"The form has more than {MAX_FIELDS:,} fields.") from None


def _to(run: str) -> Response:
    """Send the browser to a run's page, or to the queue."""
    return RedirectResponse(place(run) if run else f"{BASE}/#runs", 303)


class _Site:
    """The handlers."""

    def __init__(self, runs: Runs) -> None:
        self._runs, self._library = runs, runs.runner.library
        self.libraries = Libraries(self._library, tuple(dict.fromkeys((Path.cwd(), *runs.folders))))
        self._names = {template.id: template.name for template in self._library}
        self._filled: dict[tuple[str, str], tuple[str, list[JSON], str]] = {}
        """(Run, attempt that asks) -> the question, its steps as a person has changed them, and why they were not taken."""
        self.posts = {
            "answer": self.answer,
            "feedback": self.feedback,
            "follow": self.follow,
            "fork": self.fork,
            "keep": self.keep,
            "resume": self.resume,
            "stop": self.stop,
        }
        """Last part of the path of a form -> what it does."""

    async def home(self, request: Request) -> Response:
        context, asked = self._runs.runner.context, request.query_params
        given = {"effort": context.effort, "granularity": context.granularity, "strategy": "navigator"}
        number = int(text) if (text := asked.get("page", "1")).isdecimal() and len(text) < 7 else 1
        given["problem"] = asked.get("problem", "")
        return HTMLResponse(await self._home(asked.get("q", "").strip(), given, number=max(1, number)))

    async def _home(self, query: str, given: JSON, error: str = "", number: int = 1) -> Markup:
        rows, found, total = await run_in_threadpool(search, self._runs, query, number)
        form = new_form(self._runs.runner.owners, given, error)
        return home(rows, found, total, query, number, list(self._runs.queue.values()), form)

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
        return _to(run)

    async def run(self, request: Request, run: str) -> Response:
        with reading(run):
            record, state, body = await self._read(run)
            before = await run_in_threadpool(self._runs.conversation, run)
            return HTMLResponse(run_page(record, body, before[:-1], live=state == "running"))

    async def _read(self, run: str) -> tuple[Record, str, dict[str, Markup]]:
        """Return a run's record, its state, and all sections of its page."""
        work = self._runs.work(run)
        under_way = work.under_way  # first: if it ends while it is read, it is read once more
        record = await run_in_threadpool(self._runs.record, run)
        if record.solution and work.task:  # it ends at once, and its run can be forked then
            await asyncio.wait({work.task}, timeout=5)
        body = await run_in_threadpool(sections, record, self._text, list(work.drafts.texts.values()))
        questions = {} if under_way or record.solution else await self._runs.questions(run)
        state = self._runs.state(run, record, under_way=under_way, waiting=bool(questions))
        can = under_way if state == "running" else run in self._runs.kept
        body["about"] = about(record, state, work.error, can)
        forks = await self._runs.places(run) if state in ("finished", "stopped") else []
        body["onward"] = render(follow_form(record), mark_form(record), fork_form(record, forks))
        body["questions"] = render(self._questions(run, questions) if questions else None)
        return record, state, body

    def _questions(self, run: str, questions: dict[str, tuple[str, JSON]]) -> h.Node:
        """Return the forms of the open questions in the order of the attempts, and what can be typed to add a template."""
        forms = [
            question_form(id, asked, run, self._names, attempt, self._changes(run, id, attempt, asked))
            for id, (attempt, asked) in sorted(questions.items(), key=lambda item: (len(item[1][0]), item[1][0]))
        ]
        return [forms, h.datalist("#template-ids")[[h.option(value=id)[name] for id, name in self._names.items()]]]

    def _changes(self, run: str, id: str, attempt: str, asked: JSON) -> tuple[list[JSON], str] | None:
        """Return what a person has changed of this question, or of the one whose answer the run could not use."""
        question, steps, why = self._filled.get((run, attempt), ("", [], ""))
        return (steps, why) if question == id or (question and asked["error"]) else None

    async def events(self, request: Request, run: str) -> Response:
        with reading(run):
            await self._read(run)  # refuses what is no run, or a damaged one, before the stream begins
        return EventSourceResponse(self._stream(run), sep="\n")

    async def _stream(self, run: str) -> AsyncIterator[dict[str, str]]:
        """Yield the sections that changed, whenever some did, until the run is no longer under way."""
        sent: dict[str, Markup] = {}
        seen: object = None
        told, quiet, state = -1, 0, "running"
        while state == "running" and not self._runs.ended:
            if (version := self._runs.version(run)) == seen and (quiet := quiet + 1) % QUIET_POLLS:
                await asyncio.sleep(POLL_SECONDS)
                continue
            seen = version
            record, state, body = await self._read(run)
            if changed := {id: html for id, html in body.items() if sent.get(id) != html}:
                yield _event("sections", changed)
            sent = body
            said = [text for event in record.events[max(told, 0) :] if (text := news(event))] if told >= 0 else []
            told = len(record.events)
            if state == "waiting":
                said.append("The run waits for your answer.")
            if said:
                yield _event("news", said[-1])
        if state != "running":
            yield _event("end", state)

    async def answer(self, request: Request, run: str) -> Response:
        form, question, attempt, asked = await self._asked(request, run)
        if drops(form, asked):
            why = "This button does not use what you changed. Next: go on with your edits, or press it again to drop them."
            self._filled[run, attempt] = question, read_steps(form), why
        else:
            await self._runs.resume(run, {question: read_decision(form)})
        return _to(run)

    async def keep(self, request: Request, run: str) -> Response:
        """Keep what was changed in one question's form while another one is answered."""
        await self._asked(request, run)
        return Response(status_code=204)

    async def _asked(self, request: Request, run: str) -> tuple[Form, str, str, JSON]:
        """Return a form that was sent: its fields, its question's id, the attempt that asks, and the question."""
        form = await _form(request)
        questions, question = await self._runs.questions(run), (form.get("question") or [""])[0]
        if question not in questions:
            raise InputError("This question was answered already, or is not asked any more. Next: reload the run's page.")
        (attempt, asked), steps = questions[question], read_steps(form)
        if is_changed(steps, asked):  # shown again if the run cannot use them
            self._filled[run, attempt] = question, steps, ""
        else:
            self._filled.pop((run, attempt), None)
        return form, question, attempt, asked

    async def resume(self, request: Request, run: str) -> Response:
        await self._runs.resume(run)
        return _to(run)

    async def stop(self, request: Request, run: str) -> Response:
        await self._runs.stop(run)
        return _to(run)

    async def feedback(self, request: Request, run: str) -> Response:
        given = read_mark(await _form(request))
        await run_in_threadpool(partial(self._runs.runner.feedback, run, **given))
        return RedirectResponse(f"{place(run)}#{MARK}", 303)

    async def follow(self, request: Request, run: str) -> Response:
        return _to(await self._runs.follow(run, first(await _form(request), "problem")))

    async def fork(self, request: Request, run: str) -> Response:
        form = await _form(request)
        attempt, _, step = first(form, "place").rpartition("/")
        if not step.isdecimal() or len(step) > 4:
            raise InputError("This form names no step. Next: open the run's page, and choose one.")
        return _to(await self._runs.fork(run, attempt, int(step), {"effort": first(form, "effort")}))

    async def drop(self, request: Request) -> Response:
        await self._runs.drop(first(await _form(request), "thread"))
        return _to("")

    def _text(self, id: str) -> Template | None:
        """Return a template; None if this library does not hold it."""
        try:
            return self._library.get(id)
        except LibraryError:
            return None


def _event(name: str, value: object) -> dict[str, str]:
    return {"event": name, "data": json.dumps(value)}
