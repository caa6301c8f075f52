"""Vectors by number in a FAISS index: compared one by one while they are few, sorted into cells above."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reasonflux_agent.errors import InputError, MissingExtraError
from reasonflux_agent.templates.retrieval.embeddings import unit_rows


def import_faiss() -> Any:
    """The faiss module. Raises MissingExtraError."""
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("The vector index", "faiss-cpu (or faiss-gpu)", "cpu") from error
    return faiss


@dataclass
class Vectors:
    """Unit vectors by number; scores are cosines. An array is n x d float32, numbers are int64."""

    exact_up_to: int
    """So many are compared one by one; above, they lie in cells as 16-bit floats, and the nearest cells are searched."""
    cells: int
    probes: int
    """How many cells a search looks into."""
    _index: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return 0 if self._index is None else self._index.ntotal

    @property
    def in_cells(self) -> int:
        """Into how many cells they are sorted; 0: they are compared one by one."""
        return getattr(self._index, "nlist", 0)

    def unit(self, vectors: Any) -> Any:
        """Rows of length 1 (a zero row stays zero), checked against those that are there. Raises InputError."""
        import numpy as np

        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        if rows.ndim != 2 or not np.isfinite(rows).all():
            raise InputError(f"Vectors must be a row of finite numbers a text; not the shape {rows.shape}. Check the embedder.")
        if self._index is not None and rows.shape[1] != self._index.d:
            raise InputError(
                f"The index holds vectors of {self._index.d} numbers; these have {rows.shape[1]}. "
                "Next: use the embedder that built it."
            )
        return unit_rows(rows)

    def add(self, rows: Any, numbers: Any) -> None:
        """Adds rows that `unit` made, under numbers that are not taken. The cells are chosen when the first are needed."""
        import numpy as np

        faiss, width = import_faiss(), rows.shape[1]
        if self._index is None:
            self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(width))
        old = self._changeable()
        if not self.in_cells and old.ntotal + len(rows) > self.exact_up_to:
            if old.ntotal:
                rows = np.concatenate([old.index.reconstruct_n(0, old.ntotal), rows])
                numbers = np.concatenate([faiss.vector_to_array(old.id_map), numbers])
            cells = max(1, min(self.cells, len(rows) // 39))  # with fewer vectors a cell, faiss warns
            self._index = faiss.index_factory(width, f"IVF{cells},SQfp16", faiss.METRIC_INNER_PRODUCT)
            self._index.cp.max_points_per_centroid = 64  # more cost time and change nothing
            self._index.train(rows)
        self._index.add_with_ids(rows, numbers)

    def remove(self, numbers: Any) -> None:
        """Removes vectors that are there."""
        self._changeable().remove_ids(numbers)
        if not self._index.ntotal:
            self._index = None

    def search(self, query: Any, k: int, among: Any = None) -> list[tuple[int, float]]:
        """(number, cosine) of the k nearest to a 1 x d query, best first; with `among`, exactly those of these numbers."""
        k = min(k, len(self) if among is None else len(among))
        if k < 1:
            return []
        faiss, options = import_faiss(), {}
        if among is not None:
            options["sel"] = faiss.IDSelectorBatch(among)
        if cells := self.in_cells:
            enough = -(-4 * k * cells // len(self))  # for the cells to hold k with ease
            options["nprobe"] = cells if among is not None else max(self.probes, enough)
        params = (faiss.SearchParametersIVF if cells else faiss.SearchParameters)(**options)
        scores, numbers = self._index.search(query, k, params=params)
        return [(n, s) for n, s in zip(numbers[0].tolist(), scores[0].tolist(), strict=True) if n >= 0]

    def get(self, numbers: Any) -> Any:
        """The vectors of numbers that are there."""
        with self._lock:
            if self.in_cells and self._index.direct_map.no():
                self._index.set_direct_map_type(import_faiss().DirectMap.Hashtable)
        return self._index.reconstruct_batch(numbers)

    def write(self, path: Path) -> None:
        """Writes what `read` reads; there must be vectors."""
        import_faiss().write_index(self._changeable(), str(path))

    def read(self, path: Path) -> None:
        """Takes the vectors of a file. Cells are read where they lie, so the file must not be changed. Raises RuntimeError."""
        faiss = import_faiss()
        mapped = hasattr(faiss, "OnDiskInvertedLists")  # not on Windows
        self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if mapped else 0)
        if self.in_cells and mapped:
            faiss.downcast_InvertedLists(self._index.invlists).prefetch_nthread = 0  # else 32 threads start for each search

    def _changeable(self) -> Any:
        """The index, its cells copied into memory where they lie in a file."""
        faiss = import_faiss()
        if self.in_cells:
            self._index.set_direct_map_type(faiss.DirectMap.NoMap)
            there = faiss.downcast_InvertedLists(self._index.invlists)
            if not isinstance(there, faiss.ArrayInvertedLists):
                here = faiss.ArrayInvertedLists(there.nlist, there.code_size)
                there.copy_subset_to(here, faiss.InvertedLists.SUBSET_TYPE_ID_RANGE, 0, 2**62)
                self._index.replace_invlists(here, True)
                here.this.disown()
        return self._index
