"""One request, carried out: the run's events as pieces of a reply, whichever format the reply has."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from reasonflux_agent.context import Context
from reasonflux_agent.errors import ModelError
from reasonflux_agent.events import Begin, Concluded
from reasonflux_agent.models import Reply, reads_errors
from reasonflux_agent.prompts import ParseError, correction
from reasonflux_agent.prompts.form import form_prompt
from reasonflux_agent.runs.runner import Runner
from reasonflux_agent.schema import Candidate, Solution, Usage
from reasonflux_agent.serving.answer import Answer, cut_at
from reasonflux_agent.serving.housekeeping import is_housekeeping
from reasonflux_agent.serving.refused import JSON, closing
from reasonflux_agent.serving.requests import ChatRequest, Names
from reasonflux_agent.serving.schemas import misfit
from reasonflux_agent.serving.telling import Teller, answering_node
from reasonflux_agent.verify.grading import aequivalent
from reasonflux_agent.voting import tally, weight

FORM_SECONDS = 60.0
"""Seconds that a call for a schema gets at most, and 5 at least, also where the run has used the request's time up."""
FORM_TRIES = 2
PLAIN = "plain"
"""The strategy of a plain call: no plan, no vote."""


class Begun(NamedTuple):
    """The run has begun: nothing of the request is refused any more."""

    run: str


class Thought(NamedTuple):
    """A piece of the reasoning."""

    text: str


class Content(NamedTuple):
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True)
class Done:
    """The end of a reply."""

    run: str
    solution: Solution
    others: tuple[str, ...] = ()
    """The texts of further choices."""
    refusal: str = ""
    """Why there is no text that follows the schema."""


Piece = Begun | Thought | Content | Done


@dataclass(frozen=True)
class Completer:
    """Carries requests out over a runner. timeout: seconds of a request at most, its wait included."""

    runner: Runner
    timeout: float
    names: Names

    async def pieces(self, ask: ChatRequest) -> AsyncGenerator[Piece, None]:
        """Yield a Begun, then the pieces of the reply, then a Done. Raises what a run raises; Refused and InputError first."""
        began = time.monotonic()
        strategy, fields = ask.run(self.names)
        context, messages, form = self.runner.context_of(fields), ask.conversation, ask.form
        if ask.choices > 1:
            context = _sampling(context.of_strategy(strategy), ask.choices)
        async with self.runner.place(self.timeout):
            if self.runner.ended:
                raise closing()
            left = max(0.1, self.timeout - (time.monotonic() - began))
            if is_housekeeping(ask.messages):
                async for piece in self._plain(ask, context, messages, left):
                    yield piece
                return
            context = context.model_copy(update={"deadline": min(left, context.deadline or left)})
            mends = reads_errors(self.runner.solver(context))
            streams = form is None and ask.choices == 1
            answering = answering_node(strategy, context, mends=mends) if streams else ""
            teller = Teller(answering=answering, programs=context.programs, stops=ask.stops)
            run, solution = "", None
            events = self.runner.events(strategy, {"messages": messages}, context, streamed=bool(ask.stream))
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Begin):
                        run = event.run
                        yield Begun(run)
                    elif isinstance(event, Concluded):
                        solution = event.solution
                    thought, content = teller.hear(event)
                    if thought:
                        yield Thought(thought)
                    if content:
                        yield Content(content)
            assert solution is not None
            if self.runner.ended and not solution.text:
                raise closing()
            refusal = ""
            if form is not None:
                left = self.timeout - (time.monotonic() - began)
                text, refusal, solution = await self._formed(form, ask.problem, solution, context, left)
            else:
                text = teller.end(solution.text or f"No solution was found: {solution.reason}.")
            if text:
                yield Content(text)
            others = await _others(solution, ask.choices) if ask.choices > 1 and form is None else []
            yield Done(run, solution, tuple(cut_at(other, ask.stops) for other in others), refusal)

    async def _plain(
        self, ask: ChatRequest, context: Context, messages: list[dict[str, str]], left: float
    ) -> AsyncGenerator[Piece, None]:
        run = uuid.uuid4().hex
        yield Begun(run)
        began, temperature = time.monotonic(), 0.0 if ask.temperature is None else ask.temperature
        answer = Answer(programs=False, stops=ask.stops)
        options: JSON = {"temperature": temperature, "stop": ask.stops, "timeout": left}
        async with aclosing(self.runner.writing(messages, context, **options)) as written:
            async for each in written:
                if isinstance(each, Reply):
                    reply, content = each, answer.call_ended() + answer.end(each.text)
                else:
                    _, content = answer.token(each)
                if content:
                    yield Content(content)
        spent = _usage(reply, time.monotonic() - began)
        about: JSON = {"answer": None, "reason": "a chat client's own task: one plain call", "strategy": PLAIN}
        made = (Candidate(source=PLAIN, text=reply.text, answer=None, truncated=reply.truncated),)
        about |= {"text": reply.text, "status": "answered", "candidates": made, "usage": {PLAIN: spent}}
        yield Done(run, Solution(problem=ask.problem, **about))

    async def _formed(
        self, form: JSON, problem: str, solution: Solution, context: Context, left: float
    ) -> tuple[str, str, Solution]:
        """Return (text that follows the schema, why there is none, the solution with what this cost)."""
        if not solution.text:
            return "", f"No solution was found: {solution.reason}.", solution
        prompt = form_prompt(problem, str(solution), form)
        until, wrong, spent = time.monotonic() + min(max(left, 5.0), FORM_SECONDS), "", Usage()
        messages = prompt.render()
        for _ in range(FORM_TRIES):
            began = time.monotonic()
            try:
                reply = await self.runner.reply(messages, context, schema=form, temperature=0.0, timeout=until - began)
            except ModelError as error:  # the run's answer is worth more than this failure
                wrong = str(error)
                break
            spent += _usage(reply, time.monotonic() - began)
            try:
                value = prompt.parse(reply.text)
                wrong = misfit(value, form)
            except (ParseError, RecursionError) as error:
                wrong = str(error)
            if not wrong:
                break
            messages = prompt.render() + correction(reply.text, ParseError(wrong))
        usage = {**solution.usage, "form": spent} if spent.calls else solution.usage
        solution = solution.model_copy(update={"usage": usage})
        if wrong:
            return "", f"The answer does not fit the schema that was asked for: {wrong}\n\n{solution}", solution
        return json.dumps(value, ensure_ascii=False), "", solution


def _usage(reply: Reply, seconds: float) -> Usage:
    counted = {name: getattr(reply, name) for name in ("prompt_tokens", "cached_tokens", "completion_tokens")}
    return Usage(calls=1, seconds=round(seconds, 3), **counted)


def _sampling(context: Context, count: int) -> Context:
    """Return the context in which a run makes so many candidates, if its limits let it."""
    setting = context.setting
    update: dict[str, Any] = {"early_stop": False, "direct_samples": setting.direct_samples}
    if context.effort == "auto" and setting.direct_samples:  # which may end with its direct samples
        update["direct_samples"] = max(setting.direct_samples, count)
    update["trajectories"] = max(setting.trajectories, count - setting.direct_samples)
    return context.model_copy(update=update)


async def _others(solution: Solution, count: int) -> list[str]:
    """Return the texts of the best candidates behind the winner, at most `count` with it, in the order of the vote."""
    left, texts = [candidate for candidate in solution.candidates if candidate.text], list[str]()
    while left:
        standing = await tally(left, partial(aequivalent, problem=solution.problem))
        group = [left[at] for at in standing.members] or left
        texts += [candidate.text for candidate in sorted(group, key=weight, reverse=True)]
        left = [candidate for candidate in left if candidate not in group]
    if solution.text in texts:
        texts.remove(solution.text)
    return texts[: count - 1]
