r"""Navigator SFT: problem -> trajectory, from runs whose planned solution was graded right (paper, section 3.2; v1's data).

    python training/data/navigator_sft.py RECORDS... --gold data/train/math_train.jsonl --out data/navigator_sft.json \
        --benchmarks data/benchmarks

Rows are alpaca (`instruction`, `input`, `output`, and the shown conversations as `history`): the prompt is the one that the
graph sends, the output a thought between <think> and </think> and then the trajectory in the form that the graph reads.
The thought is the navigator's own where it thought aloud, else what the record tells: the kind of problem and the
templates that were found. A reply too long for the graph's token limit is left out, and counted. One row a problem:
the solution with the most weight in a vote, of equals the shortest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from common import Build, Result, arguments, run
from records import Solved, read_gold, read_solved, record_files
from rows import alpaca, thought

from reasonflux_agent.prompts import ParseError, Prompt
from reasonflux_agent.prompts.plan import PLAN
from reasonflux_agent.prompts.propose import PROPOSE
from reasonflux_agent.prompts.steps import write_steps
from reasonflux_agent.runs.record import reading
from reasonflux_agent.schema import Candidate, Plan
from reasonflux_agent.voting import weight

EXCHANGES: dict[str, Prompt[Plan]] = {"plan": PLAN, "propose": PROPOSE}
THOUGHT = 400
"""Characters of a thought at most: the graph gives the navigator a few hundred tokens for thought and trajectory."""
TOKEN = 3.5
"""Characters of a token in English with some mathematics, roughly: there is no tokenizer here to count by."""


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = arguments(__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="run records, or folders of them")
    parser.add_argument("--gold", type=Path, required=True, help="*.jsonl with `problem` and `answer`")
    parser.add_argument("--exchange", choices=EXCHANGES, default="plan", help="whose prompt: plan (v1), propose (v2)")
    parser.add_argument(
        "--thought", action=argparse.BooleanOptionalAction, default=True, help="a thought before the trajectory"
    )
    args = parser.parse_args(argv)
    files, gold = record_files(args.records), read_gold(args.gold)
    inputs = {"records": list(files.values()), "gold": [args.gold]}
    build = Build(__file__, args, {"exchange": args.exchange}, inputs)
    build.settings["gold"] = build.inputs["gold"]["sha256"]
    build.choices["thought"] = args.thought

    results = build.each("records", files, lambda path: _row_of(path, read_solved(path, gold), args.exchange))
    exchange = EXCHANGES[args.exchange]
    most = TOKEN * (exchange.max_tokens or 400)
    kept = [r for r in results if r["outcome"] == "kept"]
    fitting = [r for r in kept if len(_output(r, args.thought)) <= most]
    build.stages["records: kept, but too long"] = len(kept) - len(fitting)
    best: dict[str, Result] = {}
    for result in fitting:
        other = best.get(result["problem"])
        if other is None or _rank(result) < _rank(other):
            best[result["problem"]] = result
    build.stages["problems"] = len(best)
    rows = [
        (problem, alpaca(exchange.render(problem), _output(result, args.thought))) for problem, result in sorted(best.items())
    ]
    build.write(rows, "alpaca", hours=sum(result.get("seconds", 0.0) for result in results) / 3600)


def _row_of(path: Path, solved: Solved | str, exchange: str) -> Result:
    if isinstance(solved, str):
        return {"outcome": solved}
    planned = [c for c in solved.solution.candidates if c.plan and not _says_nothing(c.plan)]
    if not planned:
        return {"outcome": "not planned", "seconds": solved.seconds}
    with reading(path):
        right = [c for c in solved.right if c in planned]
        if not right:
            return {"outcome": "answer wrong", "seconds": solved.seconds}
        chosen = min(right, key=lambda c: (-weight(c), len(c.text), c.text))
        trajectory = _written(chosen, exchange)
        if not _same(EXCHANGES[exchange], trajectory, chosen.plan or Plan()):
            return {"outcome": "trajectory unreadable", "seconds": solved.seconds}
        return {
            "outcome": "kept",
            "problem": solved.item.problem,
            "trajectory": trajectory,
            "thought": _thought(solved, chosen),
            "weight": weight(chosen),
            "length": len(chosen.text),
            "seconds": solved.seconds,
        }


def _output(result: Result, with_thought: bool) -> str:
    return (thought(result["thought"]) if with_thought else "") + str(result["trajectory"])


def _rank(result: Result) -> tuple[float, int, str]:
    return -result["weight"], result["length"], result["trajectory"]


def _says_nothing(plan: Plan) -> bool:
    """Whether it is the one step that the graph goes on with when the navigator's plan could not be read."""
    return not plan.steps or (len(plan.steps) == 1 and not plan.abstraction)


def _written(candidate: Candidate, exchange: str) -> str:
    """The trajectory in the form that the exchange reads back."""
    plan = candidate.plan or Plan()
    if exchange == "propose":  # no library, so no queries; its abstraction ends with the conditions, which have a line
        steps = tuple(step.model_copy(update={"query": ""}) for step in plan.steps)
        return write_steps(Plan(abstraction=plan.abstraction.replace(" Conditions:", "\nConditions:", 1), steps=steps))
    # a refined step has no query of its own: what was found for it is what is to be looked up
    steps = tuple(s.model_copy(update={"query": s.query or _names(s.templates[:1])}) for s in plan.steps)
    return write_steps(Plan(abstraction=plan.abstraction, steps=steps))


def _thought(solved: Solved, candidate: Candidate) -> str:
    plan = candidate.plan or Plan()
    for call in solved.record.calls:
        own = call.reply.reasoning.strip() if call.reply else ""
        if call.reply and call.role == "navigator" and 0 < len(own) <= THOUGHT and _same(PLAN, call.reply.text, plan):
            return own
    found = _names(tuple(dict.fromkeys(id for step in plan.steps for id in step.templates)))
    kind = f"This is a problem of the kind: {plan.abstraction}." if plan.abstraction else ""
    method = f"A method that fits: {found}." if found else "No method of the library fits as it stands."
    return f"{kind} {method} It takes {len(plan.steps)} steps.".strip()[:THOUGHT]


def _same(exchange: Prompt[Plan], reply: str, plan: Plan) -> bool:
    """Whether the reply lays these steps out, and perhaps more, which the graph's limit cut."""
    try:
        drawn = exchange.parse(reply)
    except ParseError:
        return False
    return [step.purpose for step in drawn.steps[: len(plan.steps)]] == [step.purpose for step in plan.steps]


def _names(ids: Sequence[str]) -> str:
    """Names of templates from their ids, `chapter/section/name`."""
    return "; ".join(id.rpartition("/")[2].replace("-", " ") for id in ids)


if __name__ == "__main__":
    sys.exit(run(main))
