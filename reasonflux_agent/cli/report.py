"""What commands print: text that a terminal can show, tables, and the solution of a run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.padding import Padding
    from rich.table import Table

    from reasonflux_agent.schema import Solution

WIDTH = 60
"""Columns that the table of usage needs at least: on a narrower terminal its lines are wrapped, not cut."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Return `text` without control characters: a model's text must not clear the screen or move the cursor."""
    return _CONTROL.sub("", text)


def shorten(text: str, limit: int = 300) -> str:
    """Return `text` as one line of at most `limit` characters."""
    text = " ".join(printable(text).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def padded(line: str, style: str = "") -> Padding:
    """Return a line of an event or outline, two columns further to the right; if it is wrapped, all its lines are."""
    from rich.padding import Padding
    from rich.text import Text

    text = line.lstrip(" ")
    return Padding(Text(text, style), (0, 0, 0, 2 + len(line) - len(text)), expand=False)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in full, nothing cut.

    That is a table on a terminal that is wide enough, and a block of lines for each row on another terminal. In a pipe it is a
    tab-separated line for each row, without a head, for grep and cut.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    plain = [[" ".join(cell.split()) for cell in row] for row in rows]
    if not console.is_terminal:
        for row in plain:
            print(*row, sep="\t")
        return
    widths = [max(map(cell_len, column)) for column in zip(head, *plain, strict=True)]
    if sum(widths) + 2 * len(widths) <= console.width:
        table = Table(*head, box=None, pad_edge=False)
        for row in plain:
            table.add_row(*map(Text, row))
        console.print(table)
        return
    for row in plain:
        for name, cell in zip(head, row, strict=True):
            if cell:
                console.print(Text.assemble((f"{name}: " if name else "", "bold"), cell), soft_wrap=True)
        console.print()


def print_solution(solution: Solution, seconds: float, *, as_json: bool, quiet: bool, resume: str = "") -> None:
    """Print the solution to standard output, and what to do next to standard error.

    `resume` is the command that continues the run; empty if the run is not kept.
    """
    if as_json:
        text = solution.model_dump_json()
    elif quiet:
        text = printable(solution.answer or "")
    else:
        text = report(solution, seconds)
    if text:
        print(text, flush=True)
    if advice := next_step(solution, resume):
        print(advice, file=sys.stderr)


def report(solution: Solution, seconds: float) -> str:
    """Return the worked solution, the answer, how sure it is, the trajectory and the usage, styled for a terminal.

    Only lines that nobody copies are broken to fit its width.
    """
    from rich.console import Console
    from rich.text import Text

    from reasonflux_agent.wording import outline

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
            for line in outline(solution.plan):
                out.print(padded(printable(line)))
        out.print(Text(f"\nStrategy {solution.strategy}, {seconds:.1f} s"))
    wide = Console(highlight=False, width=max(WIDTH, out.width))
    with wide.capture() as usage:
        wide.print(_usage(solution))
    return "\n".join(line.rstrip() for line in (captured.get() + usage.get()).rstrip().split("\n"))


def next_step(solution: Solution, resume: str = "") -> str:
    """Return what to do about a run that has no answer or met a limit; empty for any other. `resume`: see `print_solution`."""
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
    rows: list[tuple[str, Any]] = list(solution.usage.items())
    for node, usage in [*rows, ("all", solution.total)] if len(rows) > 1 else rows:
        counts = (usage.calls, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens)
        table.add_row(node, *(f"{count:,}" for count in counts), f"{usage.seconds:.1f}")
    return table
