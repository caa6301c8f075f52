"""How long it takes until something happens: the command, the import, a warm index."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

from tests.bench.timing import Row

IMPORT = "import time; t = time.perf_counter(); import reasonflux_agent; print(time.perf_counter() - t)"
INDEX = """
import sys, time
import faiss
from reasonflux_agent.templates import add_templates, index_library
from reasonflux_agent.templates.embeddings import load_embeddings
from reasonflux_agent.templates.large import LargeStore
from tests.bench.searching import library
templates, embedder = library(500), load_embeddings("wordllama")
index_library(templates, embedder, cache_dir=sys.argv[1])
store = LargeStore(embedder)
add_templates(store, templates)
store.save(sys.argv[1] + "/store")
t = time.perf_counter(); index_library(templates, embedder, cache_dir=sys.argv[1]); print(time.perf_counter() - t)
t = time.perf_counter(); LargeStore.load(sys.argv[1] + "/store", embedder); print(time.perf_counter() - t)
"""


def measure(repeats: int) -> Row:
    """Seconds; each in processes of its own, in turn."""
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for turn in range(repeats + 1):
            found = {
                "python_s": [_wall("-c", "pass")],
                "version_s": [_wall("-m", "reasonflux_agent.cli", "--version")],
                "import_s": _printed(IMPORT),
                "index_cached_vectors_s": (index := _printed(INDEX, cache))[:1],
                "index_saved_store_s": index[1:],
            }
            for name, values in found.items() if turn else ():
                taken.setdefault(name, []).extend(values)
    return {name: [round(f(values), 4) for f in (statistics.median, min, max)] for name, values in taken.items()}


def _wall(*arguments: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _printed(program: str, *arguments: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True)
    return [float(line) for line in done.stdout.split()]
