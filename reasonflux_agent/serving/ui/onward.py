"""What a person can do with a run that has ended or was stopped: follow it up, or fork it. Pure functions, no I/O."""

from __future__ import annotations

import htpy as h

from reasonflux_agent.context import EFFORTS
from reasonflux_agent.runs.record import Record
from reasonflux_agent.serving.ui.pages import choice, place
from reasonflux_agent.serving.ui.tree import branches


def follow_form(record: Record) -> h.Node:
    """Return the form for the next turn of a conversation; nothing for a run that has not ended."""
    return (
        record.solution
        and h.form(".card", method="post", action=f"{place(record.begin.run)}/follow", aria_labelledby="follow")[
            h.h2("#follow")["Follow up"],
            h.label["Your next question", h.textarea(name="problem", rows=2, required=True)],
            h.button(type="submit")["Ask"],
            h.p(".soft")["It may refer to this problem and its answer: “now for a_1 = 4”."],
        ]
    )


def fork_form(record: Record, places: list[tuple[str, int]]) -> h.Node:
    """Return the form that goes another way from a step; nothing if no checkpoint is kept.

    places: attempts, each with the index of a step.
    """
    plans = {branch.attempt: branch.trajectories[-1].plan for branch in branches(record) if branch.trajectories}

    def text(attempt: str, step: int) -> str:
        steps = plans[attempt].steps if attempt in plans else ()
        purpose = " ".join(steps[step].purpose.split()) if step < len(steps) else ""
        return f"{attempt}, step {step + 1}: {purpose[:80]}"

    if not places:
        return None
    steps = {f"{attempt}/{step}": text(attempt, step) for attempt, step in sorted(places)}
    return h.form(".card", method="post", action=f"{place(record.begin.run)}/fork", aria_labelledby="fork")[
        h.h2("#fork")["Go another way"],
        choice("From", "place", steps),
        choice("Effort of the rest", "effort", {name: name for name in EFFORTS}, record.begin.context.get("effort")),
        h.button(type="submit")["Fork the run"],
        h.p(".soft")[
            "Next you change the steps and their templates. What was done before is kept, and this run stays as it is."
        ],
    ]
