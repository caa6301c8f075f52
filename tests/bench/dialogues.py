"""Follow-ups with and without their context: right answers, calls, and how well the rule of standing alone decides.

`python -m tests.bench.dialogues [--model SPEC] [--max-tokens N] [--at-once N] [--out FILE]` solves the dialogues of
tests/measure/dialogues.jsonl twice with the strategy `direct`: as they are, and their last turn alone, which is what was solved
before follow-ups were restated. A result is written to FILE as soon as it is there; a second call goes on after the last one.
"""

from __future__ import annotations

import argparse
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reasonflux_agent import Context, Solution, create_reasonflux
from reasonflux_agent.verify.grading import grade

DATA = Path(__file__).parents[1] / "measure" / "dialogues.jsonl"
Row = dict[str, Any]


def dialogues() -> list[Row]:
    """The rows: `id`, `area`, `messages`, `answer`, `alone` (whether the last turn needs no other), `says` (a pattern)."""
    return [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


def is_right(row: Row, solution: Solution) -> bool:
    """Whether a solution has the row's answer, and its text what `says` asks for."""
    told = not row.get("says") or re.search(row["says"], solution.text) is not None
    return told and grade(solution.answer, row["answer"], problem=solution.problem)


def solve(graph: Any, row: Row, *, alone: bool) -> Row:
    """Solve a row, its last turn `alone` or all of it; return the result."""
    given = {"messages": row["messages"][-1:] if alone else row["messages"]}
    restated, refused, state = None, None, {}
    for mode, data in graph.stream(given, stream_mode=["custom", "values"]):
        if mode == "values":
            state = data
        elif data["type"] == "restated":
            restated = data
        elif data["type"] == "unparsed":
            refused = data["error"]
    solution = Solution.model_validate(state["solution"])
    return {
        "id": row["id"],
        "alone": alone,
        "right": is_right(row, solution),
        "answer": solution.answer,
        "restated": restated and restated["problem"],
        "by": restated and restated["by"],
        "refused": refused,
        "calls": solution.total.calls,
        "tokens": solution.total.tokens,
        "seconds": solution.total.seconds,
        "seconds_restating": solution.usage["restate"].seconds if "restate" in solution.usage else 0,
    }


def summary(rows: list[Row], results: list[Row]) -> dict[str, Any]:
    """Counts over all rows: right answers before and after, calls added, restatements, and wrong decisions of the rule."""
    before, after = ({r["id"]: r for r in results if r["alone"] is alone} for alone in (True, False))
    done = [row for row in rows if row["id"] in before and row["id"] in after]
    restated = {row["id"] for row in done if after[row["id"]]["restated"]}
    return {
        "dialogues": len(done),
        "right_before": sum(before[row["id"]]["right"] for row in done),
        "right_after": sum(after[row["id"]]["right"] for row in done),
        "lost": [row["id"] for row in done if before[row["id"]]["right"] and not after[row["id"]]["right"]],
        "calls_added": sum(after[row["id"]]["calls"] - before[row["id"]]["calls"] for row in done),
        "seconds_restating": sorted(round(after[i]["seconds_restating"], 1) for i in restated),
        "restated_by_navigator": sum(after[i]["by"] == "navigator" for i in restated),
        "whole_conversation": sum(after[i]["by"] == "conversation" for i in restated),
        "false_skips": [row["id"] for row in done if not row["alone"] and row["id"] not in restated],
        "false_restatements": [row["id"] for row in done if row["alone"] and row["id"] in restated],
    }


def main() -> None:
    """Solve what is not solved yet, and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--max-tokens", type=int, default=400)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("dialogues-results.jsonl"))
    given = parser.parse_args()
    rows = dialogues()
    results = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    done = {(result["id"], result["alone"]) for result in results}
    context = Context(effort="low", max_tokens=given.max_tokens)
    graph = create_reasonflux(strategy="direct", navigator=given.model, context=context).compile()
    due = [(row, alone) for alone in (False, True) for row in rows if (row["id"], alone) not in done]
    with ThreadPoolExecutor(given.at_once) as pool, given.out.open("a") as file:
        for result in pool.map(lambda one: solve(graph, one[0], alone=one[1]), due):
            results.append(result)
            print(json.dumps(result, ensure_ascii=False), file=file, flush=True)
    print(json.dumps(summary(rows, results), indent=1))


if __name__ == "__main__":
    main()
