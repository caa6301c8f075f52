"""Finds out by asking whether a model's server can do what the graph asks of it: `reasonflux models check SPEC`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from reasonflux_agent.models import CallOptions, Reply, call_kwargs, describe, load_model, model_error, read_reply
from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.plan import PLAN

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage

CONTEXT = 4096
"""Tokens that a planned run needs: a prompt with templates, and a reply of the default length."""
TOKENS, THINKING = 64, 1024
"""Tokens of a reply here at most, and of one from a model that thinks first."""
PROBLEM = "Pens cost 3 dollars and notebooks 5 dollars. Ann buys 4 pens and 2 notebooks. How many dollars does she pay?"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"even": {"type": "boolean"}, "kind": {"type": "string", "enum": ["number", "person"]}},
    "required": ["even", "kind"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {
    "name": "weather",
    "description": "The weather in a city, now.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

Outcome = tuple[bool | None, str]
"""(whether the server can do it, what was seen). None: unknown, or of no importance for this model."""


@dataclass(frozen=True)
class Finding:
    check: str
    ok: bool | None
    needed: bool
    """Whether the graph needs it; else it merely helps."""
    found: str
    fix: str = ""
    """What to set on the server (vLLM's flags); empty if the server can do it."""


@dataclass(frozen=True)
class Checked:
    server: str
    """Its URL, or the model's spec if it has none."""
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the graph can use it."""
        return not any(finding.needed and finding.ok is False for finding in self.findings)


def check_model(spec: str | BaseChatModel, *, at_once: int = 8, timeout: float = 60.0) -> list[Checked]:
    """Ask the model's server, or each of its servers, for all that the graph uses; about twenty short calls each.

    `timeout` is in seconds for each call. Raises what `load_model` raises; a server's failures are findings.
    """
    model = load_model(spec)
    urls: tuple[str, ...] = getattr(model, "urls", ())
    if len(urls) > 1:
        return [one for url in urls for one in check_model(f"vllm:{_name(model)}@{url}", at_once=at_once, timeout=timeout)]
    begun = time.monotonic()
    findings = tuple(_findings(Probe(model, at_once, timeout)))
    return [Checked(urls[0] if urls else describe(model), findings, round(time.monotonic() - begun, 1))]


def _name(model: BaseChatModel) -> str:
    return str(getattr(model, "model_name", None) or getattr(model, "model", ""))


def _line(text: str, length: int) -> str:
    return " ".join(text.split())[:length]


class Probe:
    """One server under examination: each check of CHECKS is a method."""

    def __init__(self, model: BaseChatModel, calls: int, timeout: float) -> None:
        self.model, self.calls, self.timeout = model, calls, timeout
        self.tokens = TOKENS

    def options(self, **options: Any) -> dict[str, Any]:
        """Keyword arguments of a greedy short call."""
        given = {"max_tokens": self.tokens, "temperature": 0.0, "timeout": self.timeout, **options}
        return call_kwargs(self.model, CallOptions(**given))

    def ask(self, prompt: Any, **options: Any) -> Reply:
        return read_reply(self.model.invoke(prompt, **self.options(**options)))

    @cached_property
    def cards(self) -> dict[str, Any]:
        """The models that the server lists, by name; empty if it lists none."""
        import openai

        client = getattr(self.model, "root_client", None)
        try:
            listed = client.with_options(max_retries=0, timeout=10).models.list() if client else ()
        except openai.NotFoundError:
            return {}
        return {card.id: card.model_dump() for card in listed}

    @cached_property
    def first(self) -> AIMessage:
        """The answer to a plan's prompt: several turns, as the graph sends them."""
        message = self.model.invoke(cast(Any, PLAN.render(problem=PROBLEM)), **self.options(logprobs=True))
        if read_reply(message).reasoning:
            self.tokens = THINKING
        return message

    @property
    def first_reply(self) -> Reply:
        return read_reply(self.first)

    def reachable(self) -> Outcome:
        return True, f"{len(self.cards)} models listed" if self.cards else "it lists no models"

    def serves(self) -> Outcome:
        name, cards = _name(self.model), self.cards
        if parent := cards.get(name, {}).get("parent"):
            return True, f"{name}, an adapter of {parent}"
        try:
            return bool(self.first), name
        except Exception as error:
            if getattr(error, "status_code", None) == 404 and cards:
                return False, f"no {name!r}; it serves: {', '.join(map(repr, cards))}"
            raise

    def context(self) -> Outcome:
        cards = (self.cards.get(_name(self.model), {}), *self.cards.values())  # an adapter's says nothing, its base's does
        said = (card.get("max_model_len") or (card.get("meta") or {}).get("n_ctx") for card in cards)
        tokens = next(filter(None, said), None)
        return (None, "the server does not say") if tokens is None else (tokens >= CONTEXT, f"{tokens} tokens")

    def answers(self) -> Outcome:
        reply = self.first_reply
        return bool(reply.text.strip() or reply.reasoning), _line(reply.text or reply.reasoning, 60)

    def plans(self) -> Outcome:
        reply = self.first_reply
        if reply.reasoning:
            reply = self.ask(PLAN.render(problem=PROBLEM))
            if reply.truncated and not reply.text.strip():
                return None, f"{THINKING} tokens ended in its thought"
        try:
            return True, f"{len(PLAN.parse(reply.text).steps)} steps"
        except ParseError as error:
            return False, str(error)

    def usage(self) -> Outcome:
        read, written = self.first_reply.prompt_tokens, self.first_reply.completion_tokens
        return read > 0 and written > 0, f"{read} prompt, {written} completion tokens"

    def limit(self) -> Outcome:
        reply = self.ask("Count from 1 to 100, in digits.", max_tokens=16)
        found = f"{reply.completion_tokens} of 16 tokens" + ("" if reply.truncated else ", and not said to be cut")
        return reply.truncated and reply.completion_tokens <= 16, found

    def stream(self) -> Outcome:
        chunks = list(self.model.stream("Name three colours.", **self.options()))
        tokens = read_reply(cast(Any, reduce(add, chunks))).completion_tokens
        return len(chunks) > 2 and tokens > 0, f"{len(chunks)} pieces, {tokens} tokens counted"

    def cached(self) -> Outcome:
        reply = self.ask(PLAN.render(problem=PROBLEM), max_tokens=4)
        return reply.cached_tokens > 0, f"{reply.cached_tokens} of {reply.prompt_tokens} prompt tokens, asked a second time"

    def logprobs(self) -> Outcome:
        value = self.first_reply.logprob
        return value is not None, "none" if value is None else f"{value:.2f} a token"

    def reasoning(self) -> Outcome:
        text = str(self.first.text)
        if "</think>" in text or text.lstrip().startswith("<think>"):
            return False, "in the text, between <think> and </think>: it is read, but tools and schemas may trip over it"
        return (True, "in a field of its own") if self.first_reply.reasoning else (None, "this model shows no thought")

    def stop(self) -> Outcome:
        reply = self.ask("Count from 1 to 9, in digits, separated by commas.", stop=("5",))
        if reply.reasoning and not reply.text.strip():
            return None, "its thought held the string"
        return "4" in reply.text and "5" not in reply.text, reply.text.strip()[:40]

    def schema(self) -> Outcome:
        reply = self.ask("Write a poem about the number 42.", schema=SCHEMA)
        seen = _line(reply.text, 60)
        if reply.truncated:  # small models fill the blanks that JSON allows
            begun = reply.text.lstrip().startswith("{"), f"{seen} (cut)"
            return begun if seen else (None, f"{self.tokens} tokens ended in its thought")
        try:
            value = json.loads(reply.text)
        except ValueError:
            return False, seen
        return isinstance(value, dict) and sorted(value) == sorted(SCHEMA["required"]), seen

    def tools(self) -> Outcome:
        message = self.model.bind_tools([TOOL]).invoke("What is the weather in Paris now? Call the tool.", **self.options())
        calls = getattr(message, "tool_calls", [])
        return bool(calls), str(calls[0]["args"]) if calls else f"none; it said: {_line(str(message.text), 40)}"

    def at_once(self) -> Outcome:
        def seconds(count: int) -> float:
            begun = time.monotonic()
            prompts: list[Any] = [f"Count upwards from {n}, in digits." for n in range(count)]
            self.model.batch(prompts, {"max_concurrency": count}, **self.options(max_tokens=24))
            return time.monotonic() - begun

        alone, together = seconds(1), seconds(self.calls)
        return True, f"{self.calls} calls in the time of {max(1.0, together / alone):.1f}"

    def seed(self) -> Outcome:
        if "seed" not in self.options(seed=1):
            return False, "this kind of model takes none"
        options = {"temperature": 1.5, "seed": 1, "max_tokens": 16}
        first, again = (self.ask("Invent a name for a cat.", **options).text for _ in range(2))
        return first == again, f"{first.strip()[:30]!r} twice" if first == again else "two samples of one seed differ"


class Check(NamedTuple):
    name: str
    needed: bool
    ask: Callable[[Probe], Outcome]
    fix: str


CHECKS = (
    Check("reachable", True, Probe.reachable, "start it, or correct the URL; with --api-key: set VLLM_API_KEY here too"),
    Check(
        "serves this model", True, Probe.serves, "--served-model-name NAME; an adapter: --enable-lora --lora-modules NAME=PATH"
    ),
    Check("answers", True, Probe.answers, "--chat-template FILE, if the model's tokenizer has none"),
    Check("context", True, Probe.context, f"--max-model-len {2 * CONTEXT} (at least {CONTEXT})"),
    Check("usage counted", True, Probe.usage, "a server that fills `usage`; vLLM does"),
    Check("token limit", True, Probe.limit, "a server that honours `max_tokens` and says finish_reason `length`; vLLM does"),
    Check("streams with usage", True, Probe.stream, "a server that knows stream_options.include_usage; vLLM does"),
    Check("several at once", True, Probe.at_once, "--max-num-seqs 256; less: --concurrency here"),
    Check("plans in form", False, Probe.plans, "a larger navigator, or one trained for it (training/)"),
    Check("cached tokens", False, Probe.cached, "--enable-prefix-caching --enable-prompt-tokens-details"),
    Check("log-probabilities", False, Probe.logprobs, "--max-logprobs 20 (0 forbids them)"),
    Check("reasoning apart", False, Probe.reasoning, "--reasoning-parser deepseek_r1 (or qwen3, ...: the model's)"),
    Check("stop strings", False, Probe.stop, "a server that honours `stop`; vLLM does"),
    Check(
        "JSON schema", False, Probe.schema, "a server with constrained decoding; vLLM has it: see --structured-outputs-config"
    ),
    Check("tool calls", False, Probe.tools, "--enable-auto-tool-choice --tool-call-parser hermes (or the model's own)"),
    Check("seed", False, Probe.seed, "a server that honours `seed`; vLLM does (exactly so only when it is otherwise idle)"),
)
"""In this order. A server that fails one of the first `FIRST` checks is asked nothing else."""
FIRST = 3


def _findings(probe: Probe) -> Iterator[Finding]:
    for number, check in enumerate(CHECKS):
        try:
            ok, found = check.ask(probe)
        except NotImplementedError:
            ok, found = False, "this kind of model cannot"
        except Exception as error:
            ok, found = False, str(model_error(probe.model, error))
        yield Finding(check.name, ok, check.needed, found, "" if ok else check.fix)
        if ok is False and number < FIRST:
            return
