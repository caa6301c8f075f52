"""The report as one page of HTML: no network, no script. page.css beside this file holds its looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import htpy as h
from markupsafe import Markup

from reasonflux_agent.jobs.evaluation.measures import Prices, accuracy, by, ended, mean, natural
from reasonflux_agent.jobs.evaluation.plots import COLOURS, Point, bars, scaling
from reasonflux_agent.jobs.evaluation.results import EvaluationRun, Result
from reasonflux_agent.jobs.evaluation.tables import Table, tables

SHOWN = 20_000
"""Characters of an answer or error on the page."""
OPEN = 300
"""The table of the problems is unfolded at first, if they are no more than this."""
FEW = 8
"""Methods that a figure of half the page's width holds without their names lying on one another."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
LEGEND = "✓ right, ✗ wrong, ∅ no answer, ! failed, – not done; one mark a repeat. A mark unfolds into the answer."
MARKS = {"right": "✓", "wrong": "✗", "no answer": "∅", "failed": "!"}


def document(title: str, settings: Sequence[tuple[str, str]], *body: h.Node) -> str:
    """Return a page: its title, what holds for all of it, and its sections."""
    style = Markup(Path(__file__).with_name("page.css").read_text(encoding="utf-8"))
    head = h.head[
        h.meta(charset="utf-8"),
        h.meta(name="viewport", content="width=device-width, initial-scale=1"),
        h.meta(http_equiv="Content-Security-Policy", content=POLICY),
        h.meta(name="color-scheme", content="light dark"),
        h.title[title],
        h.style[style],
    ]
    about = h.dl[(h.div[h.dt[name], h.dd[value]] for name, value in settings)]
    return str(h.html(lang="en")[head, h.body[h.header[h.h1[title], about], h.main[body]]])


def html(run: EvaluationRun, prices: Prices | None = None) -> str:
    """Tables, figures, and every problem with the answers to it. `prices`: per million tokens, adds the costs."""
    problems = h.section[
        h.h2["Problems"],
        h.p(".note")[LEGEND],
        h.label(".filter")[h.input(type="checkbox", id="differ"), " only problems on which the methods differ"],
        (_problems(run, benchmark) for benchmark in run.benchmarks),
    ]
    settings = [*run.settings, ("rows", run.progress)]
    return document(run.title, settings, h.div(".figures")[_figures(run)], map(table_section, tables(run, prices)), problems)


def table_section(table: Table) -> h.Element:
    head = [h.th(scope="col", class_="label" if n < table.labels else None)[text] for n, text in enumerate(table.head)]
    body = [h.tr[(_cell(text, n < table.labels) for n, text in enumerate(row))] for row in table.rows]
    return h.section[h.h2[table.title], _grid(table.title, head, body), table.note and h.p(".note")[table.note]]


def _cell(text: str, label: bool) -> h.Element:
    kind = "long" if len(text) > 48 else None
    return h.th(scope="row", class_=kind)[text] if label else h.td(class_=kind)[text]


def _grid(title: str, head: Sequence[h.Element], body: Sequence[h.Element]) -> h.Element:
    """A wide table scrolls by itself, also by keyboard."""
    region = h.div(".scroll", tabindex="0", role="region", aria_label=title)
    return region[h.table[h.thead[h.tr[head]], h.tbody[body]]]


def _figures(run: EvaluationRun) -> Iterator[h.Element]:
    """The scaling curve of every benchmark, and bars by level where its problems have levels."""
    for benchmark in run.benchmarks:
        methods = [(m, i, run.groups[benchmark, m]) for i, m in enumerate(run.methods) if (benchmark, m) in run.groups]
        points = [Point(m, i, mean(r.tokens for r in done), accuracy(rows)) for m, i, rows in methods if (done := ended(rows))]
        wide = len(methods) > FEW
        title = f"{benchmark}: accuracy against tokens"
        caption = (
            "Bars are 95 % intervals. The line joins the methods that no other beats in both accuracy and tokens. Tokens are "
            "means over the runs that ended; a failed one is wrong, and does not tell what it spent."
        )
        if points:
            yield figure(title, [scaling(points, title, wide)], caption, wide)
        levels = [(m, i, by(lambda row: row.level or "", rows)) for m, i, rows in methods]
        names = sorted({level for *_, groups in levels for level in groups if level}, key=natural)
        if names:
            groups = [(name, [(m, i, accuracy(g[name])) for m, i, g in levels if name in g]) for name in names]
            legend = h.ul(".legend")[(h.li(class_=f"m{i % COLOURS}")[m] for m, i, _ in levels)]
            title = f"{benchmark}: accuracy by level"
            yield figure(title, [legend, bars(groups, "level", title)], "Whiskers are 95 % intervals.", wide)


def figure(title: str, body: Sequence[h.Element], caption: str, wide: bool = False) -> h.Element:
    drawn = h.div(".scroll", tabindex="0", role="region", aria_label=title)[body]
    return h.figure(class_="wide" if wide else None)[drawn, h.figcaption[h.b[title], " ", caption]]


def _problems(run: EvaluationRun, benchmark: str) -> h.Element:
    """The table of a benchmark's problems × methods; every mark unfolds into the answers behind it."""
    columns = [by(lambda row: row.id, run.groups.get((benchmark, method), [])) for method in run.methods]
    first = {id: rows[0] for column in reversed(columns) for id, rows in column.items()}
    # in the order of the run, whichever method came first
    ids = list(dict.fromkeys(row.id for row in run.rows if row.benchmark == benchmark))
    body = []
    for id in ids:
        cells = [column.get(id, []) for column in columns]
        same = len({mean(row.correct for row in cell) for cell in cells if cell}) == 1
        about = " · ".join(part for part in (first[id].subject, first[id].level) if part)
        name = h.th(scope="row")[id, h.small[about]]
        body.append(h.tr(class_="same" if same else "differ")[name, h.td[first[id].gold[:SHOWN]], map(_marks, cells)])
    title = f"{benchmark}: {len(ids):,} problems"
    grid = _grid(title, [h.th(scope="col")[name] for name in ("problem", "right answer", *run.methods)], body)
    return h.details(".problems", open=len(ids) <= OPEN)[h.summary[title], grid]


def _marks(rows: list[Result]) -> h.Element:
    """A mark for each repeat, and the answers behind them."""
    if not rows:
        return h.td[h.span(title="not done")["–"]]
    outcomes = ["failed" if r.error else "right" if r.correct else "no answer" if r.answer is None else "wrong" for r in rows]
    marks = [h.i(class_=name.split()[-1], role="img", aria_label=name)[MARKS[name]] for name in outcomes]
    said = []
    for row in rows:
        spent = f"calls {row.calls}, tokens {row.tokens:,}, {row.seconds:.1f} s"
        said.append(h.p[(row.error or row.answer or "no answer")[:SHOWN], h.small[row.reason[:500], h.br, spent]])
    return h.td[h.details[h.summary[marks], said]]
