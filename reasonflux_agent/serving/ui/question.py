"""The question of `agents.review` as a form, and what was filled in as a Decision. Pure functions, no I/O."""

from __future__ import annotations

from typing import Any

import htpy as h

from reasonflux_agent.serving.ui.pages import alert, place
from reasonflux_agent.serving.ui.prose import inline, prose, render

JSON = dict[str, Any]
Form = dict[str, list[str]]
"""Fields of a form, each with its values in order."""
WORDS = {
    "edit": ("Go on with my edits", "The trajectory is carried out as it stands in this form."),
    "approve": ("Go on as proposed", "The trajectory is carried out as it was proposed."),
    "accept": ("Accept the result", "Keep the result, and go on with the next step."),
    "redo": ("Redo the step", "Say below what is wrong."),
    "finish": ("Finish", "The answer is there: carry no further step out."),
    "stop": ("Stop the run", "End with the best answer so far."),
}
"""Action -> the button, and what it does. The Enter key does the first one, so the first one drops nothing."""
USING, WITHOUT = ("edit", "stop"), ", without my changes"
"""Actions whose text says what becomes of changes; the text that is added to the buttons of the others."""
BLANK: JSON = {"purpose": "", "query": "", "templates": None, "work": ""}


def question_form(
    id: str, asked: JSON, run: str, names: dict[str, str], attempt: str, filled: tuple[list[JSON], str] | None = None
) -> str:
    """Return the form that answers question `id` of a run.

    asked: an `agents.review.Question` as a dict. names: template id -> name. attempt: the attempt that asks. filled: the
    steps that a person has changed already, and why they were not taken.
    """
    review, (steps, why) = asked["review"], filled or (asked["steps"], "")
    title = "May this trajectory be carried out?" if asked["question"] == "plan" else "How shall the run go on?"
    proposed = (
        review
        and h.p[
            f"The review of step {review['index'] + 1} proposes: ",
            h.strong[review["verdict"]],
            [". ", inline(review["feedback"])] if review["feedback"] else None,
        ]
    )
    buttons = [
        h.div[
            h.button(type="submit", name="action", value=name)[said, WITHOUT if filled and name not in USING else None],
            h.small[does],
        ]
        for name, (said, does) in WORDS.items()
        if name in asked["actions"]
    ]
    return render(
        h.form(
            ".card.question",
            method="post",
            action=f"{place(run)}/answer",
            data_keep=f"{place(run)}/keep",
            data_without=WITHOUT,
            aria_labelledby=f"q-{id}",
        )[
            h.h2(id=f"q-{id}")[f"{attempt}: {title}"],
            map(alert, (asked["error"], why)),
            proposed,
            h.input(type="hidden", name="question", value=id),
            h.input(type="hidden", name="drop", value="1" if filled else ""),
            h.ol(".edit")[[_step(str(n), step, names) for n, step in enumerate(steps, 1)]],
            h.template[_step("new", BLANK, names)],
            h.p[h.button(type="button", data_do="add", hidden=True)["Add a step"]],
            _area("What is wrong (for a redo)", "feedback", "", rows=2) if "redo" in asked["actions"] else None,
            h.div(".decide")[buttons],
        ]
    )


def _step(key: str, step: JSON, names: dict[str, str]) -> h.Node:
    def tick(field: str, value: str, label: str, checked: bool) -> h.Node:
        return h.label[h.input(type="checkbox", name=f"{key}.{field}", value=value, checked=checked), f" {label}"]

    moves = {"up": "Move up", "down": "Move down", "delete": "Delete"}
    return h.li[
        h.fieldset[
            h.legend["Step"],
            h.input(type="hidden", name="step", value=key),
            _area("Purpose (empty: the step is deleted)", f"{key}.purpose", step["purpose"], rows=2),
            h.label["Query for the library", h.input(type="text", name=f"{key}.query", value=step["query"])],
            h.fieldset(".templates")[
                h.legend["Templates"],
                [tick("template", id, names.get(id, id), True) for id in step["templates"] or ()],
                tick("lookup", "1", "look up what the query finds, instead", step["templates"] is None),
                h.label[
                    "Add a template, by its id ",
                    h.input(type="text", name=f"{key}.template", list="template-ids", autocomplete="off"),
                ],
            ],
            h.details(open=bool(step["work"]))[
                h.summary["Work done up to the end of this step"],
                prose(step["work"]) if step["work"] else None,
                _area("Your work, or nothing to have it done", f"{key}.work", step["work"], rows=5),
            ],
            h.p(".moves")[[h.button(type="button", data_do=do, hidden=True)[label] for do, label in moves.items()]],
        ]
    ]


def _area(label: str, name: str, value: str, rows: int) -> h.Node:
    return h.label[label, h.textarea(name=name, rows=rows)[f"\n{value}"]]  # a browser drops the first line break


def read_decision(form: Form) -> JSON:
    """Return the `agents.review.Decision` of a filled-in form, as a dict. The run says whether it can be used."""
    action = first(form, "action")
    feedback = first(form, "feedback") if action == "redo" else ""
    return {"action": action, "steps": read_steps(form) if action == "edit" else [], "feedback": feedback}


def read_steps(form: Form) -> list[JSON]:
    """Return the steps as they stand in a form."""
    steps = []
    for key in form.get("step", ()):
        if key != "new" and (purpose := first(form, f"{key}.purpose")):
            chosen = [id for value in form.get(f"{key}.template", ()) if (id := value.strip())]
            templates = None if first(form, f"{key}.lookup") else list(dict.fromkeys(chosen))
            work = first(form, f"{key}.work")
            steps.append({"purpose": purpose, "query": first(form, f"{key}.query"), "templates": templates, "work": work})
    return steps


def is_changed(steps: list[JSON], asked: JSON) -> bool:
    """Return whether these differ from the steps that were asked about."""
    return steps != [
        {name: _plain(value) if isinstance(value, str) else value for name, value in step.items()} for step in asked["steps"]
    ]


def drops(form: Form, asked: JSON) -> bool:
    """Return whether the button that was pressed drops what was changed, and did not say so."""
    return first(form, "action") not in USING and not first(form, "drop") and is_changed(read_steps(form), asked)


def first(form: Form, name: str) -> str:
    """Return the first value of a field; an empty text if there is none."""
    return _plain((form.get(name) or [""])[0])


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()  # browsers send line breaks as CR LF
