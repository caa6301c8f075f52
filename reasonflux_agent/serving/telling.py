"""What a run tells a client while it works: the reasoning by node, and the answer's text as it is written. No I/O.

A client cannot take text back, so a piece of the answer is told only if nothing that may follow removes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from reasonflux_agent.context import Context
from reasonflux_agent.events import AnyEvent, Begin, CallEnded, Concluded, Decided, ProgramRun, Token
from reasonflux_agent.serving.answer import Answer
from reasonflux_agent.wording import describe

TITLES = {
    "abstract": "Trajectory",
    "answer": "Final answer",
    "draft": "Direct solution",
    "lay_out": "Trajectory",
    "plan": "Trajectory",
    "reason": "Solution",
    "refine": "Refined trajectory",
    "restate": "Problem, restated",
    "solve_step": "Solution",
}
"""Node -> the heading of what its model writes; without one, the node's name."""
WRITTEN = {"plan", "refined", "step", "review", "restated"}
"""Types of events that say again what the model has just written."""
WRITES = {"direct": "reason", "recall": "reason", "propose": "reason", "navigator": "solve_step"}
"""Strategy -> the node whose reply is the text of its candidate."""


def answering_node(strategy: str, context: Context, *, mends: bool) -> str:
    """Return the node whose reply is the answer's text while it is written; empty if none is certain to be.

    It is certain if one attempt decides and nothing sends its text back. mends: whether the solver goes on after a program of
    its that failed (`models.reads_errors`); any other writes its reply anew.
    """
    setting = context.of_strategy(strategy).setting
    one = setting.direct_samples == 0 and setting.trajectories == 1
    if strategy == "navigator":
        one = one and setting.reviews == 0 and context.granularity == "whole"
    if strategy != "direct" and context.programs:
        one = one and mends
    return WRITES.get(strategy, "") if one else ""


@dataclass
class _Section:
    """A part of the reasoning; of several that are written at once, the first one is told, and the others wait."""

    title: str
    text: str = ""
    """What is not told yet."""
    ended: bool = False
    thinking: bool = False
    begun: bool = False


class Teller:
    """Turns the events of a run into what its client is told.

    answering: the node whose reply is the answer while it is written, if any. programs: whether its programs are run. stops:
    the strings that end the answer.
    """

    def __init__(self, *, answering: str = "", programs: bool = True, stops: tuple[str, ...] = ()) -> None:
        self._answering, self._several = answering, False
        self._answer = Answer(programs=programs, stops=stops)
        self._queue: list[_Section] = []
        self._open: dict[str, _Section] = {}
        """Call under way -> its section."""
        self._shown: set[str] = set()
        """Calls whose replies were told as they were written, or will be."""

    def hear(self, event: AnyEvent) -> tuple[str, str]:
        """Return (reasoning, content) that can be told now; either may be empty."""
        if isinstance(event, Begin):
            setting = Context.of(**event.context).setting
            self._several = setting.direct_samples + setting.trajectories > 1
        content = ""
        if self._answering and event.node == self._answering:
            content, event = self._written(event)
        self._narrate(event)
        if content and (thought := self._open.pop(event.call, None)):
            thought.ended = True  # the answer begins: its thought is over
        return self._due(), content

    def end(self, final: str) -> str:
        """Return the content that is left to tell, so that all of it is `final`, cut at a stop."""
        return self._answer.end(final)

    def _written(self, event: AnyEvent) -> tuple[str, AnyEvent]:
        """Return the piece of the answer in an event, and what is left of the event for the reasoning."""
        answer = self._answer
        match event:
            case Token():
                self._shown.add(event.call)
                thought, content = answer.token(event.text)
                return content, event.model_copy(update={"text": "", "thought": event.thought + thought})
            case CallEnded(reply=None):
                answer.fail()
            case CallEnded(reply=reply) if reply:
                # a model that does not stream tells its whole reply now
                content = "" if event.call in self._shown else answer.token(reply.text)[1]
                silent = event.model_copy(update={"reply": None if event.call in self._shown else _thought(reply)})
                return content + answer.call_ended(), silent
            case ProgramRun():
                return answer.printed(event.output, event.error), event
        return "", event

    def _narrate(self, event: AnyEvent) -> None:
        match event:
            case Token():
                self._write(event, event.thought, event.text)
            case CallEnded(reply=reply):
                if reply and event.call not in self._open and event.call not in self._shown:
                    self._write(event, reply.reasoning, reply.text)
                self._shown.add(event.call)
                if section := self._open.pop(event.call, None):
                    section.ended = True
                    section.text += "" if reply or not event.error else " (the call failed)"
            case Begin() | Concluded() | Decided():
                pass
            case ProgramRun() if event.call in self._shown:  # its code was told
                said = f"failed: {event.error}" if event.error else f"printed: {event.output.strip()}"
                self._queue.append(_Section("", f"The program {said}", ended=True))
            case _ if event.type in WRITTEN and event.call in self._shown and getattr(event, "by", "") != "conversation":
                pass
            case _ if not self._answer.told and (text := describe(event)):
                self._queue.append(_Section("", text, ended=True))

    def _write(self, event: Any, thought: str, text: str) -> None:
        if not thought and not text:
            return
        if event.call not in self._open:
            title = TITLES.get(event.node, event.node.replace("_", " ").capitalize())
            title += f", {event.attempt}" if self._several and event.attempt else ""
            self._open[event.call] = _Section(title)
            self._queue.append(self._open[event.call])
            self._shown.add(event.call)
        section = self._open[event.call]
        if thought:
            section.text += thought
            section.thinking = True
        if text:
            section.text += f"\n\n{text}" if section.thinking else text
            section.thinking = False

    def _due(self) -> str:
        told = ""
        while self._queue and (first := self._queue[0]) and (first.text or first.ended):
            if first.title and not first.begun:
                told += f"{first.title}\n"
            first.begun = True
            told, first.text = told + first.text, ""
            if not first.ended:
                break
            told += "\n\n"
            self._queue.pop(0)
        return told


def _thought(reply: Any) -> Any:
    """The reply without its text, which is the answer's; None if it thought nothing."""
    return replace(reply, text="") if reply.reasoning else None
