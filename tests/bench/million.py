"""A million templates: made by recombining the built-in library, encoded by the default embedder, beside exact search.

`python -m tests.bench million [--folder DIR] [--templates N]`: the first time a quarter of an hour of an idle core, 4 GB of
memory and 8 GB of disk. Vectors, indexes and the store are kept in the folder, so that a second run only measures.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from reasonflux_agent.schema import Example, Template
from reasonflux_agent.templates import TemplateLibrary, add_templates, template_text
from reasonflux_agent.templates.embeddings import load_embeddings, unit_rows
from reasonflux_agent.templates.index import template_document
from reasonflux_agent.templates.large import LargeStore
from reasonflux_agent.templates.store import import_faiss
from tests.bench.timing import Row

SEED = 2502
K, QUERIES = 10, 600
JOINTS = ("with", "combined with", "by way of", "after", "in problems on", "checked by", "reduced to", "for")
OPENINGS = ("Applies when", "A variant for the case that", "Used where", "Helps as soon as")
KINDS: dict[str, tuple[int, ...]] = {
    "Flat": (0,),
    "IVF1024,Flat": (4, 8, 16, 32),
    "IVF1024,SQfp16": (4, 8, 16, 32),
    "IVF1024,SQ8": (8, 16, 32),
    "HNSW32": (32, 64, 128, 256),
}
"""Kinds of index by faiss's names, and how many cells or graph nodes a search visits at least."""
_NUMBER = re.compile(r"(?<![\w.^_{])\d{1,3}(?![\w.}])")


class Maker:
    """Templates by number, the same for the same number: a method, joined with parts of others of its chapter."""

    def __init__(self) -> None:
        self.own = [t for t in TemplateLibrary.builtin() if t.example and t.tags]
        self.chapters: dict[str, list[Template]] = {}
        for template in self.own:
            self.chapters.setdefault(template.chapter, []).append(template)

    def template(self, number: int) -> Template:
        """The template of that number."""
        draw = random.Random(SEED * 10_000_000 + number)
        first = draw.choice(self.own)
        second, third = draw.choice(self.chapters[first.chapter]), draw.choice(self.own)
        tags = list(dict.fromkeys((*first.tags, *second.tags, draw.choice(third.tags))))
        occasions = (*first.scenario, *second.scenario)
        told = draw.choice((first, second))
        return Template.model_construct(
            id=f"made/{number}",
            name=f"{first.name} {draw.choice(JOINTS)} {draw.choice((second.name.lower(), *second.tags, *third.tags))}",
            kind=first.kind,
            tags=tuple(draw.sample(tags, min(len(tags), draw.randint(2, 5)))),
            description=" ".join(
                (draw.choice((first, second)).description, draw.choice(OPENINGS), draw.choice(third.tags), "comes up.")
            ),
            scenario=tuple(draw.sample(occasions, min(len(occasions), draw.randint(1, 3)))),
            flow=(*first.flow[: draw.randint(1, 3)], *second.flow[-draw.randint(1, 3) :]),
            example=told.example and Example.model_construct(problem=renumbered(told.example.problem, draw)),
            chapter=first.chapter,
            section=first.section,
        )

    def templates(self, start: int, stop: int) -> Iterator[Template]:
        """Those of the numbers from start to before stop."""
        return map(self.template, range(start, stop))

    def queries(self, count: int) -> list[str]:
        """Half are problems like the examples, half are steps to be done, which no embedded text holds."""
        draw = random.Random(SEED)
        problems = [renumbered(t.example.problem, draw) for t in draw.choices(self.own, k=count // 2) if t.example]
        steps = [f"{draw.choice(t.flow)} {draw.choice(t.tags)}" for t in draw.choices(self.own, k=count - len(problems))]
        return [*problems, *steps]


def renumbered(text: str, draw: random.Random) -> str:
    """The text with other numbers of about the size in it."""
    return _NUMBER.sub(lambda found: str(draw.randint(2, 3 * int(found[0]) + 9)), text)


def measure(folder: Path, count: int) -> dict[str, list[Row]]:
    """Kinds of index at three sizes, then the store itself, end to end."""
    folder.mkdir(parents=True, exist_ok=True)
    import_faiss().omp_set_num_threads(1)
    maker = Maker()
    queries = maker.queries(QUERIES)
    rows = _encoded(maker, folder, count)
    vectors = unit_rows(load_embeddings("wordllama").embed_documents(queries))
    sizes = sorted({min(count, size) for size in (10_000, 100_000, count)})
    return {
        "million_indexes": [row for size in sizes for row in _indexes(rows[:size], vectors, folder)],
        "million_store": _store(maker, queries, rows, vectors, folder / f"store-{count}"),
    }


def _encoded(maker: Maker, folder: Path, count: int) -> Any:
    """count x 256 unit vectors, in a file that is mapped."""
    path = folder / f"vectors-{count}.npy"
    if not path.exists():
        embedder = load_embeddings("wordllama")
        part = path.with_suffix(".part")
        rows = np.lib.format.open_memmap(part, "w+", np.float32, (count, 256))
        for start in range(0, count, 10_000):
            texts = [template_text(t) for t in maker.templates(start, min(start + 10_000, count))]
            rows[start : start + len(texts)] = unit_rows(embedder.embed_documents(texts))
        rows.flush()
        part.rename(path)
    return np.load(path, mmap_mode="r")


def _indexes(rows: Any, queries: Any, folder: Path) -> Iterator[Row]:
    faiss = import_faiss()
    least = _least(rows, queries)
    for kind, knobs in KINDS.items():
        path = folder / f"{kind.replace(',', '-')}-{len(rows)}.faiss"
        built = path.with_suffix(".seconds")
        if not path.exists():
            begun = time.process_time()
            index = faiss.index_factory(rows.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
            if kind.startswith("IVF"):
                index.cp.max_points_per_centroid = 64
            else:
                with suppress(AttributeError):  # a flat one has none
                    index.hnsw.efConstruction = 80
            index.train(np.ascontiguousarray(rows[:: max(1, len(rows) // 65_536)]))
            for start in range(0, len(rows), 10_000):
                index.add(np.ascontiguousarray(rows[start : start + 10_000]))
                print(f"{kind}: {start:,} of {len(rows):,}", end="\r", file=sys.stderr)
            built.write_text(str(time.process_time() - begun))
            faiss.write_index(index, str(path))
        index = faiss.read_index(str(path))
        for knob in knobs:
            if kind.startswith("IVF"):
                index.nprobe = knob
            elif knob:
                index.hnsw.efSearch = knob
            found, times = [], []
            for query in queries:
                begun = time.thread_time()
                _, numbers = index.search(query[None], K)
                times.append(time.thread_time() - begun)
                found.append(numbers[0][numbers[0] >= 0])
            yield {
                "templates": len(rows),
                "index": kind,
                "visits": knob or "all",
                "build_s": round(float(built.read_text()), 1),
                "MB": round(path.stat().st_size / 1e6),
                **_recall(rows, queries, found, least),
                **_milliseconds(times),
            }


def _least(rows: Any, queries: Any) -> Any:
    """The K-th best exact score of each query."""
    exact = import_faiss().IndexFlatIP(rows.shape[1])
    exact.add(np.ascontiguousarray(rows))
    return exact.search(queries, K)[0][:, -1]


def _recall(rows: Any, queries: Any, found: list[Any], least: Any) -> Row:
    """A hit counts if its exact score is that of the K-th exact one or better: texts that are near alike take turns."""
    parts = [np.sum(rows[near] @ query >= last - 1e-6) / K for near, query, last in zip(found, queries, least, strict=True)]
    half = 1.96 * statistics.pstdev(parts) / len(parts) ** 0.5
    return {"recall@10": f"{statistics.fmean(parts):.3f} ± {half:.3f}"}


def _milliseconds(seconds: list[float]) -> Row:
    # of processor time: one thread searches, and on a machine that is shared the clock tells of the others
    ordered = sorted(seconds)
    middle, high = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    return {"median_ms": round(middle * 1000, 3), "p95_ms": round(high * 1000, 3)}


OPENING = """
import json, re, sys, time
from reasonflux_agent.templates.embeddings import load_embeddings
from reasonflux_agent.templates.large import LargeStore
import faiss
embedder = load_embeddings("wordllama")
embedder.embed_query("warm")
def megabytes(kind): return int(re.search(f"Rss{kind}:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
before = {kind: megabytes(kind) for kind in ("Anon", "File")}
begun = time.process_time()
store = LargeStore.load(sys.argv[1], embedder)
opened = time.process_time() - begun
store.similarity_search("sum of an arithmetic sequence", k=10)
first = time.process_time() - begun
more = {f"{kind}_MB": round(megabytes(kind) - before[kind]) for kind in before}
print(json.dumps({"open_ms": round(opened * 1e3, 1), "first_answer_ms": round(first * 1e3, 1), **more}))
"""


def _store(maker: Maker, queries: list[str], rows: Any, vectors: Any, folder: Path) -> list[Row]:
    """What LargeStore itself takes: built, saved, opened, searched by text, filtered, added to."""
    count, embedder = len(rows), load_embeddings("wordllama")
    noted = folder / "built.json"
    if not noted.exists():
        store, begun = LargeStore(embedder), time.process_time()
        for start in range(0, count, 10_000):
            templates = maker.templates(start, min(start + 10_000, count))
            store.add_vectors(rows[start : start + 10_000], [template_document(t) for t in templates])
        built = time.process_time() - begun
        store.save(folder)
        noted.write_text(json.dumps({"build_s": round(built, 1), "save_s": round(time.process_time() - begun - built, 1)}))
        del store
    opening = subprocess.run([sys.executable, "-c", OPENING, str(folder)], capture_output=True, text=True, check=True)
    done: list[Row] = []

    def note(what: str, value: Any, p95: Any = "", found: Any = "") -> None:
        done.append({"what": what, "value": value, "p95": p95, "found": found})

    for what, value in (json.loads(noted.read_text()) | json.loads(opening.stdout)).items():
        note(what, value)
    for path in sorted(folder.glob("*.[fs]*")):
        note(f"{path.suffix[1:]}_MB", round(path.stat().st_size / 1e6))
    store = LargeStore.load(folder, embedder)
    least = _least(rows, vectors)

    def timed(what: str, search: Callable[[str], list[Any]], number: int = QUERIES) -> list[list[Any]]:
        found, times = [], []
        for query in islice(queries, 0, None, QUERIES // number):
            begun = time.thread_time()
            found.append(search(query))
            times.append(time.thread_time() - begun)
        took = _milliseconds(times)
        note(f"{what}_ms", took["median_ms"], took["p95_ms"], statistics.fmean(map(len, found)))
        return found

    hits = timed("search", lambda query: store.similarity_search(query, k=K))
    numbers = [np.array([int((d.id or "").partition("/")[2]) for d in documents]) for documents in hits]
    note("recall@10", _recall(rows, vectors, numbers, least)["recall@10"])
    chapter, tag = maker.own[-1].chapter, maker.own[0].tags[0]
    for what, wanted in {"chapter": {"chapter": chapter}, "chapter_and_tag": {"chapter": chapter, "tags": tag}}.items():
        timed(f"filter_{what}", lambda query, wanted=wanted: store.similarity_search(query, k=K, filter=wanted), 60)
    timed("filter_function", lambda q: store.similarity_search(q, k=K, filter=lambda d: d.metadata["chapter"] == chapter), 3)
    timed("mmr", lambda query: store.max_marginal_relevance_search(query, k=K), 60)
    begun = time.process_time()
    add_templates(store, maker.templates(count, count + 1000))
    note("add_1000_s", round(time.process_time() - begun, 1))
    begun = time.process_time()
    store.save(folder.with_name(folder.name + "-more"))
    note("save_again_s", round(time.process_time() - begun, 1))
    timed("search_in_memory", lambda query: store.similarity_search(query, k=K))
    return done
