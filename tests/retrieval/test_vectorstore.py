"""The FAISS store: LangChain's own tests, cosine scores, deletion on both kinds of index, and what lies on disk."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from reasonflux_agent.errors import InputError
from reasonflux_agent.retrieval.embeddings import HashEmbeddings
from reasonflux_agent.retrieval.vectorstore import FaissStore

RNG = np.random.default_rng(7)
TEXTS = ["the cat sat", "a dog ran far", "the cat ran"]


class TestLangChainStandard(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> FaissStore:
        return FaissStore(self.get_embeddings())


def filled() -> FaissStore:
    return FaissStore.from_texts(TEXTS, HashEmbeddings(), [{"n": i} for i in range(3)], ids=["a", "b", "c"])


class SmallStore(FaissStore):
    """Goes over to the graph early: 50,000 vectors would take too long here."""

    exact_up_to = 100


def random_store(count: int, kind: type[FaissStore] = FaissStore) -> tuple[FaissStore, np.ndarray]:
    rows = RNG.normal(size=(count, 16)).astype(np.float32)
    store = kind(DeterministicFakeEmbedding(size=16))
    store.add_vectors(rows, [Document(id=str(i), page_content=f"text {i}") for i in range(count)])
    return store, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_scores_are_cosines_and_the_best_comes_first() -> None:
    hits = filled().similarity_search_with_score("the cat sat", k=3)
    assert [document.id for document, _ in hits] == ["a", "c", "b"]
    assert hits[0][1] == pytest.approx(1.0, abs=1e-6)
    vectors = np.array(HashEmbeddings().embed_documents(["the cat sat", "the cat ran"]))
    cosine = vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1])
    assert hits[1][1] == pytest.approx(cosine, abs=1e-5)


def test_relevance_is_the_cosine_clipped_to_zero_and_one() -> None:
    store = FaissStore(HashEmbeddings())
    store.add_vectors([[1.0, 0.0], [-1.0, 0.0], [1.0, 1.0]], [Document(id=i, page_content=i) for i in "abc"])

    class East(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[2.0, 0.0] for _ in texts]

        def embed_query(self, text: str) -> list[float]:
            return [2.0, 0.0]

    store._embeddings = East()
    found = {d.id: score for d, score in store.similarity_search_with_relevance_scores("x", k=3)}
    assert found == {"a": pytest.approx(1.0), "b": 0.0, "c": pytest.approx(0.5**0.5)}


def test_every_neighbour_is_the_exact_one() -> None:
    store, rows = random_store(500)
    for query in RNG.normal(size=(20, 16)):
        best = np.argsort(-(rows @ query))[:5]
        assert [d.id for d, _ in store.similarity_search_with_score_by_vector(list(query), k=5)] == [str(i) for i in best]


def test_deleted_documents_are_not_found_and_ids_can_be_used_again() -> None:
    store = filled()
    assert store.delete(["a", "unknown"]) is True
    assert [d.id for d in store.similarity_search("the cat sat", k=5)] == ["c", "b"]
    store.add_texts(["the cat sat"], ids=["a"])
    assert store.similarity_search("the cat sat", k=1)[0].id == "a"
    assert store.delete(["a", "b", "c"])
    assert len(store) == 0
    assert store.similarity_search("anything") == []
    assert store.delete() is False


def test_of_one_id_twice_in_one_call_the_last_counts() -> None:
    store = FaissStore(HashEmbeddings())
    assert store.add_texts(["old", "new"], ids=["x", "x"]) == ["x", "x"]
    assert [d.page_content for d in store.get_by_ids(["x"])] == ["new"]
    assert len(store.similarity_search("old", k=5)) == 1


def test_more_results_than_documents_and_none_at_all() -> None:
    assert len(filled().similarity_search("cat", k=10)) == 3
    assert filled().similarity_search("cat", k=0) == []


def test_a_text_without_words_finds_something_with_score_zero() -> None:
    hits = filled().similarity_search_with_score("???", k=1)
    assert hits[0][1] == 0.0


def test_marginal_relevance_prefers_variety() -> None:
    store = FaissStore(HashEmbeddings())
    vectors = [[1.0, 0.0, 0.0], [0.99, 0.05, 0.0], [0.6, 0.0, 0.8]]
    store.add_vectors(vectors, [Document(id=i, page_content=i) for i in "abc"])
    by = store.max_marginal_relevance_search_by_vector
    assert [d.id for d in by([1.0, 0.1, 0.1], k=2, lambda_mult=1.0)] == ["b", "a"]
    assert [d.id for d in by([1.0, 0.1, 0.1], k=2, lambda_mult=0.3)] == ["b", "c"]
    assert len(by([1.0, 0.0, 0.0], k=9)) == 3
    assert FaissStore(HashEmbeddings()).max_marginal_relevance_search("x") == []


def test_changing_a_result_leaves_the_store_alone() -> None:
    store = filled()
    store.similarity_search("the cat sat", k=1)[0].metadata["n"] = 99
    assert store.get_by_ids(["a"])[0].metadata == {"n": 0}


@pytest.mark.parametrize(
    ("vectors", "documents", "message"),
    [
        ([[1.0, float("nan")]], ["x"], "finite numbers"),
        ([1.0, 2.0], ["x"], "finite numbers"),
        ([[1.0, 2.0, 3.0]], ["x"], "holds vectors of 2 numbers; these have 3"),
        ([[1.0, 2.0]], ["x", "y"], "2 documents came with 1 vectors"),
        ([[1.0, 2.0]], [None], "without an id"),
    ],
)
def test_vectors_that_do_not_fit_are_refused_and_change_nothing(
    vectors: list[Any], documents: list[str | None], message: str
) -> None:
    store = FaissStore(HashEmbeddings())
    store.add_vectors([[1.0, 0.0]], [Document(id="x", page_content="kept")])
    with pytest.raises(InputError, match=message):
        store.add_vectors(vectors, [Document(id=id, page_content="new") for id in documents])
    assert store.get_by_ids(["x"])[0].page_content == "kept"
    assert len(store) == 1


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="2 texts came with 1 metadatas and 2 ids"):
        filled().add_texts(["x", "y"], [{}], ids=["x", "y"])


def test_large_stores_search_a_graph_that_agrees_with_exact_search() -> None:
    store, rows = random_store(1200, SmallStore)
    assert store._approximate
    queries = RNG.normal(size=(20, 16))
    same = 0
    for query in queries:
        exact = {str(i) for i in np.argsort(-(rows @ query))[:10]}
        same += len(exact & {d.id for d, _ in store.similarity_search_with_score_by_vector(list(query), k=10)})
    assert same >= 0.95 * 200


def test_a_graph_forgets_what_is_deleted_and_replaced() -> None:
    store, rows = random_store(60, SmallStore)
    more = RNG.normal(size=(60, 16)).astype(np.float32)
    store.add_vectors(more, [Document(id=str(i), page_content=f"text {i}") for i in range(60, 120)])
    assert store._approximate
    for number in range(5):  # few: they are skipped
        store.delete([str(number)])
        hits = store.similarity_search_by_vector(list(rows[number]), k=500)
        assert len(hits) == 119 - number
        assert str(number) not in {d.id for d in hits}
    store.delete([str(i) for i in range(5, 40)])  # many: the graph is built anew, and is small enough to be exact
    assert not store._approximate
    assert store._index.ntotal == len(store) == 80


@pytest.mark.parametrize("count", [0, 50, 200])
def test_what_is_saved_is_loaded(tmp_path: Path, count: int) -> None:
    store, _ = random_store(count, SmallStore)
    store.delete(["3"])
    store.save(tmp_path)
    again = SmallStore.load(tmp_path, store.embeddings)
    query = list(RNG.normal(size=16))
    assert again.similarity_search_with_score_by_vector(query, k=7) == store.similarity_search_with_score_by_vector(query, k=7)
    again.add_vectors([query], [Document(id="3", page_content="new")])
    assert again.similarity_search_by_vector(query, k=1)[0].id == "3"
    assert len(again) == len(store) + 1


def test_saving_again_leaves_one_index_and_no_pickle(tmp_path: Path) -> None:
    store = filled()
    store.save(tmp_path)
    store.delete(["a"])
    store.save(tmp_path)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert len(names) == 2
    assert names[0] == "store.json"
    assert names[1].endswith(".faiss")
    assert json.loads((tmp_path / "store.json").read_text())["index"] == names[1]


def test_metadata_that_json_cannot_hold_is_refused_and_the_old_state_kept(tmp_path: Path) -> None:
    store = filled()
    store.save(tmp_path)
    store.add_texts(["x"], [{"bad": object()}], ids=["x"])
    with pytest.raises(InputError, match="metadata is not JSON-plain"):
        store.save(tmp_path)
    assert len(FaissStore.load(tmp_path, HashEmbeddings())) == 3


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff", b'{"format": "reasonflux-faiss-1"}', b'{"format": "reasonflux-faiss-1", "index": 5}'],
)
def test_a_broken_folder_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.json").write_bytes(content)
    with pytest.raises(InputError, match="No vector store can be read from"):
        FaissStore.load(tmp_path, HashEmbeddings())


def test_a_truncated_index_is_one_error(tmp_path: Path) -> None:
    filled().save(tmp_path)
    (index,) = tmp_path.glob("*.faiss")
    index.write_bytes(index.read_bytes()[:100])
    with pytest.raises(InputError, match="No vector store can be read from"):
        FaissStore.load(tmp_path, HashEmbeddings())


def test_two_writers_and_a_reader_never_meet_half_a_store(tmp_path: Path) -> None:
    filled().save(tmp_path)

    def write() -> None:
        for _ in range(25):
            filled().save(tmp_path)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for _ in range(40):
        assert len(FaissStore.load(tmp_path, HashEmbeddings())) == 3
    for writer in writers:
        writer.join()
    assert len(FaissStore.load(tmp_path, HashEmbeddings())) == 3
