"""Finds the thought templates that fit a problem or a step: index over a library, retriever, search tool."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.vectorstores import VectorStore
from pydantic import BaseModel, Field, PrivateAttr

from reasonflux_agent.errors import InputError, searching
from reasonflux_agent.schema import Template
from reasonflux_agent.templates import TemplateLibrary, render_template
from reasonflux_agent.templates.retrieval.documents import Filter, predicate
from reasonflux_agent.templates.retrieval.embeddings import load_embeddings
from reasonflux_agent.templates.retrieval.hierarchical import Names
from reasonflux_agent.templates.retrieval.index import add_templates, index_library, subject, template_document, template_text
from reasonflux_agent.templates.retrieval.lexical import Bm25, formulas, pieces, words

__all__ = ["TemplateRetriever", "add_templates", "index_library", "template_search_tool", "template_text"]

Mode = Literal["flat", "hybrid", "hierarchical"]

NEIGHBOURS = 200
"""How many nearest templates by vector the words may reorder in `hybrid`."""
WORDS = 0.02
"""What a point of BM25 counts in `hybrid` beside the cosine (best hits have about 18 points and a cosine of 0.5). Recall
was the same from 0.015 to 0.05, and lower by reciprocal ranks.

Measured with tests/retrieval/measure.py on 155 labelled problems, % with a fitting template among the first 1 / 3 / 5:
wordllama flat 25 / 42 / 50, with words 29 / 51 / 58; minilm flat 32 / 50 / 58, with words 36 / 59 / 65; the search of v1 with
minilm 15 / 28 / 34. Without the example's problem in the embedded text wordllama flat has 21 / 36 / 40."""
FORMULAS = 0.015
"""What a point of BM25 over the shapes of formulas counts beside that: wordllama 29 / 51 / 58 -> 32 / 55 / 62."""
SAME_FORMULA = 0.5
"""What a formula counts that the template states too, up to numbers, signs and names. Recall on those problems, which hold
few such, is the same from 0 to 0.6; of ten linear recurrences, two find their template first with 0, and all with 0.5."""
LONG = 10
"""Characters from which on a blurred formula says anything (`a_1 = 3` is everywhere)."""
_DRAWING = re.compile(r"\[asy\].*?(?:\[/asy\]|$)", re.DOTALL)
FLOORS: dict[tuple[str, str], float] = {
    ("wordllama", "flat"): 0.40,
    ("wordllama", "hybrid"): 0.55,
    ("minilm", "flat"): 0.42,
    ("minilm", "hybrid"): 0.55,
}
"""(embedder, mode) -> score below which the first hit fitted fewer than 1 in 10 of those problems (above: 3 in 10).
Of a dozen questions that are no mathematics, all stayed below."""

LEADS: dict[tuple[str, str], float] = {("wordllama", "hybrid"): 0.2}
"""(embedder, mode) -> how far a hit must be ahead of the next one of another section to stand out. With the query of the
graph, the first hit fits 40 % of 155 problems; where it stands out, in a third of them, 69 %; in the third with the best
scores, 52 %. So its lead tells more than its score. Neighbours in a section are variants of one method."""


class TemplateRetriever(BaseRetriever):
    """Finds templates for a query; below the confidence floor it finds nothing, which is a valid answer."""

    library: TemplateLibrary
    store: VectorStore
    """Any LangChain store whose document ids are template ids and whose relevance, or else score, is a similarity."""
    k: int = Field(default=2, ge=1)
    min_score: float = 0.0
    """The score below which a template is not returned. Scores: `flat` the cosine (or the store's own relevance), `hybrid`
    that plus WORDS and FORMULAS for every point of BM25, `hierarchical` the published mixture of similarities of names."""
    mode: Mode = "hybrid"
    """`flat`: by vectors alone (the one for a million templates); `hybrid`: by vectors and shared words;
    `hierarchical`: the search of ReasonFlux v1, a baseline."""
    lead: float = 0.0
    """How far a hit must be ahead of the next one of another section to stand out; 0: not known. The hits say by
    `metadata["lead"]` how far they are, in units of this."""
    filter: Filter | None = None
    """Which templates count, as FaissStore takes it: `{"chapter": "Probability"}`, `{"tags": ["coins", "dice"]}`, or a function
    of the document. `invoke(query, filter=...)` sets it for one search. A store of another kind is given it as it is."""
    cache_dir: Path | None = None
    """Where `hierarchical` keeps the vectors of names; None as for `index_library`."""
    _words: Bm25 | None = PrivateAttr(default=None)
    _formulas: Bm25 | None = PrivateAttr(default=None)
    _rows: dict[str, int] = PrivateAttr(default_factory=dict)
    """Template id -> its place in both of them."""
    _stated: dict[str, list[str]] = PrivateAttr(default_factory=dict)
    """Blurred formula of at least LONG characters -> ids of the templates that state it."""
    _names: Names | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        if self.mode == "hybrid":
            stated = [formulas(f"{subject(t)}\n{t.example.problem if t.example else ''}") for t in self.library]
            self._words, self._formulas = Bm25(words(subject(t)) for t in self.library), Bm25(map(pieces, stated))
            self._rows = {template.id: row for row, template in enumerate(self.library)}
            for template, found in zip(self.library, stated, strict=True):
                for formula in found:
                    if len(formula) >= LONG:
                        self._stated.setdefault(formula, []).append(template.id)
        if self.mode == "hierarchical":
            if self.store.embeddings is None:
                raise InputError("mode='hierarchical' embeds names; give a store that knows its embeddings.")
            self._names = Names(self.library, self.store.embeddings, self.cache_dir)

    @classmethod
    def from_library(
        cls,
        library: TemplateLibrary | str | Path = "builtin",
        embeddings: str | Embeddings = "wordllama",
        k: int = 2,
        min_score: float | None = None,
        mode: Mode = "hybrid",
        cache_dir: str | Path | None = None,
        filter: Filter | None = None,
    ) -> TemplateRetriever:
        """A retriever over a library. `min_score=None`: the floor that was measured for this embedder and mode, if any.

        Raises LibraryError, SpecError, MissingExtraError.
        """
        library = library if isinstance(library, TemplateLibrary) else TemplateLibrary.load(library)
        embedder = load_embeddings(embeddings)
        store = index_library(library, embedder, cache_dir=cache_dir)
        if min_score is None:
            min_score = _measured(FLOORS, embedder, mode)
        return cls(
            library=library,
            store=store,
            k=k,
            min_score=min_score,
            mode=mode,
            lead=_measured(LEADS, embedder, mode),
            cache_dir=cache_dir and Path(cache_dir),
            filter=filter,
        )

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        filter: Filter | None = None,
    ) -> list[Document]:
        k = self.k if k is None else k
        if k < 1:
            raise InputError(f"k is {k}; a retriever returns at least 1 template. Set k >= 1.")
        query = _DRAWING.sub(" ", query).strip()  # code of a drawing: points and labels, no words about the method
        if not query:
            return []
        filter = self.filter if filter is None else filter
        found = self._names.search(query) if self._names else self._by_store(query, k, filter)
        if filter:
            fits = predicate(filter)
            found = [(id, score) for id, score in found if fits(template_document(self.library.get(id)))]
        kept = [(id, score) for id, score in found if score >= self.min_score][:k]
        return [self._document(self.library.get(id), score, self._ahead(rank, found)) for rank, (id, score) in enumerate(kept)]

    def _ahead(self, rank: int, found: Sequence[tuple[str, float]]) -> float:
        """How far the hit is ahead of the next one of another section."""
        section = self.library.get(found[rank][0]).section
        after = (score for id, score in found[rank + 1 :] if self.library.get(id).section != section)
        return found[rank][1] - next(after, 0.0)

    def _by_store(self, query: str, k: int, filter: Filter | None) -> list[tuple[str, float]]:
        """(id, score), best first. `hybrid` looks at more neighbours and lets the words reorder them."""
        count = max(k, NEIGHBOURS) if self._words else k
        options: dict[str, Any] = {"filter": filter} if filter else {}
        try:
            hits = self.store.similarity_search_with_relevance_scores(query, count, **options)
        except NotImplementedError:  # LangChain's InMemoryVectorStore, whose plain scores are cosines
            hits = self.store.similarity_search_with_score(query, count, **options)
        scores = {document.id or "": score for document, score in hits}
        if self._words and self._formulas:
            stated = formulas(query)
            for formula in stated:  # a template that states it counts, however far it is
                for id in self._stated.get(formula, ()):
                    scores.setdefault(id, 0.0)
            known = [id for id in scores if id in self._rows]
            rows = [self._rows[id] for id in known]
            by_words, by_formulas = self._words.scores(words(query), rows), self._formulas.scores(pieces(stated), rows)
            for id, points, more in zip(known, by_words.tolist(), by_formulas.tolist(), strict=True):
                scores[id] += WORDS * points
                scores[id] += FORMULAS * more
            for formula in stated:
                for id in self._stated.get(formula, ()):
                    scores[id] += SAME_FORMULA
        return sorted(scores.items(), key=lambda hit: -hit[1])

    def _document(self, template: Template, score: float, ahead: float) -> Document:
        metadata: dict[str, Any] = {
            "id": template.id,
            "name": template.name,
            "chapter": template.chapter,
            "section": template.section,
            "score": round(score, 4),
        }
        if self.lead:
            metadata["lead"] = round(ahead / self.lead, 4)
        return Document(id=template.id, page_content=render_template(template), metadata=metadata)


def _measured(table: dict[tuple[str, str], float], embedder: Embeddings, mode: Mode) -> float:
    """What was measured for an embedder in a mode; 0, so nothing is held back, where nothing was."""
    name = getattr(embedder, "key", "").partition("-")[0]
    return table.get((name, mode), 0.0)


class _Query(BaseModel):
    query: str = Field(description="What to look up: the kind of problem, or the step to be done, in a few words.")


def template_search_tool(retriever: BaseRetriever) -> BaseTool:
    """A tool that looks templates up: a plain query in, readable text out. It takes only text, so MCP can serve it."""

    def show(documents: list[Document]) -> str:
        return "\n\n".join(f"{d.page_content}\nId: {d.id}" for d in documents) or "No template of the library fits this query."

    def search(query: str) -> str:
        with searching(retriever, query):
            return show(retriever.invoke(query))

    async def asearch(query: str) -> str:
        with searching(retriever, query):
            return show(await retriever.ainvoke(query))

    return StructuredTool.from_function(
        func=search,
        coroutine=asearch,
        name="search_templates",
        description="Look up thought templates (abstract steps and an example) that fit a mathematics problem.",
        args_schema=_Query,
    )
