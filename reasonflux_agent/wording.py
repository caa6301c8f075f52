"""What an event says, as plain text: for the command line, the page, and what a reply of the endpoint shows as reasoning."""

from __future__ import annotations

from collections.abc import Iterator

from reasonflux_agent import events
from reasonflux_agent.schema import Plan


def template_name(id: str) -> str:
    """Return the readable end of a template's id: `algebra/sums/pairing-terms` gives `Pairing terms`."""
    return id.rsplit("/", 1)[-1].replace("-", " ").capitalize()


def outline(plan: Plan) -> Iterator[str]:
    """Yield the lines of a trajectory: the kind of problem, the numbered steps, and the templates of each, indented."""
    if plan.abstraction:
        yield f"Kind: {plan.abstraction}"
    for number, step in enumerate(plan.steps, 1):
        yield f"{number}. {step.purpose}"
        if step.templates:
            yield "   with " + "; ".join(map(template_name, step.templates))


def describe(event: events.Event) -> str:
    """Return what an event says, as lines of plain text; the first one is its title. Empty for `call`, `token` and `note`."""
    return "\n".join(_lines(event)).rstrip()


def _lines(event: events.Event) -> Iterator[str]:
    match event:
        case events.Begin(parts=parts, context=context):
            models = " and ".join(dict.fromkeys((parts["navigator"], parts["solver"])))
            yield f"Effort {context['effort']}, model {models}, library {parts['library']}"
        case events.Restated(problem=problem, by=by):
            yield "Problem, restated" if by == "navigator" else "Problem: the last message with the whole conversation"
            yield problem if by == "navigator" else ""
        case events.PlanDrawn(plan=plan) | events.PlanRefined(plan=plan):
            yield "Trajectory" if isinstance(event, events.PlanDrawn) else "Refined trajectory"
            yield from outline(plan)
        case events.TemplatesFound(templates=found, plan=plan):
            yield "Templates" if found else "Templates: none fits, the run continues without"
            for number, step in enumerate(plan.steps if found else (), 1):
                if step.templates:
                    yield f"{number}. {step.purpose}"
                    yield "   with " + "; ".join(map(template_name, step.templates))
        case events.Unparsed(prompt=prompt, error=error):
            yield f"A reply to {prompt!r} could not be read: {error}"
        case events.StepDone(result=result):
            again = f", attempt {result.attempt}" if result.attempt > 1 else ""
            yield f"Result up to step {result.index + 1}{again}"
            yield result.text
        case events.ProgramRun(code=code, output=output, error=error):
            yield "Program"
            yield f"```python\n{code}\n```"
            yield f"failed: {error}" if error else f"printed: {output.strip()}"
        case events.Reviewed(review=said, by=by):
            yield f"Review by the {by}: {said.verdict}"
            if said.feedback:
                yield said.feedback
            yield from outline(Plan(steps=said.steps))
        case events.Decided(question=question, decision=decision):
            yield f"Decision about the {question}: {decision.get('action', '')}"
        case events.CandidateMade(source=source, answer=answer, checks=checks):
            failed = ", ".join(name for name, passed in checks.items() if not passed)
            yield f"Candidate by {source}: {answer or 'no answer'}" + (f" (failed checks: {failed})" if failed else "")
        case events.Concluded(solution=solution):
            yield f"{solution.status.capitalize()}: {solution.verdict}"
        case events.Feedback(correct=correct, answer=answer, comment=comment):
            known = f". The right answer: {answer}" if answer is not None else ""
            yield f"Marked as {'right' if correct else 'wrong'}{known}"
            yield comment
