r"""F1 SFT: problem -> one long template-augmented chain of thought that ends in a boxed answer (ReasonFlux-F1's data).

    python training/data/f1_sft.py RECORDS... --gold data/train/math_train.jsonl --out data/f1_sft.json \
        --benchmarks data/benchmarks

Distilled from runs that were graded right. The thought is made of what the run held: the kind of problem, the templates,
the steps, and the work, with the tries that a review turned down and what it said of them. Nothing is written by a model
here. The prompt is the one of the strategy `direct`. Rows are alpaca; the thought stands between <think> and </think>, as
the DeepSeek-R1 models write it, so the recipe's template must keep it (`deepseekr1`). One row a problem: the longest.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common import Build, Result, arguments, run
from files import digest
from records import Solved, read_gold, read_solved, record_files
from rows import alpaca

from reasonflux_agent.events import Reviewed, StepDone
from reasonflux_agent.prompts.direct import DIRECT
from reasonflux_agent.runs.record import reading
from reasonflux_agent.schema import Candidate
from reasonflux_agent.templates import TemplateLibrary, render_template


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = arguments(__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="run records, or folders of them")
    parser.add_argument("--gold", type=Path, required=True, help="*.jsonl with `problem` and `answer`")
    parser.add_argument("--library", default="builtin", help="the library that the runs used (default: %(default)s)")
    args = parser.parse_args(argv)
    files, gold = record_files(args.records), read_gold(args.gold)
    flows = {
        template.id: render_template(template.model_copy(update={"example": None})).removeprefix("Template: ")
        for template in TemplateLibrary.load(args.library)
    }
    build = Build(__file__, args, {"library": digest(flows)}, {"records": list(files.values()), "gold": [args.gold]})
    build.settings["gold"] = build.inputs["gold"]["sha256"]

    results = build.each("records", files, lambda path: _row_of(path, read_solved(path, gold), flows))
    best: dict[str, str] = {}
    for result in (r for r in results if r["outcome"] == "kept"):
        best[result["problem"]] = max(best.get(result["problem"], ""), result["output"], key=lambda text: (len(text), text))
    build.stages["problems"] = len(best)
    rows = [(problem, alpaca(DIRECT.render(problem), output)) for problem, output in sorted(best.items())]
    build.write(rows, "alpaca", hours=sum(result.get("seconds", 0.0) for result in results) / 3600)


def _row_of(path: Path, solved: Solved | str, flows: Mapping[str, str]) -> Result:
    if isinstance(solved, str):
        return {"outcome": solved}
    with reading(path):
        right = [c for c in solved.right if c.plan]
        # a model that reasons alone has nobody who runs its programs
        alone = [c for c in right if not any("```" in text for text in (c.text, *(text for text, _ in _tries(solved, c))))]
        if not alone:
            return {"outcome": "by a program" if right else "answer wrong", "seconds": solved.seconds}
        output = max((_chain(solved, c, flows) for c in alone), key=lambda text: (len(text), text))
    return {"outcome": "kept", "problem": solved.item.problem, "output": output, "seconds": solved.seconds}


def _tries(solved: Solved, candidate: Candidate) -> list[tuple[str, str]]:
    """The tries of the candidate's attempt that a review turned down before it: (text, what the review said).

    Reviews alone do not tell attempts apart, as most say the same; the record tells the events of the attempt.
    """
    for name, events in solved.record.attempts.items():
        said = tuple(event.review for event in events if isinstance(event, Reviewed))
        if not said or said != candidate.reviews or (candidate.attempt and name != candidate.attempt):
            continue
        made: list[tuple[str, str]] = []
        text, again = "", False
        for event in events:
            if isinstance(event, StepDone):
                text, made = event.result.text, made if again else []
                if text == candidate.text:
                    return made
                again = False
            elif isinstance(event, Reviewed):
                again = event.review.verdict in ("redo", "replace")
                made = [*made, (text, event.review.feedback)]
    return []


def _chain(solved: Solved, candidate: Candidate, flows: Mapping[str, str]) -> str:
    plan = candidate.plan
    assert plan is not None
    parts = [f"The kind of problem: {plan.abstraction}."] if plan.abstraction else []
    ids = dict.fromkeys(id for step in plan.steps for id in step.templates)
    parts += [f"A method that may fit: {flows[id]}" for id in ids if id in flows]
    parts += ["So the steps are:\n" + "\n".join(f"{n}. {step.purpose}" for n, step in enumerate(plan.steps, 1))]
    for text, feedback in _tries(solved, candidate):
        parts += [text.strip(), f"Wait, something is wrong: {feedback}".rstrip(": "), "Let me do it again."]
    parts += [candidate.text.strip()]
    return "<think>\n" + "\n\n".join(parts) + f"\n</think>\n\nThe answer is $\\boxed{{{candidate.answer}}}$."


if __name__ == "__main__":
    sys.exit(run(main))
