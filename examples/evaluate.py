"""An evaluation of your own model on your own file: three methods side by side, with intervals and a report.

It needs the extra `local`: python examples/evaluate.py problems.jsonl vllm:NAME@http://host:8000/v1
A line of the file is {"problem": "...", "answer": "..."}. The same command goes on where it was stopped.
"""

from __future__ import annotations

import asyncio
import sys

from reasonflux_agent.jobs.evaluation.report import markdown_table, read_run, write_report
from reasonflux_agent.jobs.evaluation.runner import evaluate
from reasonflux_agent.jobs.evaluation.tables import accuracies

file, model = sys.argv[1:]
methods = ["direct", "self-consistency@3", "navigator"]
folder = asyncio.run(evaluate([file], methods, model=model, cache="replies.jsonl", concurrency=8))
write_report(folder)
print(markdown_table(accuracies(read_run(folder))))
print(f"Report: {folder}/report.html")
