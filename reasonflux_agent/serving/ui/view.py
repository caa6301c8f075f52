"""A run as HTML, in sections that are sent anew when they change. No I/O."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from reasonflux_agent.runs.record import Record
from reasonflux_agent.serving.ui.html import Html, code, formula, inline, join, prose, tag
from reasonflux_agent.serving.ui.tree import Branch, Trajectory, Try, branches, usage
from reasonflux_agent.voting import weight

JSON = dict[str, Any]
Texts = Callable[[str], tuple[str, str]]
"""Template id -> its name and text."""
MARKS = {True: "✓ passed", False: "✗ failed"}


def sections(record: Record, texts: Texts, drafts: list[tuple[str, str]]) -> dict[str, Html]:
    """Id of each section -> its content; all ids are there from the start, so that a page can fill them."""
    return {
        "answer": join([_answer(record)]),
        "tree": join(_branch(branch, texts) for branch in branches(record)),
        "now": join(_draft(node, text) for node, text in drafts),
        "usage": join([_usage(record)]),
        "calls": join([_calls(record)]),
    }


def news(line: JSON) -> str:
    """What a line of a record says in one sentence, for screen readers; empty if it is not worth one."""
    match line["type"]:
        case "plan" | "refined":
            return f"Trajectory of {len(line['plan']['steps'])} steps."
        case "templates":
            return f"Templates found: {len(line['templates'])}."
        case "step":
            return f"Result up to step {line['result']['index'] + 1}."
        case "program":
            return "A program failed." if line["error"] else "A program was run."
        case "review":
            return f"Review: {line['review']['verdict']}."
        case "candidate":
            return f"Candidate: {line['answer'] or 'no answer'}."
        case "solution":
            return f"The run has ended. Answer: {line['solution']['answer'] or 'none'}."
    return ""


def _answer(record: Record) -> Html | None:
    solution = record.solution
    if solution is None:
        return None
    given = formula(solution.answer) if solution.answer else "No answer was found."
    rows = [
        tag(
            "tr",
            tag("td", c.source),
            tag("td", formula(c.answer) if c.answer else "none"),
            tag("td", f"{weight(c):g}"),
            tag("td", _checks(c.checks)),
        )
        for c in solution.candidates
    ]
    total = solution.total
    spent = f"{total.calls} calls, {total.tokens:,} tokens, {total.seconds:.1f} s of model time"
    return tag(
        "section",
        tag("h2", "Answer", id="answer-title"),
        tag("p", given, class_="final"),
        tag("p", tag("strong", solution.verdict), f". Strategy {solution.strategy}; {spent}."),
        tag("details", tag("summary", "The whole solution"), prose(solution.text), id="solution-text")
        if solution.text
        else None,
        _table("Candidates and votes", ("made by", "answer", "weight", "checks"), rows) if rows else None,
        aria_labelledby="answer-title",
        class_=f"card answer {solution.status}",
    )


def _checks(checks: dict[str, bool]) -> Html:
    if not checks:
        return tag("span", "none applied", class_="soft")
    marks = [
        tag("li", f"{name.replace('_', ' ')} {MARKS[passed]}", class_="passed" if passed else "failed")
        for name, passed in checks.items()
    ]
    return tag("ul", *marks, class_="checks")


def _branch(branch: Branch, texts: Texts) -> Html:
    old, last = branch.trajectories[:-1], branch.trajectories[-1:]
    earlier = [
        tag(
            "details",
            tag("summary", f"Trajectory {number}, which was replaced"),
            _trajectory(one, texts, f"{branch.key}-{number}"),
            id=f"{branch.key}-old-{number}",
            class_="old",
        )
        for number, one in enumerate(old, 1)
    ]
    answers = [tag("li", "Answer ", formula(c["answer"] or "none"), " ", _checks(c["checks"])) for c in branch.candidates]
    unread = [
        tag("details", tag("summary", f"A reply that could not be read: {row['error']}"), code(row["reply"], "Reply"))
        for row in branch.unparsed
    ]
    return tag(
        "article",
        tag("h3", branch.name, id=branch.key),
        earlier,
        [_trajectory(one, texts, f"{branch.key}-{len(old) + 1}") for one in last],
        [_program(row) for row in branch.programs],
        unread,
        tag("ul", *answers, class_="candidates") if answers else None,
        class_="branch card",
        aria_labelledby=branch.key,
    )


def _trajectory(one: Trajectory, texts: Texts, key: str) -> Html:
    steps = one.plan["steps"]
    reach: dict[int, int] = {}
    carried: dict[int, int] = {}
    start = 0
    for index in sorted(one.tries):  # a reply may carry out all steps up to its own
        carried |= dict.fromkeys(range(start, index + 1), index)
        reach[index], start = start, index + 1
    items = []
    for i, step in enumerate(steps):
        tries = one.tries.get(i, [])
        again = f", {len(tries)} tries" if len(tries) > 1 else ""
        state = (f"done{again}" if tries else f"done with step {carried[i] + 1}") if i in carried else ""
        items.append(_step(i, step, state, [_try(t, reach[i], i) for t in tries], texts, f"{key}-{i + 1}"))
    loose = [_try(t, 0, index) for index, tries in one.tries.items() if index >= len(steps) for t in tries]
    kind = (
        tag("p", tag("span", "Kind", class_="label"), " ", inline(one.plan["abstraction"])) if one.plan["abstraction"] else None
    )
    return join((kind, [_verdict(row) for row in one.decisions], tag("ol", *items, class_="steps") if items else None, loose))


def _step(index: int, step: JSON, state: str, tries: list[Html], texts: Texts, key: str) -> Html:
    head = (
        tag("span", f"Step {index + 1}", class_="number"),
        " ",  # words that no space parts are read as one
        tag("span", inline(step["purpose"]), class_="purpose"),
        join((" ", tag("span", state, class_="state"))) if state else None,
    )
    query = tag("p", tag("span", "Looks up", class_="label"), " ", inline(step["query"])) if step["query"] else None
    templates = [_template(id, texts, f"{key}-{id}") for id in step["templates"]]
    body = tag("details", tag("summary", head), query, templates, tries, id=key, open=True)
    return tag("li", body, class_="done" if state else None)


def _template(id: str, texts: Texts, key: str) -> Html:
    name, text = texts(id)
    body = tag("div", tag("pre", text, tabindex=0, role="group", aria_label=name), tag("p", id, class_="soft"))
    return tag("details", tag("summary", tag("span", "Template", class_="label"), " ", name), body, id=key, class_="template")


def _try(one: Try, start: int, index: int) -> Html:
    attempt = one.result.get("attempt", 1)
    title = f"Steps {start + 1} to {index + 1}, in one reply" if start < index else "Result"
    title += f", try {attempt}" if attempt > 1 else ""
    # the programs of a reply stand in its text, with their output
    shown = [_program(row) for row in one.programs if row["code"].strip() not in one.result["text"]]
    return tag(
        "div",
        tag("p", title, class_="label"),
        shown,
        prose(one.result["text"]),
        [_verdict(row) for row in one.verdicts],
        class_="try",
    )


def _program(row: JSON) -> Html:
    return join((code(row["code"], "Program"), code(row["error"] or row["output"], "Error" if row["error"] else "Output")))


def _verdict(row: JSON) -> Html:
    if row["type"] == "decision":
        said, by = row["decision"], "You"
        word = said["action"]
    else:
        said, by = row["review"], f"Review by the {row.get('by', 'navigator')}"
        word = said["verdict"]
    new = tag("ol", [tag("li", inline(step["purpose"])) for step in said["steps"]]) if said["steps"] else None
    return tag(
        "div",
        tag(
            "p",
            tag("span", by, class_="label"),
            " ",
            tag("strong", word),
            ": " if said["feedback"] else "",
            inline(said["feedback"]),
        ),
        new,
        class_=f"verdict {word}",
    )


def _draft(node: str, text: str) -> Html:
    label = f"{node}: {'a model is writing' if text else 'a model is reading'}"
    return tag(
        "div", tag("p", label, class_="label"), tag("pre", text[-4000:] or "…", tabindex=0, role="group", aria_label=label)
    )


def _usage(record: Record) -> Html | None:
    nodes = usage(record)
    if not nodes:
        return None
    names = ("calls", "prompt", "cached", "output", "seconds")
    nodes["all"] = {name: sum(row[name] for row in nodes.values()) for name in names}
    rows = [
        tag("tr", tag("th", node, scope="row"), [tag("td", _number(row[name]), class_="number") for name in names])
        for node, row in nodes.items()
    ]
    return _table("Tokens and seconds per node", ("node", *names), rows)


def _number(value: float) -> str:
    return f"{value:.1f}" if isinstance(value, float) else f"{value:,}"


def _calls(record: Record) -> Html | None:
    items = []
    for number, call in enumerate(record.calls, 1):
        reply = call.get("reply")
        tokens = f"{reply['prompt_tokens']:,} + {reply['completion_tokens']:,} tokens" if reply else "failed"
        title = f"{number}. {call['node']} ({call['role']}): {tokens}, {call['seconds']:.1f} s"
        told = [code(message["content"], message["role"].capitalize()) for message in call["messages"]]
        if reply and reply["reasoning"]:
            told.append(code(reply["reasoning"], "Thought"))
        told.append(code(reply["text"] if reply else call["error"], "Reply" if reply else "Error"))
        items.append(tag("li", tag("details", tag("summary", title), told, id=f"call-{number}")))
    return tag("ol", *items, class_="calls") if items else None


def _table(title: str, head: tuple[str, ...], rows: list[Html]) -> Html:
    names = tag("thead", tag("tr", [tag("th", name, scope="col") for name in head]))
    grid = tag("table", tag("caption", title), names, tag("tbody", *rows))
    return tag("div", grid, class_="scroll", tabindex=0, role="group", aria_label=title)


def settings(record: Record) -> Html:
    """What the run was begun with."""
    context = {name: value for name, value in record.header.get("context", {}).items() if value is not None}
    pairs = {**record.header.get("parts", {}), **context}
    rows = [
        tag("div", tag("dt", name), tag("dd", value if isinstance(value, str) else json.dumps(value)))
        for name, value in pairs.items()
    ]
    return tag("dl", *rows)
