"""The question of `agents.review` as a form, and what was filled in as a Decision. Pure functions, no I/O."""

from __future__ import annotations

from typing import Any

from reasonflux_agent.serving.ui.html import Html, inline, prose, tag

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
"""Action -> the button, and what it does. The first one is what the Enter key does, so it is the one that drops nothing."""
USING, WITHOUT = ("edit", "stop"), ", without my changes"
"""Actions that say themselves what becomes of changes; what is added to the buttons of the others."""


def question_form(
    id: str, asked: JSON, place: str, names: dict[str, str], attempt: str, filled: tuple[list[JSON], str] | None = None
) -> Html:
    """The form that answers question `id` (an `agents.review.Question` as a dict); `names`: template id -> name.

    `attempt` is who asks; `filled` are the steps that a person has changed already, and why they were not taken.
    """
    review, (steps, why) = asked["review"], filled or (asked["steps"], "")
    title = "May this trajectory be carried out?" if asked["question"] == "plan" else "How shall the run go on?"
    proposed = None
    if review:
        said = tag("strong", review["verdict"]), (". " if review["feedback"] else ""), inline(review["feedback"])
        proposed = tag("p", f"The review of step {review['index'] + 1} proposes: ", said)
    redo = "redo" in asked["actions"]
    buttons = [
        tag(
            "div",
            tag("button", said, WITHOUT if filled and name not in USING else None, type="submit", name="action", value=name),
            tag("small", does),
        )
        for name, (said, does) in WORDS.items()
        if name in asked["actions"]
    ]
    return tag(
        "form",
        tag("h2", f"{attempt}: {title}", id=f"q-{id}"),
        [tag("p", text, role="alert", class_="error") for text in (asked["error"], why) if text],
        proposed,
        tag("input", type="hidden", name="question", value=id),
        tag("input", type="hidden", name="drop", value="1" if filled else ""),
        tag("ol", [_step(str(n), step, names) for n, step in enumerate(steps, 1)], class_="edit"),
        tag("template", _step("new", {"purpose": "", "query": "", "templates": None, "work": ""}, names)),
        tag("p", tag("button", "Add a step", type="button", data_do="add", hidden=True)),
        _field("What is wrong (for a redo)", "feedback", "", rows=2) if redo else None,
        tag("div", *buttons, class_="decide"),
        method="post",
        action=f"{place}/answer",
        data_keep=f"{place}/keep",
        data_without=WITHOUT,
        class_="card question",
        aria_labelledby=f"q-{id}",
    )


def _step(key: str, step: JSON, names: dict[str, str]) -> Html:
    chosen = [
        tag("label", tag("input", type="checkbox", name=f"{key}.template", value=id, checked=True), " ", names.get(id, id))
        for id in step["templates"] or ()
    ]
    moves = (("up", "Move up"), ("down", "Move down"), ("delete", "Delete"))
    return tag(
        "li",
        tag(
            "fieldset",
            tag("legend", "Step"),
            tag("input", type="hidden", name="step", value=key),
            _field("Purpose (empty: the step is deleted)", f"{key}.purpose", step["purpose"], rows=2),
            _field("Query for the library", f"{key}.query", step["query"]),
            tag(
                "fieldset",
                tag("legend", "Templates"),
                chosen,
                tag(
                    "label",
                    tag("input", type="checkbox", name=f"{key}.lookup", value="1", checked=step["templates"] is None),
                    " look up what the query finds, instead",
                ),
                tag(
                    "label",
                    "Add a template, by its id ",
                    tag("input", type="text", name=f"{key}.template", list="template-ids", autocomplete="off"),
                ),
                class_="templates",
            ),
            tag(
                "details",
                tag("summary", "Work done up to the end of this step"),
                prose(step["work"]) if step["work"] else None,
                _field("Your work, or nothing to have it done", f"{key}.work", step["work"], rows=5),
                open=bool(step["work"]),
            ),
            tag("p", [tag("button", label, type="button", data_do=do, hidden=True) for do, label in moves], class_="moves"),
        ),
    )


def _field(label: str, name: str, value: str, rows: int = 0) -> Html:
    if rows:
        # a browser drops the first line break of a textarea
        return tag("label", label, tag("textarea", f"\n{value}", name=name, rows=rows))
    return tag("label", label, tag("input", type="text", name=name, value=value))


def read_decision(form: Form) -> JSON:
    """The `agents.review.Decision` that a filled-in form stands for, as a dict; whether it can be used, the run says."""
    action = _first(form, "action")
    feedback = _first(form, "feedback") if action == "redo" else ""
    return {"action": action, "steps": read_steps(form) if action == "edit" else [], "feedback": feedback}


def read_steps(form: Form) -> list[JSON]:
    """The steps as they stand in a form."""
    steps = []
    for key in form.get("step", ()):
        if key != "new" and (purpose := _first(form, f"{key}.purpose")):
            chosen = [id for value in form.get(f"{key}.template", ()) if (id := value.strip())]
            templates = None if _first(form, f"{key}.lookup") else list(dict.fromkeys(chosen))
            work = _first(form, f"{key}.work")
            steps.append({"purpose": purpose, "query": _first(form, f"{key}.query"), "templates": templates, "work": work})
    return steps


def is_changed(steps: list[JSON], asked: JSON) -> bool:
    """Whether these differ from the steps that were asked about."""
    flat = [
        {k: v.replace("\r\n", "\n").strip() if isinstance(v, str) else v for k, v in step.items()} for step in asked["steps"]
    ]
    return steps != flat


def drops(form: Form, asked: JSON) -> bool:
    """Whether the button that was pressed drops what was changed, and did not say so."""
    return _first(form, "action") not in USING and not _first(form, "drop") and is_changed(read_steps(form), asked)


def _first(form: Form, name: str) -> str:
    # browsers send line breaks as CR LF
    return (form.get(name) or [""])[0].replace("\r\n", "\n").strip()
