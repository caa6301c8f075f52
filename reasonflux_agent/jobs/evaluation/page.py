"""The report as one page of HTML: no network, no script. page.html beside this file holds its frame and its looks."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template

from reasonflux_agent.jobs.evaluation.measures import Prices, accuracy, by, ended, mean, natural
from reasonflux_agent.jobs.evaluation.plots import COLOURS, Point, bars, scaling
from reasonflux_agent.jobs.evaluation.results import Result, Run
from reasonflux_agent.jobs.evaluation.tables import Table, tables

SHOWN = 20_000
"""Characters of an answer or error on the page."""
OPEN = 300
"""Up to so many problems, their table is unfolded at first."""
FEW = 8
"""Methods that a figure of half the page's width holds without their names lying on one another."""


def html(run: Run, prices: Prices | None = None) -> str:
    """Tables, figures, and every problem with the answers to it. `prices`: per million tokens, adds the costs."""
    page = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    settings = [*run.settings, ("rows", run.progress)]
    return page.substitute(
        title=escape(run.title),
        settings="".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in settings),
        figures="".join(_figures(run)),
        tables="".join(_html_table(table) for table in tables(run, prices)),
        problems="".join(_problems(run, benchmark) for benchmark in run.benchmarks),
    )


def _html_table(table: Table) -> str:
    kinds = [' class="label"' if n < table.labels else "" for n in range(len(table.head))]
    head = "".join(f'<th scope="col"{kind}>{escape(text)}</th>' for kind, text in zip(kinds, table.head, strict=True))
    body = "".join(f"<tr>{''.join(_cell(text, n < table.labels) for n, text in enumerate(row))}</tr>" for row in table.rows)
    title, note = escape(table.title), f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    grid = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<section><h2>{title}</h2>{_region(title, grid)}{note}</section>"


def _cell(text: str, label: bool) -> str:
    kind = ' class="long"' if len(text) > 48 else ""
    return f'<th scope="row"{kind}>{escape(text)}</th>' if label else f"<td{kind}>{escape(text)}</td>"


def _region(title: str, grid: str) -> str:
    """A wide table scrolls by itself, also by keyboard."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">{grid}</div>'


def _figures(run: Run) -> Iterator[str]:
    """The scaling curve of every benchmark, and bars by level where its problems have levels."""
    for benchmark in run.benchmarks:
        ways = [(m, i, run.groups[benchmark, m]) for i, m in enumerate(run.methods) if (benchmark, m) in run.groups]
        points = [Point(m, i, mean(row.tokens for row in done), accuracy(rows)) for m, i, rows in ways if (done := ended(rows))]
        wide = len(ways) > FEW
        title = f"{benchmark}: accuracy against tokens"
        caption = (
            "Bars are 95 % intervals. The line joins the methods that no other beats in both accuracy and tokens. Tokens are "
            "means over the runs that ended; a failed one is wrong, and does not tell what it spent."
        )
        if points:
            yield _figure(title, scaling(points, title, wide), caption, wide)
        levels = [(m, i, by(lambda row: row.level or "", rows)) for m, i, rows in ways]
        names = sorted({level for *_, groups in levels for level in groups if level}, key=natural)
        if names:
            groups = [(name, [(m, i, accuracy(g[name])) for m, i, g in levels if name in g]) for name in names]
            legend = "".join(f'<li class="m{i % COLOURS}">{escape(m)}</li>' for m, i, _ in levels)
            title = f"{benchmark}: accuracy by level"
            body = f'<ul class="legend">{legend}</ul>' + bars(groups, "level", title)
            yield _figure(title, body, "Whiskers are 95 % intervals.", wide)


def _figure(title: str, body: str, caption: str, wide: bool) -> str:
    head = f"<b>{escape(title)}</b> {escape(caption)}"
    kind = ' class="wide"' if wide else ""
    return f'<figure{kind}><div class="scroll">{body}</div><figcaption>{head}</figcaption></figure>'


def _problems(run: Run, benchmark: str) -> str:
    """The table of a benchmark's problems × methods; every mark unfolds into the answers behind it."""
    columns = [by(lambda row: row.id, run.groups.get((benchmark, method), [])) for method in run.methods]
    first = {id: rows[0] for column in reversed(columns) for id, rows in column.items()}
    # in the order of the run, whichever method came first
    ids = list(dict.fromkeys(row.id for row in run.rows if row.benchmark == benchmark))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("problem", "right answer", *run.methods))
    body = []
    for id in ids:
        cells = [column.get(id, []) for column in columns]
        same = len({mean(row.correct for row in cell) for cell in cells if cell}) == 1
        about = " · ".join(part for part in (first[id].subject, first[id].level) if part)
        body.append(
            f'<tr class="{"same" if same else "differ"}"><th scope="row">{escape(id)}<small>{escape(about)}</small></th>'
            f"<td>{escape(first[id].gold[:SHOWN])}</td>{''.join(map(_mark, cells))}</tr>"
        )
    grid = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    title = f"{escape(benchmark)}: {len(ids):,} problems"
    unfolded = " open" if len(ids) <= OPEN else ""
    return f'<details class="problems"{unfolded}><summary>{title}</summary>{_region(title, grid)}</details>'


_MARKS = {"right": "✓", "wrong": "✗", "no answer": "∅", "failed": "!"}


def _outcome(row: Result) -> str:
    return "failed" if row.error else "right" if row.correct else "no answer" if row.answer is None else "wrong"


def _mark(rows: list[Result]) -> str:
    if not rows:
        return '<td><span title="not done">–</span></td>'
    outcomes = [_outcome(row) for row in rows]
    marks = "".join(f'<i class="{name.split()[-1]}" role="img" aria-label="{name}">{_MARKS[name]}</i>' for name in outcomes)
    said = "".join(
        f"<p>{escape((row.error or row.answer or 'no answer')[:SHOWN])}"
        f"<small>{escape(row.reason[:500])}<br>calls {row.calls}, tokens {row.tokens:,}, {row.seconds:.1f} s</small></p>"
        for row in rows
    )
    return f"<td><details><summary>{marks}</summary>{said}</details></td>"
