"""OpenAI's Responses format: read into the form of a chat-completions request, and written. Pure functions, no I/O.

Source of the shapes: the public API reference of OpenAI. Nothing is stored: a client sends its whole conversation as `input`.
"""

from __future__ import annotations

import time
from typing import Any

from reasonflux_agent.serving.completing import Done
from reasonflux_agent.serving.refused import JSON, Refused, error_of, read_object, unread
from reasonflux_agent.serving.replies import about, event, finish
from reasonflux_agent.serving.requests import PREFIX, ChatRequest, Names, request_of

STORED = ("previous_response_id", "conversation", "background", "prompt")
"""Parameters that need a store on the server."""
IDLE = ("include", "truncation", "text", "max_tool_calls", "context_management")
"""Parameters that ask for nothing which changes a reply; `text` is read here."""
SAME = ("model", "stream", "temperature", "reasoning", "tools", "tool_choice", PREFIX)
ECHOED = ("instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "temperature", "tool_choice", "top_p")


def read_response_request(body: bytes, names: Names, *, strict: bool = False) -> tuple[ChatRequest, JSON]:
    """Return (the request in the form of chat completions, the body as it was). Raises Refused."""
    given = read_object(body)
    for name in STORED:
        if given.get(name):
            text = f"{name!r} needs replies that are stored, and none is. Next: send the whole conversation as 'input'."
            raise Refused(text, param=name, code="unsupported_parameter")
    messages = _messages(given.get("input"))
    if given.get("instructions"):
        messages.insert(0, {"role": "system", "content": _text(given["instructions"], "instructions")})
    rest = {name: value for name, value in given.items() if name not in (*IDLE, "input", "instructions", "max_output_tokens")}
    chat = {**rest, "messages": messages, "max_tokens": given.get("max_output_tokens")}
    form = (given.get("text") or {}).get("format") if isinstance(given.get("text"), dict | None) else None
    if isinstance(form, dict) and form.get("type") == "json_schema":
        chat["response_format"] = {"type": "json_schema", "json_schema": form}
    elif form:
        chat["response_format"] = form
    try:
        ask = request_of(chat, names, strict=strict)
        _ = ask.problem  # refused here, where its place has another name
        return ask, given
    except Refused as error:
        if (error.param or "").startswith("messages"):
            error.param = "input"
        raise


def _messages(given: Any) -> list[JSON]:
    """The messages in `input`: a text, or items; those that are no message (calls of tools, reasoning) are left out."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise Refused("'input' must be a text, or a list of messages.", param="input", code="invalid_value")
    messages = []
    for number, item in enumerate(given):
        if isinstance(item, dict) and item.get("type", "message") == "message":
            content = item.get("content")
            if isinstance(content, list):
                content = [_part(part) for part in content]
            messages.append({"role": item.get("role"), "content": content})
        elif not isinstance(item, dict):
            raise unread(f"input.{number}", "it must be an object")
    if not messages:
        raise Refused("'input' holds no message.", param="input", code="invalid_value")
    return messages


def _part(part: Any) -> Any:
    is_text = isinstance(part, dict) and part.get("type") in ("input_text", "output_text")
    return {"type": "text", "text": part.get("text")} if is_text else part


def _text(given: Any, place: str) -> str:
    if not isinstance(given, str):
        raise unread(place, "it must be a text")
    return given


class ResponseWriter:
    """Writes the reply to one request, whole or as a stream's typed events, which are numbered."""

    last: tuple[JSON, ...] = ()
    """The events behind all others: none."""

    def __init__(self, ask: ChatRequest, given: JSON) -> None:
        echoed = {name: given.get(name) for name in ECHOED}
        echoed |= {
            "parallel_tool_calls": True,
            "tool_choice": echoed["tool_choice"] or "auto",
            "tools": given.get("tools") or [],
        }
        self._head: JSON = {"id": "", "object": "response", "created_at": int(time.time()), "model": ask.model, **echoed}
        self._head |= {"text": given.get("text") or {"format": {"type": "text"}}, "store": False}
        self._number, self._run = 0, ""
        self._thoughts, self._content = "", ""
        self._output: list[JSON] = []
        """The finished items."""
        self._kind = ""
        """Type of the item that is being written."""

    def begin(self, run: str) -> list[JSON]:
        """Return the events that begin a stream. run: the id of the run and of its record."""
        self._run, self._head["id"] = run, f"resp_{run}"
        return [self._event(f"response.{name}", response=self._response("in_progress")) for name in ("created", "in_progress")]

    def thought(self, text: str) -> list[JSON]:
        """Return the events with a piece of reasoning. Once the answer is being written, there are none."""
        if self._kind == "message":
            return []
        events = self._open("reasoning")
        self._thoughts += text
        return [*events, self._event("response.reasoning_summary_text.delta", **self._place("summary_index"), delta=text)]

    def content(self, text: str) -> list[JSON]:
        """Return the events with a piece of the answer."""
        events = self._open("message")
        self._content += text
        place = self._place("content_index")
        return [*events, self._event("response.output_text.delta", **place, delta=text, logprobs=[])]

    def end(self, done: Done) -> list[JSON]:
        """Return the events that end a stream."""
        if done.refusal:
            events = self._close()
            self._kind = "message"
            item, at = self._message("in_progress", []), len(self._output)
            part = {"type": "refusal", "refusal": ""}
            events.append(self._event("response.output_item.added", output_index=at, item=item))
            place = {"item_id": item["id"], "output_index": at, "content_index": 0}
            events.append(self._event("response.content_part.added", **place, part=part))
            events.append(self._event("response.refusal.delta", **place, delta=done.refusal))
            events.append(self._event("response.refusal.done", **place, refusal=done.refusal))
            events.append(self._event("response.content_part.done", **place, part={**part, "refusal": done.refusal}))
            self._output.append(self._message("completed", [{**part, "refusal": done.refusal}]))
            events.append(self._event("response.output_item.done", output_index=at, item=self._output[-1]))
        else:
            events = self._close() if self._kind == "message" else [*self._open("message"), *self._close()]
        status = "incomplete" if finish(done.solution) == "length" else "completed"
        return [*events, self._event(f"response.{status}", response=self._response(status, done))]

    def fail(self, error: Exception) -> list[JSON]:
        """Return the events that end a stream which failed."""
        said = error_of(error)[1]["error"]
        failed = {"code": "server_error", "message": said["message"]}
        told = {name: said[name] for name in ("code", "message", "param")}
        if not self._run:
            return [self._event("error", **told)]
        return [self._event("error", **told), self._event("response.failed", response=self._response("failed", error=failed))]

    def whole(self, thought: str, content: str, done: Done) -> JSON:
        """Return the whole reply."""
        self.begin(done.run)
        if thought:
            self.thought(thought)
        if content:
            self.content(content)
        self.end(done)
        return self._response("incomplete" if finish(done.solution) == "length" else "completed", done)

    def _open(self, kind: str) -> list[JSON]:
        """Begin an item of this type, if it is not the one that is being written."""
        if kind == self._kind:
            return []
        events = self._close()
        self._kind = kind
        at = {"output_index": len(self._output)}
        if kind == "reasoning":
            events.append(self._event("response.output_item.added", **at, item=self._reasoning("in_progress", [])))
            part = {"type": "summary_text", "text": ""}
            added = self._event("response.reasoning_summary_part.added", **self._place("summary_index"), part=part)
        else:
            events.append(self._event("response.output_item.added", **at, item=self._message("in_progress", [])))
            added = self._event("response.content_part.added", **self._place("content_index"), part=_output_text(""))
        return [*events, added]

    def _close(self) -> list[JSON]:
        """End the item that is being written."""
        if not self._kind:
            return []
        if self._kind == "reasoning":
            place, part = self._place("summary_index"), {"type": "summary_text", "text": self._thoughts}
            events = [
                self._event("response.reasoning_summary_text.done", **place, text=self._thoughts),
                self._event("response.reasoning_summary_part.done", **place, part=part),
            ]
            item = self._reasoning("completed", [part])
        else:
            place, text = self._place("content_index"), _output_text(self._content)
            events = [
                self._event("response.output_text.done", **place, text=self._content, logprobs=[]),
                self._event("response.content_part.done", **place, part=text),
            ]
            item = self._message("completed", [text])
        events.append(self._event("response.output_item.done", output_index=len(self._output), item=item))
        self._output.append(item)
        self._kind = ""
        return events

    def _reasoning(self, status: str, summary: list[JSON]) -> JSON:
        return {"id": f"rs_{self._run}", "type": "reasoning", "summary": summary, "status": status}

    def _message(self, status: str, content: list[JSON]) -> JSON:
        return {"id": f"msg_{self._run}", "type": "message", "role": "assistant", "status": status, "content": content}

    def _place(self, index: str) -> JSON:
        item = f"{'rs' if self._kind == 'reasoning' else 'msg'}_{self._run}"
        return {"item_id": item, "output_index": len(self._output), index: 0}

    def _event(self, kind: str, **fields: Any) -> JSON:
        made = event({"type": kind, "sequence_number": self._number, **fields}, kind)
        self._number += 1
        return made

    def _response(self, status: str, done: Done | None = None, error: JSON | None = None) -> JSON:
        cut = {"reason": "max_output_tokens"} if status == "incomplete" else None
        body = {**self._head, "status": status, "error": error, "incomplete_details": cut, "output": [*self._output]}
        return {**body, "usage": _usage(done), PREFIX: about(done)} if done else {**body, "usage": None}


def _output_text(text: str) -> JSON:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(done: Done) -> JSON:
    total = done.solution.total
    return {
        "input_tokens": total.prompt_tokens,
        "input_tokens_details": {"cached_tokens": total.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": total.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": total.tokens,
    }
