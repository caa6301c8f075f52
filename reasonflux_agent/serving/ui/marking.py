"""The forms that mark an answer as right or wrong, and what was filled in. Pure functions, no I/O."""

from __future__ import annotations

from typing import Any

import htpy as h

from reasonflux_agent.errors import InputError
from reasonflux_agent.runs.record import Record
from reasonflux_agent.serving.ui.pages import place, when
from reasonflux_agent.serving.ui.prose import formula, inline
from reasonflux_agent.serving.ui.question import Form, first

MARK = "mark-title"
"""Id of the heading, to which the browser returns after a mark."""
RIGHT, WRONG = "right", "wrong"


def mark_form(record: Record) -> h.Node:
    """Return the forms for a run that has ended, and how it is marked already; nothing for any other."""
    solution, mark = record.solution, record.feedback
    if solution is None:
        return None
    known = (mark.answer or "") if mark and not mark.correct else ""
    action = f"{place(record.begin.run)}/feedback"

    def button(value: str, text: str) -> h.Node:
        return h.button(type="submit", name="mark", value=value)[text]

    # two forms: the Enter key in the field must not say that the answer is right
    return h.section(".card.mark", aria_labelledby=MARK)[
        h.h2(id=MARK, tabindex=-1)["Is the answer right?"],
        [
            h.p[
                f"Marked as {RIGHT if mark.correct else WRONG} on {when(mark.time)}.",
                [" The right answer: ", formula(known), "."] if known else None,
            ],
            h.p[inline(mark.comment)] if mark.comment else None,
        ]
        if mark
        else None,
        h.form(method="post", action=action)[button(RIGHT, "The answer is right")] if solution.answer else None,
        h.form(method="post", action=action)[
            h.label[
                "The right answer, if you know it",
                h.input(type="text", name="answer", autocomplete="off", value=known),
            ],
            button(WRONG, "The answer is wrong" if solution.answer else "Keep the right answer"),
        ],
        h.p(".soft")[
            "The mark is kept in the run's record. ", h.code["reasonflux learn --records"], " learns from marked runs."
        ],
    ]


def read_mark(form: Form) -> dict[str, Any]:
    """Return what a filled-in form says, as arguments of `feedback`. Raises InputError for a form of another page."""
    said = first(form, "mark")
    if said not in (RIGHT, WRONG):
        raise InputError("This form does not say whether the answer is right. Next: open the run's page, and use its buttons.")
    return {"correct": said == RIGHT, "answer": first(form, "answer") or None}
