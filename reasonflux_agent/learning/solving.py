"""Solves rows in the ways that a learning run compares, and keeps every outcome in a ledger.

Two journals stand beside the library that is written, both append-only. `NAME.ledger.jsonl` has one line for each row solved:
with which templates, what the answer was, whether it is right, what it cost. `NAME.replies.jsonl` has the model's replies, so
that a run which was killed in the middle of a row repeats no finished call.
"""

from __future__ import annotations

import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langgraph.graph import StateGraph

from reasonflux_agent import __version__
from reasonflux_agent.context import Context
from reasonflux_agent.errors import InputError, ReasonFluxError
from reasonflux_agent.graph import create_reasonflux
from reasonflux_agent.jobs.evaluation.benchmarks import digest
from reasonflux_agent.jobs.evaluation.cache import opened, refuse_unnamed
from reasonflux_agent.jobs.running import Watcher, run_all
from reasonflux_agent.learning.rows import LearningRow
from reasonflux_agent.models import describe, load_model
from reasonflux_agent.models.failures import fault
from reasonflux_agent.node import sequence
from reasonflux_agent.parts import Parts
from reasonflux_agent.run import Run
from reasonflux_agent.runs.journal import Journal, Row
from reasonflux_agent.schema import Solution, Template, Value
from reasonflux_agent.session import with_session
from reasonflux_agent.strategies import programmed
from reasonflux_agent.templates import TemplateLibrary

CALLS = {"direct": 1, "program": 1, "told": 1, "shown": 2, "library": 2}
"""Way of solving -> the calls expected for a row. An empty reply, a failed program and a second program take one more each."""
Unit = Literal["calls", "tokens", "minutes"]
USUAL: dict[Unit, float] = {"calls": 1, "tokens": 300, "minutes": 0.1}
"""What a call costs in each unit as long as none was made."""
TOLD = (
    "{problem}\n\nThe right answer is {answer}. The program must compute it from the data of the problem; "
    "the answer itself must not stand in the program."
)
APART = 1_000
"""Distance between the seeds of two samples of a row: more than one solution uses."""


@dataclass(frozen=True)
class Way:
    """A way to solve a row.

    `direct` or by `program`, without the library; by a program when the answer is `told`; with certain templates `shown`; by a
    `library`.
    """

    kind: str
    templates: tuple[Template, ...] = ()
    sample: int = 0
    """0 is greedy; each other number is a sample of its own."""
    again: bool = False
    """The greedy reply once more, and not from the cache: the noise of the server."""
    teacher: bool = False
    """Whether the teacher solves it."""

    @cached_property
    def id(self) -> str:
        """What the way is called in the ledger."""
        parts = [self.kind, *([digest(self.templates)[:12]] if self.templates else []), str(self.sample)]
        return "/".join([*parts, *(["again"] if self.again else []), *(["teacher"] if self.teacher else [])])


class Budget(NamedTuple):
    """What a learning run may spend."""

    amount: float
    unit: Unit

    @classmethod
    def parse(cls, text: int | str) -> Budget:
        """Return the budget that a text names: `400` (calls), `200k tokens`, `30 min`, `2 h`. Raises InputError.

        >>> Budget.parse("200k tokens")
        Budget(amount=200000.0, unit='tokens')
        """
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(k?)\s*(calls?|tokens?|min(?:utes?)?|h(?:ours?)?)?", str(text).strip().lower())
        if not match or not float(match[1]):
            raise InputError(
                f"The budget {text!r} cannot be read. Next: give calls (400), tokens (200k tokens) or time (30 min)."
            )
        amount, first = float(match[1]) * (1000 if match[2] else 1), (match[3] or "calls")[0]
        units: dict[str, Unit] = {"c": "calls", "t": "tokens", "m": "minutes", "h": "minutes"}
        return cls(60 * amount if first == "h" else amount, units[first])


class Outcome(Value):
    """The result of solving a row in one way."""

    right: bool
    sound: bool
    """Whether the text fails no verifier: its arithmetic recomputes, it is whole."""
    answer: str | None
    text: str
    templates: tuple[str, ...]
    """Ids of the templates that were shown."""
    calls: int
    tokens: int
    minutes: float = 0.0
    """Its share of the time that passed while it was solved."""


Trial = tuple[Way, LearningRow]


class _Showing(BaseRetriever):
    """Finds the same template for every query, so that an arm is tried by the strategy that will use it."""

    template: Template

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [Document(id=self.template.id, page_content="")]


def _by_program(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """Return the graph of an attempt by a program alone."""

    async def compute(state: Any, run: Run) -> dict[str, Any]:
        return {"candidates": [await programmed(run, state["problem"], sampled=False)]}

    return sequence(parts, compute)


class Outcomes(ABC):
    """Hands out the outcomes of trials, and counts the calls behind each once."""

    model_name: str
    """What the model is called in provenances."""
    programs = True
    """Whether programs of the model may run."""
    taught = False
    """Whether there is a teacher."""

    unit: Unit = "calls"
    """What `spent` and `price` are in."""

    def __init__(self) -> None:
        self.calls, self.spent = 0, 0.0
        """Calls, and their cost, of all outcomes that were handed out, also of those that an earlier run paid for."""
        self.counted: set[str] = set()
        """Keys of these outcomes."""

    def solve(self, trials: Sequence[Trial]) -> list[Outcome]:
        """Return the outcome of each trial. Raises ModelError."""
        asked = {key_of(trial): trial for trial in trials}
        found = self.outcomes(asked)
        for key in asked.keys() - self.counted:
            self.calls += found[key].calls
            self.spent += getattr(found[key], self.unit)
        self.counted |= asked.keys()
        return [found[key_of(trial)] for trial in trials]

    def price(self, kind: str) -> float:
        """Return what a trial of this kind costs: its usual calls, at the mean price of a call so far."""
        return CALLS[kind] * (self.spent / self.calls if self.calls else USUAL[self.unit])

    def affordable(self, trials: Sequence[Trial], amount: float) -> list[Trial]:
        """Return the first of the trials, as many as so much pays for. An outcome that was handed out before is free."""
        kept = []
        for trial in trials:
            amount -= self.price(trial[0].kind) * (key_of(trial) not in self.counted)
            if amount < 0:
                break
            kept.append(trial)
        return kept

    @abstractmethod
    def outcomes(self, trials: Mapping[str, Trial]) -> dict[str, Outcome]:
        """Return the outcomes of trials, by their keys."""


def key_of(trial: Trial) -> str:
    """Return what a trial is called in the ledger."""
    way, row = trial
    return f"{way.id}/{row.id}"


class Solver(Outcomes):
    """Solves rows with a model, several at once, and keeps the outcomes; a context manager.

    `out` is the library that will be written; the journals stand beside it.
    """

    def __init__(
        self,
        model: BaseChatModel | str,
        out: Path,
        context: Context,
        concurrency: int = 4,
        watcher: Watcher | None = None,
        teacher: BaseChatModel | str | None = None,
        scorer: str | None = None,
    ) -> None:
        super().__init__()
        self.programs, self.taught, self.scorer = context.programs, teacher is not None, scorer
        self.context, self.concurrency, self.watcher = context, concurrency, watcher or Watcher()
        self._model, self._out = load_model(model), out
        self._teacher = self._model if teacher is None else load_model(teacher)
        self.model_name = describe(self._model)
        refuse_unnamed([self._model, self._teacher])
        self._graphs: dict[str, Any] = {}
        self._building, self._open = threading.Lock(), ExitStack()

    def __enter__(self) -> Self:
        """Raises InputError where a journal is in use, or holds outcomes of another model or other settings."""
        context = self.context.model_dump(mode="json", exclude={"navigator", "solver"})
        settings = {"package": __version__, "model": self.model_name, "context": context}
        if self.taught:
            settings["teacher"] = describe(self._teacher)
        if self.scorer:
            settings["scorer"] = self.scorer
        header = {"format": "reasonflux-ledger", "version": 1, "settings": settings}
        with ExitStack() as opening:
            ledger = Journal(self._out.with_suffix(".ledger.jsonl"), itemgetter("key"), header=header)
            self.journal = opening.enter_context(ledger)
            self._replies = opening.enter_context(opened(self._out.with_suffix(".replies.jsonl")))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def outcomes(self, trials: Mapping[str, Trial]) -> dict[str, Outcome]:
        """Return the outcomes of trials, by their keys; those that the ledger lacks are solved now. Raises ModelError."""
        run_all(trials, self._row, self.journal, _Rows(self.watcher), self.concurrency)
        return {key: Outcome.model_validate(self.journal.rows[key]["outcome"]) for key in trials}

    def _row(self, key: str, trial: Trial) -> Row:
        way, row = trial
        seed = (self.context.seed or 0) + APART * way.sample
        context = self.context.model_copy(update={"seed": seed, "greedy": way.sample == 0})
        begun = time.monotonic()
        try:
            config = with_session({}, cache=None if way.again else self._replies)
            told = TOLD.format(problem=row.problem, answer=row.answer) if way.kind == "told" else row.problem
            state = self._graph(way).invoke({"problem": told}, config, context=context)
            solution = Solution.model_validate(state["solution"])
        except ReasonFluxError as error:
            if fault(error) != "problem":
                raise
            solution = Solution(problem=row.problem, answer=None, text="", status="unanswered")  # too long, say: it is wrong
        usage = solution.total
        outcome = Outcome(
            right=bool(row.score(solution.answer, self.scorer)),
            sound=all(passed for candidate in solution.candidates for passed in candidate.checks.values()),
            answer=solution.answer,
            text=solution.text,
            templates=solution.templates,
            calls=usage.calls,
            tokens=usage.tokens,
            minutes=round((time.monotonic() - begun) / 60 / self.concurrency, 6),
        )
        return {"key": key, "row": row.id, "group": row.group, "way": way.id, "outcome": outcome.model_dump(mode="json")}

    def _graph(self, way: Way) -> Any:
        name = f"{way.kind} {way.teacher} {digest(way.templates)}"
        with self._building:
            if name not in self._graphs:
                strategies: dict[str, Any] = {"direct": "direct", "program": _by_program, "told": _by_program}
                library = TemplateLibrary(way.templates, "learned") if way.templates else TemplateLibrary.builtin()
                graph = create_reasonflux(
                    strategy=strategies.get(way.kind, "recall"),
                    solver=self._teacher if way.teacher else self._model,
                    library=library,
                    retriever=_Showing(template=way.templates[0]) if way.kind == "shown" else None,
                )
                self._graphs[name] = graph.compile(name="learning")
            return self._graphs[name]


class _Rows(Watcher):
    """Passes the rows of one batch on to the watcher of the whole run."""

    def __init__(self, watcher: Watcher) -> None:
        self._of_all = watcher

    def row(self, row: Row) -> None:
        self._of_all.row(row)
