"""`reasonflux solve`: one problem, from the command line to its answer."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from contextlib import ExitStack, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasonflux_agent.cli import options
from reasonflux_agent.cli.exits import STATUS, going_on
from reasonflux_agent.cli.options import LIMITS, OUTPUT
from reasonflux_agent.errors import InputError, redacted

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from reasonflux_agent.api import ReasonFlux
    from reasonflux_agent.cli.progress import Progress
    from reasonflux_agent.schema import Solution

EXAMPLES = """\
  reasonflux solve 'Find the sum of all positive divisors of 28.'
  reasonflux solve -- '-3 + x = 5'
  reasonflux solve < FILE"""


def solve(
    problem: Annotated[
        str | None,
        typer.Argument(
            help="The problem, in words or LaTeX. '-' or a pipe: standard input. If it starts with '-': after '--'."
        ),
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the problem from this file.")] = None,
    model: options.Model = None,
    navigator: options.Navigator = None,
    solver: options.Solver = None,
    effort: options.Effort = None,
    strategy: options.Strategy = "navigator",
    granularity: options.Granularity = None,
    library: options.Library = None,
    drafts: options.Drafts = None,
    trajectories: options.Trajectories = None,
    templates: options.Templates = None,
    reviews: options.Reviews = None,
    no_programs: options.NoPrograms = False,
    seed: options.Seed = None,
    max_tokens: options.MaxTokens = None,
    token_budget: Annotated[int | None, typer.Option(help="Tokens of the whole run at most.", rich_help_panel=LIMITS)] = None,
    deadline: Annotated[float | None, typer.Option(help="Seconds of model time at most.", rich_help_panel=LIMITS)] = None,
    record: Annotated[
        Path | None, typer.Option(help="Write the run's record into this directory.", rich_help_panel=OUTPUT)
    ] = None,
    thread: Annotated[
        str | None,
        typer.Option(help="Keep the run under this id, to be resumed when it was stopped or killed.", rich_help_panel=OUTPUT),
    ] = None,
    checkpoints: Annotated[
        str | None,
        typer.Option(help="Where threads are kept: a SQLite file or a postgresql:// URL.", rich_help_panel=OUTPUT),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The Solution as one line of JSON.", rich_help_panel=OUTPUT)] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="The answer and nothing else.", rich_help_panel=OUTPUT)] = False,
) -> None:
    """Solve a problem.

    The worked solution goes to standard output, then the answer, how sure it is, the trajectory and the usage; progress goes to
    standard error. What is not given here is taken from the environment: REASONFLUX_EFFORT, REASONFLUX_MODEL,
    REASONFLUX_NAVIGATOR, REASONFLUX_SOLVER, REASONFLUX_MAX_TOKENS and so on.
    """
    text = read_problem(problem, file)
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
    from reasonflux_agent.api import ReasonFlux
    from reasonflux_agent.cli.progress import Progress

    flux = ReasonFlux(strategy=strategy, library=library, record=record, **fields)
    with ExitStack() as open_:
        url = _claim(open_, thread, checkpoints)
        roles = load_models(flux, navigator or model, solver or model, quiet=quiet)
        if thread:
            open_.enter_context(going_on(command("resume", thread, checkpoints)))
        started = time.monotonic()
        open_.enter_context(redirect_stdout(sys.stderr))  # stdout is the answer's alone
        progress = open_.enter_context(Progress(quiet=quiet))
        run, solution = asyncio.run(_run(flux, text, roles, progress, url, thread))
    on = command("resume", thread, checkpoints) if thread else ""
    print_solution(solution, time.monotonic() - started, as_json=as_json, quiet=quiet, resume=on)
    if record and not quiet:
        typer.echo(f"Record: {record / run}.jsonl", err=True)
    raise typer.Exit(STATUS[solution.status])


def read_problem(argument: str | None, file: Path | None) -> str:
    """The problem's text from the argument, the file or standard input. Raises InputError."""
    if argument is not None and file is not None:
        raise InputError("A problem and --file are both given. Next: give one of them.")
    try:
        if file is not None:
            text = file.read_bytes().decode("utf-8-sig")
        elif argument is None and (sys.stdin is None or sys.stdin.isatty()):
            text = ""
        elif argument in (None, "-"):
            text = sys.stdin.buffer.read().decode("utf-8-sig")
        else:
            text = str(argument)
            text.encode()
    except OSError as error:
        raise InputError(f"The problem cannot be read: {error}.") from None
    except UnicodeError as error:
        raise InputError(f"The problem is not UTF-8 text: {error}. Next: convert it to UTF-8.") from None
    if not text.strip():
        raise InputError(f"There is no problem to solve. Next: give one, for example\n{EXAMPLES}")
    return text


def specs(flux: ReasonFlux, navigator: str | None, solver: str | None) -> dict[str, str]:
    """The spec of each role: what the command names, else what its context does, else the default."""
    from reasonflux_agent.parts import resolve_models

    navigator, solver = resolve_models(navigator or flux.context.navigator, solver or flux.context.solver)
    return {"navigator": navigator, "solver": solver}


def load_models(flux: ReasonFlux, navigator: str | None, solver: str | None, *, quiet: bool) -> dict[str, Any]:
    """The spec of each role, its model loaded: a download shows its own progress, which no live view may disturb."""
    from reasonflux_agent.models import load_model

    roles = specs(flux, navigator, solver)
    for spec in dict.fromkeys(roles.values()):
        if spec.startswith(("local:", "hf:")) and not quiet:
            typer.echo(f"Loading {spec}", err=True)
        load_model(spec)
    return roles


def _claim(open_: ExitStack, thread: str | None, checkpoints: str | None) -> str | None:
    """Locks the thread until `open_` closes; its database. Raises ThreadError for one whose run is not finished."""
    if thread is None:
        if checkpoints:
            raise InputError("--checkpoints says where a thread is kept, and no --thread is given. Next: add --thread ID.")
        return None
    from reasonflux_agent.cli.report import shorten
    from reasonflux_agent.runs.threads import database, lock_thread, open_checkpointer, read_thread

    if not thread.strip():
        raise InputError("--thread is empty. Next: give the run a name, for example --thread homework-3.")
    url = database(checkpoints)
    open_.enter_context(lock_thread(url, thread))
    with open_checkpointer(url) as saver:
        former = read_thread(saver, thread)
    if former and former.state != "finished" and former.calls:
        raise InputError(
            f"The thread {thread!r} has a run that is not finished: {shorten(former.problem, 80)!r}. Next: "
            f"{command('resume', thread, checkpoints)}, or "
            f"{command('threads delete', thread, checkpoints)}, or another --thread."
        )
    return url


def command(verb: str, thread: str, checkpoints: str | None) -> str:
    """What to type for a thread."""
    where = f" --checkpoints {shlex.quote(redacted(checkpoints))}" if checkpoints else ""
    return f"reasonflux {verb} {shlex.quote(thread)}{where}"


async def _run(
    flux: ReasonFlux, problem: str, roles: dict[str, Any], progress: Progress, url: str | None, thread: str | None
) -> tuple[str, Solution]:
    """The id of the run, and its solution. On the event loop, because Ctrl-C ends a model call there at once."""
    from reasonflux_agent.events import Concluded
    from reasonflux_agent.runs.threads import aopen_checkpointer

    concluded: Concluded | None = None
    config: RunnableConfig = {"callbacks": [progress]}
    async with aopen_checkpointer(url) if url else nullcontext() as saver:
        if saver is not None:
            flux, config = flux.with_checkpointer(saver), {**config, "configurable": {"thread_id": thread}}
        async for event in flux.astream(problem, config=config, **roles):
            concluded = event if isinstance(event, Concluded) else concluded
    assert concluded, "a run that ends without an error has a solution"
    return concluded.run, concluded.solution


def print_solution(solution: Solution, seconds: float, *, as_json: bool, quiet: bool, resume: str = "") -> None:
    """The solution to standard output, what to do next to standard error; `resume` is the command that goes on with its run."""
    from reasonflux_agent.cli.report import next_step, printable, report

    if as_json:
        text = solution.model_dump_json()
    elif quiet:
        text = printable(solution.answer or "")
    else:
        text = report(solution, seconds)
    if text:
        print(text, flush=True)
    if advice := next_step(solution, resume):
        typer.echo(advice, err=True)
