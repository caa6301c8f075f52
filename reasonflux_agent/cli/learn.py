"""`reasonflux learn`: a file of solved problems in, a template library out, and whether it is shown to help."""

from __future__ import annotations

import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonflux_agent.cli import options
from reasonflux_agent.cli.exits import UNPROVEN, going_on
from reasonflux_agent.cli.options import HOW, LIMITS, OUTPUT
from reasonflux_agent.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasonflux_agent.learning.learner import Forecast, Learned

NOTHING = "nothing was tried: no reply was right and no row has a solution, or the budget is too small"


def learn(
    examples: Annotated[
        list[str] | None,
        typer.Argument(
            help="JSON lines with a 'problem' and an 'answer', perhaps a 'solution' and a 'group'; or benchmarks, as for eval."
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            callback=options.file_to_write,
            help="The library; what is done is kept beside it.",
            rich_help_panel=OUTPUT,
        ),
    ] = Path("learned.json"),
    records: Annotated[
        list[Path] | None,
        typer.Option(exists=True, help="Marked run records to learn from: a record or a folder; may be given several times."),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(
            "--test", help="Rows that the claim rests on; else some or all of the examples are tested.", rich_help_panel=HOW
        ),
    ] = None,
    model: options.Model = None,
    teacher: options.Teacher = None,
    library: Annotated[
        str | None,
        typer.Option(
            "--library", "-L", help="A library to start from: builtin, a plugin's name, or a path.", rich_help_panel=HOW
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option("--update", help="Start from the library at --out, and use only rows that are new.", rich_help_panel=HOW),
    ] = False,
    scorer: options.ScorerName = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where NAME.jsonl or NAME_dev.jsonl of a benchmark lie.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="At most so many calls (400), tokens ('200k tokens') or minutes ('30 min'), not counting retries.",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    concurrency: options.Concurrency = 4,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost, and what these rows could show; call no model.")
    ] = False,
    quiet: options.NoProgress = False,
) -> None:
    """Learn a template library from your solved problems.

    The library is tested on problems that had no part in choosing it. It is written where a template is left, and says
    whether it is proven; if it is not, the exit code is 6. The same command goes on where it was stopped, and repeats no
    call.

    Example:
      reasonflux learn solved.jsonl --dry-run
      reasonflux learn solved.jsonl -o mine.json
    """
    from reasonflux_agent.cli.job_progress import JobProgress
    from reasonflux_agent.context import Context
    from reasonflux_agent.learning.learner import forecast
    from reasonflux_agent.learning.learner import learn as learn_from
    from reasonflux_agent.learning.records import with_records
    from reasonflux_agent.learning.report import write_report
    from reasonflux_agent.parts import resolve_models

    rows = with_records(examples or (), records or ())
    if not rows:
        raise InputError("There is nothing to learn from. Next: give a file of solved problems, or --records DIR.")
    if dry_run:
        foreseen = forecast(
            rows, test=test or (), library=library, update=out if update else None, budget=budget, data_dir=data_dir
        )
        for line in _foreseen(foreseen):
            typer.echo(line)
        return
    settings = Context.from_env()
    _, solver = resolve_models(settings.navigator, model or settings.solver)
    options.load_models({"solver": solver} | ({"navigator": teacher} if teacher else {}), quiet=quiet)
    with going_on(), redirect_stdout(sys.stderr), JobProgress(quiet=quiet) as progress:
        learned = learn_from(
            rows,
            out,
            test=test or (),
            model=solver,
            teacher=teacher,
            library=library,
            update=update,
            budget=budget,
            scorer=scorer,
            data_dir=data_dir,
            concurrency=concurrency,
            watcher=progress,
        )
    for line in _report(learned, out):
        typer.echo(line)
    page, _ = write_report(learned, out)
    typer.echo(f"Report: {page} and {page.with_suffix('.html').name}", err=True)
    raise typer.Exit(0 if learned.proven else UNPROVEN)


def _foreseen(seen: Forecast) -> Iterator[str]:
    how = "a sealed hold-out" if seen.sealed else "cross-fitted"
    yield f"{seen.rows} rows in {seen.groups} group(s); the claim would rest on {seen.tested} of them ({how})."
    yield f"About {seen.calls} model calls."
    yield "A library that makes so many more of the rows right would be proven with this probability:"
    for effect, probability in seen.shows.items():
        yield f"  {effect:+.0%}: {probability:.2f}"
    if seen.smallest is None:
        yield "These rows cannot be relied on to prove any effect. Next: give more rows."
    else:
        yield f"The smallest effect that is proven with a probability of 0.8: {seen.smallest:+.0%}."


def _report(learned: Learned, out: Path) -> Iterator[str]:
    for group, standings in learned.races.items():
        told = [
            f"{s.arm.name} {s.wins}:{s.losses} of {len(s.tried)}" + (" (chosen)" if s is learned.winners.get(group) else "")
            for s in standings
            if s.tried
        ]
        yield f"{group or 'all rows'}: {'; '.join(told) or NOTHING}."
    claim = learned.claim
    yield (
        f"On {claim.rows} rows that chose nothing: {claim.right_with} right with the library, {claim.right_without} without; "
        f"{claim.wins} won, {claim.losses} lost, p = {claim.p:.3g}."
    )
    yield (
        f"Effect: {100 * claim.difference:+.1f} points (95 % interval {100 * claim.low:+.1f} to {100 * claim.high:+.1f}); "
        f"{claim.tokens_with:.0f} tokens a row with it, {claim.tokens_without:.0f} without."
    )
    if tried := sum(len(standing.tried) for standing in learned.winners.values()):
        gained = sum(standing.wins - standing.losses for standing in learned.winners.values())
        yield f"Selection itself saw {100 * gained / tried:+.1f} points on {tried} rows; that figure is too good on average."
    yield f"{learned.calls} model calls in all."
    if learned.library is None:
        yield "Unproven: no template did better than none, and no library is written."
        return
    if not learned.proven:
        yield "Unproven: these rows do not show that the library helps."
    elif learned.sealed:
        yield "Proven: this library helps."
    else:
        yield "Proven: libraries that are learned in this way from such rows help; this one learned from all rows."
    use = shlex.join(["reasonflux", "solve", "--strategy", "recall", "--library", str(out)])
    yield f"Written: {out}. To use it: {use} '...'"
