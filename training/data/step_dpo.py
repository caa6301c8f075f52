r"""Step preference: a wrong step and its corrected version, from the redos in run records (v2's reasoner; SuperCorrect).

    python training/data/step_dpo.py RECORDS... --gold data/train/math_train.jsonl --out data/step_dpo.json \
        --benchmarks data/benchmarks

If a review had a step done again, the prompt of the first try is paired with the accepted text (chosen) and the text that
was turned down (rejected). The prompt is the one that the run sent. A whole solution in one reply must have been wrong before
and right after, by grading; a step, which has no answer of its own, counts if its run ended right. A try that ran a program is
left out: its text holds what the interpreter printed, which the model must not learn to invent. A thought precedes its reply,
as the model gave it. Rows are LLaMA-Factory's sharegpt preference data.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from common import Result, run
from records import Solved, calls_behind, from_records, hours, is_right, record_arguments
from rows import preference, thought

from reasonflux_agent.events import AnyEvent, Reviewed, StepDone
from reasonflux_agent.prompts import Message
from reasonflux_agent.verify.grading import extract_answer

OUTCOMES = ("kept", "by a program", "the first was right as well", "the redo was wrong", "the same text again")
"""What can become of a redo."""


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    args = record_arguments(__doc__).parse_args(argv)
    build, results = from_records(__file__, args, {}, _result_of)
    pairs = [(result["problem"], pair) for result in results for pair in result.get("pairs", ())]
    for outcome in OUTCOMES:
        build.stages[f"redos: {outcome}"] = sum(pair["outcome"] == outcome for _, pair in pairs)
    kept = [(problem, pair["row"]) for problem, pair in pairs if pair["outcome"] == "kept"]
    build.write(kept, "preference", hours=hours(results))


def _result_of(solved: Solved) -> Result:
    whole = solved.record.begin.context["granularity"] == "whole"
    if not whole and not is_right(solved.solution.answer, solved.item):
        return {"outcome": "answer wrong"}
    pairs = [
        _pair(tries, rejected, solved if whole else None)
        for events in solved.record.attempts.values()
        for tries in _steps(events, whole)
        for rejected in tries[:-1]
    ]
    return {"outcome": "with redos" if pairs else "without a redo", "pairs": pairs}


class _Try(NamedTuple):
    """A step carried out once."""

    prompt: Sequence[Message]
    thought: str
    text: str


def _steps(events: Sequence[AnyEvent], whole: bool) -> Iterator[list[_Try]]:
    """The tries of each step: a review had all but the last one done again."""
    tries: list[_Try] = []
    index, again = -1, False
    for event in events:
        if isinstance(event, StepDone) and (calls := calls_behind(event, events)):
            if not (again and event.result.index == index):
                yield tries
                tries = []
            reply = calls[-1].reply
            tries.append(_Try(calls[0].messages, reply.reasoning if reply else "", event.result.text.strip()))
            index, again = event.result.index, False
        elif isinstance(event, Reviewed):
            # a replaced remainder of a trajectory begins with another step; a whole solution stays one
            again = event.review.verdict == "redo" or (whole and event.review.verdict == "replace")
    yield tries


def _pair(tries: Sequence[_Try], rejected: _Try, whole: Solved | None) -> Result:
    """The pair of a try that was turned down and the last one, or why there is none. `whole`: the run, if tries are whole."""
    chosen = tries[-1]
    if "```output" in chosen.text + rejected.text:
        return {"outcome": "by a program"}
    if chosen.text == rejected.text or not (chosen.text and rejected.text):
        return {"outcome": "the same text again"}
    if whole and is_right(extract_answer(rejected.text), whole.item):
        return {"outcome": "the first was right as well"}
    if whole and not is_right(extract_answer(chosen.text), whole.item):
        return {"outcome": "the redo was wrong"}
    # the first prompt holds no remark on an earlier try
    better, worse = (thought(made.thought) + made.text for made in (chosen, rejected))
    return {"outcome": "kept", "row": preference(tries[0].prompt, better, worse)}


if __name__ == "__main__":
    sys.exit(run(main))
