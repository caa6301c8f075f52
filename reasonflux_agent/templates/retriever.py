"""The retriever: finds the thought templates that fit a problem or a step. And the tool that an agent searches with."""

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
from reasonflux_agent.templates.embeddings import load_embeddings
from reasonflux_agent.templates.filters import Filter, predicate
from reasonflux_agent.templates.hierarchical import Names
from reasonflux_agent.templates.index import index_library, template_document
from reasonflux_agent.templates.lexical import Overlap
from reasonflux_agent.templates.library import TemplateLibrary

Mode = Literal["flat", "hybrid", "hierarchical"]

NEIGHBOURS = 200
"""How many nearest templates by vector the words may reorder in `hybrid`."""
FLOORS = {
    ("wordllama", "flat"): 0.40,
    ("wordllama", "hybrid"): 0.55,
    ("minilm", "flat"): 0.42,
    ("minilm", "hybrid"): 0.55,
}
"""(embedder, mode) -> the confidence floor. docs/retrieval.md says how it was measured."""
LEADS = {("wordllama", "hybrid"): 0.2}
"""(embedder, mode) -> how far a hit must be ahead of the next one of another section to stand out; measured there too."""
_DRAWING = re.compile(r"\[asy\].*?(?:\[/asy\]|$)", re.DOTALL)


class TemplateRetriever(BaseRetriever):
    """Finds templates for a query; below the confidence floor it finds nothing, which is a valid answer.

    A document's id is the template's, its text is `render_template(template)`. Raises InputError for k < 1.
    """

    library: TemplateLibrary
    store: VectorStore
    """Any LangChain store whose document ids are template ids and whose relevance, or else score, is a similarity."""
    k: int = Field(default=2, ge=1)
    min_score: float = 0.0
    """The score below which a template is not returned. Scores: `flat` the cosine (or the store's own relevance), `hybrid`
    that plus a bonus for shared words and formulas, `hierarchical` the published mixture of similarities of names."""
    mode: Mode = "hybrid"
    """`flat`: by vectors alone (the one for a million templates); `hybrid`: by vectors and shared words;
    `hierarchical`: the search of ReasonFlux v1, a baseline."""
    scores: str = ""
    """What makes the scores, as "wordllama hybrid". A learned template whose floor and lead were calibrated on such scores has
    these in place of `min_score` and `lead`. Empty: no template has."""
    lead: float = 0.0
    """How far a hit must be ahead of the next one of another section to stand out; 0: not known. The hits say by
    `metadata["lead"]` how far they are, in units of this."""
    filter: Filter | None = None
    """Which templates count, as FaissStore takes it: `{"chapter": "Probability"}`, `{"tags": ["coins", "dice"]}`, or a function
    of the document. `invoke(query, filter=...)` sets it for one search. A store of another kind is given it as it is."""
    cache_dir: Path | None = None
    """Where `hierarchical` keeps the vectors of names; None as for `index_library`."""
    _overlap: Overlap | None = PrivateAttr(default=None)
    _names: Names | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        if self.mode == "hybrid":
            self._overlap = Overlap(self.library)
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
        """Return a retriever over a library. `min_score=None`: the floor that was measured for embedder and mode, if any.

        Raises LibraryError, SpecError, MissingExtraError, ModelError.

        >>> retriever = TemplateRetriever.from_library("builtin", k=1)
        >>> retriever.invoke("the last digit of a large power")[0].metadata["name"]
        'Units digit by the cycle of powers'
        >>> retriever.invoke("a recipe for apple cake")
        []
        """
        library = library if isinstance(library, TemplateLibrary) else TemplateLibrary.load(library)
        embedder = load_embeddings(embeddings)
        measured = getattr(embedder, "key", "").partition("-")[0], mode
        return cls(
            library=library,
            store=index_library(library, embedder, cache_dir=cache_dir),
            k=k,
            min_score=FLOORS.get(measured, 0.0) if min_score is None else min_score,
            mode=mode,
            lead=LEADS.get(measured, 0.0),
            scores=" ".join(measured) if min_score is None else "",
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
        ranks = [rank for rank, (id, score) in enumerate(found) if score >= self._limits(id)[0]]
        return [self._document(found, rank) for rank in ranks[:k]]

    def _by_store(self, query: str, k: int, filter: Filter | None) -> list[tuple[str, float]]:
        """Return (id, score), best first. `hybrid` looks at more neighbours and lets words and formulas reorder them."""
        count = max(k, NEIGHBOURS) if self._overlap else k
        options: dict[str, Any] = {"filter": filter} if filter else {}
        try:
            hits = self.store.similarity_search_with_relevance_scores(query, count, **options)
        except NotImplementedError:  # LangChain's InMemoryVectorStore, whose plain scores are cosines
            hits = self.store.similarity_search_with_score(query, count, **options)
        scores = {document.id or "": score for document, score in hits}
        if self._overlap:
            self._overlap.add(query, scores)
        return sorted(scores.items(), key=lambda hit: -hit[1])

    def _limits(self, id: str) -> tuple[float, float]:
        """Return the floor and the lead of a template: its own where it brings some, else the retriever's."""
        own = self.library.get(id).provenance.get("retrieval")
        return (own["floor"], own["lead"]) if own and own["scores"] == self.scores else (self.min_score, self.lead)

    def _document(self, found: Sequence[tuple[str, float]], rank: int) -> Document:
        id, score = found[rank]
        document = template_document(self.library.get(id))
        document.metadata |= {"id": id, "score": round(score, 4)}
        if lead := self._limits(id)[1]:
            others = (s for i, s in found[rank + 1 :] if self.library.get(i).section != document.metadata["section"])
            document.metadata["lead"] = round((score - next(others, 0.0)) / lead, 4)
        return document


class _Query(BaseModel):
    query: str = Field(description="What to look up: the kind of problem, or the step to be done, in a few words.")


def template_search_tool(retriever: BaseRetriever) -> BaseTool:
    """Return a tool that looks templates up: a plain query in, readable text out. It takes only text, so MCP can serve it.

    Its artifact is the list of the ids that were found. The tool raises RetrieverError where a retriever of another kind fails.

    >>> tool = template_search_tool(TemplateRetriever.from_library("builtin", k=1))
    >>> print(tool.invoke("the last digit of a large power").splitlines()[0])
    Template: Units digit by the cycle of powers
    """

    def show(documents: list[Document]) -> tuple[str, list[str | None]]:
        text = "\n\n".join(f"{d.page_content}\nId: {d.id}" for d in documents)
        return text or "No template of the library fits this query.", [document.id for document in documents]

    def search(query: str) -> tuple[str, list[str | None]]:
        with searching(retriever, query):
            return show(retriever.invoke(query))

    async def asearch(query: str) -> tuple[str, list[str | None]]:
        with searching(retriever, query):
            return show(await retriever.ainvoke(query))

    return StructuredTool.from_function(
        func=search,
        coroutine=asearch,
        name="search_templates",
        description="Look up thought templates (abstract steps and an example) that fit a mathematics problem.",
        args_schema=_Query,
        response_format="content_and_artifact",
    )
