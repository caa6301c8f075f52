"""`reasonflux solve`: one problem, from the command line to its answer."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonflux_agent.cli import options
from reasonflux_agent.cli.commands import TextCommand
from reasonflux_agent.cli.exits import STATUS
from reasonflux_agent.cli.threads import claimed, typed
from reasonflux_agent.errors import InputError

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


EXAMPLES = """\
  reasonflux solve 'Find the sum of all positive divisors of 28.'
  reasonflux solve -- '-3 + x = 5'
  reasonflux solve < FILE"""


class SolveCommand(TextCommand, options.RunCommand):
    """The class of the command `solve`."""


def solve(
    context: typer.Context,
    problem: Annotated[
        str | None,
        typer.Argument(
            help="The problem, in words or LaTeX. '-' or a pipe: standard input. If it starts with '-': after '--'."
        ),
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the problem from this file.")] = None,
    strategy: options.Strategy = "navigator",
    record: options.Record = None,
    thread: Annotated[
        str | None,
        typer.Option(
            help="Keep the run under this id; it can be resumed after it was stopped or killed.", rich_help_panel=options.OUTPUT
        ),
    ] = None,
    checkpoints: options.Checkpoints = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Solve a problem.

    The worked solution goes to standard output, then the answer, how sure it is, the trajectory and the usage; progress goes to
    standard error. What is not given here is taken from the environment: REASONFLUX_EFFORT, REASONFLUX_MODEL,
    REASONFLUX_NAVIGATOR, REASONFLUX_SOLVER, REASONFLUX_MAX_TOKENS and so on.

    Example:
      reasonflux solve --effort low 'Find the sum of all positive divisors of 28.'
      reasonflux solve --file problem.txt --json
    """
    text = read_problem(problem, file)
    from reasonflux_agent.api import ReasonFlux
    from reasonflux_agent.cli.progress import watch
    from reasonflux_agent.cli.report import print_solution
    from reasonflux_agent.events import Concluded

    given = options.given(context)
    flux = ReasonFlux(strategy=strategy, library=given.library, record=record, **given.fields)
    resume = typed("resume", thread, checkpoints) if thread else ""

    async def run(flux: ReasonFlux, config: RunnableConfig) -> Concluded:
        if thread:
            config = {**config, "configurable": {"thread_id": thread}}
        *_, last = [event async for event in flux.astream(text, config=config, **given.roles)]
        assert isinstance(last, Concluded), "a run that ends without an error has a solution"
        return last

    with claimed(thread, checkpoints) as url:
        options.load_models(given.roles, quiet=quiet)
        started = time.monotonic()
        end = watch(flux, run, url=url, resume=resume, quiet=quiet)
    print_solution(end.solution, time.monotonic() - started, as_json=as_json, quiet=quiet, resume=resume)
    if record and not quiet:
        typer.echo(f"Record: {record / end.run}.jsonl", err=True)
    raise typer.Exit(STATUS[end.solution.status])


def read_problem(argument: str | None, file: Path | None) -> str:
    """Return the problem's text from the argument, the file or standard input. Raises InputError."""
    if argument is not None and file is not None:
        raise InputError("A problem and --file are both given. Next: give one of them.")
    piped = argument == "-" or not (sys.stdin is None or sys.stdin.isatty())
    try:
        if file is not None:
            text = file.read_bytes().decode("utf-8-sig")
        elif argument in (None, "-"):
            text = sys.stdin.buffer.read().decode("utf-8-sig") if piped else ""
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
