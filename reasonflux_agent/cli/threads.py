"""`reasonflux threads` and `reasonflux resume`: runs that are kept, and going on with one that was stopped or killed."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasonflux_agent.cli.exits import STATUS, going_on

if TYPE_CHECKING:
    from reasonflux_agent.api import ReasonFlux
    from reasonflux_agent.cli.progress import Progress
    from reasonflux_agent.runs.threads import Thread
    from reasonflux_agent.schema import Solution

app = typer.Typer(help="List the runs that are kept, delete one.", invoke_without_command=True)

Checkpoints = Annotated[
    str | None,
    typer.Option(help="Where threads are kept: a SQLite file or a postgresql:// URL; else REASONFLUX_CHECKPOINTS."),
]
Id = Annotated[str, typer.Argument(help="The thread's id, as `reasonflux threads` prints it.")]


@app.callback()
def threads(
    context: typer.Context,
    checkpoints: Checkpoints = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON a thread, with its whole problem.")] = False,
) -> None:
    """List the threads, the one written last first: id, state, answer, calls, tokens, when, problem."""
    if context.invoked_subcommand:
        context.obj = checkpoints
        return
    from reasonflux_agent.cli.report import printable, shorten
    from reasonflux_agent.cli.table import print_table
    from reasonflux_agent.runs.threads import database, list_threads

    found = list_threads(database(checkpoints))
    if as_json:
        for thread in found:
            typer.echo(json.dumps(_row(thread), ensure_ascii=False))
        return
    if not found:
        typer.echo("No thread is kept. Next: reasonflux solve --thread ID PROBLEM", err=True)
        return
    rows = [
        (printable(t.id), t.state, shorten(_answer(t), 40), str(t.calls), str(t.tokens), t.updated[:19], shorten(t.problem, 60))
        for t in found
    ]
    print_table(("id", "state", "answer", "calls", "tokens", "updated (UTC)", "problem"), rows)


@app.command()
def delete(context: typer.Context, thread: Id, checkpoints: Checkpoints = None) -> None:
    """Delete all that is kept of a thread; run records stay."""
    from reasonflux_agent.runs.threads import database, delete_thread

    delete_thread(database(checkpoints or context.obj), thread)


def resume(
    thread: Id,
    checkpoints: Checkpoints = None,
    deadline: Annotated[float | None, typer.Option(help="Seconds of model time at most, in all.")] = None,
    token_budget: Annotated[int | None, typer.Option(help="Tokens of the whole run at most.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The Solution as one line of JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="The answer and nothing else.")] = False,
) -> None:
    """Go on with a run that was stopped or killed, after its last finished model call; or that met a limit, with a larger one.

    Models, library, strategy, effort and limits are those that it was begun with, where they are not given here, and its record
    goes on in the same file. The answer of any other finished run is printed again, without a model call.
    """
    from reasonflux_agent.api import ReasonFlux
    from reasonflux_agent.cli.progress import Progress
    from reasonflux_agent.cli.solve import command, load_models, print_solution
    from reasonflux_agent.errors import ThreadError
    from reasonflux_agent.runs.threads import database, lock_thread, open_checkpointer, read_thread, thread_ids, unknown_thread

    url = database(checkpoints)
    with lock_thread(url, thread):
        with open_checkpointer(url) as saver:
            kept = read_thread(saver, thread)
            if kept is None:
                raise unknown_thread(thread, thread_ids(saver))
        solution, started = kept.solution, time.monotonic()
        limits = {name: value for name, value in (("deadline", deadline), ("token_budget", token_budget)) if value is not None}
        if solution is None or (limits and solution.status == "exhausted"):
            begun = json.loads(kept.begun or "{}")
            context = begun.pop("context", {})
            if not context.get("navigator"):
                raise ThreadError(
                    f"The thread {thread!r} was begun from Python, with models that are not known here. "
                    f"Next: ReasonFlux(..., checkpointer=...).resume({thread!r})."
                )
            flux = ReasonFlux(**begun)
            load_models(flux, context["navigator"], context["solver"], quiet=quiet)
            if not quiet:
                typer.echo(f"Going on with {thread!r}; finished model calls: {kept.calls}", err=True)
            with (
                redirect_stdout(sys.stderr),
                Progress(quiet=quiet) as progress,
                going_on(command("resume", thread, checkpoints)),
            ):
                solution = asyncio.run(_resume(flux, url, thread, progress, limits))
    on = command("resume", thread, checkpoints)
    print_solution(solution, time.monotonic() - started, as_json=as_json, quiet=quiet, resume=on)
    raise typer.Exit(STATUS[solution.status])


async def _resume(flux: ReasonFlux, url: str, thread: str, progress: Progress, limits: dict[str, Any]) -> Solution:
    from reasonflux_agent.runs.threads import aopen_checkpointer

    async with aopen_checkpointer(url) as saver:
        return await flux.with_checkpointer(saver).aresume(thread, config={"callbacks": [progress]}, **limits)


def _answer(thread: Thread) -> str:
    return (thread.solution.answer or "none") if thread.solution else ""


def _row(thread: Thread) -> dict[str, Any]:
    """What scripts get: the answer and status in place of the whole solution."""
    row = thread.model_dump(mode="json", exclude={"begun", "solution"})
    solution = thread.solution
    return {**row, "status": solution.status if solution else None, "answer": solution.answer if solution else None}
