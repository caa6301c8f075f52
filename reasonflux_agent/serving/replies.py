"""OpenAI's chat-completions format, written: completions, chunks, errors. Pure functions, no I/O.

Source of the shapes: the public API reference of OpenAI; `reasoning_content` is the field in which vLLM and DeepSeek's
servers put what a model thought.
"""

from __future__ import annotations

import json
import time

from reasonflux_agent.events import AnyEvent, Begin, Concluded, Decided, Unparsed
from reasonflux_agent.schema import Solution
from reasonflux_agent.serving.completing import Done
from reasonflux_agent.serving.refused import JSON, error_of
from reasonflux_agent.serving.requests import PREFIX, ChatRequest
from reasonflux_agent.wording import describe


def reasoning(event: AnyEvent) -> str:
    """Return what an event says in `reasoning_content`: one paragraph, or nothing."""
    silent = isinstance(event, Begin | Concluded | Unparsed | Decided)
    return "" if silent or not (text := describe(event)) else f"{text}\n\n"


class Writer:
    """Writes the reply to one request, whole or as a stream's events."""

    def __init__(self, ask: ChatRequest) -> None:
        self._ask = ask
        self._base: JSON = {"id": "", "created": int(time.time()), "model": ask.model}

    def begin(self, run: str) -> list[JSON]:
        """Return the events that begin a stream. run: the id of the run and of its record."""
        self._base["id"] = f"chatcmpl-{run}"
        return [event(self._chunk({"role": "assistant", "content": ""}))]

    def thought(self, text: str) -> list[JSON]:
        """Return the events with a piece of reasoning."""
        return [event(self._chunk({"reasoning_content": text}))]

    def content(self, text: str) -> list[JSON]:
        """Return the events with a piece of the answer."""
        return [event(self._chunk({"content": text}))]

    def end(self, done: Done) -> list[JSON]:
        """Return the events that end a stream: further choices, the end, and the usage if it was asked for."""
        chunks = [self._chunk({"refusal": done.refusal})] if done.refusal else []
        for index, text in enumerate(done.others, 1):
            chunks += [self._chunk({"role": "assistant", "content": text}, index=index), self._chunk({}, "stop", index)]
        chunks.append({**self._chunk({}, finish(done.solution)), PREFIX: about(done)})
        if self._ask.include_usage:
            chunks.append({**self._chunk({}), "choices": [], "usage": usage(done.solution)})
        return [*map(event, chunks)]

    def fail(self, error: Exception) -> list[JSON]:
        """Return the events that end a stream which failed."""
        return [event(error_of(error)[1])]

    last: tuple[JSON, ...] = ({"data": "[DONE]"},)
    """The events behind all others."""

    def whole(self, thought: str, content: str, done: Done) -> JSON:
        """Return the whole reply."""
        self.begin(done.run)
        message = {
            "role": "assistant",
            "content": None if done.refusal else content,
            "reasoning_content": thought,
            "refusal": done.refusal or None,
        }
        choices = [{"index": 0, "message": message, "finish_reason": finish(done.solution), "logprobs": None}]
        for index, text in enumerate(done.others, 1):
            message = {"role": "assistant", "content": text, "refusal": None}
            choices.append({"index": index, "message": message, "finish_reason": "stop", "logprobs": None})
        body = {**self._base, "object": "chat.completion", "choices": choices, "usage": usage(done.solution)}
        return {**body, PREFIX: about(done)}

    def _chunk(self, delta: JSON, finish: str | None = None, index: int = 0) -> JSON:
        choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}
        chunk = {**self._base, "object": "chat.completion.chunk", "choices": [choice]}
        return {**chunk, "usage": None} if self._ask.include_usage else chunk


def event(value: JSON, kind: str = "") -> JSON:
    """Return a server-sent event for `EventSourceResponse`."""
    return {"data": json.dumps(value), **({"event": kind} if kind else {})}


def about(done: Done) -> JSON:
    """Return what OpenAI's formats have no field for."""
    fields = {"answer", "status", "certainty", "reason", "strategy", "votes"}
    return {"run": done.run, **done.solution.model_dump(include=fields), "verdict": done.solution.verdict}


def usage(solution: Solution) -> JSON:
    """Return the tokens of all model calls of the run."""
    total = solution.total
    return {
        "prompt_tokens": total.prompt_tokens,
        "completion_tokens": total.completion_tokens,
        "total_tokens": total.tokens,
        "prompt_tokens_details": {"cached_tokens": total.cached_tokens},
    }


def finish(solution: Solution) -> str:
    """Return `length` if a limit cut the run or the winning reply: the content is the best so far."""
    cut = any(candidate.truncated for candidate in solution.candidates if candidate.text == solution.text)
    return "length" if cut or solution.status == "exhausted" else "stop"
