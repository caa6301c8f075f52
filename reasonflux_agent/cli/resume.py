"""`reasonflux resume`: a run that was stopped or killed is continued."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasonflux_agent.cli import options
from reasonflux_agent.cli.exits import STATUS
from reasonflux_agent.cli.threads import Id, typed

if TYPE_CHECKING:
    from reasonflux_agent.runs.threads import Thread
    from reasonflux_agent.schema import Solution


def resume(
    thread: Id,
    checkpoints: options.Checkpoints = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds of model time at most, in all.", rich_help_panel=options.LIMITS)
    ] = None,
    token_budget: Annotated[
        int | None, typer.Option(help="Tokens of the whole run at most.", rich_help_panel=options.LIMITS)
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Go on with a run that was stopped, killed or met a limit.

    It goes on after its last finished model call. A run that met a limit goes on if you give it a larger one. Models,
    library, strategy, effort and limits are those that it was begun with, where they are not given here, and its record
    goes on in the same file. The answer of any other finished run is printed again, without a model call.

    Example:
      reasonflux solve --thread homework 'Find the sum of all positive divisors of 28.'
      reasonflux resume homework --deadline 600
    """
    from reasonflux_agent.cli.report import print_solution
    from reasonflux_agent.runs.threads import database, lock_thread, open_checkpointer, read_thread, thread_ids, unknown_thread

    url, command = database(checkpoints), typed("resume", thread, checkpoints)
    limits = {name: value for name, value in (("deadline", deadline), ("token_budget", token_budget)) if value is not None}
    with lock_thread(url, thread):
        with open_checkpointer(url) as saver:
            kept = read_thread(saver, thread)
            if kept is None:
                raise unknown_thread(thread, thread_ids(saver))
        solution, started = kept.solution, time.monotonic()
        if solution is None or (limits and solution.status == "exhausted"):
            solution = _go_on(kept, url, limits, command, quiet=quiet)
    print_solution(solution, time.monotonic() - started, as_json=as_json, quiet=quiet, resume=command)
    raise typer.Exit(STATUS[solution.status])


def _go_on(kept: Thread, url: str, limits: dict[str, Any], command: str, *, quiet: bool) -> Solution:
    from reasonflux_agent.api import ReasonFlux
    from reasonflux_agent.cli.progress import watch
    from reasonflux_agent.errors import ThreadError

    begun = json.loads(kept.begun or "{}")
    context = begun.pop("context", {})
    if not context.get("navigator"):
        raise ThreadError(
            f"The thread {kept.id!r} was begun from Python, with models that are not known here. "
            f"Next: ReasonFlux(..., checkpointer=...).resume({kept.id!r})."
        )
    flux = ReasonFlux(**begun)
    options.load_models({role: context.get(role) or context["navigator"] for role in ("navigator", "solver")}, quiet=quiet)
    if not quiet:
        typer.echo(f"Going on with {kept.id!r}; finished model calls: {kept.calls}", err=True)

    return watch(
        flux, lambda flux, config: flux.aresume(kept.id, config=config, **limits), url=url, resume=command, quiet=quiet
    )
