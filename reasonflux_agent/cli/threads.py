"""`reasonflux threads`: the runs that are kept in a database."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from reasonflux_agent.cli.options import AsJson, Checkpoints
from reasonflux_agent.errors import InputError, redacted

app = typer.Typer(help="List and delete the runs that are kept.", invoke_without_command=True)
Id = Annotated[str, typer.Argument(help="The thread's id, as `reasonflux threads` prints it.")]


@app.callback()
def threads(context: typer.Context, checkpoints: Checkpoints = None, as_json: AsJson = False) -> None:
    """List the threads, the one written last first: id, state, answer, calls, tokens, when, problem."""
    if context.invoked_subcommand:
        context.obj = checkpoints
        return
    from reasonflux_agent.cli.report import print_table, printable, shorten
    from reasonflux_agent.runs.threads import database, list_threads

    found = list_threads(database(checkpoints))
    if not found and not as_json:
        typer.echo("No thread is kept. Next: reasonflux solve --thread ID PROBLEM", err=True)
    rows = []
    for t in found:
        answer, status = (t.solution.answer, t.solution.status) if t.solution else (None, None)
        if as_json:  # a line a thread, with its whole problem, but of the solution the status and the answer alone
            row = t.model_dump(mode="json", exclude={"begun", "solution"}) | {"status": status, "answer": answer}
            typer.echo(json.dumps(row, ensure_ascii=False))
        said = shorten(answer or "none", 40) if status else ""
        rows.append((printable(t.id), t.state, said, str(t.calls), str(t.tokens), t.updated[:19], shorten(t.problem, 60)))
    if rows and not as_json:
        print_table(("id", "state", "answer", "calls", "tokens", "updated (UTC)", "problem"), rows)


@app.command()
def delete(context: typer.Context, thread: Id, checkpoints: Checkpoints = None) -> None:
    """Delete all that is kept of a thread; run records stay.

    Example:
      reasonflux threads delete homework
    """
    from reasonflux_agent.runs.threads import database, delete_thread

    delete_thread(database(checkpoints or context.obj), thread)


def typed(verb: str, thread: str, checkpoints: str | None) -> str:
    """Return the command line that applies a verb to a thread."""
    where = f" --checkpoints {shlex.quote(redacted(checkpoints))}" if checkpoints else ""
    return f"reasonflux {verb} {shlex.quote(thread)}{where}"


@contextmanager
def claimed(thread: str | None, checkpoints: str | None) -> Iterator[str | None]:
    """Lock a thread for a new run, and yield the URL of its database; None without a thread.

    Raises InputError if the thread has a run that is not finished, and ThreadError if another process uses it.
    """
    if thread is None:
        if checkpoints:
            raise InputError("--checkpoints says where a thread is kept, and no --thread is given. Next: add --thread ID.")
        yield None
        return
    from reasonflux_agent.cli.report import shorten
    from reasonflux_agent.runs.threads import database, lock_thread, open_checkpointer, read_thread

    if not thread.strip():
        raise InputError("--thread is empty. Next: give the run a name, for example --thread homework-3.")
    url = database(checkpoints)
    with lock_thread(url, thread):
        with open_checkpointer(url) as saver:
            former = read_thread(saver, thread)
        if former and former.state != "finished" and former.calls:
            resume, delete = (typed(verb, thread, checkpoints) for verb in ("resume", "threads delete"))
            raise InputError(
                f"The thread {thread!r} has a run that is not finished: {shorten(former.problem, 80)!r}. Next: "
                f"{resume}, or {delete}, or another --thread."
            )
        yield url
