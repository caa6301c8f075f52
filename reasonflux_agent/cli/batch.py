"""`reasonflux batch`: a file of problems in, a file of solutions out."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from reasonflux_agent.cli import options
from reasonflux_agent.cli.exits import FAILED, going_on
from reasonflux_agent.cli.options import OUTPUT
from reasonflux_agent.errors import InputError

if TYPE_CHECKING:
    from reasonflux_agent.api import ReasonFlux
    from reasonflux_agent.jobs.batch.cluster import Work

RAY = "On a Ray cluster (--engine ray)"
FIELDS: tuple[str, ...] = ("effort", "granularity", "direct_samples", "trajectories", "templates", "reviews", "seed")
FIELDS += ("max_tokens", "token_budget", "deadline")
"""Options that are fields of the Context."""


def batch(
    context: typer.Context,
    problems: Annotated[
        str,
        typer.Argument(help="JSON lines with a 'problem', perhaps an 'id' and 'settings', and whatever else; '-': stdin."),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="JSON lines; what it holds is not done again; '-': stdout.", rich_help_panel=OUTPUT),
    ],
    concurrency: options.Concurrency = 8,
    engine: Annotated[str, typer.Option(help="local: in this process; ray: in processes of a Ray cluster.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="HOST:PORT; else RAY_ADDRESS; without either Ray is started here.", rich_help_panel=RAY)
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; else one for 64 rows.", rich_help_panel=RAY)] = None,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs a process, for hf: models and --serve.", rich_help_panel=RAY)] = 0.0,
    serve: Annotated[
        str | None, typer.Option(help="A vLLM command: each process starts its own server.", rich_help_panel=RAY)
    ] = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Rows in the order of the input, not as they end.", rich_help_panel=OUTPUT)
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do the rows that failed again; they come last.", rich_help_panel=OUTPUT)
    ] = False,
    record: options.Record = None,
    quiet: options.NoProgress = False,
    strategy: options.Strategy = "navigator",
) -> None:
    """Solve many problems from a file.

    The same command goes on where it was stopped, however it was; with other settings it is refused. A row may have "settings"
    of its own, as in {"problem": "...", "settings": {"effort": "high"}}. A row that fails is a row with an "error", and the
    exit code is then 1. When a server is overloaded, all rows wait for it; when it stays away, the command ends. What is not
    given here is taken from the environment, as for `solve`.

    Example:
      reasonflux batch problems.jsonl -o solved.jsonl --concurrency 16
    """
    import asyncio

    from reasonflux_agent.api import ReasonFlux
    from reasonflux_agent.cli.job_progress import BatchProgress
    from reasonflux_agent.jobs.batch.actors import Health
    from reasonflux_agent.jobs.batch.cluster import ray_engine
    from reasonflux_agent.jobs.batch.engines import served_here
    from reasonflux_agent.jobs.batch.local import local_engine
    from reasonflux_agent.jobs.batch.local import solver as solver_of
    from reasonflux_agent.jobs.batch.pace import Pace
    from reasonflux_agent.jobs.batch.runner import Output, run_batch
    from reasonflux_agent.runs.journal import STDOUT

    if engine not in ("local", "ray"):
        raise InputError(f"--engine is {engine!r}. Next: give local or ray.")
    if engine == "local" and (address or workers or gpus or serve):
        raise InputError(
            "--address, --workers, --gpus and --serve are for a Ray cluster. Next: add --engine ray, or leave them out."
        )
    _, roles, library = given = options.given(context)
    flux = ReasonFlux(strategy=strategy, library=library, record=record, **given.fields)
    settings = _settings(flux, roles, strategy, library)
    with _open(problems) as source, Output(out, source, retry_failed=retry_failed, settings=settings) as output:
        pace, health = Pace(), Health()
        if engine == "ray":
            work = _work(flux, roles, strategy, library, record)._replace(serve=serve)
            if serve:
                served_here(work.context)
            address = address or os.environ.get("RAY_ADDRESS")
            solve_rows = ray_engine(work, concurrency, workers=workers, address=address, gpus=gpus, health=health)
        else:
            options.load_models(roles, quiet=quiet)
            solve_rows = local_engine(solver_of(flux, pace, **roles), concurrency)
        kept = nullcontext() if output.name == STDOUT else going_on(kept=f"What is done so far is kept in {out}")
        with kept, redirect_stdout(sys.stderr), BatchProgress(quiet=quiet) as progress:
            gc.freeze()  # what is loaded stays: the collector need not look through it again and again (docs/speed.md)
            batch = run_batch(source, output, solve_rows, concurrency=concurrency, ordered=ordered, watcher=progress)
            asyncio.run(batch)
    failed = output.failed + progress.failed
    if not quiet:
        waits = f"; the server made all rows wait {pace.pauses} time(s)" if pace.pauses else ""
        ran = f"; {health.most} process(es) at once, {health.lost} died" if engine == "ray" else ""
        earlier = f", {output.failed} failed earlier" if output.failed else ""
        again = "; --retry-failed does them again" if failed and output.name != STDOUT else ""
        said = f"{progress.new} row(s) done, {progress.failed} of them failed{earlier}{again}{waits}{ran}"
        typer.echo(f"{said}. Output: {output.name}", err=True)
    if failed:
        raise typer.Exit(FAILED)


def _settings(flux: ReasonFlux, roles: dict[str, str], strategy: str, library: str | None) -> dict[str, Any]:
    """What rows are solved with, as each says: the models, and what is not at its default."""
    given = flux.context.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return {"strategy": strategy, "library": _place(library) or "builtin", "effort": flux.context.effort, **given, **roles}


def _place(library: str | None) -> str | None:
    """A path as every working directory understands it; a name as it is."""
    return str(Path(library).resolve()) if library and Path(library).exists() else library


def _work(flux: ReasonFlux, roles: dict[str, str], strategy: str, library: str | None, record: Path | None) -> Work:
    """What this command would do, for processes that have another environment and another working directory."""
    from reasonflux_agent.jobs.batch.cluster import Work

    return Work(
        strategy=strategy,
        library=_place(library),
        record=str(record.resolve()) if record else None,
        context=flux.context.model_dump(mode="json") | roles,
    )


@contextmanager
def _open(problems: str) -> Iterator[BinaryIO]:
    if problems == "-":
        yield sys.stdin.buffer
        return
    with ExitStack() as opened:
        try:
            file = opened.enter_context(Path(problems).open("rb"))
        except OSError as error:
            raise InputError(
                f"The problems cannot be read: {error}. Next: name a JSON-lines file, or - for standard input."
            ) from None
        yield file
