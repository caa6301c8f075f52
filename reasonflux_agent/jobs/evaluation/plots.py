"""Two figures as inline SVG: accuracy against tokens, and bars with intervals. Colours and fonts are the page's (CSS)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from htpy import Element, circle, g, line, path, polyline, rect, svg, text, title

from reasonflux_agent.jobs.evaluation.measures import Accuracy

COLOURS = 8
"""Classes m0 ... m7 of the page; further methods begin again."""
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 46
"""Margins, in units of the view box (CSS pixels at full size)."""
LETTER = 7.3
"""Mean width of a letter of a label."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


class Point(NamedTuple):
    method: str
    colour: int
    tokens: float
    """Mean per problem, prompt and completion."""
    accuracy: Accuracy


def scaling(points: Sequence[Point], name: str, wide: bool) -> Element:
    """Accuracy (with 95 % bars) over mean tokens per problem (log scale), a labelled point a method.

    The line joins the methods that no other beats on both: more accurate for fewer tokens.
    `wide`: drawn for the page's whole width.
    """
    width, height = (1000.0, 520.0) if wide else (580.0, 370.0)
    tokens = [max(point.tokens, 1.0) for point in points]
    low, high = math.log10(min(tokens) / 1.5), math.log10(max(tokens) * 1.5)
    bottom, top = _range([limit for point in points for limit in point.accuracy])

    def x(value: float) -> float:
        return LEFT + (math.log10(max(value, 1.0)) - low) / (high - low) * (width - LEFT - RIGHT)

    def y(share: float) -> float:
        return TOP + (top - share) / (top - bottom) * (height - TOP - BOTTOM)

    parts = [*_axes(width, height, bottom, top, y, "mean tokens per problem (log scale)")]
    for value in _ticks(10**low, 10**high):
        parts.append(_line(x(value), TOP, x(value), height - BOTTOM))
        parts.append(_text(x(value), height - BOTTOM + 18, _number(value), "tick", "middle"))
    frontier = [f"{x(p.tokens):.1f},{y(p.accuracy.mean):.1f}" for p in _frontier(points)]
    if len(frontier) > 1:
        parts.append(polyline(".frontier", points=" ".join(frontier)))
    places = [(x(point.tokens), y(point.accuracy.mean)) for point in points]
    spans = [(a - 4, y(p.accuracy.high), a + 4, y(p.accuracy.low)) for p, (a, _) in zip(points, places, strict=True)]
    for point, (a, b) in zip(points, places, strict=True):
        tip = f"{point.method}: {point.accuracy}, {point.tokens:,.0f} tokens per problem"
        whisker = _whisker(a, y(point.accuracy.low), y(point.accuracy.high))
        dot = circle(cx=f"{a:.1f}", cy=f"{b:.1f}", r="5")
        parts.append(g(class_=f"m{point.colour % COLOURS}")[title[tip], whisker, dot])
    parts += _labels(points, places, spans, (LEFT, TOP, width, height - BOTTOM))
    description = "; ".join(f"{p.method} {p.accuracy} at {p.tokens:,.0f} tokens" for p in points)
    return _svg(width, height, f"{name}. {description}", parts)


def bars(groups: Sequence[tuple[str, Sequence[tuple[str, int, Accuracy]]]], axis: str, name: str) -> Element:
    """Grouped bars with 95 % whiskers: for each group (a level) its (method, colour, accuracy)."""
    most = max(len(group) for _, group in groups)
    thick = min(max(560 / (len(groups) * (most + 1)), 12), 30)
    slot = max(thick * most + 22, max(len(group) for group, _ in groups) * LETTER + 8)
    width, height = max(LEFT + RIGHT + slot * len(groups), 320.0), 300.0

    def y(share: float) -> float:
        return TOP + (1 - share) * (height - TOP - BOTTOM)

    parts = [*_axes(width, height, 0.0, 1.0, y, axis)]
    for index, (label, group) in enumerate(groups):
        middle = LEFT + slot * (index + 0.5)
        for place, (method, colour, value) in enumerate(group):
            a = middle + (place - len(group) / 2) * thick
            size = {"width": f"{thick - 2:.1f}", "height": f"{y(0) - y(value.mean):.1f}", "rx": "1.5"}
            bar = rect(x=f"{a + 1:.1f}", y=f"{y(value.mean):.1f}", **size)
            whisker = _whisker(a + thick / 2, y(value.low), y(value.high))
            parts.append(g(class_=f"bar m{colour % COLOURS}")[title[f"{label}, {method}: {value}"], bar, whisker])
        parts.append(_text(middle, height - BOTTOM + 18, label, "tick", "middle"))
    description = "; ".join(f"{label}: " + ", ".join(f"{m} {v}" for m, _, v in group) for label, group in groups)
    return _svg(width, height, f"{name}. {description}", parts)


def _svg(width: float, height: float, label: str, parts: Sequence[Element]) -> Element:
    size = {"viewBox": f"0 0 {width:.0f} {height:.0f}", "style": f"--width:{width:.0f}px"}
    return svg(size, role="img", aria_label=label)[parts]


def _text(x: float, y: float, label: str, kind: str, anchor: str) -> Element:
    return text(class_=kind, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)[label]


def _line(x1: float, y1: float, x2: float, y2: float) -> Element:
    return line(".grid", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}")


def _whisker(x: float, low: float, high: float) -> Element:
    ends = f"M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8"
    return path(".whisker", d=f"M{x:.1f} {low:.1f}V{high:.1f}{ends}")


def _axes(width: float, height: float, bottom: float, top: float, y: Callable[[float], float], name: str) -> Iterator[Element]:
    """The lines and numbers of the accuracy axis, and the name of the other one."""
    tenths = range(round(bottom * 10), round(top * 10) + 1)
    for tenth in tenths if len(tenths) <= 7 else tenths[::2]:
        level = y(tenth / 10)
        yield _line(LEFT, level, width - RIGHT, level)
        yield _text(LEFT - 8, level + 4, f"{tenth * 10} %", "tick", "end")
    yield _text((LEFT + width - RIGHT) / 2, height - 6, name, "name", "middle")


def _range(shares: Sequence[float]) -> tuple[float, float]:
    """Tenths around the intervals, at least four of them."""
    low, high = math.floor(min(shares) * 10), math.ceil(max(shares) * 10)
    low = max(min(low, high - 4), 0)
    return low / 10, max(high, low + 4) / 10


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20 ... between the ends; each unit where that leaves fewer than three."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    many = {digit * 10.0**decade: digit for decade in decades for digit in range(1, 10) if low <= digit * 10.0**decade <= high}
    few = [value for value, digit in many.items() if digit in (1, 2, 5)]
    return few if len(few) > 2 else list(many)


def _number(value: float) -> str:
    size, unit = next(((size, unit) for size, unit in ((1e6, "M"), (1e3, "k")) if value >= size), (1, ""))
    return f"{value / size:g}{unit}"


def _frontier(points: Sequence[Point]) -> list[Point]:
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.tokens, -p.accuracy.mean)):
        if not best or point.accuracy.mean > best[-1].accuracy.mean:
            best.append(point)
    return best


def _labels(
    points: Sequence[Point], places: Sequence[tuple[float, float]], spans: Sequence[Box], frame: Box
) -> Iterator[Element]:
    """The points' names, each where it covers least: leaving the frame is worst, then names and points, then whiskers."""
    taken = [(a - 6, b - 6, a + 6, b + 6) for a, b in places]
    for point, (a, b) in zip(points, places, strict=True):
        short = point.method if len(point.method) <= 44 else point.method[:43] + "…"
        length = len(short) * LETTER
        options = [
            (anchor, (left, b + shift - 8, left + length, b + shift + 6))
            for shift in (0, -15, 15, -30, 30, -45, 45, -60, 60)
            for anchor, left in (("start", a + 10), ("end", a - 10 - length))
        ]

        def covered(option: tuple[str, Box], taken: Sequence[Box] = taken) -> int:
            box = option[1]
            outside = box[0] < frame[0] or box[1] < frame[1] or box[2] > frame[2] or box[3] > frame[3]
            return 1000 * outside + 20 * sum(_overlap(box, t) for t in taken) + sum(_overlap(box, s) for s in spans)

        anchor, box = min(options, key=covered)  # the nearest among equals
        taken.append(box)
        yield _text(box[0] if anchor == "start" else box[2], box[3] - 2, short, f"label m{point.colour % COLOURS}", anchor)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
