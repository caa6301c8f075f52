"""The report of a learning run, in Markdown and as a page: what the library does, what was tried, and what was dropped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import htpy as h

from reasonflux_agent.files import write_atomically
from reasonflux_agent.jobs.evaluation.measures import Accuracy
from reasonflux_agent.jobs.evaluation.page import document, figure, table_section
from reasonflux_agent.jobs.evaluation.plots import Point, bars, scaling
from reasonflux_agent.jobs.evaluation.report import markdown_table, plain
from reasonflux_agent.jobs.evaluation.statistics import wilson
from reasonflux_agent.jobs.evaluation.tables import Table
from reasonflux_agent.learning.learner import Learned
from reasonflux_agent.learning.racing import CONTROLS, Standing
from reasonflux_agent.learning.statistics import Claim, power

WITHOUT, WITH = "without", "with the library"
MORE = (50, 100, 200, 400, 800)
"""Numbers of tested rows for which the report says what they would prove."""


def write_report(learned: Learned, out: str | Path) -> tuple[Path, Path]:
    """Write NAME.report.md and NAME.report.html beside the library `out`, and return their paths."""
    out = Path(out)
    written = out.with_suffix(".report.md"), out.with_suffix(".report.html")
    for file, text in zip(written, (markdown(learned, out.stem), html(learned, out.stem)), strict=True):
        write_atomically(file, text.encode("utf-8", errors="replace"))
    return written


def markdown(learned: Learned, name: str) -> str:
    """Return the report in GitHub's Markdown."""
    lines = "\n".join(f"- {plain(key)}: {plain(value)}" for key, value in _settings(learned))
    return "\n\n".join([f"# {plain(_title(name))}", lines, *map(markdown_table, tables(learned))]) + "\n"


def html(learned: Learned, name: str) -> str:
    """Return the report as a page, with two figures."""
    figures = h.div(".figures")[_figures(learned)] if learned.tested else None
    return document(_title(name), _settings(learned), figures, map(table_section, tables(learned)))


def tables(learned: Learned) -> list[Table]:
    """Return the tables of the report."""
    groups = {**learned.by_group, **({"all": learned.claim} if len(learned.by_group) > 1 else {})}
    head = ["group", "rows", "right without", "right with", "won : lost", "effect, points", "tokens without", "with"]
    effect = Table(
        "Before and after",
        head,
        [[group or "all rows", *_cells(claim)] for group, claim in groups.items()],
        "On rows that chose nothing. Won: right only with the library; lost: right only without it. The effect is in points, "
        "with Tango's 95 % interval. Tokens are prompt and completion tokens a row.",
        1,
    )
    tried = Table(
        "What was tried",
        ["group", "what was shown", "result", "won : lost", "rows", "tokens"],
        [
            [group or "all rows", *_tried(standing, learned, group)]
            for group, standings in learned.races.items()
            for standing in standings
        ],
        "In the races, on learning rows: what is best there is too good on average. “again” is the model without a template "
        "once more (the noise), “bare program” a program without a template (what the interpreter gains by itself), “placebo” "
        "a template of another group (the form without the method).",
        3,
    )
    return [effect, tried, *([] if learned.proven else [_more(learned)])]


def _more(learned: Learned) -> Table:
    effect = learned.claim.difference
    rows = [[str(n), f"{power(n, effect):.2f}"] for n in MORE] if effect > 0 else []
    note = f"The probability that so many tested rows prove an effect of the size that was seen ({100 * effect:+.1f} points)."
    return Table("What more rows would show", ["tested rows", "probability of a proof"], rows, note, 1)


def _title(name: str) -> str:
    return f"Learned library: {name}"


def _settings(learned: Learned) -> list[tuple[str, str]]:
    claim = learned.claim
    result = "proven" if learned.proven else "no library: nothing helped" if learned.library is None else "unproven"
    about = "this library, on a sealed hold-out" if learned.sealed else "libraries learned in this way, cross-fitted"
    said = f"{claim.right_without} → {claim.right_with} of {claim.rows} right, p = {claim.p:.3g}"
    return [("result", result), ("claim", said), ("about", about), ("model calls", f"{learned.calls:,}")]


def _cells(claim: Claim) -> list[str]:
    effect = f"{100 * claim.difference:+.1f} [{100 * claim.low:+.1f}, {100 * claim.high:+.1f}]"
    spent = [f"{claim.tokens_without:,.0f}", f"{claim.tokens_with:,.0f}"]
    return [str(claim.rows), str(claim.right_without), str(claim.right_with), f"{claim.wins} : {claim.losses}", effect, *spent]


def _tried(standing: Standing, learned: Learned, group: str) -> list[str]:
    winner = learned.winners.get(group)
    if standing.arm.name in CONTROLS:
        result = "control"
    elif winner and standing is winner:
        result = "in the library"
    elif not standing.tried:
        result = "not tried: the budget was spent"
    elif standing.wins <= standing.losses:
        result = "dropped: it won no more than it lost"
    else:
        result = "dropped: another did better, or it won too little"
    rows = len(standing.tried)
    spent = f"{standing.tokens / rows:,.0f}" if rows else "–"
    return [standing.arm.name, result, f"{standing.wins} : {standing.losses}", str(rows), spent]


def _figures(learned: Learned) -> Iterator[h.Element]:
    claim = learned.claim
    points = [
        Point(WITHOUT, 0, claim.tokens_without, _accuracy(claim.right_without, claim.rows)),
        Point(WITH, 1, claim.tokens_with, _accuracy(claim.right_with, claim.rows)),
    ]
    title = "Accuracy against tokens"
    yield figure(title, [scaling(points, title, False)], "On rows that chose nothing. Bars are 95 % intervals.")
    groups = [
        (
            group or "all rows",
            [(WITHOUT, 0, _accuracy(found.right_without, found.rows)), (WITH, 1, _accuracy(found.right_with, found.rows))],
        )
        for group, found in learned.by_group.items()
    ]
    legend = h.ul(".legend")[h.li(".m0")[WITHOUT], h.li(".m1")[WITH]]
    title = "Accuracy by group"
    yield figure(title, [legend, bars(groups, "group", title)], "Whiskers are 95 % intervals.", len(groups) > 4)


def _accuracy(right: int, rows: int) -> Accuracy:
    return Accuracy(right / rows, *wilson(right, rows))
