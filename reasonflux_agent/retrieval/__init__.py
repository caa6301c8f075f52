"""Finds the thought templates that fit a problem or a step: index over a library, retriever, search tool."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.vectorstores import VectorStore
from pydantic import BaseModel, Field, PrivateAttr

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.library import TemplateLibrary, render_template, write_atomically
from reasonflux_agent.retrieval.embeddings import KeyedEmbeddings, load_embeddings, unit_rows
from reasonflux_agent.retrieval.lexical import Bm25, formulas, shapes
from reasonflux_agent.retrieval.vectorstore import FaissStore
from reasonflux_agent.schema import Template

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


def template_text(t: Template) -> str:
    """What is embedded of a template: what it is about and its example's problem, not how it goes on."""
    return "\n".join(filter(None, (_subject(t), t.example.problem if t.example else "")))


def _subject(t: Template) -> str:
    """What words are compared with: names and occasions. The example's own words (apples, trains) only distract them."""
    return "\n".join(filter(None, (t.name, ", ".join(t.tags), t.description, *t.scenario)))


def index_library(library: TemplateLibrary, embeddings: str | Embeddings, *, cache_dir: str | Path | None = None) -> FaissStore:
    """A store over the library's templates (document id = template id), encoding only what was never encoded before.

    Vectors are kept under `cache_dir` (default: $REASONFLUX_CACHE, else ~/.cache/reasonflux) by embedder and by the
    text that they stand for. An Embeddings object that is not a KeyedEmbeddings is asked anew each time.
    """
    embedder = load_embeddings(embeddings)
    texts = [template_text(template) for template in library]
    store = FaissStore(embedder)
    documents = [Document(id=template.id, page_content=text) for template, text in zip(library, texts, strict=True)]
    store.add_vectors(_vectors(texts, embedder, cache_dir), documents)
    return store


def _vectors(texts: Sequence[str], embedder: Embeddings, cache_dir: str | Path | None) -> Any:
    """n x d float32, from the cache where it holds them."""
    import numpy as np

    if not isinstance(embedder, KeyedEmbeddings):
        return _encode(texts, embedder)
    root = Path(cache_dir or os.environ.get("REASONFLUX_CACHE") or Path.home() / ".cache" / "reasonflux")
    path = root / "index" / embedder.key / "vectors.npy"
    keys = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in texts]
    known = _read_cache(path)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        rows = _encode(list(missing.values()), embedder)
        if any(len(row) != rows.shape[1] for row in known.values()):  # another model under the same key: start anew
            missing, known, rows = dict(zip(keys, texts, strict=True)), {}, _encode(texts, embedder)
        known |= dict(zip(missing, rows, strict=True))
        # One file, so that keys and vectors cannot part; of two processes that add at once the later one wins, whole.
        table = np.zeros(len(known), dtype=[("key", "V32"), ("vector", "<f4", (rows.shape[1],))])
        table["key"], table["vector"] = list(known), list(known.values())
        buffer = io.BytesIO()
        np.save(buffer, table, allow_pickle=False)
        with suppress(OSError):  # a cache that cannot be written costs time, not the search
            write_atomically(path, buffer.getvalue())
    return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 1), dtype=np.float32)


def _encode(texts: Sequence[str], embedder: Embeddings) -> Any:
    """n x d float32, one row a text. Raises ModelError when the embedder returns anything else."""
    import numpy as np

    if not texts:
        return np.zeros((0, 1), dtype=np.float32)
    rows = np.asarray(embedder.embed_documents(list(texts)), dtype=np.float32)
    if rows.ndim != 2 or len(rows) != len(texts):
        raise ModelError(
            f"The embedder {getattr(embedder, 'key', type(embedder).__name__)!r} was asked for {len(texts)} vectors and "
            f"returned an array of the shape {rows.shape}. Next: check the model behind it."
        )
    return rows


def _read_cache(path: Path) -> dict[bytes, Any]:
    import numpy as np

    try:
        table = np.load(path, allow_pickle=False)
        return dict(zip((bytes(key) for key in table["key"]), table["vector"], strict=True))
    except (OSError, ValueError, EOFError, KeyError, IndexError):  # absent, or not ours: it is only a cache
        return {}


class _Names:
    """The search of ReasonFlux v1: the nearest chapter title, its two nearest sections, then template names.

    As published, a template's score is 0.9 of the similarity of its name and 0.1 of that of its section's title. There
    each section gave its best template and one was returned; here all of both are ranked, so that k can exceed 1.
    """

    def __init__(self, library: TemplateLibrary, embedder: Embeddings, cache_dir: Path | None) -> None:
        self._embedder = embedder
        self._tree: dict[str, dict[str, list[Template]]] = {}
        for template in library:
            self._tree.setdefault(template.chapter, {}).setdefault(template.section, []).append(template)
        names = list(dict.fromkeys(name for t in library for name in (t.chapter, t.section, t.name)))
        self._rows = dict(zip(names, unit_rows(_vectors(names, embedder, cache_dir)), strict=True))

    def search(self, query: str) -> list[tuple[str, float]]:
        """(id, score) over the two sections, best first."""
        if not self._tree:
            return []
        vector = unit_rows([self._embedder.embed_query(query)])[0]
        near = {name: float(row @ vector) for name, row in self._rows.items()}
        sections = self._tree[max(self._tree, key=near.__getitem__)]
        chosen = sorted(sections, key=near.__getitem__, reverse=True)[:2]
        found = [(t.id, 0.9 * near[t.name] + 0.1 * near[section]) for section in chosen for t in sections[section]]
        return sorted(found, key=lambda hit: -hit[1])


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
    cache_dir: Path | None = None
    """Where `hierarchical` keeps the vectors of names; None as for `index_library`."""
    _bm25: tuple[tuple[float, Bm25], ...] = PrivateAttr(default=())
    _stated: dict[str, list[str]] = PrivateAttr(default_factory=dict)
    """Blurred formula -> ids of the templates that state it."""
    _names: _Names | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        if self.mode == "hybrid":
            texts = [f"{_subject(t)}\n{t.example.problem if t.example else ''}" for t in self.library]
            self._bm25 = ((WORDS, Bm25(map(_subject, self.library))), (FORMULAS, Bm25(texts, shapes)))
            for template, text in zip(self.library, texts, strict=True):
                for formula in formulas(text):
                    self._stated.setdefault(formula, []).append(template.id)
        if self.mode == "hierarchical":
            if self.store.embeddings is None:
                raise InputError("mode='hierarchical' embeds names; give a store that knows its embeddings.")
            self._names = _Names(self.library, self.store.embeddings, self.cache_dir)

    @classmethod
    def from_library(
        cls,
        library: TemplateLibrary | str | Path = "builtin",
        embeddings: str | Embeddings = "wordllama",
        k: int = 2,
        min_score: float | None = None,
        mode: Mode = "hybrid",
        cache_dir: str | Path | None = None,
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
        )

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        k = self.k if k is None else k
        if k < 1:
            raise InputError(f"k is {k}; a retriever returns at least 1 template. Set k >= 1.")
        query = _DRAWING.sub(" ", query).strip()  # code of a drawing: points and labels, no words about the method
        if not query:
            return []
        found = self._names.search(query) if self._names else self._by_store(query, k)
        kept = [(id, score) for id, score in found if score >= self.min_score][:k]
        return [self._document(self.library.get(id), score, self._ahead(rank, found)) for rank, (id, score) in enumerate(kept)]

    def _ahead(self, rank: int, found: Sequence[tuple[str, float]]) -> float:
        """How far the hit is ahead of the next one of another section."""
        section = self.library.get(found[rank][0]).section
        after = (score for id, score in found[rank + 1 :] if self.library.get(id).section != section)
        return found[rank][1] - next(after, 0.0)

    def _by_store(self, query: str, k: int) -> list[tuple[str, float]]:
        """(id, score), best first. `hybrid` looks at more neighbours and lets the words reorder them."""
        count = max(k, NEIGHBOURS) if self._bm25 else k
        try:
            hits = self.store.similarity_search_with_relevance_scores(query, count)
        except NotImplementedError:  # LangChain's InMemoryVectorStore, whose plain scores are cosines
            hits = self.store.similarity_search_with_score(query, count)
        scores = {document.id or "": score for document, score in hits}
        for weight, bm25 in self._bm25:
            for row, points in bm25.scores(query).items():
                id = self.library.templates[row].id
                if id in scores:
                    scores[id] += weight * points
        for formula in formulas(query) if self._stated else ():
            for id in self._stated.get(formula, ()) if len(formula) >= LONG else ():
                scores[id] = scores.get(id, 0.0) + SAME_FORMULA
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
        return show(retriever.invoke(query))

    async def asearch(query: str) -> str:
        return show(await retriever.ainvoke(query))

    return StructuredTool.from_function(
        func=search,
        coroutine=asearch,
        name="search_templates",
        description="Look up thought templates (abstract steps and an example) that fit a mathematics problem.",
        args_schema=_Query,
    )
