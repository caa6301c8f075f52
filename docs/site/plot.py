"""Draws docs/benchmarks.svg from the rows in docs/records/evaluation-80: `python docs/site/plot.py`."""

from __future__ import annotations

import json
from pathlib import Path

from reasonflux_agent.files import write_atomically
from reasonflux_agent.jobs.evaluation.statistics import wilson

DOCS = Path(__file__).parents[1]
METHODS = {
    "direct": "prompted alone",
    "drafts": "two direct samples, one of them a program",
    "self-consistency@3": "majority of three samples",
    "self-consistency@navigator": "majority, as many tokens as the default",
    "navigator,drafts=0": "the plan alone",
    "navigator": "the default: plan and two direct samples",
    "navigator,effort=auto": "effort auto",
    "navigator,effort=high": "effort high",
    "original": "ReasonFlux v1 as released",
}
"""Method of the evaluation -> its words in the plot and in the table of docs/benchmarks.md."""
LEFT, WIDTH, RIGHT, TOP, STEP = 16, 340, 84, 36, 50


def counts() -> dict[str, tuple[int, int, float]]:
    """Return method -> (right, problems, mean tokens of a problem)."""
    rows = [json.loads(line) for line in (DOCS / "records" / "evaluation-80" / "results.jsonl").read_text().splitlines()]
    found = {}
    for method in METHODS:
        own = [row for row in rows if row["method"] == method]
        ended = [row["prompt_tokens"] + row["completion_tokens"] for row in own if row["error"] is None]
        found[method] = (sum(row["correct"] for row in own), len(own), sum(ended) / len(ended))
    return found


def svg() -> str:
    """Return the plot: for each method its accuracy with a 95 % interval, and its mean tokens."""
    width, height = LEFT + WIDTH + RIGHT, TOP + STEP * len(METHODS) + 44
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" '
        f'font-size="15" role="img" aria-label="Accuracy of each method on 80 problems, with 95 percent intervals">',
        f'<rect width="100%" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT + WIDTH + 14}" y="24" fill="#555">tokens</text>',
    ]
    for percent in range(20, 81, 20):
        x = _x(percent / 100)
        lines.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{TOP - 8}" y2="{height - 40}" stroke="#ddd"/>')
        lines.append(f'<text x="{x:.0f}" y="{height - 20}" text-anchor="middle" fill="#555">{percent} %</text>')
    for number, (method, (right, n, tokens)) in enumerate(counts().items()):
        y, (low, high) = TOP + STEP * number + 28, wilson(right, n)
        ours = method == "navigator"
        colour = "#b3261e" if ours else "#31587a"
        lines += [
            f'<text x="{LEFT}" y="{y - 14}" fill="#222"{_weight(ours)}>{METHODS[method]}</text>',
            f'<line x1="{_x(low):.1f}" x2="{_x(high):.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>',
            f'<circle cx="{_x(right / n):.1f}" cy="{y}" r="6" fill="{colour}"/>',
            f'<text x="{LEFT + WIDTH + 14}" y="{y + 5}" fill="#222"{_weight(ours)}>{tokens:,.0f}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _x(share: float) -> float:
    return LEFT + WIDTH * (share - 0.1) / 0.75


def _weight(bold: bool) -> str:
    return ' font-weight="bold"' if bold else ""


if __name__ == "__main__":
    write_atomically(DOCS / "benchmarks.svg", svg().encode())
