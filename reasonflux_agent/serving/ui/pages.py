"""The pages: the list of runs with the form for a new one, and the page of a run. No I/O but reading the frame."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from reasonflux_agent.context import EFFORTS
from reasonflux_agent.runs.record import Record
from reasonflux_agent.serving.ui.html import Html, formula, inline, join, prose, tag
from reasonflux_agent.serving.ui.view import settings

JSON = dict[str, Any]
ASK = {"no": "never", "plan": "before the trajectory is carried out", "reviews": "and at each review too"}
"""Value of the field `ask` -> what it means."""


class Row(NamedTuple):
    """A run in the list."""

    run: str
    begun: float
    """Seconds since 1970."""
    problem: str
    state: str
    answer: str
    certainty: str
    """How sure the answer is; empty where there is none."""


@cache
def _frame() -> Template:
    return Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))


def page(title: str, base: str, *content: Html | None) -> str:
    """A whole page; `base` is where the pages are served, without a slash at its end."""
    return _frame().substitute(title=tag("title", f"{title} · ReasonFlux"), base=base, content=join(content))


def home(base: str, rows: list[Row], total: int, query: str, form: Html) -> str:
    """The list of runs, newest first, and the form."""
    items = [
        tag(
            "li",
            tag("a", inline(_shorten(row.problem)), href=f"{base}/runs/{row.run}"),
            tag(
                "p",
                tag("span", row.state, class_=f"state {row.state}"),
                [f" · {row.certainty} · ", formula(row.answer)] if row.answer else None,
                " · ",
                tag("time", _when(row.begun), datetime=datetime.fromtimestamp(row.begun).isoformat(timespec="seconds")),
            ),
        )
        for row in rows
    ]
    shown = f"{len(rows)} of {total} runs" + (f" that hold “{query}”" if query else "")
    search = tag(
        "form",
        tag("label", "Search problems, answers and states ", tag("input", type="search", name="q", value=query)),
        tag("button", "Search", type="submit"),
        role="search",
        class_="search",
    )
    runs = tag(
        "section",
        tag("h2", "Runs", id="runs"),
        search,
        tag("p", shown, class_="soft"),
        tag("ol", *items, class_="runs") if items else None,
        aria_labelledby="runs",
    )
    return page("Runs", base, tag("h1", "Solve a problem by planning"), tag("div", form, runs, class_="columns"))


def new_form(base: str, strategies: list[str], given: JSON, error: str = "") -> Html:
    """The form for a new problem, filled in with what was `given`."""
    efforts: dict[str, str] = {
        name: f"{name} (drafts {s.drafts}, trajectories {s.trajectories}, reviews {s.reviews})" for name, s in EFFORTS.items()
    }
    wholes = {"whole": "whole (one reply for all steps)", "step": "step (one reply a step)"}
    return tag(
        "form",
        tag("h2", "New problem", id="new"),
        tag("p", error, role="alert", class_="error") if error else None,
        tag("label", "Problem", tag("textarea", f"\n{given.get('problem', '')}", name="problem", rows=5, required=True)),
        _choice("Effort", "effort", efforts, given),
        _choice("Strategy", "strategy", {name: name for name in strategies}, given),
        _choice("Granularity", "granularity", wholes, given),
        _choice("Ask me (strategy navigator)", "ask", ASK, given),
        tag("button", "Solve", type="submit"),
        tag("p", id="begins", role="status", class_="soft"),
        method="post",
        action=f"{base}/",
        class_="card new",
        aria_labelledby="new",
    )


def _choice(label: str, name: str, options: dict[str, str], given: JSON) -> Html:
    choices = [tag("option", text, value=value, selected=given.get(name) == value) for value, text in options.items()]
    return tag("label", label, tag("select", *choices, name=name))


def run_page(base: str, record: Record, body: dict[str, Html], *, live: bool) -> str:
    """The page of one run; `body`: the sections of `view.sections`, with `about` and `questions`."""
    place = f"{base}/runs/{record.header['run']}"
    problem = record.header["problem"]

    def section(id: str, title: str, *content: Html | None) -> Html:
        return tag("section", tag("h2", title, id=f"{id}-h"), *content, aria_labelledby=f"{id}-h")

    aside = tag(
        "aside",
        section("costs", "Costs", tag("div", body["usage"], id="usage")),
        section("made", "Settings", settings(record)),
        section("asked", "Model calls", tag("div", body["calls"], id="calls")),
        aria_label="Costs, settings and calls",
    )
    main = tag(
        "div",
        tag("div", body["answer"], id="answer"),
        tag("div", body["questions"], id="questions"),
        section("done", "What was done", tag("div", body["tree"], id="tree")),
        tag("div", body["now"], id="now"),
        class_="work",
    )
    return page(
        _shorten(problem, 60),
        base,
        tag("h1", "Problem"),
        tag("div", prose(problem), class_="problem"),
        tag("div", body["about"], id="about"),
        tag("p", id="news", role="status", class_="unseen"),
        tag("div", main, aside, class_="columns", data_events=f"{place}/events" if live else None),
    )


def about(place: str, state: str, began: float, error: str, can_go_on: bool) -> Html:
    """State of a run, and the buttons that fit it."""
    words = {
        "running": "The run is under way.",
        "waiting": "The run waits for you: answer the question below.",
        "finished": "The run has ended.",
        "stopped": "The run was stopped before its end.",
    }
    do = {"running": ("stop", "Stop"), "stopped": ("resume", "Go on")}.get(state)
    button = (
        tag("form", tag("button", do[1], type="submit"), method="post", action=f"{place}/{do[0]}") if do and can_go_on else None
    )
    return join(
        (
            tag("p", tag("span", state, class_=f"state {state}"), f" {words[state]} Begun {_when(began)}."),
            tag("p", error, role="alert", class_="error") if error else None,
            button,
        )
    )


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _shorten(text: str, length: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[:length].rsplit(" ", 1)[0] + " …"
