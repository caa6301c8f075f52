"""`make bench` is not a part of CI, and its programs are texts: a renamed function would break them unseen."""

from __future__ import annotations

from tests.bench import startup


def test_the_programs_of_the_bench_run() -> None:
    found = startup.measure(1)
    assert set(found) == {"python_s", "version_s", "import_s", "index_cached_vectors_s", "index_saved_store_s"}
    assert all(value > 0 for values in found.values() for value in values)
