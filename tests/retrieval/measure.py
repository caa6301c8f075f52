"""Measures how often each embedder and mode finds a template that fits, on problems labelled before any search was run.

    python -m tests.retrieval.measure --data DIR [--embedders hash wordllama st:DIR] [--modes flat hybrid hierarchical]
    python -m tests.retrieval.measure --data DIR --navigator local:qwen2.5-coder-1.5b --plans plans.jsonl

The second line has a navigator draw a plan for each problem (kept in --plans, so that it is done once) and compares the
queries that can be made of it.

DIR holds `math_train.jsonl` and `gsm8k_train.jsonl` (rows {"id", "problem", ...}), which are not part of this project;
`labels.jsonl` beside this file names rows by id and by the first 12 hex digits of the SHA-256 of their problem. A problem
counts as hit at k when any of its labelled templates is among the first k. Problems that no template fits stay out of the
recall, and show in the floor table: there, nothing should be found.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reasonflux_agent.models import CallOptions, call_kwargs, load_model, read_reply
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.plan import PLAN
from reasonflux_agent.schema import Plan
from reasonflux_agent.templates import TemplateLibrary, TemplateRetriever

LABELS = Path(__file__).with_name("labels.jsonl")
KS = (1, 3, 5)


def labelled(data: Path) -> Iterator[tuple[str, str, set[str]]]:
    """(source, problem, ids of fitting templates); stops the program where the data differ from what was labelled."""
    problems: dict[tuple[str, str], str] = {}
    for source in ("math_train", "gsm8k_train"):
        with (data / f"{source}.jsonl").open(encoding="utf-8") as file:
            for row in map(json.loads, file):
                problems[source, row["id"]] = row["problem"]
    for line in LABELS.read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        problem = problems.get((label["source"], label["id"]), "")
        if hashlib.sha256(problem.encode()).hexdigest()[:12] != label["sha"]:
            sys.exit(f"{label['source']} {label['id']} in {data} is not the problem that was labelled.")
        yield label["source"], problem, set(label["templates"])


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a proportion."""
    z, p = 1.96, hits / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def cell(hits: int, total: int) -> str:
    low, high = wilson(hits, total)
    return f"{100 * hits / total:.0f} ({100 * low:.0f}–{100 * high:.0f})"


def plans(problems: list[str], spec: str, kept: Path) -> dict[str, Plan]:
    """Problem -> the plan that the navigator drew; one line a problem in `kept`, which a second call goes on with."""
    known = {}
    for line in kept.read_text(encoding="utf-8").splitlines() if kept.exists() else ():
        row = json.loads(line)
        known[row["problem"]] = row["plan"]
    model = load_model(spec)
    options = CallOptions(max_tokens=PLAN.max_tokens or 512, temperature=0.0, seed=None, stop=PLAN.stop, timeout=None)
    with kept.open("a", encoding="utf-8") as file, ThreadPoolExecutor(8) as pool:

        def draw(problem: str) -> tuple[str, Any]:
            reply = read_reply(model.invoke(PLAN.render(problem=problem), **call_kwargs(model, options))).text
            try:
                return problem, PLAN.parse(reply).model_dump(mode="json")
            except ParseError:
                return problem, None

        for problem, plan in pool.map(draw, [problem for problem in problems if problem not in known]):
            known[problem] = plan
            file.write(json.dumps({"problem": problem, "plan": plan}, ensure_ascii=False) + "\n")
            file.flush()
    return {problem: Plan(**plan) for problem, plan in known.items() if plan}


def queries(problem: str, plan: Plan) -> dict[str, str]:
    """The queries to compare; the last is the one that the graph makes."""
    steps = [f"{step.purpose}\n{step.query}" for step in plan.steps]
    return {
        "problem": problem,
        "kind, problem": f"{plan.abstraction}\n{problem}",
        "steps": "\n".join(steps),
        "kind, problem, steps": "\n".join((plan.abstraction, problem, *steps)),
    }


def compare_queries(rows: list[tuple[str, str, set[str]]], drawn: dict[str, Plan]) -> None:
    retriever = TemplateRetriever.from_library(TemplateLibrary.builtin(), k=max(KS), min_score=-1.0)
    ranks: dict[str, list[float]] = {}
    for _, problem, wanted in rows:
        for name, query in queries(problem, drawn[problem]).items() if problem in drawn else ():
            found = enumerate(retriever.invoke(query), 1)
            ranks.setdefault(name, []).append(next((rank for rank, d in found if d.id in wanted), math.inf))
    print("| query | n | " + " | ".join(f"recall@{k}, % (95 %)" for k in KS) + " |\n|" + " --- |" * (2 + len(KS)))
    for name, found in ranks.items():
        print(f"| {name} | {len(found)} | " + " | ".join(cell(sum(r <= k for r in found), len(found)) for k in KS) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embedders", nargs="+", default=["hash", "wordllama"])
    parser.add_argument("--modes", nargs="+", default=["flat", "hybrid", "hierarchical"])
    parser.add_argument("--navigator", help="a model spec: compare the queries that can be made of its plans")
    parser.add_argument("--plans", type=Path, default=Path("plans.jsonl"))
    options = parser.parse_args()
    library = TemplateLibrary.builtin()
    rows = list(labelled(options.data))
    for _, _, wanted in rows:
        for id in wanted:
            library.get(id)  # a label of a template that was renamed is an error, not a miss
    fitting = [row for row in rows if row[2]]
    if options.navigator:
        compare_queries(fitting, plans([problem for _, problem, _ in fitting], options.navigator, options.plans))
        return
    sources = ["math_train", "gsm8k_train"]
    counts = {source: sum(row[0] == source for row in fitting) for source in sources}
    print(f"{len(library)} templates; {len(rows)} problems, of which {len(rows) - len(fitting)} fit no template.\n")
    head = ["embedder", "mode", *(f"recall@{k}, % (95 %)" for k in KS), *(f"@3 {s} (n={counts[s]})" for s in sources)]
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    floors: list[str] = []
    for embedder in options.embedders:
        for mode in options.modes:
            retriever = TemplateRetriever.from_library(library, embedder, k=max(KS), min_score=-1.0, mode=mode)
            found = [retriever.invoke(problem) for _, problem, _ in rows]
            ranks = [
                next((rank for rank, d in enumerate(documents, 1) if d.id in wanted), math.inf)
                for documents, (_, _, wanted) in zip(found, rows, strict=True)
            ]
            scored = [(source, rank) for (source, _, wanted), rank in zip(rows, ranks, strict=True) if wanted]
            cells = [cell(sum(rank <= k for _, rank in scored), len(scored)) for k in KS]
            cells += [cell(sum(rank <= 3 for s, rank in scored if s == source), counts[source]) for source in sources]
            name = embedder if len(embedder) < 20 else embedder[-20:]
            print(f"| {name} | {mode} | {' | '.join(cells)} |", flush=True)
            if mode != "hierarchical":
                best = [(documents[0].metadata["score"], rank == 1) for documents, rank in zip(found, ranks, strict=True)]
                floors += floor_lines(name, mode, best)
    print("\n| embedder | mode | floor | queries above | first hit right above, % | below, % |\n|" + " --- |" * 6)
    print("\n".join(floors))


def floor_lines(name: str, mode: str, best: list[tuple[float, bool]]) -> Iterator[str]:
    """For floors at every tenth of the best scores: how many queries stay above, and how often their first hit is right."""
    ordered = sorted(score for score, _ in best)
    for tenth in range(10):
        floor = ordered[tenth * len(ordered) // 10]
        above = [right for score, right in best if score >= floor]
        below = [right for score, right in best if score < floor]
        shares = [f"{100 * sum(part) / len(part):.0f}" if part else "–" for part in (above, below)]
        yield f"| {name} | {mode} | {floor:.3f} | {len(above)} | {' | '.join(shares)} |"


if __name__ == "__main__":
    main()
