"""What the builders that ask models share: calls, graded solutions, and similar problems by embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from files import digest
from langchain_core.language_models import BaseChatModel
from records import is_right

from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.evaluation.benchmarks import Item
from reasonflux_agent.models import CallOptions, Reply, call_kwargs, model_error, read_reply
from reasonflux_agent.models.retries import TRIES, call_with_retries, retries_itself
from reasonflux_agent.prompts import Message, ParseError, plain
from reasonflux_agent.prompts.solve import SOLVE
from reasonflux_agent.verify.grading import extract_answer


def ask(model: BaseChatModel, messages: Sequence[Message], max_tokens: int, temperature: float = 0.0, seed: int = 0) -> Reply:
    """One call; greedy at temperature 0. Raises ModelError after the retries that are due."""
    options = CallOptions(max_tokens=max_tokens, temperature=temperature, seed=seed if temperature else None)
    call = partial(model.invoke, [dict(message) for message in messages], **call_kwargs(model, options))
    try:
        return read_reply(call_with_retries(call, 1 if retries_itself(model) else TRIES))
    except Exception as error:  # whatever the model's client raises
        raise model_error(model, error) from error


def solves(model: BaseChatModel, item: Item, max_tokens: int, **given: Any) -> dict[str, Any]:
    """Return how the solver answers a problem in one greedy reply, without programs: `id`, `answer`, `correct`.

    `given` is what the graph's node `solve_step` gives its prompt for a whole trajectory: `plan`, `templates`, `informed`
    (`prompts.solve.solver_prompt`). Raises ModelError.
    """
    try:
        text = SOLVE.parse(ask(model, plain(SOLVE.render(problem=item.problem, **given)), max_tokens).text)
    except ParseError:
        text = ""
    answer = extract_answer(text)
    return {"id": item.id, "answer": answer, "correct": is_right(answer, item)}


def accuracy(graded: Sequence[Mapping[str, Any]]) -> float:
    """The share of graded answers that are right."""
    return sum(bool(row["correct"]) for row in graded) / len(graded) if graded else 0.0


@dataclass(frozen=True)
class Similar:
    """Problems with their embeddings, to find similar ones."""

    items: tuple[Item, ...]
    vectors: Any
    """n x d float32, rows of length 1."""

    @classmethod
    def of(cls, items: Sequence[Item], embedder: str) -> Similar:
        """Embed the problems. Raises InputError, SpecError, MissingExtraError and ModelError."""
        from reasonflux_agent.templates.embeddings import load_embeddings, unit_rows

        if not items:
            raise InputError("There is no problem to work on: none was given, or all are in the benchmarks.")
        return cls(tuple(items), unit_rows(load_embeddings(embedder).embed_documents([item.problem for item in items])))

    def to(self, item: Item, count: int, without: Sequence[str] = ()) -> list[Item]:
        """Return the `count` problems most similar to one of these, without that one and those of the ids in `without`.

        A problem in the same words counts as that one.
        """
        vector = self.vectors[self.items.index(item)]
        order = (self.vectors @ vector).argsort(kind="stable")[::-1]
        words = item.problem.split()
        found = (self.items[row] for row in order)
        return [other for other in found if other.problem.split() != words and other.id not in without][:count]


def to_key(item: Item) -> str:
    """Return what names a problem's work: it changes with the problem's text and answer."""
    return f"{item.id}:{digest([item.problem, item.answer])}"
