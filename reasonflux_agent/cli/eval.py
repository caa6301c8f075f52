"""`reasonflux eval`: methods compared on benchmarks; the report of a run; two runs compared."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from reasonflux_agent.cli import options
from reasonflux_agent.cli.exits import EPILOG, going_on
from reasonflux_agent.errors import InputError

HOW, LIMITS, OUTPUT = options.HOW, options.LIMITS, options.OUTPUT
RUN = "run"


class _RunByDefault(TyperGroup):
    """`reasonflux eval gsm8k ...` is `reasonflux eval run gsm8k ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [RUN, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunByDefault,
    help="Compare methods on benchmarks: `reasonflux eval gsm8k --methods direct,navigator` is short for `eval run gsm8k ...`.",
    no_args_is_help=True,
)


def _to_write(param: typer.CallbackParam, path: Path | None) -> Path | None:
    options.folder_to_write(param, path or Path("evaluations"))
    return path


@app.command(RUN, epilog=EPILOG, cls=options.RunCommand)
def run(
    context: typer.Context,
    benchmarks: Annotated[
        list[str],
        typer.Argument(help="Names (see `reasonflux plugins`) or paths to .jsonl files; NAME:100-150 for some of the rows."),
    ],
    methods: Annotated[
        str,
        typer.Option(
            "--methods",
            help="Comma-separated: a strategy, self-consistency@K (or @METHOD, to match its tokens), best-of@K, drafts, "
            "no-templates, random-templates; each may set fields of the context, as in navigator,effort=low.",
            rich_help_panel=HOW,
        ),
    ] = "direct,navigator",
    seed: Annotated[int, typer.Option(help="Of samples, options and random templates.", rich_help_panel=HOW)] = 0,
    repeats: Annotated[int, typer.Option(min=1, help="Solve every problem so often.", rich_help_panel=HOW)] = 1,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where NAME.jsonl or NAME_dev.jsonl lie; else the cache, else the hub.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Problems per benchmark at most.", rich_help_panel=LIMITS)] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Problems at once.", rich_help_panel=LIMITS)] = 8,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            callback=_to_write,
            help="Folder; else one in evaluations/, named by what is run.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            callback=options.file_to_write,
            help="File of replies: calls that it holds are not made again, by any method or evaluation.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    scorer: options.ScorerName = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do again what failed (a model's error, not a wrong answer).")
    ] = False,
) -> None:
    """Solve the problems of benchmarks by several methods, and write a report.

    The same command goes on where it was stopped. Progress goes to standard error, the results to standard output.
    """
    import asyncio

    from reasonflux_agent.cli.job_progress import EvalProgress
    from reasonflux_agent.jobs.evaluation.methods import split_methods
    from reasonflux_agent.jobs.evaluation.report import write_report
    from reasonflux_agent.jobs.evaluation.runner import evaluate

    given = options.given(context)
    with going_on(), redirect_stdout(sys.stderr), EvalProgress() as watcher:  # stdout is the results' alone
        path = asyncio.run(
            evaluate(
                benchmarks,
                split_methods(methods),
                out=out,
                **given.roles,
                library=given.library or "builtin",
                data_dir=data_dir,
                limit=limit,
                repeats=repeats,
                concurrency=concurrency,
                retry_failed=retry_failed,
                cache=cache,
                scorer=scorer,
                watcher=watcher,
                **given.fields | {"seed": seed},
            )
        )
    write_report(path)
    for line in watcher.summary():
        typer.echo(line)
    typer.echo(f"Report: {path / 'report.html'} and report.md; records: {path / 'records'}", err=True)


Run = Annotated[Path, typer.Argument(help="The folder of an evaluation.")]


@app.command()
def report(
    folder: Run,
    prices: Annotated[
        str | None,
        typer.Option(help="Adds the cost: per million prompt, cached and completion tokens, as in 0.15,0.075,0.6."),
    ] = None,
) -> None:
    """Write report.md and report.html into the folder, and print the former."""
    from reasonflux_agent.jobs.evaluation.report import Prices, markdown, read_run, write_report

    given = None
    if prices is not None:
        try:
            given = Prices(*(float(price) for price in prices.split(",")))
        except (TypeError, ValueError):
            raise InputError(f"--prices {prices!r}: three numbers are needed, as in --prices 0.15,0.075,0.6.") from None
    write_report(folder, given)
    typer.echo(markdown(read_run(folder), given))


@app.command()
def compare(
    first: Run,
    second: Run,
    method_a: Annotated[str | None, typer.Option(help="A method of the first; else all that both have.")] = None,
    method_b: Annotated[str | None, typer.Option(help="The method of the second to compare it with.")] = None,
) -> None:
    """Compare two evaluations, paired over the problems that both solved."""
    from reasonflux_agent.jobs.evaluation.report import compare as compared
    from reasonflux_agent.jobs.evaluation.report import read_run

    typer.echo(compared(read_run(first), read_run(second), method_a, method_b))
