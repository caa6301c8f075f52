"""A store on disk: opened where it lies, changed, replaced under its readers, damaged."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document

from reasonflux_agent.errors import InputError
from reasonflux_agent.templates.embeddings import HashEmbeddings
from reasonflux_agent.templates.large import LargeStore
from reasonflux_agent.templates.store import import_faiss
from tests.retrieval.test_vectorstore import RNG, TEXTS, SmallStore, filled, found, numbered, random_store, reopened


def lies_in_file(store: LargeStore) -> bool:
    """Whether the documents and the vectors do."""
    faiss = import_faiss()
    return store._opened is not None and isinstance(
        faiss.downcast_InvertedLists(store._index.invlists), faiss.OnDiskInvertedLists
    )


@pytest.mark.parametrize("count", [0, 50, 300])
def test_what_is_saved_is_loaded(tmp_path: Path, count: int) -> None:
    store, rows = random_store(count, SmallStore)
    store.delete(["3"])
    again = reopened(store, tmp_path)
    assert len(again) == len(store)
    for query in RNG.normal(size=(20, 16)):
        hits = again.similarity_search_with_score_by_vector(list(query), k=7)
        assert hits == store.similarity_search_with_score_by_vector(list(query), k=7)
        chosen = again.max_marginal_relevance_search_by_vector(list(query), k=3)
        assert chosen == store.max_marginal_relevance_search_by_vector(list(query), k=3)
    ids = ["7", "3", "unknown", "40"]
    assert again.get_by_ids(ids) == store.get_by_ids(ids)
    if count:
        again.add_vectors([rows[3]], [Document(id="3", page_content="new")])
        assert found(again, rows[3], 1) == ["3"]
        assert len(again) == len(store) + 1


def test_a_large_store_is_read_where_it_lies_until_it_is_changed(tmp_path: Path) -> None:
    store, rows = random_store(300, SmallStore)
    store = reopened(store, tmp_path)
    assert lies_in_file(store)
    found(store, rows[0], 5, filter={"chapter": "c1"})
    assert lies_in_file(store)
    store.delete(["0"])
    assert not lies_in_file(store)
    assert "0" not in found(store, rows[0], 300)
    assert found(SmallStore.load(tmp_path, store.embeddings), rows[0], 1) == ["0"]  # the folder changes by `save` alone


def test_a_store_can_be_saved_where_it_was_read_and_elsewhere(tmp_path: Path) -> None:
    store, rows = random_store(300, SmallStore)
    first = reopened(store, tmp_path / "first")
    first.add_vectors([rows[5]], [numbered(300)])
    first.save(tmp_path / "first")
    first.add_vectors([rows[6]], [numbered(301)])
    first.delete(["5"])
    last = reopened(first, tmp_path / "second")
    for path in (tmp_path / "first").iterdir():
        path.unlink()
    assert len(last) == len(first) == 301
    assert set(found(last, rows[5], 2)) >= {"300"}
    assert "5" not in found(last, rows[5], 301)
    assert found(first, rows[6], 301) == found(last, rows[6], 301)  # files that are gone are still read by who opened them


def test_saving_again_leaves_two_files_and_no_pickle(tmp_path: Path) -> None:
    store = filled(LargeStore)
    store.save(tmp_path)
    store.delete(["a"])
    store.save(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2
    assert names[0] == "store.sqlite"
    assert names[1].endswith(".faiss")
    store.delete(["b", "c"])
    store.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["store.sqlite"]


def test_texts_that_no_encoding_knows_survive(tmp_path: Path) -> None:
    store = LargeStore(HashEmbeddings())
    odd = "\ud800 \x00 \U0001f600 a"
    store.add_texts([odd], [{odd: [odd]}], ids=[odd])
    (document,) = reopened(store, tmp_path).similarity_search("a", filter={odd: odd})
    assert (document.id, document.page_content, document.metadata) == (odd, odd, {odd: [odd]})


@pytest.mark.parametrize("bad", [object(), float("nan"), {1, 2}])
def test_metadata_that_json_cannot_hold_is_refused_and_the_old_state_kept(tmp_path: Path, bad: object) -> None:
    store = filled(LargeStore)
    store.save(tmp_path)
    with pytest.raises(InputError, match="'a' cannot be stored: its metadata is not JSON-plain"):
        store.add_texts(["new", "x"], [{}, {"bad": bad}], ids=["b", "a"])
    assert [document.page_content for document in store.get_by_ids(["a", "b", "c"])] == TEXTS
    store.save(tmp_path)
    assert len(LargeStore.load(tmp_path, HashEmbeddings())) == 3
    assert len(list(tmp_path.iterdir())) == 2


# Damage


def describe(folder: Path, **changes: object) -> None:
    with sqlite3.connect(folder / "store.sqlite") as file:
        (about,) = file.execute("SELECT value FROM about").fetchone()
        file.execute("UPDATE about SET value = ?", (json.dumps({**json.loads(about), **changes}),))


@pytest.mark.parametrize("content", [b"", b"{}", b"SQLite format 3\x00" + bytes(200), b"\xff" * 5000])
def test_a_file_that_is_no_store_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.sqlite").write_bytes(content)
    with pytest.raises(InputError, match="No vector store can be read from"):
        LargeStore.load(tmp_path, HashEmbeddings())


def test_a_folder_without_a_store_is_one_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="No vector store can be read from"):
            LargeStore.load(folder, HashEmbeddings())
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(
    "changes",
    [{"format": "reasonflux-faiss-1"}, {"next": "x"}, {"vectors": 5}, {"vectors": "../x"}, {"documents": 2}, {"bytes": 1}],
)
def test_a_description_that_does_not_fit_is_one_error(tmp_path: Path, changes: dict[str, object]) -> None:
    filled(LargeStore).save(tmp_path)
    describe(tmp_path, **changes)
    with pytest.raises(InputError, match="No vector store can be read from"):
        LargeStore.load(tmp_path, HashEmbeddings())


@pytest.mark.parametrize("name", ["*.faiss", "store.sqlite"])
@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.99])
def test_a_file_that_was_cut_is_one_error(tmp_path: Path, name: str, kept: float) -> None:
    store, _ = random_store(300, SmallStore)
    store.save(tmp_path)
    (path,) = tmp_path.glob(name)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match="No vector store can be read from"):
        SmallStore.load(tmp_path, store.embeddings)


def test_damage_in_the_middle_of_the_documents_is_one_error(tmp_path: Path) -> None:
    store, rows = random_store(300, SmallStore)
    store.save(tmp_path)
    path = tmp_path / "store.sqlite"
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"The documents in .*store\.sqlite cannot be read"):
        found(SmallStore.load(tmp_path, store.embeddings), rows[0], 300)


def test_the_embedder_must_be_the_one_that_made_the_vectors(tmp_path: Path) -> None:
    filled(LargeStore).save(tmp_path)
    with pytest.raises(InputError, match="made by 'hash-1-1024', and 'hash-1-64' is to search them"):
        LargeStore.load(tmp_path, HashEmbeddings(64))


# At once


READER = """
import sys, time
from tests.retrieval.test_vectorstore import RNG, DeterministicFakeEmbedding, SmallStore
read, until = 0, time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    store = SmallStore.load(sys.argv[1], DeterministicFakeEmbedding(size=16))
    (generation,) = {d.page_content for d in store.similarity_search_by_vector([1.0] * 16, k=len(store))}  # one state, whole
    assert len(store) == 150 + int(generation) % 7, (len(store), generation)
    assert store.similarity_search_by_vector([1.0] * 16, k=3, filter={"generation": int(generation)})
    read += 1
print(read)
"""


def test_two_processes_read_whole_states_while_a_third_saves(tmp_path: Path) -> None:
    empty, rows = random_store(160, SmallStore)

    def save(generation: int) -> None:
        store = SmallStore(empty.embeddings)
        count = 150 + generation % 7
        about = {"page_content": str(generation), "metadata": {"generation": generation}}
        store.add_vectors(rows[:count], [Document(id=str(i), **about) for i in range(count)])
        store.save(tmp_path)

    save(0)
    command = [sys.executable, "-c", READER, str(tmp_path), "1"]
    piped: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "cwd": Path(__file__).parents[2],
    }
    readers = [subprocess.Popen(command, **piped) for _ in range(2)]
    generation = 0
    while any(reader.poll() is None for reader in readers):
        generation += 1
        save(generation)
        time.sleep(0.005)
    for reader in readers:
        out, errors = reader.communicate()
        assert reader.returncode == 0, errors
        assert int(out) > 1
    assert generation > 1
    assert len(list(tmp_path.iterdir())) == 2


def test_two_writers_and_a_reader_never_meet_half_a_store(tmp_path: Path) -> None:
    filled(LargeStore).save(tmp_path)

    def write() -> None:
        for _ in range(25):
            filled(LargeStore).save(tmp_path)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for _ in range(40):
        assert len(LargeStore.load(tmp_path, HashEmbeddings())) == 3
    for writer in writers:
        writer.join()
    assert len(LargeStore.load(tmp_path, HashEmbeddings())) == 3


def test_threads_search_one_opened_store(tmp_path: Path) -> None:
    store, _ = random_store(600, SmallStore)
    store = reopened(store, tmp_path)
    queries = RNG.normal(size=(40, 16))
    alone = [found(store, query, 20, filter={"chapter": "c1"}) for query in queries]

    def search(query: np.ndarray) -> list[str]:
        store.max_marginal_relevance_search_by_vector(list(query), k=3)
        return found(store, query, 20, filter={"chapter": "c1"})

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(search, list(queries) * 5)) == alone * 5
