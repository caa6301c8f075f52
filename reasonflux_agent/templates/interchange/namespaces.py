"""A library in a LangGraph store, and the retriever that searches it there: a running graph sees what was learned since."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langgraph.config import get_store
from langgraph.store.base import BaseStore, Item, PutOp
from pydantic import Field, PrivateAttr, ValidationError

from reasonflux_agent.errors import InputError, LibraryError
from reasonflux_agent.schema import Template
from reasonflux_agent.templates.cleaning import Counts
from reasonflux_agent.templates.library import BROUGHT, TemplateLibrary
from reasonflux_agent.templates.reading import entry_of, parse
from reasonflux_agent.templates.retriever import TemplateRetriever

NAMESPACE = ("reasonflux", "templates")
"""Each library is in a namespace of its own below this one."""
INDEXED = ["name", "description"]
"""What a store with an index of its own embeds of a template."""
PAGE = 10_000
"""Items that are asked for at once."""


def put_library(store: BaseStore, library: TemplateLibrary) -> tuple[str, ...]:
    """Make a namespace of the store hold these templates, and no others; return the namespace.

    It is `("reasonflux", "templates", name of the library)`, with hyphens for dots; the keys are template ids, and the values
    the fields of `schema.Template`. In async code, call it by `asyncio.to_thread`.

    >>> from langgraph.store.memory import InMemoryStore
    >>> store = InMemoryStore()
    >>> put_library(store, TemplateLibrary.builtin())
    ('reasonflux', 'templates', 'builtin')
    """
    namespace = (*NAMESPACE, re.sub(r"\.+", "-", library.name) or "library")
    there = {item.key: item.value for item in _items(store, namespace) if item.namespace == namespace}
    wanted = {template.id: template.model_dump(mode="json") for template in library}
    changed = {id: value for id, value in wanted.items() if there.get(id) != value}
    for batch in ([PutOp(namespace, id, None) for id in there if id not in wanted], *_batches(namespace, changed)):
        store.batch(batch)
    return namespace


def get_library(store: BaseStore, namespace: tuple[str, ...] = NAMESPACE) -> TemplateLibrary:
    """Return the templates in a namespace of the store, and below it. Of two with one id, the one put later counts.

    Raises LibraryError for an item that is no template.
    """
    return _library(_latest(store, namespace), namespace)


class StoreRetriever(BaseRetriever):
    """Finds templates in a LangGraph store, as `TemplateRetriever` finds them in a library.

    Each search reads the namespace, so that it finds what was put there since the graph was compiled. What has not changed is
    not indexed again. A document carries its template, so the graph shows it whole, though its own library does not hold it.

    >>> from langgraph.store.memory import InMemoryStore
    >>> store = InMemoryStore()
    >>> retriever = StoreRetriever(store=store)
    >>> retriever.invoke("the last digit of a large power")
    []
    >>> namespace = put_library(store, TemplateLibrary.builtin())
    >>> retriever.invoke("the last digit of a large power")[0].metadata["name"]
    'Units digit by the cycle of powers'
    """

    store: BaseStore | None = None
    """None: the store that the running graph was compiled with (`runtime.store`)."""
    namespace: tuple[str, ...] = NAMESPACE
    """What is searched, with all namespaces below it. The default is all libraries."""
    embeddings: str | Embeddings = "wordllama"
    k: int = Field(default=8, ge=1)
    """Templates found for a query at most: more than the graph uses at once, so that a replacement finds others."""
    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _built: tuple[dict[str, Any], TemplateRetriever] | None = PrivateAttr(default=None)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        items = _latest(self._store(), self.namespace)
        if not items:
            return []
        with self._lock:
            if self._built is None or self._built[0] != items:
                library = _library(items, self.namespace)
                self._built = items, TemplateRetriever.from_library(library, self.embeddings, k=self.k)
            retriever = self._built[1]
        documents = retriever.invoke(query, {"callbacks": run_manager.get_child()})
        for document in documents:
            found = retriever.library.get(document.metadata["id"])
            partner = found.provenance.get("shown_with", "")
            shown = [found, *([retriever.library.get(partner)] if partner in retriever.library else [])]
            document.metadata[BROUGHT] = {template.id: template.model_dump(mode="json") for template in shown}
        return documents

    def _store(self) -> BaseStore:
        if self.store is not None:
            return self.store
        try:
            store = get_store()
        except (RuntimeError, KeyError):
            store = None
        if store is None:
            raise InputError(
                "The StoreRetriever was given no store, and no graph with a store is running. "
                "Next: compile the graph with one (`compile(store=...)`), or give it: StoreRetriever(store=...)."
            )
        return store


def _batches(namespace: tuple[str, ...], values: Mapping[str, dict[str, Any]]) -> list[list[PutOp]]:
    """Return the puts in as few batches as keep equal texts apart: InMemoryStore cannot index a text twice in one batch."""
    batches, texts = list[list[PutOp]](), list[set[str]]()
    for id, value in values.items():
        fields = INDEXED if value["name"] != value["description"] else INDEXED[:1]
        own = {value[field] for field in fields}
        number = next((number for number, known in enumerate(texts) if not known & own), len(batches))
        if number == len(batches):
            batches.append([])
            texts.append(set())
        batches[number].append(PutOp(namespace, id, value, fields))
        texts[number] |= own
    return batches


def _items(store: BaseStore, namespace: tuple[str, ...]) -> list[Item]:
    """Return all items in the namespace and below it."""
    items: list[Item] = []
    while len(page := store.search(namespace, limit=PAGE, offset=len(items))) == PAGE:
        items += page
    # an older store takes ("reasonflux", "templates2") for a namespace below ("reasonflux", "templates")
    return [item for item in (*items, *page) if item.namespace[: len(namespace)] == namespace]


def _latest(store: BaseStore, namespace: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return id -> value of the items, by id. Of two with one id, the one put later counts."""
    items = sorted(_items(store, namespace), key=lambda item: (item.updated_at, item.namespace))
    return dict(sorted({item.key: item.value for item in items}.items()))


def _library(items: dict[str, dict[str, Any]], namespace: tuple[str, ...]) -> TemplateLibrary:
    name = "/".join(namespace)
    return TemplateLibrary(tuple(_template(id, value, f"{name} in the store") for id, value in items.items()), name)


def _template(id: str, value: dict[str, Any], source: str) -> Template:
    """Return the template of an item, cleaned and checked as one of a file. Raises LibraryError."""
    try:
        template = Template.model_validate({**value, "id": id})
    except ValidationError as error:
        fault = error.errors()[0]
        raise LibraryError(
            f"Template library {source}: {id!r}: {'.'.join(map(str, fault['loc']))!r}: {fault['msg']}. Expected: the fields of "
            "a Template, as put_library writes them. Next: delete this item, or put it right."
        ) from None
    document = {template.chapter: {template.section: [{**entry_of(template), "id": id}]}}
    return parse(json.dumps(document).encode(), source, Counts())[0]
