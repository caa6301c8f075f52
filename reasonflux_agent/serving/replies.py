"""OpenAI's chat-completions format, written: completions, chunks, errors. Pure functions, no I/O.

Source of the shapes: the public API reference of OpenAI; `reasoning_content` is the field in which vLLM and DeepSeek's
servers put what a model thought.
"""

from __future__ import annotations

import time

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.events import AnyEvent, Begin, Concluded, Decided, Unparsed
from reasonflux_agent.runs.runner import Busy
from reasonflux_agent.schema import Solution
from reasonflux_agent.serving.requests import JSON, PREFIX, ChatRequest, Refused
from reasonflux_agent.wording import describe

RETRY_AFTER = 5
"""Seconds that a client is told to wait, if the queue is full or the server ends."""


def reasoning(event: AnyEvent) -> str:
    """Return what an event says in `reasoning_content`: one paragraph, or nothing."""
    silent = isinstance(event, Begin | Concluded | Unparsed | Decided)
    return "" if silent or not (text := describe(event)) else f"{text}\n\n"


class Writer:
    """Writes the answer to one request. run: the id of its run and record."""

    def __init__(self, ask: ChatRequest, run: str) -> None:
        self._ask, self._run = ask, run
        self._base = {"id": f"chatcmpl-{run}", "created": int(time.time()), "model": ask.model}

    def completion(self, thought: str, solution: Solution) -> JSON:
        """Return the whole answer."""
        message = {"role": "assistant", "content": _content(solution), "reasoning_content": thought, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": _finish(solution), "logprobs": None}
        body = {**self._base, "object": "chat.completion", "choices": [choice], "usage": usage(solution)}
        return {**body, PREFIX: self._about(solution)}

    def opening(self) -> JSON:
        """Return the chunk that begins a stream."""
        return self._chunk({"role": "assistant", "content": ""})

    def thought(self, text: str) -> JSON:
        """Return the chunk with a piece of reasoning."""
        return self._chunk({"reasoning_content": text})

    def closing(self, solution: Solution) -> list[JSON]:
        """Return the chunks that end a stream: the answer's text, the end, and the usage if it was asked for."""
        end = {**self._chunk({}, _finish(solution)), PREFIX: self._about(solution)}
        chunks = [self._chunk({"content": _content(solution)}), end]
        if self._ask.include_usage:
            chunks.append({**self._chunk({}), "choices": [], "usage": usage(solution)})
        return chunks

    def _chunk(self, delta: JSON, finish: str | None = None) -> JSON:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        chunk = {**self._base, "object": "chat.completion.chunk", "choices": [choice]}
        return {**chunk, "usage": None} if self._ask.include_usage else chunk

    def _about(self, solution: Solution) -> JSON:
        """Return what OpenAI's format has no field for."""
        fields = {"answer", "status", "certainty", "reason", "strategy", "votes"}
        return {"run": self._run, **solution.model_dump(include=fields), "verdict": solution.verdict}


def usage(solution: Solution) -> JSON:
    """Return the tokens of all model calls of the run."""
    total = solution.total
    return {
        "prompt_tokens": total.prompt_tokens,
        "completion_tokens": total.completion_tokens,
        "total_tokens": total.tokens,
        "prompt_tokens_details": {"cached_tokens": total.cached_tokens},
    }


def _content(solution: Solution) -> str:
    return solution.text or f"No solution was found: {solution.reason}."


def _finish(solution: Solution) -> str:
    """Return `length` if a limit cut the run or the winning reply: the content is the best so far."""
    cut = any(candidate.truncated for candidate in solution.candidates if candidate.text == solution.text)
    return "length" if cut or solution.status == "exhausted" else "stop"


def error_of(error: Exception) -> tuple[int, JSON, dict[str, str]]:
    """Return (HTTP status, body, headers) for an error. An unexpected error tells the client no details."""
    match error:
        case Refused():
            refused = error
        case Busy():
            refused = Refused(str(error), status=429, code="rate_limit_exceeded", retry_after=RETRY_AFTER)
        case InputError():
            refused = Refused(str(error))
        case ModelError():
            refused = Refused(str(error), status=502, code="model_error")
        case _:
            text = "The server failed. Its operator finds the reason in its log."
            refused = Refused(text, status=500, code="internal_error")
    kind = "rate_limit_error" if refused.status == 429 else "server_error" if refused.status >= 500 else "invalid_request_error"
    body = {"error": {"message": str(refused)[:2000], "type": kind, "param": refused.param, "code": refused.code}}
    return refused.status, body, {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
