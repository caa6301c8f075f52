"""A run as HTML, in sections that are sent anew when they change. No I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import htpy as h
from markupsafe import Markup

from reasonflux_agent.agents.review import Decision
from reasonflux_agent.events import AnyEvent, CallEnded, Concluded, Decided, ProgramRun, Restated, Reviewed
from reasonflux_agent.runs.record import Record
from reasonflux_agent.schema import Step, Template, Usage
from reasonflux_agent.serving.replies import reasoning
from reasonflux_agent.serving.ui.prose import code, formula, inline, prose, render, scrolling
from reasonflux_agent.serving.ui.tree import Branch, TrajectoryView, Try, branches, usage
from reasonflux_agent.serving.ui.trust import checks, reasons, winner
from reasonflux_agent.templates import render_template
from reasonflux_agent.voting import weight

HEAD = ("made by", "answer", "weight", "checks")
Texts = Callable[[str], Template | None]
"""Template id -> the template, if the library that is loaded here holds it."""


def sections(record: Record, texts: Texts, drafts: list[tuple[str, str]]) -> dict[str, Markup]:
    """Return the content of each section by its id. All ids are there from the start, so that a page can fill them."""
    solution, grown = record.solution, branches(record)
    best = winner(solution) if solution else None
    grown.sort(key=lambda branch: best is not None and branch.attempt != best.attempt)  # the one behind the answer first
    is_below = any(best and branch.attempt == best.attempt and branch.trajectories for branch in grown)
    texts_of = {c.attempt: c.text for c in solution.candidates} if solution else {}
    return {
        "restated": render(_restated(record)),
        "answer": render(_answer(record, is_below, texts)),
        "tree": render(
            [_branch(b, texts, texts_of.get(b.attempt, ""), is_open=not best or best.attempt == b.attempt) for b in grown]
        ),
        "now": render([_draft(node, text) for node, text in drafts]),
        "usage": render(_usage(record)),
        "calls": render(_calls(record)),
    }


def news(event: AnyEvent) -> str:
    """Return what an event says in one sentence, for screen readers; empty if it is not worth one."""
    if isinstance(event, Concluded):
        return f"The run has ended. Answer: {event.solution.answer or 'none'}."
    return reasoning(event).partition("\n")[0]


def _restated(record: Record) -> h.Node:
    """Return how a follow-up was understood."""
    said = next((event for event in record.events if isinstance(event, Restated)), None)
    if said is None:
        return None
    text = inline(said.problem) if said.by == "navigator" else "the last message of the whole conversation"
    return h.p[h.span(".label")["Understood as"], " ", text]


def _answer(record: Record, is_below: bool, texts: Texts) -> h.Node:
    """Return the answer and why to trust it. is_below: whether the page shows its solution below too, step by step."""
    solution = record.solution
    if solution is None:
        return None
    rows = [
        h.tr[
            h.td[c.attempt or c.source, h.br, h.small[c.source]],
            h.td[formula(c.answer or "none")],
            h.td[f"{weight(c):g}"],
            h.td[checks(c.checks)],
        ]
        for c in solution.candidates
    ]
    return h.section(class_=f"card answer {solution.status}", aria_labelledby="answer-title")[
        h.h2("#answer-title")["Answer"],
        h.p(".final")[formula(solution.answer) if solution.answer else "No answer was found."],
        h.h3["Why trust it?"],
        h.ul(".trust")[[h.li(class_=kind)[h.strong[said], " ", why] for kind, said, why in reasons(record, texts)]],
        h.details("#candidates")[h.summary[f"All candidates ({len(rows)})"], _table("Candidates and votes", HEAD, rows)]
        if rows
        else None,
        h.details("#solution-text", open=not is_below)[h.summary["The solution"], prose(solution.text)]
        if solution.text
        else None,
    ]


def _branch(branch: Branch, texts: Texts, text: str, is_open: bool) -> h.Node:
    *old, last = [_trajectory(one, texts, f"{branch.key}-{n}") for n, one in enumerate(branch.trajectories, 1)] or [None]
    earlier = [
        h.details(".old", id=f"{branch.key}-old-{n}")[h.summary[f"Trajectory {n}, which was replaced"], one]
        for n, one in enumerate(old, 1)
    ]
    unread = [
        h.details[h.summary[f"A reply that could not be read: {row.error}"], code(row.reply, "Reply")]
        for row in branch.unparsed
    ]
    answers = [h.li["Answer ", formula(c.answer or "none"), " ", checks(c.checks)] for c in branch.candidates]
    return h.article(".branch.card", aria_labelledby=branch.key)[
        h.details(open=is_open)[
            h.summary[h.h3(id=branch.key)[branch.attempt or "the attempt"]],
            earlier,
            last,
            prose(text) if text and not last else map(_program, branch.programs),  # the text of a draft has its programs
            unread,
        ],
        h.ul(".candidates")[answers] if answers else None,
    ]


def _trajectory(one: TrajectoryView, texts: Texts, key: str) -> h.Node:
    steps = one.plan.steps
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
    return [
        _labelled("Kind", one.plan.abstraction),
        map(_verdict, one.decisions),
        h.ol(".steps")[items] if items else None,
        [_try(t, 0, index) for index, tries in one.tries.items() if index >= len(steps) for t in tries],
    ]


def _labelled(label: str, text: str) -> h.Node:
    return h.p[h.span(".label")[label], " ", inline(text)] if text else None


def _step(index: int, step: Step, state: str, tries: list[h.Node], texts: Texts, key: str) -> h.Node:
    return h.li(class_="done" if state else None)[
        h.details(id=key, open=True)[
            h.summary[
                h.span(".number")[f"Step {index + 1}"],
                " ",  # a screen reader reads words without a space between them as one
                h.span(".purpose")[inline(step.purpose)],
                [" ", h.span(".state")[state]] if state else None,
            ],
            _labelled("Looks up", step.query),
            [_template(id, texts(id), f"{key}-{id}") for id in step.templates],
            tries,
        ]
    ]


def _template(id: str, found: Template | None, key: str) -> h.Node:
    name = found.name if found else id
    text = render_template(found, max_chars=4000) if found else "The library that is loaded here does not hold it."
    return h.details(".template", id=key)[
        h.summary[h.span(".label")["Template"], " ", name],
        h.div[scrolling(h.pre, name)[text], h.p(".soft")[id]],
    ]


def _try(one: Try, start: int, index: int) -> h.Node:
    attempt, text = one.result.attempt, one.result.text
    title = f"Steps {start + 1} to {index + 1}, in one reply" if start < index else "Result"
    # the programs of a reply are in its text, with their output
    shown = [_program(row) for row in one.programs if row.code.strip() not in text]
    return h.div(".try")[
        h.p(".label")[title, f", try {attempt}" if attempt > 1 else None],
        shown,
        prose(text),
        map(_verdict, one.verdicts),
    ]


def _program(row: ProgramRun) -> h.Node:
    return [code(row.code, "Program"), code(row.error or row.output, "Error" if row.error else "Output")]


def _verdict(event: Reviewed | Decided) -> h.Node:
    said = Decision.model_validate(event.decision) if isinstance(event, Decided) else event.review
    word = said.action if isinstance(said, Decision) else said.verdict
    by = "You" if isinstance(event, Decided) else f"Review by the {event.by}"
    return h.div(class_=f"verdict {word}")[
        h.p[h.span(".label")[by], " ", h.strong[word], ": " if said.feedback else None, inline(said.feedback)],
        h.ol[[h.li[inline(step.purpose)] for step in said.steps]] if said.steps else None,
    ]


def _draft(node: str, text: str) -> h.Node:
    label = f"{node}: {'a model is writing' if text else 'a model is reading'}"
    return h.div[h.p(".label")[label], scrolling(h.pre, label)[text[-4000:] or "…"]]


def _usage(record: Record) -> h.Node:
    nodes = usage(record)
    if not nodes:
        return None
    nodes["all"] = sum(nodes.values(), Usage())
    columns = [
        (f"{u.calls:,}", f"{u.prompt_tokens:,}", f"{u.cached_tokens:,}", f"{u.completion_tokens:,}", f"{u.seconds:.1f}")
        for u in nodes.values()
    ]
    rows = [
        h.tr[h.th(scope="row")[node], [h.td(".number")[text] for text in texts]]
        for node, texts in zip(nodes, columns, strict=True)
    ]
    return _table("Tokens and seconds per node", ("node", "calls", "prompt", "cached", "output", "seconds"), rows)


def _calls(record: Record) -> h.Node:
    return h.ol(".calls")[[_call(number, call) for number, call in enumerate(record.calls, 1)]] if record.calls else None


def _call(number: int, call: CallEnded) -> h.Node:
    reply = call.reply
    tokens = f"{reply.prompt_tokens:,} + {reply.completion_tokens:,} tokens" if reply else "failed"
    told = [code(message["content"], message["role"].capitalize()) for message in call.messages]
    if reply and reply.reasoning:
        told.append(code(reply.reasoning, "Thought"))
    told.append(code(reply.text, "Reply") if reply else code(call.error or "", "Error"))
    title = f"{number}. {call.node} ({call.role}): {tokens}, {call.seconds:.1f} s"
    return h.li[h.details(id=f"call-{number}")[h.summary[title], told]]


def _table(title: str, head: Iterable[str], rows: list[h.Element]) -> h.Node:
    names = h.thead[h.tr[[h.th(scope="col")[name] for name in head]]]
    return scrolling(h.div, title, "scroll")[h.table[h.caption[title], names, h.tbody[rows]]]


def settings(record: Record) -> h.Node:
    """Return what the run was begun with."""
    context = {name: value for name, value in record.begin.context.items() if value is not None}
    pairs = {**record.begin.parts, **context}
    return h.dl[
        [h.div[h.dt[name], h.dd[value if isinstance(value, str) else json.dumps(value)]] for name, value in pairs.items()]
    ]
