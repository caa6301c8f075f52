"""The methods that are compared: `NAME[@K][,field=value...]`, with any field of the Context.

NAME is a strategy (navigator, direct, ..., a plugin's), or one of:

- `self-consistency@K`: K direct samples and a plain majority vote (Wang et al., 2023). With the name of another method of
  the same run for K, as in `self-consistency@navigator`: as many samples as cost that method's mean total tokens.
- `best-of@K`: K direct samples, and the one that the checks like best.
- `drafts`: a draft in text and one by a program, without a plan.
- `no-templates`, `random-templates`: the navigator without templates, and with templates drawn at random.

`direct,trajectories=K` is the project's own vote: weighted by checks, and it stops when the leader cannot be overtaken.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.context import EFFORTS, RENAMED, Context
from reasonflux_agent.errors import InputError
from reasonflux_agent.parts import DEPTH
from reasonflux_agent.plugins import registered
from reasonflux_agent.runs.journal import Row
from reasonflux_agent.schema import Solution, how_sure
from reasonflux_agent.templates import TemplateLibrary, render_template
from reasonflux_agent.verify.grading import aequivalent
from reasonflux_agent.voting import grouped, weight

MAX_SAMPLES = 64
Rule = Literal["run", "majority", "checks"]
"""Who chooses among the candidates: the run itself, a plain majority, or the checks alone."""

_ALL_SAMPLES = {"direct_samples": 0, "early_stop": False, "granularity": "whole"}
_SAMPLED: dict[str, Rule] = {"self-consistency": "majority", "best-of": "checks"}
_VARIANTS: dict[str, dict[str, Any]] = {
    "drafts": {"direct_samples": 2, "trajectories": 0},
    "no-templates": {"templates": 0},
    "random-templates": {},
}
_SHARED = ("navigator", "solver", "seed", "greedy")
"""Fields that are the same for all methods of a run."""


@dataclass(frozen=True)
class Method:
    name: str
    """As it was written."""
    strategy: str
    context: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the Context that it sets."""
    select: Rule = "run"
    match: str = ""
    """Name of the method whose tokens it is to match; empty: none."""

    @property
    def random_templates(self) -> bool:
        return self.name.partition(",")[0] == "random-templates"


def split_methods(text: str) -> list[str]:
    """The methods of a comma-separated list; `field=value` belongs to the method before it."""
    names: list[str] = []
    for part in text.split(","):
        if "=" in part and names:
            names[-1] += f",{part.strip()}"
        else:
            names.append(part.strip())
    return names


def check_methods(methods: list[Method]) -> list[Method]:
    """The same methods. Raises InputError for one that stands twice, or that matches one that is not there."""
    names = [method.name for method in methods]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"The method {twice!r} is given twice. Next: give it once; --repeats solves every problem again.")
    for method in methods:
        missing = [name for name in (method.match, "direct") if method.match and name not in names]
        if missing:
            raise InputError(
                f"The method {method.name!r} takes its number of samples from the tokens of {method.match!r} and 'direct', "
                f"but the run has no {missing[0]!r}; it has: {', '.join(names)}. Next: add it to the methods."
            )
    return methods


def parse_method(text: str) -> Method:
    """The method that a text names. Raises InputError saying which there are."""
    name, *pairs = text.split(",")
    base, at, samples = name.partition("@")
    strategies = registered("strategies")
    if base in _SAMPLED and at:
        if base == "self-consistency" and samples and not samples.isdecimal():
            return Method(text, "direct", _ALL_SAMPLES, "majority", match=text.partition("@")[2])
        if not samples.isdecimal() or not 1 <= int(samples) <= MAX_SAMPLES:
            raise InputError(f"The method {text!r}: {samples!r} is no number of samples from 1 to {MAX_SAMPLES}.")
        context = {**_ALL_SAMPLES, "trajectories": int(samples)}
        return Method(text, "direct", context | _fields(text, pairs), _SAMPLED[base])
    if base in _VARIANTS and not at:
        return Method(text, "navigator", _VARIANTS[base] | _fields(text, pairs))
    if base in strategies and not at:
        return Method(text, base, _fields(text, pairs))
    known = [*strategies, *_VARIANTS, *(f"{sampled}@K" for sampled in _SAMPLED), "self-consistency@METHOD"]
    raise InputError(
        f"There is no method {text!r}. There are: {', '.join(known)}; each but the last takes fields of the context, as in "
        "'navigator,effort=low,templates=1'."
    )


def _fields(text: str, pairs: list[str]) -> dict[str, Any]:
    given = {name.strip(): value.strip() for name, _, value in (pair.partition("=") for pair in pairs)}
    try:
        if shared := next((name for name in _SHARED if name in given), None):
            raise InputError(f"{shared!r} is the same for all methods of a run. Next: give it to the run.")
        return Context.of(**given).model_dump(include={RENAMED.get(name, name) for name in given})
    except InputError as error:
        raise InputError(f"The method {text!r}: {error}") from None


def upgraded(method: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context of a method in the folder of an older version, with today's names of the fields.

    A vote over all samples had more reviews than there are samples, in place of `early_stop`.
    """
    fields = {RENAMED.get(name, name): value for name, value in context.items()}
    if "early_stop" in fields:
        return fields
    all_samples = method.partition("@")[0] in _SAMPLED
    fields["early_stop"] = not all_samples
    return fields | ({"reviews": EFFORTS[fields["effort"]].reviews} if all_samples else {})


async def select(rule: Rule, solution: Solution) -> Solution:
    """The solution with the answer that a rule chooses among the candidates.

    `run`: as it is. `majority`: every candidate with an answer has one vote; of equal groups the first wins.
    `checks`: the candidate that fails the fewest checks, one that a check proves before all; of equal ones the first.
    """
    answered = [candidate for candidate in solution.candidates if candidate.answer is not None]
    if rule == "run" or not answered:
        return solution
    if rule == "checks":
        chosen = [max(answered, key=weight)]
        update: dict[str, Any] = {"reason": "chosen by the checks"}
    else:
        groups = await grouped(answered, partial(aequivalent, problem=solution.problem))
        chosen = [answered[index] for index in max(groups, key=len)]
        share = f"{len(chosen)} of {len(answered)} samples agree"
        update = {"votes": len(chosen) / len(answered), "reason": share}
    update |= {"answer": chosen[0].answer, "text": chosen[0].text, **how_sure(answered, chosen)}
    return solution.model_copy(update=update)


class RandomTemplates(BaseRetriever):
    """The ablation of retrieval: templates drawn by a hash of the query and the seed take the place of those that are found.
    Chance decides which ones they are, but not how many, nor whether one stands out."""

    library: TemplateLibrary
    found_by: BaseRetriever
    seed: int = 0
    k: int = 8

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        key = hashlib.sha256(f"{self.seed} {query}".encode("utf-8", "replace")).digest()
        drawn = random.Random(key).sample(self.library.templates, min(self.k, len(self.library)))
        found = self.found_by.invoke(query, {"callbacks": run_manager.get_child()})
        return [
            Document(id=t.id, page_content=render_template(t), metadata={**hit.metadata, "id": t.id, "name": t.name})
            for hit, t in zip(found, drawn, strict=False)
        ]


def solver_of(
    method: Method, roles: Mapping[str, Any], library: TemplateLibrary, seed: int, context: Mapping[str, Any]
) -> ReasonFlux:
    """What solves problems by a method. `context`: fields of the Context that the method does not set itself."""
    retriever = None
    if method.random_templates:
        from reasonflux_agent.templates import TemplateRetriever

        retriever = RandomTemplates(library=library, found_by=TemplateRetriever.from_library(library, k=DEPTH), seed=seed)
    given = {**context, **method.context}
    return ReasonFlux(**roles, strategy=method.strategy, library=library, retriever=retriever, **given)


def matched(rows: Iterable[Row], methods: Sequence[Method], benchmarks: Collection[str]) -> dict[str, dict[str, Row]]:
    """Method -> benchmark -> how many samples cost what the method that it matches costs, in mean total tokens."""
    spent: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        if not row["error"]:
            spent.setdefault((row["method"], row["benchmark"]), []).append(row["prompt_tokens"] + row["completion_tokens"])
    means = {key: round(sum(values) / len(values), 1) for key, values in spent.items()}

    def row_of(method: Method, benchmark: str) -> Row:
        target, sample = means.get((method.match, benchmark), 0.0), means.get(("direct", benchmark), 0.0)
        k = min(MAX_SAMPLES, max(1, round(target / sample))) if sample else 1
        return {"k": k, "target_tokens": target, "sample_tokens": sample}

    return {method.name: {benchmark: row_of(method, benchmark) for benchmark in benchmarks} for method in methods}
