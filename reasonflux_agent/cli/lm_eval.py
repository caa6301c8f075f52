"""`reasonflux lm-eval`: the command line of lm-evaluation-harness, which knows our model and our tasks there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""The command's settings: an option that it does not know is the harness's."""
HELP = """\
Run lm-evaluation-harness with the model `reasonflux` and the tasks reasonflux_*:

  reasonflux lm-eval --model_args model=vllm:NAME@http://host:8000/v1,effort=medium --tasks reasonflux_math500
  reasonflux lm-eval ls tasks

--data-dir DIR says where NAME.jsonl or NAME_dev.jsonl lie. All other options are the harness's own, as are the models that
--model can name; see docs/lm-eval.md."""


def lm_eval(
    context: typer.Context,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Where NAME.jsonl or NAME_dev.jsonl lie.")] = None,
) -> None:
    """Run lm-evaluation-harness with our model and tasks.

    Example:
      reasonflux lm-eval --model_args model=vllm:NAME@http://host:8000/v1 --tasks reasonflux_math500
    """
    if not context.args or context.args[0] in ("-h", "--help"):
        typer.echo(f"{HELP}\n")
    from reasonflux_agent.jobs.evaluation.harness import run

    run(context.args, data_dir)
