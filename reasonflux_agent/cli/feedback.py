"""`reasonflux feedback`: mark a finished run as right or wrong, in its record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reasonflux_agent.cli.ui import RECORDS


def feedback(
    run: Annotated[str, typer.Argument(metavar="RECORD_OR_RUN", help="A record's file, or the id of a run in --records.")],
    right: Annotated[bool, typer.Option("--right/--wrong", help="Whether the run's answer is right.")],
    answer: Annotated[
        str | None, typer.Option(help="The right answer, if you know it; a right run's own answer need not be given.")
    ] = None,
    comment: Annotated[str, typer.Option(help="A remark to keep with the mark.")] = "",
    records: Annotated[Path, typer.Option(help="The folder of the records, where RECORD_OR_RUN is an id.")] = RECORDS,
) -> None:
    """Mark a finished run as right or wrong.

    The mark is one more line in the run's record, and the last one counts. `learn --records` learns from marked runs.

    Example:
      reasonflux feedback runs/0b1c.jsonl --wrong --answer 12
    """
    from reasonflux_agent.cli.report import printable
    from reasonflux_agent.errors import RecordError
    from reasonflux_agent.runs.feedback import mark
    from reasonflux_agent.wording import describe

    named = [Path(run), records / f"{run}.jsonl"]
    path = next((path for path in named if path.is_file()), None)
    if path is None:
        raise RecordError(
            f"There is no record {run!r}: neither {named[0]} nor {named[1]} is a file. Next: give the path of a record, or the "
            "id of a run and --records DIR."
        )
    made = mark(path, correct=right, answer=answer, comment=comment)
    typer.echo(f"{printable(describe(made).partition(chr(10))[0])}. Record: {path}")
