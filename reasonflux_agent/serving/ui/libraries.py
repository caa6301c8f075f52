"""The libraries behind the page: the loaded one, and those that were learned, with their reports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import htpy as h
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from reasonflux_agent.errors import RecordError
from reasonflux_agent.schema import Template
from reasonflux_agent.serving.ui.pages import BASE, page
from reasonflux_agent.serving.ui.trust import proof
from reasonflux_agent.templates import TemplateLibrary, render_template

Handler = Callable[..., Awaitable[Response]]
REPORT = ".report.html"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'"
"""A report is a file that may come from elsewhere: nothing in it can act."""
HERE = f"{BASE}/libraries"


class Libraries:
    """Where libraries are looked for, and the handlers of their routes.

    loaded: the one that the runs search. folders: where learned ones lie, NAME.json beside NAME.report.html.
    """

    def __init__(self, loaded: TemplateLibrary, folders: tuple[Path, ...]) -> None:
        self.loaded, self._folders = loaded, folders
        self.routes: dict[str, Handler] = {"": self._list, "/{name}": self._library, "/{name}/report": self._report}

    def learned(self) -> dict[str, Path]:
        """Return the paths of the reports by the names of their libraries; the first folder counts."""
        reports = [report for folder in self._folders for report in sorted(folder.glob(f"*{REPORT}"), reverse=True)]
        return {report.name.removesuffix(REPORT): report for report in reversed(reports)}

    async def _list(self, request: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(libraries_page, self))

    async def _library(self, request: Request, name: str) -> Response:
        report, library = self._existing(name), None if name != self.loaded.name else self.loaded
        if report and (path := report.with_name(f"{name}.json")).is_file():
            library = await run_in_threadpool(TemplateLibrary.load, path)
        return HTMLResponse(await run_in_threadpool(library_page, name, library, report is not None))

    async def _report(self, request: Request, name: str) -> Response:
        if path := self._existing(name):
            return FileResponse(path, media_type="text/html", headers={"content-security-policy": POLICY})
        raise RecordError(f"There is no report on the library {name!r}. Next: choose one of {HERE}.")

    def _existing(self, name: str) -> Path | None:
        """Return the path of a library's report; None for the loaded one, if it has none. Raises RecordError."""
        learned = self.learned()
        if name not in learned and name != self.loaded.name:
            raise RecordError(f"There is no library {name!r}. Next: choose one of {HERE}.")
        return learned.get(name)


def libraries_page(libraries: Libraries) -> Markup:
    """Return the list of the libraries."""
    learned = libraries.learned()
    names = dict.fromkeys((libraries.loaded.name, *learned))
    return page(
        "Libraries",
        h.h1["Libraries"],
        h.p["Templates that the runs of this page search, and libraries that were learned from solved problems."],
        h.ol(".runs")[(_entry(name, name == libraries.loaded.name, name in learned) for name in names)],
        None
        if learned
        else h.p[
            "No learned library lies here yet. Next: ", h.code["reasonflux learn solved.jsonl -o mine.json"], " in this folder."
        ],
        here=HERE,
    )


def _entry(name: str, is_loaded: bool, is_learned: bool) -> h.Node:
    return h.li[
        h.a(href=f"{HERE}/{name}")[name],
        " (the runs of this page search it)" if is_loaded else None,
        [" · ", h.a(href=f"{HERE}/{name}/report")[f"Report on {name}"]] if is_learned else None,
    ]


def library_page(name: str, library: TemplateLibrary | None, has_report: bool) -> Markup:
    """Return the page of a library: what was shown of it, and its templates by chapter and section."""
    said = next((found for template in library or () if (found := proof(template.provenance))), None)
    return page(
        name,
        h.h1[f"Library {name}"],
        h.p(class_=f"proof {said[0]}")[said[1]] if said else None,
        h.p[h.a(href=f"{HERE}/{name}/report")["The report of the run that learned it"]] if has_report else None,
        h.p(".soft")[f"{len(library)} templates"] if library else h.p["No template helped, so no library was written."],
        [_chapter(title, sections) for title, sections in library.chapters.items()] if library else None,
    )


def _chapter(title: str, sections: dict[str, list[Template]]) -> h.Node:
    groups = [[h.h3[section] if section else None, h.ul[map(_template, templates)]] for section, templates in sections.items()]
    return h.section(".card")[h.h2[title or "Templates"], groups]


def _template(template: Template) -> h.Node:
    won = {name: template.provenance[name] for name in ("model", "wins", "losses") if name in template.provenance}
    return h.li[
        h.details(".template")[
            h.summary[template.name],
            h.pre(tabindex=0, role="group", aria_label=template.name)[render_template(template, max_chars=8000)],
            h.p(".soft")[", ".join(f"{name} {value}" for name, value in won.items())] if won else None,
            h.p(".soft")[template.id],
        ]
    ]
