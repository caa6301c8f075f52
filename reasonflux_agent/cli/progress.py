"""A run as it happens, on standard error: line by line what was done, and on a terminal the models' words as they come.

A callback handler, because callbacks tell parallel calls apart and count their tokens; the stream's events do neither.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import ChatGeneration, LLMResult
from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from reasonflux_agent.cli.bar import is_live
from reasonflux_agent.cli.report import outline, printable, shorten, template_name
from reasonflux_agent.context import Context
from reasonflux_agent.schema import Plan, Solution

TAIL = 8
"""Lines of streamed text in the live view, shared by the calls under way."""
JSON = dict[str, Any]
Line = tuple[int, str, str]
"""Indentation, text, style."""


@dataclass
class _Call:
    """A model call under way."""

    title: str
    text: str = ""
    tokens: int = 0
    first: float = 0.0
    """When its first token came."""


class Progress(BaseCallbackHandler):
    """Shows one run; a context manager. `quiet`: shows nothing."""

    run_inline = True  # in order, also under asyncio

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False)
        self._calls: dict[UUID, _Call] = {}
        self._started, self._done, self._tokens = time.monotonic(), 0, 0
        self._attempts: dict[str, str] = {}
        self._several = False
        live = is_live() and not quiet
        self._live = (
            Live(get_renderable=self._view, console=self._console, transient=True, refresh_per_second=8) if live else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def on_custom_event(self, name: str, data: Any, *, metadata: JSON | None = None, **_: Any) -> None:
        """An event of the graph; those of a kind that is not known here are passed over."""
        if self._quiet or not name.startswith("reasonflux_"):
            return
        if data["type"] == "begin":
            setting = Context.of(**data["context"]).setting
            self._several = setting.drafts + setting.trajectories > 1
        prefix = self._attempt(metadata)
        lines = [
            (indent, printable(f"[{prefix}] {text}" if prefix and not indent else text), style)
            for indent, text, style in describe(data)
        ]
        if self._live and lines:
            # in one piece, or the live view is drawn in between
            self._console.print(Group(*(Padding(Text(t, style), (0, 0, 0, i), expand=False) for i, t, style in lines)))
        elif lines:
            print(*(" " * i + shorten(t) for i, t, _ in lines), sep="\n", file=sys.stderr, flush=True)

    def on_chat_model_start(
        self, serialized: JSON, messages: Any, *, run_id: UUID, metadata: JSON | None = None, **_: Any
    ) -> None:
        """A model call begins."""
        about, attempt = metadata or {}, self._attempt(metadata)
        title = f"{about.get('reasonflux_role')}, {about.get('reasonflux_node')}"
        self._calls[run_id] = _Call(f"[{attempt}] {title}" if attempt else title)

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **_: Any) -> None:
        """A piece of a reply, or of a reasoning model's thought."""
        call = self._calls.get(run_id)
        thought = getattr(getattr(chunk, "message", None), "additional_kwargs", {}).get("reasoning_content")
        piece = token if isinstance(token, str) and token else thought
        if call and isinstance(piece, str) and piece:
            call.first = call.first or time.monotonic()
            call.tokens += 1
            call.text += printable(piece)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """A model call ended."""
        call = self._calls.pop(run_id, None)
        generation = response.generations[0][0]
        message = generation.message if isinstance(generation, ChatGeneration) else None
        usage = getattr(message, "usage_metadata", None) or {}
        self._done += 1
        self._tokens += usage.get("total_tokens") or (call.tokens if call else 0)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A model call failed; whether that ends the run is not decided here."""
        self._calls.pop(run_id, None)

    def _attempt(self, metadata: JSON | None) -> str:
        """`draft 1`, `attempt 2` ...: numbered as they appear; empty where the run has but one."""
        space = str((metadata or {}).get("langgraph_checkpoint_ns", "")).split("|")[0]
        kind = space.partition(":")[0]
        if not self._several or kind not in ("draft", "attempt"):
            return ""
        if space not in self._attempts:
            number = 1 + sum(name.startswith(kind) for name in self._attempts.values())
            self._attempts[space] = f"{kind} {number}"
        return self._attempts[space]

    def _view(self) -> Group:
        """The calls under way, the end of each one's text, and a bottom line of what was spent."""
        calls = list(self._calls.values())
        shown = calls[-TAIL // 2 :]
        rows: list[Text] = []
        for call in shown:
            rows.append(Text(call.title, "bold cyan", no_wrap=True, overflow="ellipsis"))
            rows += self._end(call.text or "waiting for the first word ...", TAIL // len(shown))
        now = time.monotonic()
        rate = sum(call.tokens / max(now - call.first, 0.01) for call in calls if call.tokens > 1)
        facts = [
            f"{now - self._started:.0f} s",
            f"model calls done: {self._done}",
            f"{self._tokens + sum(call.tokens for call in calls):,} tokens",
        ]
        rows.append(Text(" | ".join([*facts, f"{rate:.1f} tokens/s"] if rate else facts), "reverse", no_wrap=True))
        return Group(*rows)

    def _end(self, text: str, height: int) -> list[Text]:
        width = max(20, self._console.width - 2)
        lines = Text(text[-height * width :].expandtabs(4), "dim").wrap(self._console, width)
        return [Text.assemble("  ", line, no_wrap=True, overflow="ellipsis") for line in lines[-height:]]


def describe(event: JSON) -> Iterator[Line]:
    """What an event says, as lines; nothing for an event that is not known."""
    match event["type"]:
        case "begin":
            parts, context = event["parts"], event["context"]
            models = " and ".join(dict.fromkeys((parts["navigator"], parts["solver"])))
            yield 0, f"Effort {context['effort']}, model {models}, library {parts['library']}", "dim"
        case "plan":
            yield from _outline("Trajectory", event["plan"])
        case "templates":
            found = [template_name(id) for id in event["templates"]]
            yield 0, "Templates" if found else "Templates: none fits, the run goes on without", "bold"
            steps = Plan(**event["plan"]).steps if found else ()
            for number, step in enumerate(steps, 1):
                if step.templates:
                    yield 2, f"{number}. {step.purpose}", ""
                    yield 5, "with " + "; ".join(map(template_name, step.templates)), "green"
        case "refined":
            yield from _outline("Refined trajectory", event["plan"])
        case "unparsed":
            yield 0, f"A reply to {event['exchange']!r} could not be read: {event['error']}", "yellow"
        case "step":
            result = event["result"]
            again = f", attempt {result['attempt']}" if result["attempt"] > 1 else ""
            yield 0, f"Result up to step {result['index'] + 1}{again}", "bold"
            yield 2, result["text"], ""
        case "program":
            yield 0, "Program", "bold"
            yield 2, event["code"], "dim"
            yield 2, f"failed: {event['error']}" if event["error"] else f"printed: {event['output'].strip()}", ""
        case "review":
            said = event["review"]
            by = event.get("by", event.get("node", ""))
            yield 0, f"Review by the {by}: {said['verdict']}", "bold"
            if said["feedback"]:
                yield 2, said["feedback"], ""
            for number, step in enumerate(said["steps"], 1):
                yield 2, f"{number}. {step['purpose']}", ""
        case "candidate":
            failed = [name for name, passed in event["checks"].items() if not passed]
            doubts = f" (failed checks: {', '.join(failed)})" if failed else ""
            yield 0, f"Candidate by {event['source']}: {event['answer'] or 'no answer'}{doubts}", "bold"
        case "solution" if event["solution"]["status"] == "answered":  # of the others the command speaks at its end
            yield 0, f"Answered: {Solution(**event['solution']).verdict}", "bold"


def _outline(title: str, plan: JSON) -> Iterator[Line]:
    yield 0, title, "bold"
    for indent, text in outline(Plan(**plan)):
        yield indent, text, "green" if indent > 2 else ""
