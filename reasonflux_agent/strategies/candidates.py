"""Makes candidates of replies: extraction, checks, and programs run on the way."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from reasonflux_agent.events import CandidateMade
from reasonflux_agent.models import Reply, reads_errors
from reasonflux_agent.prompts import Message, ParseError, Prompt
from reasonflux_agent.prompts.program import OUTPUT, PROGRAM
from reasonflux_agent.run import Run
from reasonflux_agent.schema import Candidate, Plan, StepResult
from reasonflux_agent.verify.grading import extract_answer
from reasonflux_agent.verify.programs import extract_program
from reasonflux_agent.verify.verifiers import run_verifiers

PROGRAM_RUNS = 2
"""Programs of one solver reply that are run at most."""


async def candidate(
    run: Run,
    source: str,
    problem: str,
    text: str,
    *,
    answer: str | None = None,
    reply: Reply | None = None,
    plan: Plan | None = None,
    results: tuple[StepResult, ...] = (),
) -> Candidate:
    """A complete solution with its answer extracted (unless given) and its checks run."""
    truncated = bool(reply and reply.truncated)

    def read() -> tuple[str | None, dict[str, bool]]:
        found = answer if answer is not None else extract_answer(text)
        return found, run_verifiers(problem, text, found, truncated=truncated)

    found, checks = await run.compute(read)
    made = Candidate(
        source=source,
        text=text,
        answer=found,
        checks=checks,
        logprob=reply.logprob if reply else None,
        truncated=truncated,
        plan=plan,
        results=results,
    )
    await run.emit(CandidateMade, source=source, answer=found, checks=checks)
    return made


async def solve(
    run: Run, prompt: Prompt[str], *, sampled: bool, last: bool = True, prints: bool = False, **given: Any
) -> tuple[str, Reply]:
    """Ask the solver, and show it what its programs print (tool-integrated reasoning, as in ToRA).

    A model that writes a program tends to imagine its output. So the reply stops behind the program, the program is run in
    isolation, and the reply goes on from the real output: to the final answer, or to the result of a step that is not the
    `last`. After a program that fails, a model that cannot use the error (`models.reads_errors`) replies anew, sampled; others
    are shown the error. With `prints` what the program prints is the answer, and no call follows. The result is the joined
    text.
    """
    messages = prompt.render(**given)
    joined = ""
    runs = PROGRAM_RUNS if run.context.programs else 0
    for made in range(runs + 1):
        runs_left, stop = runs - made, (OUTPUT,) if made < runs else ()
        reply = await run.call(prompt, messages, sampled=sampled, logprobs=True, stop=stop, again=made)
        if not joined and not reply.text.strip():  # asked for once more, and sampled: a greedy model would say nothing again
            reply = await run.call(prompt, messages, sampled=True, logprobs=True, stop=stop, again=runs + 1)
        cut = _behind_program(reply.text) if runs_left else ""
        code = extract_program(cut)
        if not code:
            return (joined + reply.text).strip(), reply
        result = await run.program(code)
        failed = result.error or not result.output
        if failed and runs_left > 1 and not reads_errors(run.parts.spec("solver", run.context)):
            messages, joined, sampled = prompt.render(**given), "", True
            continue
        shown = printed(result.output, result.error)
        joined += cut + shown
        if prints and not failed:
            return f"{joined}\\boxed{{{await run.compute(partial(printed_answer, result.output))}}}", reply
        messages = [*messages, *_continue(cut, shown, last)]
    raise AssertionError("unreachable")


def printed(output: str, error: str | None) -> str:
    """Return what the text of a solution says below a program that was run."""
    return f"\n```output\n{error or output}\n```\n"


def printed_answer(output: str) -> str:
    """Return the answer that a program prints: its last line, without a label (`Total: 10:30`)."""
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
    return extract_answer(last) or re.sub(r"^.*[A-Za-z] ?: ", "", last)


def _behind_program(text: str) -> str:
    """The text up to the end of its first python block; empty if there is none."""
    start = text.find("```python")
    end = text.find("```", start + 9)
    return "" if start < 0 or end < 0 else text[: end + 3]


def _continue(cut: str, shown: str, last: bool) -> list[Message]:
    goal = "the final answer in \\boxed{}." if last else "the result of this step, in one line."
    return [
        {"role": "assistant", "content": cut},
        {"role": "user", "content": f"The program printed:{shown}Go on from this output to {goal}"},
    ]


async def programmed(run: Run, problem: str, *, sampled: bool) -> Candidate:
    """A candidate whose answer a program computed; without an answer where the program fails."""
    for made in range(PROGRAM_RUNS):
        try:
            code, reply = await run.ask(PROGRAM, sampled=sampled, again=made, problem=problem)
        except ParseError:
            return Candidate(source="program", text="", answer=None, checks={"answered": False})
        result = await run.program(code)
        if result.output and not result.error:
            break
        sampled = True  # the next try is another program
    answer = "" if result.error else await run.compute(lambda: printed_answer(result.output))
    text = f"```python\n{code}\n```{printed(result.output, result.error)}"
    if not answer:
        return Candidate(source="program", text=text, answer=None, checks={"answered": False})
    return await candidate(run, "program", problem, f"{text}\\boxed{{{answer}}}", answer=answer, reply=reply)
