"""The FAISS store: LangChain's own tests, cosine scores, filters, and deletion, on both kinds of index."""

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from reasonflux_agent.errors import InputError
from reasonflux_agent.templates.embeddings import HashEmbeddings
from reasonflux_agent.templates.large import LargeStore
from reasonflux_agent.templates.store import FaissStore

RNG = np.random.default_rng(7)
TEXTS = ["the cat sat", "a dog ran far", "the cat ran"]


BOTH = pytest.mark.parametrize("kind", [FaissStore, LargeStore])
Stored = TypeVar("Stored", bound=FaissStore)


class TestLangChainStandard(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> FaissStore:
        return FaissStore(self.get_embeddings())


class TestLangChainStandardOfLarge(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> LargeStore:
        return LargeStore(self.get_embeddings())


def filled(kind: type[Stored]) -> Stored:
    return kind.from_texts(TEXTS, HashEmbeddings(), [{"n": i} for i in range(3)], ids=["a", "b", "c"])


class SmallStore(LargeStore):
    """Goes over to cells early: 50,000 vectors would take too long here."""

    exact_up_to = 100


def numbered(i: int) -> Document:
    return Document(id=str(i), page_content=f"text {i}", metadata={"chapter": f"c{i % 7}", "tags": [f"a{i % 5}", f"b{i % 3}"]})


def found(store: FaissStore, query: np.ndarray, k: int, **options: Any) -> list[str]:
    return [document.id or "" for document in store.similarity_search_by_vector(list(query), k=k, **options)]


def random_store(count: int, kind: type[Stored]) -> tuple[Stored, np.ndarray]:
    rows = RNG.normal(size=(count, 16)).astype(np.float32)
    store = kind(DeterministicFakeEmbedding(size=16))
    store.add_vectors(rows, [numbered(i) for i in range(count)])
    return store, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def reopened(store: LargeStore, folder: Path) -> LargeStore:
    store.save(folder)
    return type(store).load(folder, store.embeddings)


@BOTH
def test_scores_are_cosines_and_the_best_comes_first(kind: type[FaissStore]) -> None:
    hits = filled(kind).similarity_search_with_score("the cat sat", k=3)
    assert [document.id for document, _ in hits] == ["a", "c", "b"]
    assert hits[0][1] == pytest.approx(1.0, abs=1e-6)
    vectors = np.array(HashEmbeddings().embed_documents(["the cat sat", "the cat ran"]))
    cosine = vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1])
    assert hits[1][1] == pytest.approx(cosine, abs=1e-5)


@BOTH
def test_relevance_is_the_cosine_clipped_to_zero_and_one(kind: type[FaissStore]) -> None:
    store = kind(HashEmbeddings())
    store.add_vectors([[1.0, 0.0], [-1.0, 0.0], [1.0, 1.0]], [Document(id=i, page_content=i) for i in "abc"])

    class East(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[2.0, 0.0] for _ in texts]

        def embed_query(self, text: str) -> list[float]:
            return [2.0, 0.0]

    store._embeddings = East()
    found = {d.id: score for d, score in store.similarity_search_with_relevance_scores("x", k=3)}
    assert found == {"a": pytest.approx(1.0), "b": 0.0, "c": pytest.approx(0.5**0.5)}


@BOTH
def test_every_neighbour_is_the_exact_one(kind: type[FaissStore]) -> None:
    store, rows = random_store(500, kind)
    for query in RNG.normal(size=(20, 16)):
        best = np.argsort(-(rows @ query))[:5]
        assert [d.id for d, _ in store.similarity_search_with_score_by_vector(list(query), k=5)] == [str(i) for i in best]


@BOTH
def test_deleted_documents_are_not_found_and_ids_can_be_used_again(kind: type[FaissStore]) -> None:
    store = filled(kind)
    assert store.delete(["a", "unknown"]) is True
    assert [d.id for d in store.similarity_search("the cat sat", k=5)] == ["c", "b"]
    store.add_texts(["the cat sat"], ids=["a"])
    assert store.similarity_search("the cat sat", k=1)[0].id == "a"
    assert store.delete(["a", "b", "c"])
    assert len(store) == 0
    assert store.similarity_search("anything") == []
    assert store.delete() is False


@BOTH
def test_of_one_id_twice_in_one_call_the_last_counts(kind: type[FaissStore]) -> None:
    store = kind(HashEmbeddings())
    assert store.add_texts(["old", "new"], ids=["x", "x"]) == ["x", "x"]
    assert [d.page_content for d in store.get_by_ids(["x"])] == ["new"]
    assert len(store.similarity_search("old", k=5)) == 1


@BOTH
def test_more_results_than_documents_and_none_at_all(kind: type[FaissStore]) -> None:
    assert len(filled(kind).similarity_search("cat", k=10)) == 3
    assert filled(kind).similarity_search("cat", k=0) == []


@BOTH
def test_a_text_without_words_finds_something_with_score_zero(kind: type[FaissStore]) -> None:
    hits = filled(kind).similarity_search_with_score("???", k=1)
    assert hits[0][1] == 0.0


@BOTH
def test_marginal_relevance_prefers_variety(kind: type[FaissStore]) -> None:
    store = kind(HashEmbeddings())
    vectors = [[1.0, 0.0, 0.0], [0.99, 0.05, 0.0], [0.6, 0.0, 0.8]]
    store.add_vectors(vectors, [Document(id=i, page_content=i) for i in "abc"])
    by = store.max_marginal_relevance_search_by_vector
    assert [d.id for d in by([1.0, 0.1, 0.1], k=2, lambda_mult=1.0)] == ["b", "a"]
    assert [d.id for d in by([1.0, 0.1, 0.1], k=2, lambda_mult=0.3)] == ["b", "c"]
    assert len(by([1.0, 0.0, 0.0], k=9)) == 3
    assert kind(HashEmbeddings()).max_marginal_relevance_search("x") == []


@BOTH
def test_changing_a_result_leaves_the_store_alone(kind: type[FaissStore]) -> None:
    store = filled(kind)
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
@BOTH
def test_vectors_that_do_not_fit_are_refused_and_change_nothing(
    kind: type[FaissStore], vectors: list[Any], documents: list[str | None], message: str
) -> None:
    store = kind(HashEmbeddings())
    store.add_vectors([[1.0, 0.0]], [Document(id="x", page_content="kept")])
    with pytest.raises(InputError, match=message):
        store.add_vectors(vectors, [Document(id=id, page_content="new") for id in documents])
    assert store.get_by_ids(["x"])[0].page_content == "kept"
    assert len(store) == 1


@BOTH
def test_lists_of_different_lengths_are_refused(kind: type[FaissStore]) -> None:
    with pytest.raises(InputError, match="2 texts came with 1 metadatas and 2 ids"):
        filled(kind).add_texts(["x", "y"], [{}], ids=["x", "y"])


def test_large_stores_search_cells_and_agree_with_exact_search() -> None:
    store, rows = random_store(1200, SmallStore)
    assert store._cells == 30
    queries = RNG.normal(size=(50, 16))
    same = 0
    for query in queries:
        exact = {str(i) for i in np.argsort(-(rows @ query))[:10]}
        same += len(exact & set(found(store, query, 10)))
    assert same >= 0.95 * 500
    hits = store.similarity_search_with_score_by_vector(list(rows[3]), k=1)
    assert hits[0][1] == pytest.approx(1.0, abs=2e-3)  # 16-bit floats
    assert len(found(store, queries[0], 2000)) == 1200


@pytest.mark.parametrize("step", [7, 60, 400])
def test_adding_bit_by_bit_finds_what_adding_at_once_finds(step: int) -> None:
    whole, rows = random_store(400, SmallStore)
    store = SmallStore(whole.embeddings)
    for begin in range(0, 400, step):
        some = range(begin, min(begin + step, 400))
        store.add_vectors(rows[begin : begin + step], [numbered(i) for i in some])
        assert found(store, rows[begin], 1) == [str(begin)]
    assert len(store) == 400
    for query in RNG.normal(size=(10, 16)):
        among = {str(i) for i in range(400)}
        assert set(found(store, query, 400)) == set(found(whole, query, 400)) == among


def test_adding_to_cells_trains_nothing_anew() -> None:
    store, _ = random_store(200, SmallStore)
    quantizer = store._index.quantizer.this
    more = RNG.normal(size=(50, 16))
    store.add_vectors(more, [numbered(i) for i in range(200, 250)])
    assert store._index.quantizer.this == quantizer
    assert found(store, more[7], 1) == ["207"]


@pytest.mark.parametrize("kind", [FaissStore, LargeStore, SmallStore])
def test_what_is_deleted_or_replaced_is_gone(kind: type[FaissStore]) -> None:
    store, rows = random_store(300, kind)
    store.delete([str(i) for i in range(0, 300, 2)])
    assert len(store) == len(store.get_by_ids([str(i) for i in range(300)])) == 150
    for number in range(0, 20, 2):
        near = found(store, rows[number], 300)
        assert len(near) == 150
        assert str(number) not in near
    store.add_vectors([-rows[1]], [numbered(1)])
    assert found(store, -rows[1], 1) == ["1"]
    assert "1" not in found(store, rows[1], 100)
    store.delete([str(i) for i in range(300)])
    assert found(store, rows[1], 3) == []


# Filters


FILTERS: list[tuple[Any, Any]] = [
    ({"chapter": "c3"}, lambda i: i % 7 == 3),
    ({"tags": "a2"}, lambda i: i % 5 == 2),
    ({"tags": ["a2", "b1"]}, lambda i: i % 5 == 2 or i % 3 == 1),
    ({"chapter": ["c1", "c2"], "tags": ["a0"]}, lambda i: i % 7 in (1, 2) and i % 5 == 0),
    ({"chapter": "c9"}, lambda i: False),
    ({"nothing": None}, lambda i: False),
    ({"chapter": []}, lambda i: False),
    (lambda document: document.id.endswith("77"), lambda i: i % 100 == 77),
    ({}, lambda i: True),
]


FILTERED = [(FaissStore, False), (LargeStore, False), (LargeStore, True), (SmallStore, False), (SmallStore, True)]


@pytest.fixture(scope="module", params=FILTERED)
def filtered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[FaissStore, np.ndarray]:
    """Stores that look into all cells, so that what is found is exact; in memory and opened from a folder."""
    kind, saved = request.param
    store, rows = random_store(900, type("Thorough", (kind,), {"probes": 1000}))
    return (reopened(store, tmp_path_factory.mktemp("store")) if saved else store), rows


@pytest.mark.parametrize(("filter", "passes"), FILTERS)
def test_a_filter_gives_the_nearest_of_those_that_pass(
    filtered: tuple[FaissStore, np.ndarray], filter: Any, passes: Any
) -> None:
    store, rows = filtered
    fitting = [i for i in range(900) if passes(i)]
    for query in RNG.normal(size=(5, 16)):
        best = sorted((float(rows[i] @ query) for i in fitting), reverse=True)[:5]
        near = [int(id) for id in found(store, query, 5, filter=filter)]
        assert all(map(passes, near))
        assert [float(rows[i] @ query) for i in near] == pytest.approx(best, abs=5e-3)  # 16-bit floats may swap neighbours
        chosen = store.max_marginal_relevance_search_by_vector(list(query), k=5, filter=filter)
        assert len(chosen) == min(5, len(fitting))
        assert all(passes(int(document.id or "")) for document in chosen)
    assert len(found(store, query, 1000, filter=filter)) == len(fitting)


def test_a_rare_document_is_found_however_far_it_is() -> None:
    """The filter is asked of all documents, not of the nearest only."""
    store, rows = random_store(2000, SmallStore)
    store.add_vectors([-rows[0]], [Document(id="far", page_content="x", metadata={"chapter": "rare"})])
    assert found(store, rows[0], 3, filter={"chapter": "rare"}) == ["far"]
    assert found(store, rows[0], 3, filter=lambda document: document.metadata["chapter"] == "rare") == ["far"]


def test_filters_follow_what_changes_after_loading(tmp_path: Path) -> None:
    store, rows = random_store(300, SmallStore)
    store = reopened(store, tmp_path)
    store.delete(["3", "10"])
    store.add_vectors([rows[3]], [Document(id="new", page_content="x", metadata={"chapter": "c3"})])
    for again in (store, reopened(store, tmp_path)):
        ids = found(again, rows[3], 300, filter={"chapter": "c3"})
        assert ids[0] == "new"
        assert set(ids) == {"new", *(str(i) for i in range(17, 300, 7))}


@BOTH
def test_values_are_told_apart_by_kind(kind: type[FaissStore]) -> None:
    store = kind(HashEmbeddings())
    values = ["1", 1, True, 1.5, None]
    store.add_texts(["x"] * 5, [{"v": value} for value in values], ids=list("abcde"))
    for id, value in zip("abcde", values, strict=True):
        assert [d.id for d in store.similarity_search("x", filter={"v": value})] == [id]


@pytest.mark.parametrize("value", [{"$gt": 3}, [["a"]], [{}, "a"], object()])
@BOTH
def test_a_filter_that_means_nothing_is_refused(kind: type[FaissStore], value: Any) -> None:
    with pytest.raises(InputError, match="The filter asks of 'n' what cannot be looked up"):
        filled(kind).similarity_search("cat", filter={"n": value})


@BOTH
def test_an_option_that_is_unknown_is_refused(kind: type[FaissStore]) -> None:
    with pytest.raises(TypeError, match="filters"):
        filled(kind).similarity_search("cat", filters={"n": 1})


@BOTH
def test_a_retriever_passes_the_filter_on(kind: type[FaissStore]) -> None:
    for options in ({}, {"search_type": "mmr"}, {"search_type": "similarity_score_threshold"}):
        more = {"score_threshold": 0.1} if "threshold" in str(options) else {}
        retriever = filled(kind).as_retriever(**options, search_kwargs={"k": 3, "filter": {"n": [0, 2]}, **more})
        assert {d.id for d in retriever.invoke("the cat ran")} == {"a", "c"}
