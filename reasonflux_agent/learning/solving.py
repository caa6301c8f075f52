"""Solves rows in the ways that a learning run compares, and keeps every outcome in a ledger.

Two journals stand beside the library that is written, both append-only. `NAME.ledger.jsonl` has one line for each row solved:
with which templates, what the answer was, whether it is right, what it cost. `NAME.replies.jsonl` has the model's replies, so
that a run which was killed in the middle of a row repeats no finished call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever

from reasonflux_agent import __version__
from reasonflux_agent.context import Context
from reasonflux_agent.errors import ReasonFluxError
from reasonflux_agent.graph import create_reasonflux
from reasonflux_agent.jobs.evaluation.benchmarks import digest
from reasonflux_agent.jobs.evaluation.cache import opened, refuse_unnamed
from reasonflux_agent.jobs.running import Watcher, run_all
from reasonflux_agent.learning.outcomes import Outcome, Outcomes, Trial, Way, key_of
from reasonflux_agent.models import describe, load_model
from reasonflux_agent.models.failures import fault
from reasonflux_agent.runs.journal import Journal, Row
from reasonflux_agent.schema import Solution, Template
from reasonflux_agent.session import with_session
from reasonflux_agent.templates import TemplateLibrary, TemplateRetriever

REPAIR = (
    "{problem}\n\nThis program was written for the problem:\n\n{text}\n\nBut the right answer is: {answer}\n"
    "Correct the program. It must compute the right answer from the data of the problem, and print it in exactly this form."
)
APART = 1_000
"""Distance between the seeds of two samples of a row: more than one solution uses."""


class _Showing(BaseRetriever):
    """Finds the same template for every query, so that an arm is tried by the strategy that will use it."""

    template: Template

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [Document(id=self.template.id, page_content="")]


class _Nearest(BaseRetriever):
    """Finds the nearest of some templates, but not the one that came from the very problem."""

    ranking: TemplateRetriever
    """Finds all of them, in order."""

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        for document in self.ranking.invoke(query):
            example = self.ranking.library.get(document.metadata["id"]).example
            if example and example.problem.split() != query.split():
                return [Document(id=document.metadata["id"], page_content="")]
        return []


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
        unseen = {"navigator", "solver", "stream_calls", "ask_at_reviews"}  # the first two have their own lines
        context = self.context.model_dump(mode="json", exclude=unseen, exclude_defaults=True)
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
            state = self._graph(way).invoke({"problem": self._problem(trial)}, config, context=context)
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

    def _problem(self, trial: Trial) -> str:
        """Return what is asked: the row's problem, and for a repair the wrong program too."""
        way, row = trial
        if way.kind != "repaired":
            return row.problem
        wrong = self.journal.rows.get(key_of((replace(way, kind="program"), row)))
        text = wrong["outcome"]["text"].partition("\n\\boxed{")[0] if wrong else ""
        return REPAIR.format(problem=row.problem, text=text or "(none)", answer=row.answer)

    def _graph(self, way: Way) -> Any:
        name = f"{way.kind} {way.teacher} {digest(way.templates)}"
        with self._building:
            if name not in self._graphs:
                strategies = {"direct": "direct", "program": "program", "repaired": "program"}
                library = TemplateLibrary(way.templates, "learned") if way.templates else TemplateLibrary.builtin()
                retriever: BaseRetriever | None = None
                if way.kind == "shown":
                    retriever = _Showing(template=way.templates[0])
                elif way.kind == "nearest":
                    ranking = TemplateRetriever.from_library(library, k=len(library), min_score=float("-inf"))
                    retriever = _Nearest(ranking=ranking)
                graph = create_reasonflux(
                    strategy=strategies.get(way.kind, "recall"),
                    solver=self._teacher if way.teacher else self._model,
                    library=library,
                    retriever=retriever,
                )
                self._graphs[name] = graph.compile(name="learning")
            return self._graphs[name]


class _Rows(Watcher):
    """Passes the rows of one batch on to the watcher of the whole run."""

    def __init__(self, watcher: Watcher) -> None:
        self._of_all = watcher

    def row(self, row: Row) -> None:
        self._of_all.row(row)
