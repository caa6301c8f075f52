"""`reasonflux batch`: a file of problems in, a file of solutions out."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from reasonflux_agent.cli.solve import HOW, LIMITS, MODELS, OUTPUT, load_models
from reasonflux_agent.errors import InputError


def batch(
    problems: Annotated[
        str, typer.Argument(help="JSON lines with a 'problem', perhaps an 'id', and what is to be carried through; '-': stdin.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="JSON lines; what it holds is not done again.", rich_help_panel=OUTPUT)
    ],
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", min=1, max=4096, help="Rows at once.")] = 8,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Rows in the order of the input, not as they end.", rich_help_panel=OUTPUT)
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do the rows that failed again; they come last.", rich_help_panel=OUTPUT)
    ] = False,
    record: Annotated[
        Path | None, typer.Option(help="Write the runs' records into this directory.", rich_help_panel=OUTPUT)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=OUTPUT)] = False,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Both roles.", rich_help_panel=MODELS)] = None,
    navigator: Annotated[str | None, typer.Option(help="The model that plans; else --model.", rich_help_panel=MODELS)] = None,
    solver: Annotated[str | None, typer.Option(help="The model that solves; else --model.", rich_help_panel=MODELS)] = None,
    effort: Annotated[
        str | None, typer.Option("--effort", "-e", help="low, medium, high or auto.", rich_help_panel=HOW)
    ] = None,
    strategy: Annotated[
        str, typer.Option(help="navigator, direct, original, propose, or a plugin's.", rich_help_panel=HOW)
    ] = "navigator",
    granularity: Annotated[
        str | None, typer.Option(help="whole: one solver call; step: one call a step.", rich_help_panel=HOW)
    ] = None,
    library: Annotated[
        str | None, typer.Option("--library", "-L", help="builtin, a plugin's name, or a path.", rich_help_panel=HOW)
    ] = None,
    drafts: Annotated[int | None, typer.Option(help="Direct solutions beside the plans.", rich_help_panel=HOW)] = None,
    trajectories: Annotated[int | None, typer.Option(help="Planned attempts at most.", rich_help_panel=HOW)] = None,
    templates: Annotated[int | None, typer.Option(help="Templates at most; 0: none.", rich_help_panel=HOW)] = None,
    reviews: Annotated[int | None, typer.Option(help="Reviews at most.", rich_help_panel=HOW)] = None,
    no_programs: Annotated[
        bool, typer.Option("--no-programs", help="Run no Python that a model writes.", rich_help_panel=HOW)
    ] = False,
    seed: Annotated[int | None, typer.Option(help="For models that take one.", rich_help_panel=HOW)] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens of one reply at most.", rich_help_panel=LIMITS)] = None,
    token_budget: Annotated[int | None, typer.Option(help="Tokens of one row at most.", rich_help_panel=LIMITS)] = None,
    deadline: Annotated[float | None, typer.Option(help="Seconds of model time a row.", rich_help_panel=LIMITS)] = None,
) -> None:
    """Solve many problems.

    The same command goes on where it was stopped, however it was. A row that fails is a row with an "error". When a server is
    overloaded, all rows wait for it; when it stays away, the command ends. What is not given here is taken from the
    environment, as for `solve`.
    """
    from reasonflux_agent.api import ReasonFlux
    from reasonflux_agent.batch.local import local_engine
    from reasonflux_agent.batch.local import solver as solver_of
    from reasonflux_agent.batch.pace import Pace
    from reasonflux_agent.batch.runner import hold, run_batch
    from reasonflux_agent.cli.batch_progress import BatchProgress

    fields: dict[str, Any] = {
        "effort": effort,
        "granularity": granularity,
        "drafts": drafts,
        "trajectories": trajectories,
        "templates": templates,
        "reviews": reviews,
        "programs": False if no_programs else None,
        "seed": seed,
        "max_tokens": max_tokens,
        "token_budget": token_budget,
        "deadline": deadline,
    }
    with _open(problems) as source, hold(out, source, retry_failed=retry_failed) as output:
        flux = ReasonFlux(strategy=strategy, library=library, record=record, **fields)
        roles = load_models(flux, navigator or model, solver or model, quiet=quiet)
        pace = Pace()
        engine = local_engine(solver_of(flux, pace, **roles), concurrency)
        with redirect_stdout(sys.stderr), BatchProgress(quiet=quiet) as progress:
            gc.freeze()  # what is loaded stays: the collector need not look through it again and again (docs/speed.md)
            how: dict[str, Any] = {"concurrency": concurrency, "ordered": ordered, "watcher": progress}
            asyncio.run(run_batch(source, output, engine, **how))
    if not quiet:
        waits = f"; the server made all rows wait {pace.pauses} time(s)" if pace.pauses else ""
        again = "; --retry-failed does them again" if progress.failed else ""
        typer.echo(f"{progress.rows} row(s) done, {progress.failed} of them failed{again}{waits}. Output: {out}", err=True)


@contextmanager
def _open(problems: str) -> Iterator[BinaryIO]:
    if problems == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(problems).open("rb") as file:
            yield file
    except OSError as error:
        raise InputError(
            f"The problems cannot be read: {error}. Next: name a JSON-lines file, or - for standard input."
        ) from None
