"""The pages: the list of runs with the form for a new one, and the page of a run. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import htpy as h
from markupsafe import Markup

from reasonflux_agent.context import EFFORTS
from reasonflux_agent.events import Feedback
from reasonflux_agent.runs.record import Record
from reasonflux_agent.serving.ui.past import PAGE, Row
from reasonflux_agent.serving.ui.prose import formula, inline, prose, render
from reasonflux_agent.serving.ui.view import settings
from reasonflux_agent.serving.ui.works import Work

JSON = dict[str, Any]
BASE = "/ui"
"""Where the pages are served."""
ASK = {"no": "never", "plan": "before the trajectory is carried out", "reviews": "and at each review too"}
"""Value of the field `ask` -> what it means."""
HINT = "Write it in words, with formulas in LaTeX, as $a_1 = 3$. Say what is asked for. Ctrl+Enter solves. Examples to take:"
EXAMPLES = (
    "Given a sequence $\\{a_n\\}$ with $a_1 = 3$ and $a_{n+1} = 2a_n + 5$, find the general term $a_n$.",
    "A jacket costs 80 dollars after a discount of 20 %. What did it cost before?",
    "What is the units digit of $7^{2026}$?",
)
"""Problems to begin with."""
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


def page(title: str, *content: h.Node, here: str = "") -> Markup:
    """Return a whole page; `here` is the path of its link in the navigation."""
    links = {f"{BASE}/": "ReasonFlux · all runs", f"{BASE}/libraries": "Libraries"}
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
                h.header[
                    h.nav(aria_label="Pages")[
                        [h.a(href=path, aria_current="page" if path == here else None)[text] for path, text in links.items()]
                    ]
                ],
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


def home(rows: list[Row], found: int, total: int, query: str, number: int, queue: list[Work], form: h.Node) -> Markup:
    """Return the form, and a page of the list of runs: its number, and how many runs were `found` of all."""
    first = (number - 1) * PAGE
    shown = f"{first + 1} to {first + len(rows)} of {found} runs" if rows and found > PAGE else f"{found} of {total} runs"
    search = h.form(".search", role="search")[
        h.label["Search problems, answers and states ", h.input(type="search", name="q", value=query)],
        h.button(type="submit")["Search"],
    ]

    def turn(to: int, text: str, is_there: bool) -> h.Node:
        asked = urlencode({"q": query, "page": to})
        return h.a(href=f"{BASE}/?{asked}#runs")[text] if is_there else h.span(".soft")[text]

    turns = h.nav(".turn", aria_label="Pages of the list")[
        turn(number - 1, "Newer", number > 1), turn(number + 1, "Older", first + len(rows) < found)
    ]
    changing = bool(queue) or any(row.state == "running" for row in rows)
    runs = h.section(aria_labelledby="runs")[
        h.h2("#runs")["Runs"],
        search if total else h.p(".soft")["The runs will be listed here."],
        h.div("#list", data_poll=changing)[
            h.ol(".runs")[map(_waiting, queue)] if queue else None,
            h.p(".soft")[shown + (f" that hold “{query}”" if query else "")] if total else None,
            h.ol(".runs")[map(_row, rows)] if rows else None,
            turns if found > PAGE else None,
        ],
    ]
    title = h.h1["Solve a problem by planning"]
    return page("Runs", title, h.div(".columns")[form, runs], here=f"{BASE}/")


def _waiting(work: Work) -> h.Node:
    state, button = ("failed", "Remove") if work.error else ("queued", "Cancel")
    return h.li[
        inline(_shorten(work.problem)),
        h.p[h.span(class_=f"state {state}")[state], None if work.error else " · begins when a run has ended"],
        alert(work.error),
        h.form(method="post", action=f"{BASE}/drop")[
            h.input(type="hidden", name="thread", value=work.thread),
            h.button(type="submit", aria_label=f"{button}: {_shorten(work.problem, 60)}")[button],
        ],
    ]


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


def choice(label: str, name: str, options: dict[Any, str], given: object = None) -> h.Node:
    """Return a labelled choice; options: value -> text."""
    return h.label[
        label, h.select(name=name)[[h.option(value=value, selected=given == value)[text] for value, text in options.items()]]
    ]


def new_form(strategies: Iterable[str], given: JSON, error: str = "") -> h.Node:
    """Return the form for a new problem, filled in with what was `given`."""
    does = "samples {0.direct_samples}, plans {0.trajectories}, reviews {0.reviews}"
    efforts, typed = {name: f"{name} ({does.format(sets)})" for name, sets in EFFORTS.items()}, given.get("problem", "")
    wholes = {"whole": "whole (one reply for all steps)", "step": "step (one reply a step)"}
    return h.form(".card.new", method="post", action=f"{BASE}/", aria_labelledby="new")[
        h.h2("#new")["New problem"],
        alert(error),
        h.label["Problem", h.textarea(name="problem", rows=5, required=True, aria_describedby="hint")[f"\n{typed}"]],
        h.p("#hint.soft")[HINT],
        h.ul(".examples")[[h.li[h.a(href=f"{BASE}/?{urlencode({'problem': text})}")[inline(text)]] for text in EXAMPLES]],
        choice("Effort", "effort", efforts, given.get("effort")),
        choice("Ask me (strategy navigator)", "ask", ASK, given.get("ask")),
        h.details("#more")[
            h.summary["More settings"],
            choice("Strategy", "strategy", {name: name for name in strategies}, given.get("strategy")),
            choice("Granularity", "granularity", wholes, given.get("granularity")),
        ],
        h.button(type="submit")["Solve"],
        h.p("#begins.soft", role="status"),
    ]


def run_page(record: Record, body: dict[str, Markup], before: list[Record], *, live: bool) -> Markup:
    """Return the page of one run, top-down like a solution.

    body: the sections of `view.sections`, with `about`, `questions` and `onward`. before: the turns of its conversation.
    """
    problem, forked = record.begin.problem, record.header.get("forked")

    def filled(id: str) -> h.Node:
        return h.div(id=id)[body[id]]

    def section(id: str, title: str, content: h.Node) -> h.Node:
        return h.section(aria_labelledby=f"{id}-h")[h.h2(id=f"{id}-h")[title], content]

    turns = [
        h.li[
            h.a(href=place(turn.begin.run))[inline(_shorten(turn.begin.problem))],
            " ",
            formula((turn.solution and turn.solution.answer) or "no answer"),
        ]
        for turn in before
    ]
    return page(
        _shorten(problem, 60),
        h.nav(aria_label="Earlier turns")[h.ol(".turns")[turns]] if turns else None,
        h.h1["Problem"],
        h.div(".problem")[prose(problem)],
        h.p(".soft")[_origin(forked)] if isinstance(forked, dict) else None,
        filled("restated"),
        filled("about"),
        h.p("#news.unseen", role="status"),
        h.div(".work", data_events=f"{place(record.begin.run)}/events" if live else None)[
            filled("answer"),
            filled("questions"),
            section("done", "What was done", filled("tree")),
            filled("now"),
            section("costs", "Costs", filled("usage")),
            filled("onward"),
            h.details("#asked")[h.summary["Model calls, with every prompt and reply"], filled("calls")],
            h.details("#made")[h.summary["Settings"], settings(record)],
        ],
    )


def _origin(forked: JSON) -> h.Node:
    run, attempt, step = (forked.get(name) for name in ("run", "attempt", "step"))
    from_where = f" of another run, from step {step + 1 if isinstance(step, int) else '?'} of {attempt}."
    return ["A ", h.a(href=place(str(run)))["fork"], from_where]


def about(record: Record, state: str, error: str, can_go_on: bool) -> Markup:
    """Return the state of a run with what it has cost, and the button that fits it."""
    words, route, label = STATES[state]
    began = record.begin.time
    ended = max((event.time for event in record.events if not isinstance(event, Feedback)), default=began)
    calls = len(record.calls)
    tokens = sum(c.reply.prompt_tokens + c.reply.completion_tokens for c in record.calls if c.reply)
    button = h.form(method="post", action=f"{place(record.begin.run)}/{route}")[h.button(type="submit")[label]]
    return render(
        h.p[h.span(class_=f"state {state}")[state], f" {words}"],
        h.p(".soft.spent")[
            f"{calls} call{'' if calls == 1 else 's'} · {tokens:,} tokens · ",
            h.span(data_since=str(began) if state == "running" else None, title="Elapsed time")[clock(max(0.0, ended - began))],
            f" elapsed · begun {when(began)}",
        ],
        alert(error),
        button if route and can_go_on else None,
    )


def clock(seconds: float) -> str:
    """Return a duration as 1:05, or 2:01:05."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def when(seconds: float) -> str:
    """Return a time (seconds since 1970) as a person here reads it."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _shorten(text: str, length: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[:length].rsplit(" ", 1)[0] + " …"
