r"""Navigator SFT: problem -> trajectory, from runs whose planned solution was graded right (paper, section 3.2; v1's data).

    python training/data/navigator_sft.py RECORDS... --gold data/train/math_train.jsonl --out data/navigator_sft.json \
        --benchmarks data/benchmarks

Rows are alpaca (`instruction`, `input`, `output`, and the shown conversations as `history`): the prompt is the one that the
graph sends; the output is a thought between <think> and </think>, then the trajectory in the form that the graph reads.
The thought is the navigator's own if it thought aloud; otherwise it names the kind of problem and the templates that were
found. A reply too long for the graph's token limit is left out, and counted. One row a problem: that of the solution with the
most weight in a vote, and of equal ones the shortest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from common import Result, run
from plans import PROMPTS, add_prompt
from records import Solved, calls_behind, from_records, hours, one_a_problem, purposes, record_arguments
from rows import alpaca, thought

from reasonflux_agent.events import PlanDrawn, PlanRefined
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.steps import write_steps
from reasonflux_agent.schema import Candidate, Plan
from reasonflux_agent.voting import weight

THOUGHT = 400
"""Characters of a thought at most: the graph gives the navigator a few hundred tokens for thought and trajectory."""
TOKEN = 3.5
"""Characters of a token in English with some mathematics, roughly: there is no tokenizer here to count by."""


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = record_arguments(__doc__)
    add_prompt(parser)
    parser.add_argument(
        "--thought", action=argparse.BooleanOptionalAction, default=True, help="a thought before the trajectory"
    )
    args = parser.parse_args(argv)
    build, results = from_records(__file__, args, {"prompt": args.prompt}, lambda solved: _result_of(solved, args.prompt))
    build.choices["thought"] = args.thought

    prompt, kept = PROMPTS[args.prompt], [result for result in results if result["outcome"] == "kept"]
    for result in kept:
        result["output"] = (thought(result["thought"]) if args.thought else "") + result["trajectory"]
    fitting = [result for result in kept if len(result["output"]) <= TOKEN * (prompt.max_tokens or 400)]
    build.stages["records: kept, but too long"] = len(kept) - len(fitting)
    best = one_a_problem(sorted(fitting, key=lambda r: (-r["weight"], r["length"], r["trajectory"])))
    build.stages["problems"] = len(best)
    rows = [(r["problem"], alpaca(prompt.render(r["problem"]), r["output"])) for r in best]
    build.write(rows, "alpaca", hours=hours(results))


def _result_of(solved: Solved, name: str) -> Result:
    if not any(c.plan and _says_something(c.plan) for c in solved.solution.candidates):
        return {"outcome": "not planned"}
    right = [(c, c.plan) for c in solved.right if c.plan and _says_something(c.plan)]
    if not right:
        return {"outcome": "answer wrong"}
    chosen, plan = min(right, key=lambda made: (-weight(made[0]), len(made[0].text), made[0].text))
    trajectory = _written(plan, name)
    if not _reads_back(trajectory, plan, name):
        return {"outcome": "trajectory unreadable"}
    return {
        "outcome": "kept",
        "trajectory": trajectory,
        "thought": _thought(solved, chosen, plan),
        "weight": weight(chosen),
        "length": len(chosen.text),
    }


def _says_something(plan: Plan) -> bool:
    """Whether it is more than the one step that the graph goes on with when the navigator's plan could not be read."""
    return len(plan.steps) > 1 or bool(plan.steps and plan.abstraction)


def _written(plan: Plan, name: str) -> str:
    """The trajectory in the form that the prompt of this name reads back."""
    if name == "propose":  # no library, so no queries; its abstraction ends with the conditions, which have a line
        steps = tuple(step.model_copy(update={"query": ""}) for step in plan.steps)
        return write_steps(Plan(abstraction=plan.abstraction.replace(" Conditions:", "\nConditions:", 1), steps=steps))
    # a refined step has no query of its own: what was found for it is what is to be looked up
    steps = tuple(s.model_copy(update={"query": s.query or _names(s.templates[:1])}) for s in plan.steps)
    return write_steps(Plan(abstraction=plan.abstraction, steps=steps))


def _reads_back(trajectory: str, plan: Plan, name: str) -> bool:
    try:
        return purposes(PROMPTS[name].parse(trajectory))[: len(plan.steps)] == purposes(plan)
    except ParseError:
        return False


def _thought(solved: Solved, candidate: Candidate, plan: Plan) -> str:
    """What the navigator thought when it laid this trajectory out; else what the record tells of it."""
    events = solved.events_of(candidate)
    for event in events:
        if isinstance(event, PlanDrawn | PlanRefined) and purposes(event.plan) == purposes(plan):
            said = [call.reply.reasoning.strip() for call in calls_behind(event, events)[-1:] if call.reply]
            if said and 0 < len(said[0]) <= THOUGHT:
                return said[0]
    found = _names(tuple(dict.fromkeys(id for step in plan.steps for id in step.templates)))
    kind = f"This is a problem of the kind: {plan.abstraction}." if plan.abstraction else ""
    method = f"A method that fits: {found}." if found else "No method of the library fits as it stands."
    return f"{kind} {method} It takes {len(plan.steps)} steps.".strip()[:THOUGHT]


def _names(ids: Sequence[str]) -> str:
    """Names of templates from their ids, `chapter/section/name`."""
    return "; ".join(id.rpartition("/")[2].replace("-", " ") for id in ids)


if __name__ == "__main__":
    sys.exit(run(main))
