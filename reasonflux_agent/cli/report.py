"""What is printed when a run is over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reasonflux_agent.schema import Plan, Solution, Usage

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 60
"""Columns that the table of usage needs at least: on a narrower terminal its lines are wrapped, not cut."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """`text` without what a terminal would obey: a model's words must not clear a screen or move a cursor."""
    return _CONTROL.sub("", text)


def shorten(text: str, limit: int = 300) -> str:
    """`text` as one line of at most `limit` characters."""
    text = " ".join(printable(text).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def template_name(id: str) -> str:
    """The readable end of a template's id: `algebra/sums/pairing-terms` -> `Pairing terms`."""
    return printable(id.rsplit("/", 1)[-1].replace("-", " ").capitalize())


def outline(plan: Plan) -> Iterator[tuple[int, str]]:
    """The trajectory as (indentation, line): the kind of problem, the numbered steps, their templates."""
    if plan.abstraction:
        yield 2, printable(f"Kind: {plan.abstraction}")
    for number, step in enumerate(plan.steps, 1):
        yield 2, printable(f"{number}. {step.purpose}")
        if step.templates:
            yield 5, "with " + "; ".join(map(template_name, step.templates))


def report(solution: Solution, seconds: float) -> str:
    """The worked solution, the answer, how sure it is, the trajectory and what it cost; styled if standard output is a
    terminal. Only what nobody copies is broken for its width."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    out = Console(highlight=False)
    with out.capture() as captured:
        if text := printable(solution.text).strip():
            out.print(Text(text + "\n"), soft_wrap=True)
        answer = "none" if solution.answer is None else printable(solution.answer)
        out.print(Text.assemble(("Answer: ", "bold"), (answer, "bold green")), soft_wrap=True)
        out.print(Text(printable(solution.verdict)), soft_wrap=True)
        if len(solution.candidates) > 1:
            said = [f"{c.source}: {'-' if c.answer is None else shorten(c.answer, 40)}" for c in solution.candidates]
            out.print(Text("\nCandidates: " + " | ".join(said)))
        if solution.plan.steps:
            out.print(Text("\nTrajectory", "bold"))
            for indent, line in outline(solution.plan):
                out.print(Padding(Text(line), (0, 0, 0, indent)))
        out.print(Text(f"\nStrategy {solution.strategy}, {seconds:.1f} s"))
    wide = Console(highlight=False, width=max(WIDTH, out.width))
    with wide.capture() as usage:
        wide.print(_usage(solution))
    return "\n".join(line.rstrip() for line in (captured.get() + usage.get()).rstrip().split("\n"))


def next_step(solution: Solution, resume: str = "") -> str:
    """What to do about a run without an answer, or that met a limit; else empty. `resume` goes on with it, if it is kept."""
    if solution.status == "unanswered":
        cut = any(candidate.truncated for candidate in solution.candidates)
        then = "raise --max-tokens, which cut a reply" if cut else "try --effort high, or a stronger --model"
        return f"No answer: {solution.reason}. Next: {then}."
    if solution.status == "exhausted":
        option = "--token-budget TOKENS" if "token" in solution.reason else "--deadline SECONDS"
        on = f"raise the limit and go on: {resume} {option}" if resume else "raise the limit, or ask for less with --effort low"
        return f"Cut short: {solution.reason}. Next: {on}."
    return ""


def _usage(solution: Solution) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("Usage")
    for head in ("calls", "prompt", "cached", "completion", "seconds"):
        table.add_column(head, justify="right")
    rows: list[tuple[str, Usage]] = list(solution.usage.items())
    for node, usage in [*rows, ("all", solution.total)] if len(rows) > 1 else rows:
        counts = (usage.calls, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens)
        table.add_row(node, *(f"{count:,}" for count in counts), f"{usage.seconds:.1f}")
    return table
