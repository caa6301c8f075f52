"""A batch on a Ray cluster: several processes solve the rows of a file, and a process or a machine that dies costs no row.

It needs the extra `ray`, and a model's server that every machine of the cluster reaches:
python examples/batch_on_ray.py problems.jsonl answers.jsonl vllm:NAME@http://host:8000/v1 HEAD:6379
A line of the file is {"problem": "..."}. Without HEAD:6379, Ray is started on this machine. The same command goes on where it
was stopped. `reasonflux batch --engine ray` does the same, with progress and more options.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from reasonflux_agent import Context
from reasonflux_agent.jobs.batch.cluster import Work, ray_engine
from reasonflux_agent.jobs.batch.runner import Output, run_batch

problems, answers, model, *address = sys.argv[1:]
context = Context(navigator=model, solver=model, effort="low").model_dump(mode="json", exclude_unset=True)
work = Work(strategy="navigator", library=None, record=None, context=context)
engine = ray_engine(work, 128, workers=2, address=address[0] if address else None)  # 128 rows at once, 64 in each process

with open(problems, "rb") as source, Output(answers, source, settings=context) as output:
    asyncio.run(run_batch(source, output, engine, concurrency=128))

rows = [json.loads(line) for line in Path(answers).read_text(encoding="utf-8").splitlines()]
failed = [row for row in rows if row["error"]]
print(f"{len(rows)} rows, {sum(row['tokens'] for row in rows)} tokens, {len(failed)} failed")
for row in failed:
    print(row["id"], row["error"])
