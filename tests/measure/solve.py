"""Measures settings on local rows: accuracy, tokens, calls, seconds; resumable to the row.

    python -m tests.measure.solve --data DIR --rows gsm8k_dev:150-170,math500_dev:100-120 --out FILE.jsonl \\
        --setting direct --setting navigator,effort=low --model local:qwen2.5-coder-1.5b

One line per (setting, row) is appended to --out when it is solved; a second call does only what is missing. A table over
all of the file closes the run. `reasonflux eval` will take this script's place.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import time
from pathlib import Path
from typing import Any

from reasonflux_agent import ReasonFlux
from reasonflux_agent.errors import ReasonFluxError
from reasonflux_agent.grading import agrade


def rows(data: Path, wanted: str) -> list[dict[str, Any]]:
    """`name:first-last,...` -> the rows, with the file's name in `set`."""
    found = []
    for part in wanted.split(","):
        name, _, span = part.partition(":")
        lines = (data / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        first, _, last = span.partition("-")
        found += [{**json.loads(line), "set": name} for line in lines[int(first or 0) : int(last or len(lines))]]
    return found


def reader(setting: str, model: str, record: Path | None) -> ReasonFlux:
    """`strategy,field=value,...` -> the object that solves by it."""
    strategy, *given = setting.split(",")
    fields = dict(pair.split("=", 1) for pair in given)
    base = {"effort": "low"} if strategy != "navigator" else {}
    return ReasonFlux(model, strategy=strategy, record=record, **{**base, **fields})


async def main() -> None:
    """Runs what is missing, then prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--setting", action="append", required=True)
    parser.add_argument("--model", default="local:qwen2.5-coder-1.5b")
    parser.add_argument("--record", type=Path)
    parser.add_argument("--concurrency", type=int, default=8)
    args = parser.parse_args()
    todo = rows(args.data, args.rows)
    old = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {(row["setting"], row["id"]) for row in old}
    for setting in args.setting:
        flux = reader(setting, args.model, args.record)
        gate, started, count = asyncio.Semaphore(args.concurrency), time.monotonic(), 0
        missing = [row for row in todo if (setting, row["id"]) not in done]

        async def one(row: dict[str, Any], flux: ReasonFlux = flux, gate: asyncio.Semaphore = gate, n: int = len(missing),
                      setting: str = setting, started: float = started) -> None:  # fmt: skip
            nonlocal count
            async with gate:
                begun = time.monotonic()
                out: dict[str, Any] = {"setting": setting, "id": row["id"], "set": row["set"], "gold": row["answer"]}
                try:
                    solution = await flux.asolve(row["problem"])
                except ReasonFluxError as error:
                    out |= {"correct": False, "error": str(error)}
                else:
                    total = solution.total
                    out |= {"correct": await agrade(solution.answer, row["answer"]), "answer": solution.answer}
                    out |= {"truncated": any(c.truncated for c in solution.candidates), "status": solution.status}
                    out |= {"templates": solution.templates, "usage": total.model_dump(), "votes": solution.votes}
                    out["candidates"] = [
                        {"source": c.source, "answer": c.answer, "checks": c.checks, "logprob": c.logprob,
                         "correct": await agrade(c.answer, row["answer"])}
                        for c in solution.candidates
                    ]  # fmt: skip
                    out["reviews"] = [r.verdict for r in solution.reviews]
                out["seconds"] = round(time.monotonic() - begun, 1)
            with args.out.open("a") as file:
                file.write(json.dumps(out, ensure_ascii=False) + "\n")
            count += 1
            clock = time.monotonic() - started
            verdict, left = "right" if out["correct"] else "wrong", clock / count * (n - count)
            told = f"{verdict} {out.get('answer')!r} gold {row['answer']!r}"
            print(f"{setting} {count}/{n} {row['id']} {told}, {left:.0f} s left", flush=True)

        await asyncio.gather(*(one(row) for row in missing))
    table([json.loads(line) for line in args.out.read_text().splitlines()])


def table(results: list[dict[str, Any]]) -> None:
    """Accuracy with 95 % Wilson intervals, and means per problem, by setting and set."""
    print("| setting | set | n | right | 95 % | calls | prompt | cached | completion | s alone | truncated |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for setting in dict.fromkeys(r["setting"] for r in results):
        mine = [r for r in results if r["setting"] == setting]
        for name in [*dict.fromkeys(r["set"] for r in mine), "all"]:
            part = [r for r in mine if name in (r["set"], "all")]
            n, right = len(part), sum(r["correct"] for r in part)
            low, high = wilson(right, n)
            used = [r["usage"] for r in part if "usage" in r]
            mean = {key: sum(u[key] for u in used) / max(1, len(used)) for key in used[0]} if used else {}
            cut = sum(bool(r.get("truncated")) for r in part)
            print(f"| {setting} | {name} | {n} | {right} ({right / n:.0%}) | {low:.0%}-{high:.0%} | {mean.get('calls', 0):.1f} "
                  f"| {mean.get('prompt_tokens', 0):.0f} | {mean.get('cached_tokens', 0):.0f} "
                  f"| {mean.get('completion_tokens', 0):.0f} | {mean.get('seconds', 0):.0f} | {cut} |")  # fmt: skip


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a proportion."""
    p, d = right / n, 1 + z * z / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / d, (middle + half) / d


if __name__ == "__main__":
    asyncio.run(main())
