"""The pages: the list of runs with the form for a new one, and the page of a run. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import htpy as h
from markupsafe import Markup

from reasonflux_agent.context import EFFORTS
from reasonflux_agent.runs.record import Record
from reasonflux_agent.serving.ui.past import Row
from reasonflux_agent.serving.ui.prose import formula, inline, prose, render
from reasonflux_agent.serving.ui.view import settings

JSON = dict[str, Any]
BASE = "/ui"
"""Where the pages are served."""
ASK = {"no": "never", "plan": "before the trajectory is carried out", "reviews": "and at each review too"}
"""Value of the field `ask` -> what it means."""
STATES = {
    "running": ("The run is under way.", "stop", "Stop"),
    "waiting": ("The run waits for you: answer the question below.", "", ""),
    "finished": ("The run has ended.", "", ""),
    "stopped": ("The run was stopped before its end.", "resume", "Go on"),
}
"""State of a run -> what it means, and the route and text of its button."""


def place(run: str) -> str:
    """Return the path of a run's page."""
    return f"{BASE}/runs/{run}"


def page(title: str, *content: h.Node) -> Markup:
    """Return a whole page."""
    return render(
        h.html(lang="en")[
            h.head[
                h.meta(charset="utf-8"),
                h.meta(name="viewport", content="width=device-width, initial-scale=1"),
                h.meta(name="color-scheme", content="light dark"),
                h.title[f"{title} · ReasonFlux"],
                h.link(rel="icon", href="data:,"),
                h.link(rel="stylesheet", href=f"{BASE}/page.css"),
                h.script(src=f"{BASE}/page.js", type="module"),
            ],
            h.body[
                h.a(".skip", href="#main")["Skip to the content"],
                h.header[h.nav(aria_label="Pages")[h.a(href=f"{BASE}/")["ReasonFlux · all runs"]]],
                h.main("#main", tabindex=-1)[content],
            ],
        ]
    )


def refusal(error: str) -> Markup:
    """Return the page that says why a request was refused."""
    return page("Not possible", h.h1["That is not possible"], alert(error))


def alert(error: str) -> h.Node:
    """Return an error that a screen reader reads at once; nothing if there is none."""
    return h.p(".error", role="alert")[error] if error else None


def home(rows: list[Row], total: int, query: str, form: h.Node) -> Markup:
    """Return the list of runs, newest first, and the form."""
    shown = f"{len(rows)} of {total} runs" + (f" that hold “{query}”" if query else "")
    search = h.form(".search", role="search")[
        h.label["Search problems, answers and states ", h.input(type="search", name="q", value=query)],
        h.button(type="submit")["Search"],
    ]
    runs = h.section(aria_labelledby="runs")[
        h.h2("#runs")["Runs"],
        search,
        h.p(".soft")[shown],
        h.ol(".runs")[map(_row, rows)] if rows else None,
    ]
    return page("Runs", h.h1["Solve a problem by planning"], h.div(".columns")[form, runs])


def _row(row: Row) -> h.Node:
    began = datetime.fromtimestamp(row.begun)
    return h.li[
        h.a(href=place(row.run))[inline(_shorten(row.problem))],
        h.p[
            h.span(class_=f"state {row.state}")[row.state],
            [f" · {row.certainty} · ", formula(row.answer)] if row.answer else None,
            f" · {row.mark}" if row.mark else None,
            " · ",
            h.time(datetime=began.isoformat(timespec="seconds"))[when(row.begun)],
        ],
    ]


def new_form(strategies: Iterable[str], given: JSON, error: str = "") -> h.Node:
    """Return the form for a new problem, filled in with what was `given`."""
    efforts = {
        name: f"{name} (direct samples {s.direct_samples}, trajectories {s.trajectories}, reviews {s.reviews})"
        for name, s in EFFORTS.items()
    }
    wholes = {"whole": "whole (one reply for all steps)", "step": "step (one reply a step)"}

    def choice(label: str, name: str, options: dict[Any, str]) -> h.Node:
        choices = [h.option(value=value, selected=given.get(name) == value)[text] for value, text in options.items()]
        return h.label[label, h.select(name=name)[choices]]

    return h.form(".card.new", method="post", action=f"{BASE}/", aria_labelledby="new")[
        h.h2("#new")["New problem"],
        alert(error),
        h.label["Problem", h.textarea(name="problem", rows=5, required=True)[f"\n{given.get('problem', '')}"]],
        choice("Effort", "effort", efforts),
        choice("Strategy", "strategy", {name: name for name in strategies}),
        choice("Granularity", "granularity", wholes),
        choice("Ask me (strategy navigator)", "ask", ASK),
        h.button(type="submit")["Solve"],
        h.p("#begins.soft", role="status"),
    ]


def run_page(record: Record, body: dict[str, Markup], *, live: bool) -> Markup:
    """Return the page of one run; `body`: the sections of `view.sections`, with `about`, `questions` and `mark`."""
    problem = record.begin.problem

    def filled(id: str) -> h.Node:
        return h.div(id=id)[body[id]]

    def section(id: str, title: str, content: h.Node) -> h.Node:
        return h.section(aria_labelledby=f"{id}-h")[h.h2(id=f"{id}-h")[title], content]

    aside = h.aside(aria_label="Costs, settings and calls")[
        section("costs", "Costs", filled("usage")),
        section("made", "Settings", settings(record)),
        section("asked", "Model calls", filled("calls")),
    ]
    work = h.div(".work")[
        filled("answer"), filled("mark"), filled("questions"), section("done", "What was done", filled("tree")), filled("now")
    ]
    return page(
        _shorten(problem, 60),
        h.h1["Problem"],
        h.div(".problem")[prose(problem)],
        filled("about"),
        h.p("#news.unseen", role="status"),
        h.div(".columns", data_events=f"{place(record.begin.run)}/events" if live else None)[work, aside],
    )


def about(run: str, state: str, began: float, error: str, can_go_on: bool) -> Markup:
    """Return the state of a run, and the button that fits it."""
    words, route, label = STATES[state]
    button = h.form(method="post", action=f"{place(run)}/{route}")[h.button(type="submit")[label]]
    return render(
        h.p[h.span(class_=f"state {state}")[state], f" {words} Begun {when(began)}."],
        alert(error),
        button if route and can_go_on else None,
    )


def when(seconds: float) -> str:
    """Return a time (seconds since 1970) as a person here reads it."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _shorten(text: str, length: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[:length].rsplit(" ", 1)[0] + " …"
