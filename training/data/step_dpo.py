r"""Step preference: a wrong step and its corrected version, from the redos in run records (v2's reasoner; SuperCorrect).

    python training/data/step_dpo.py RECORDS... --gold data/train/math_train.jsonl --out data/step_dpo.json \
        --benchmarks data/benchmarks

Where a review had a step done again, the prompt of the first try is paired with the accepted text (chosen) and the one that
was turned down (rejected). A whole solution in one reply must have been wrong before and right after, by grading; a step,
which has no answer of its own, counts where its run ended right. A try that ran a program is left out: its text holds what
the interpreter printed, which the model is not to invent. A thought stands in front of its reply, as the model gave it. Rows
are LLaMA-Factory's sharegpt preference data.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from common import Build, Result, arguments, run
from records import Solved, is_right, read_gold, read_solved, record_files
from rows import JSON, preference, thought

from reasonflux_agent.events import AnyEvent, CallEnded, Reviewed, StepDone
from reasonflux_agent.runs.record import reading
from reasonflux_agent.verify.grading import extract_answer


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = arguments(__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="run records, or folders of them")
    parser.add_argument("--gold", type=Path, required=True, help="*.jsonl with `problem` and `answer`")
    args = parser.parse_args(argv)
    files, gold = record_files(args.records), read_gold(args.gold)
    build = Build(__file__, args, {}, {"records": list(files.values()), "gold": [args.gold]})
    build.settings["gold"] = build.inputs["gold"]["sha256"]

    results = build.each("records", files, lambda path: _pairs_of(path, read_solved(path, gold)))
    for reason in ("kept", "by a program", "the first was right as well", "the redo was wrong", "the same text again"):
        build.stages[f"redos: {reason}"] = sum(pair["outcome"] == reason for r in results for pair in r.get("pairs", ()))
    kept = [(r["problem"], pair["row"]) for r in results for pair in r.get("pairs", ()) if pair["outcome"] == "kept"]
    build.write(kept, "preference", hours=sum(result.get("seconds", 0.0) for result in results) / 3600)


def _pairs_of(path: Path, solved: Solved | str) -> Result:
    if isinstance(solved, str):
        return {"outcome": solved}
    with reading(path):
        whole = solved.record.header["context"]["granularity"] == "whole"
        if not whole and not is_right(solved.solution.answer, solved.item):
            return {"outcome": "answer wrong", "seconds": solved.seconds}
        pairs = [pair for events in solved.record.attempts.values() for pair in _redone(events, solved, whole)]
    outcome = "with redos" if pairs else "without a redo"
    return {"outcome": outcome, "problem": solved.item.problem, "pairs": pairs, "seconds": solved.seconds}


def _redone(events: Sequence[AnyEvent], solved: Solved, whole: bool) -> Iterator[JSON]:
    """A pair, or why not, for every try of a step that a review turned down; the chosen text is the step's last try."""
    for prompt, tries in _chains(events, whole):
        chosen, why = tries[-1]
        for rejected, why_not in tries[:-1]:
            if "```output" in chosen + rejected:
                outcome = "by a program"
            elif chosen == rejected or not (chosen and rejected):
                outcome = "the same text again"
            elif whole and is_right(extract_answer(rejected), solved.item):
                outcome = "the first was right as well"
            elif whole and not is_right(extract_answer(chosen), solved.item):
                outcome = "the redo was wrong"
            else:
                outcome = "kept"
            row = preference(prompt, thought(why) + chosen, thought(why_not) + rejected)
            yield {"outcome": outcome, **({"row": row} if outcome == "kept" else {})}


def _chains(events: Sequence[AnyEvent], whole: bool) -> Iterator[tuple[list[JSON], list[tuple[str, str]]]]:
    """Of every step the prompt of its first try, which holds no remark on an earlier one, and (text, thought) of its tries."""
    messages: list[JSON] = []
    prompt: list[JSON] = []
    tries: list[tuple[str, str]] = []
    index, again, reasoning = -1, False, ""
    for event in events:
        if isinstance(event, CallEnded) and event.node == "solve_step" and event.reply:
            messages = messages or [
                dict(message) for message in event.messages
            ]  # the first call of a try; further ones go on after a program
            reasoning = event.reply.reasoning
        elif isinstance(event, StepDone):
            if not (again and event.result.index == index):
                yield prompt, tries or [("", "")]
                prompt, tries, index = messages, [], event.result.index
            tries.append((event.result.text.strip(), reasoning))
            messages, again, reasoning = [], False, ""
        elif isinstance(event, Reviewed):
            # a replaced remainder of a trajectory begins with another step; a whole solution stays one
            again = event.review.verdict == "redo" or (whole and event.review.verdict == "replace")
    yield prompt, tries or [("", "")]


if __name__ == "__main__":
    sys.exit(run(main))
