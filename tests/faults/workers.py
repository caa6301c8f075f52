"""What the processes of test_sharing do; each `work(seed, stop, ...)` goes on until the file `stop` is there, or fails."""

from __future__ import annotations

import os
import random
from pathlib import Path

from langchain_core.documents import Document

from reasonflux_agent.models.local.fetch import ensure
from reasonflux_agent.templates import TemplateLibrary, index_library, template_text
from reasonflux_agent.templates.embeddings import load_embeddings
from reasonflux_agent.templates.large import LargeStore

EXACT = 0.9999
"""The cosine of a text with itself, nearly."""


def embed(seed: int, stop: Path, cache: Path) -> None:
    """Indexes parts of the library, a new part each time, with vectors that all processes keep in one cache."""
    templates, chance = TemplateLibrary.builtin().templates, random.Random(seed)
    while not stop.exists():
        part = TemplateLibrary(tuple(chance.sample(templates, chance.randint(1, 200))))
        store = index_library(part, "hash", cache_dir=cache)
        assert len(store) == len(part)
        for template in chance.sample(part.templates, min(5, len(part))):
            ((_, score),) = store.similarity_search_with_score(template_text(template), k=1)
            assert score > EXACT


def index(seed: int, stop: Path, folder: Path) -> None:
    """Saves one of two states of a store, or loads what is there and looks whether it is one of them, whole."""
    chance = random.Random(seed)
    while not stop.exists():
        if chance.random() < 0.4:
            state(chance.choice("ab")).save(folder)
        else:
            check(LargeStore.load(folder, load_embeddings("hash")))


def state(name: str) -> LargeStore:
    """The state `a`, of 200 documents, or `b`, of 300."""
    store = LargeStore(load_embeddings("hash"))
    texts = [f"{name} {number}" for number in range({"a": 200, "b": 300}[name])]
    store.add_texts(texts, ids=texts)
    return store


def check(store: LargeStore) -> None:
    """Whether all documents are of one state, and each is found by its own vector."""
    name = "a" if len(store) == 200 else "b"
    for number in range(0, {"a": 200, "b": 300}[name], 37):
        ((found, score),) = store.similarity_search_with_score(f"{name} {number}", k=1)
        assert isinstance(found, Document)
        assert (found.id, score > EXACT) == (f"{name} {number}", True)


def library(seed: int, stop: Path, path: Path) -> None:
    """Replaces a library file, or loads it, alone or with its folder."""
    templates, chance = TemplateLibrary.builtin().templates, random.Random(seed)
    states = [TemplateLibrary(templates[:150]), TemplateLibrary(templates[100:400])]
    while not stop.exists():
        if chance.random() < 0.4:
            chance.choice(states).save(path)
        else:
            assert TemplateLibrary.load(chance.choice([path, path.parent])) in states


def download(seed: int, stop: Path, cache: Path, hub: str, name: str, size: int) -> None:
    """Asks for a model file once."""
    os.environ |= {"REASONFLUX_CACHE": str(cache), "HF_ENDPOINT": hub}
    assert ensure(name).stat().st_size == size
