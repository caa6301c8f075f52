"""Feedback: a finished run is marked as right or wrong, by one more line in its record. docs/feedback.md says what for."""

from __future__ import annotations

import time
from pathlib import Path

from reasonflux_agent.errors import InputError, RecordError
from reasonflux_agent.events import Feedback
from reasonflux_agent.runs.journal import to_line
from reasonflux_agent.runs.record import Recorder, append_line, read_record
from reasonflux_agent.schema import Solution

LONGEST = 20_000
"""Characters of an answer or a comment at most."""


def mark(path: Path, *, correct: bool, answer: str | None = None, comment: str = "") -> Feedback:
    """Mark the run of a record as right or wrong; see `ReasonFlux.feedback`. Return the mark.

    The mark is appended to the record; no line of it changes. Raises RecordError for a file that is no record, and InputError
    for a mark that does not fit the run, or a record that cannot be written.
    """
    record = read_record(path)
    run, solution = record.begin.run, record.solution
    if solution is None:
        raise InputError(f"The run {run} cannot be marked: it has not ended. Next: mark it when it has, or resume it.")
    own, given = (solution.answer or "").strip(), (answer or "").strip()
    if correct and not own:
        raise InputError(
            f"The run {run} cannot be marked as right: it states no answer. Next: mark it as wrong, with the right answer if "
            "you know it."
        )
    if given and given == own and not correct:
        raise InputError(
            f"The run {run} cannot be marked as wrong with the right answer {given[:80]!r}: that is its own answer. Next: mark "
            "it as right, or give another answer."
        )
    if max(len(given), len(comment)) > LONGEST:
        raise InputError(f"An answer or a comment has at most {LONGEST:,} characters. Next: give the final answer alone.")
    known = given or (own if correct else None)
    made = Feedback(run=run, time=round(time.time(), 6), correct=correct, answer=known, comment=comment.strip())
    try:
        append_line(path, to_line(made.to_json()))
    except OSError as error:
        raise InputError(f"The record of the run {run} cannot be written: {error.strerror}. Next: make it writable.") from None
    return made


def is_mark(line: bytes) -> bool:
    """Return whether a line of a record is a mark, or, of a whole record, whether it may hold one. Nothing is parsed."""
    return b'"type": "feedback"' in line  # in a JSON text the quotes would be escaped


class TakesFeedback:
    """Gives `feedback` to a class whose runs are recorded."""

    _recorder: Recorder | None

    @property
    def records(self) -> Path | None:
        """The folder of the runs' records; None if none are kept."""
        return self._recorder.directory if self._recorder else None

    def feedback(self, run: Solution | Path | str, *, correct: bool, answer: str | None = None, comment: str = "") -> Feedback:
        """Mark a finished run as right or wrong. The last mark of a run counts; `learn(records=...)` uses it.

        `run`: the Solution, the id of the run (`solution.run`), or a record as a `Path`. `answer`: the right answer, if it is
        known; if the run is right, it can be left out. Raises RecordError for a run without a record, and InputError if no
        records are kept or the mark does not fit the run.

        >>> flux = ReasonFlux(record="records")  # doctest: +SKIP
        >>> solution = flux.solve("What is 3 + 4?")  # doctest: +SKIP
        >>> flux.feedback(solution, correct=False, answer="7")  # doctest: +SKIP
        """
        name = run.run if isinstance(run, Solution) else str(run)
        if not name:
            raise InputError(
                "This Solution cannot be marked: it was read from JSON, which does not say which run made it. Next: give the "
                "id of the run, or the path of its record."
            )
        if isinstance(run, Path):  # never a text: what a client sends must not name a file
            return mark(run, correct=correct, answer=answer, comment=comment)
        if self._recorder is None:
            raise InputError(
                f"The run {name} cannot be marked: no records are kept here. Next: give a folder for records, as in "
                "ReasonFlux(record=DIR) or --record DIR, and solve the problem again."
            )
        return mark(record_of(self._recorder, name), correct=correct, answer=answer, comment=comment)


def record_of(recorder: Recorder, run: str) -> Path:
    """Return the path of a run's record. Raises RecordError if there is none."""
    path = recorder.path(run)
    if not path.is_file():
        raise RecordError(f"There is no run {run!r} in {recorder.directory}. Next: name one whose record is there.")
    return path
