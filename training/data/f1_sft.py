r"""F1 SFT: problem -> one long template-augmented chain of thought that ends in a boxed answer (ReasonFlux-F1's data).

    python training/data/f1_sft.py RECORDS... --gold data/train/math_train.jsonl --out data/f1_sft.json \
        --benchmarks data/benchmarks

The rows come from runs that were graded right. The thought is made of the run's own parts: the kind of problem, the templates,
the steps, and the work, with the tries that a review turned down and the review's words. No model is asked here. The prompt is
the one of the strategy `direct`. Rows are alpaca; the thought stands between <think> and </think>, as the DeepSeek-R1 models
write it, so the recipe's template must keep it (`deepseekr1`). One row a problem: the longest.

With --programs the rows are for a model whose programs are run, and come from runs of any strategy. The prompt is the one of
the strategy `program` (and of every second draft). The reply is a program of the run whose output was graded right, and which
does not look hard-coded. Where only the form of the output is wrong (`[3, 59]` in place of `3 × 59`), its last print is
rewritten in the form of the gold answer, and the program is run once more. Each name of --gold is one kind of problem: what
most of its problems say is no data of one of them. One row a problem: the shortest. So what a learned library of programs
shows in the prompt goes into the weights.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping, Sequence, Set
from itertools import pairwise

from common import Result, run
from files import digest
from records import Solved, from_records, hours, is_right, one_a_problem, record_arguments
from rows import alpaca

from reasonflux_agent.events import Reviewed, StepDone
from reasonflux_agent.jobs.evaluation.benchmarks import Item, load
from reasonflux_agent.learning.mining import common_of, is_hard_coded
from reasonflux_agent.learning.rows import LearningRow
from reasonflux_agent.prompts.direct import DIRECT
from reasonflux_agent.prompts.program import PROGRAM
from reasonflux_agent.schema import Candidate, Plan
from reasonflux_agent.strategies.candidates import printed_answer
from reasonflux_agent.templates import TemplateLibrary, render_template
from reasonflux_agent.verify.programs import extract_program, run_program


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = record_arguments(__doc__)
    parser.add_argument("--library", default="builtin", help="the library that the runs used (default: %(default)s)")
    parser.add_argument("--programs", action="store_true", help="rows whose replies are programs")
    args = parser.parse_args(argv)
    if args.programs:
        prompt, longest = PROGRAM, False
        alike = {name: [_row_of(item) for item in load(name)] for name in args.gold}
        common = {row.problem: words for rows in alike.values() for words in [common_of(rows)] for row in rows}
        build, results = from_records(__file__, args, {"rows": "programs"}, lambda solved: _program_of(solved, common))
    else:
        prompt, longest = DIRECT, True
        flows = {
            template.id: render_template(template.model_copy(update={"example": None})).removeprefix("Template: ")
            for template in TemplateLibrary.load(args.library)
        }
        build, results = from_records(__file__, args, {"library": digest(flows)}, lambda solved: _result_of(solved, flows))
    kept = [result for result in results if result["outcome"] == "kept"]
    best = one_a_problem(sorted(kept, key=lambda r: (len(r["output"]), r["output"]), reverse=longest))
    build.stages["problems"] = len(best)
    rows = [(r["problem"], alpaca(prompt.render(r["problem"]), r["output"])) for r in best]
    build.write(rows, "alpaca", hours=hours(results))


def _row_of(item: Item) -> LearningRow:
    return LearningRow(problem=item.problem, answer=item.answer)


def _program_of(solved: Solved, common: Mapping[str, Set[str]]) -> Result:
    row = _row_of(solved.item)
    found, outcome = list[str](), "answer wrong"
    for text in (candidate.text for candidate in solved.right):
        block, _, output = text.rpartition("\n```output\n")
        code = extract_program(block)
        if code and not is_right(printed_answer(output.partition("\n```")[0]), solved.item):
            code = _in_form(code, solved.item.answer)
            if not is_right(printed_answer(run_program(code).output), solved.item):
                outcome = "answer not printed"
                continue
        if not code:
            outcome = "without a program"
        elif is_hard_coded(code, row, common.get(row.problem, frozenset())):
            outcome = "hard-coded"
        else:
            found.append(f"```python\n{code}\n```")
    return {"outcome": "kept", "output": min(found, key=lambda text: (len(text), text))} if found else {"outcome": outcome}


def _in_form(code: str, answer: str) -> str:
    """Return the program with its last print in the form of an answer of several numbers; empty if that cannot be.

    All that stands between two numbers of the answer must be the same, as in `3 × 3 × 59` and `\\frac{2}{3}`.
    """
    answer = answer.strip("$ ")
    numbers = list(re.finditer(r"-?\d+(?:\.\d+)?", answer))
    between = {answer[one.end() : next.start()] for one, next in pairwise(numbers)}
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return ""
    calls = [node.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    prints = [call for call in calls if ast.unparse(call.func) == "print" and call.args and not call.keywords]
    if len(between) != 1 or not prints:
        return ""
    shown = prints[-1].args
    value = ast.unparse(shown[0] if len(shown) == 1 else ast.List(shown))
    parts = repr(answer[: numbers[0].start()]), f"{between.pop()!r}.join(map(str, {value}))", repr(answer[numbers[-1].end() :])
    prints[-1].args = [ast.parse(" + ".join(part for part in parts if part != "''"), mode="eval").body]
    return ast.unparse(tree)


def _result_of(solved: Solved, flows: Mapping[str, str]) -> Result:
    planned = [(candidate, _tries(solved, candidate)) for candidate in solved.right if candidate.plan]
    # a model that reasons alone has no interpreter for its programs
    alone = [(c, tries) for c, tries in planned if not any("```" in text for text in (c.text, *(text for text, _ in tries)))]
    if not alone:
        return {"outcome": "by a program" if planned else "answer wrong"}
    output = max((_chain(c, tries, flows) for c, tries in alone), key=lambda text: (len(text), text))
    return {"outcome": "kept", "output": output}


def _tries(solved: Solved, candidate: Candidate) -> list[tuple[str, str]]:
    """The whole solutions of the candidate's attempt that a review turned down before it: (text, what the review said)."""
    if len(candidate.results) != 1:  # solved step by step
        return []
    tries: list[tuple[str, str]] = []
    for event in solved.events_of(candidate):
        if isinstance(event, StepDone):
            if event.result == candidate.results[0]:
                return tries
            tries.append((event.result.text, ""))
        elif isinstance(event, Reviewed) and tries:
            tries[-1] = (tries[-1][0], event.review.feedback)
    return []


def _chain(candidate: Candidate, tries: Sequence[tuple[str, str]], flows: Mapping[str, str]) -> str:
    plan = candidate.plan or Plan()
    parts = [f"The kind of problem: {plan.abstraction}."] if plan.abstraction else []
    ids = dict.fromkeys(id for step in plan.steps for id in step.templates)
    parts += [f"A method that may fit: {flows[id]}" for id in ids if id in flows]
    parts += ["So the steps are:\n" + "\n".join(f"{n}. {step.purpose}" for n, step in enumerate(plan.steps, 1))]
    for text, feedback in tries:
        parts += [text.strip(), f"Wait, something is wrong: {feedback}".rstrip(": "), "Let me do it again."]
    parts += [candidate.text.strip()]
    return "<think>\n" + "\n\n".join(parts) + f"\n</think>\n\nThe answer is $\\boxed{{{candidate.answer}}}$."


if __name__ == "__main__":
    sys.exit(run(main))
