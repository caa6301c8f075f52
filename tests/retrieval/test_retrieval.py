"""Index, cache, retriever in its three modes, and the search tool."""

import asyncio
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests, ToolsIntegrationTests

from reasonflux_agent import ReasonFlux
from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.schema import Example, Template
from reasonflux_agent.templates import (
    FaissStore,
    LargeStore,
    TemplateLibrary,
    TemplateRetriever,
    add_templates,
    index,
    index_library,
    render_template,
    template_search_tool,
    template_text,
)
from reasonflux_agent.templates.embeddings import HashEmbeddings, KeyedEmbeddings, unit_rows
from reasonflux_agent.templates.index import template_document
from reasonflux_agent.templates.lexical import SAME_FORMULA, Bm25, words
from reasonflux_agent.templates.retriever import NEIGHBOURS
from reasonflux_agent.testing import FakeModel
from tests.ticking import ticking


def template(name: str, section: str = "Counting", chapter: str = "Combinatorics", **more: Any) -> Template:
    more = {"flow": ("Do it.",), "description": f"About {name.lower()}.", **more}
    return Template(id=name.lower().replace(" ", "-"), name=name, section=section, chapter=chapter, **more)


LIBRARY = TemplateLibrary(
    (
        template("Round table arrangements", tags=("circular", "seating")),
        template("Handshakes as pairs", tags=("pairs",)),
        template("Coin probability", section="Probability"),
        template("Area of a triangle", section="Triangles", chapter="Geometry"),
        template("Circle through three points", section="Circles", chapter="Geometry"),
    )
)


class Counting(KeyedEmbeddings):
    """Hashes as HashEmbeddings does, and keeps what it was asked."""

    key = "counting"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._inner = HashEmbeddings(64)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked += texts
        return self._inner.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        return self._inner.embed_query(text)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONFLUX_CACHE", str(tmp_path / "cache"))


def test_vectors_are_kept_where_models_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REASONFLUX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    index_library(LIBRARY, "hash")
    assert list((tmp_path / "xdg" / "reasonflux" / "index").glob("*/vectors.npy"))


def retriever(**options: Any) -> TemplateRetriever:
    return TemplateRetriever.from_library(LIBRARY, **{"embeddings": "hash", "min_score": 0.0, **options})


class TestRetrieverStandard(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return TemplateRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"library": LIBRARY, "store": index_library(LIBRARY, "hash")}

    @property
    def retriever_query_example(self) -> str:
        return "In how many ways can people sit at a round table?"


class TestToolStandard(ToolsIntegrationTests):
    @property
    def tool_constructor(self) -> BaseTool:
        return template_search_tool(retriever())

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "seating around a round table"}


# The index and its cache


def test_what_is_embedded_tells_what_a_template_is_for() -> None:
    example = Example(problem="Find a_5.", steps=("Hidden.",), answer="7")
    shown = template("Shift", tags=("a", "b"), scenario=("When it recurs.",), flow=("Hidden.",), example=example)
    assert template_text(shown) == "Shift\na, b\nAbout shift.\nWhen it recurs.\nFind a_5."


def test_only_what_is_new_is_encoded() -> None:
    embedder = Counting()
    index_library(LIBRARY, embedder)
    assert len(embedder.asked) == 5
    added = template("Stars and bars")
    larger = LIBRARY.merge(TemplateLibrary((added,), "more"))
    store = index_library(larger, embedder)
    assert embedder.asked[5:] == [template_text(added)]
    assert len(store) == 6
    index_library(LIBRARY, embedder)
    assert len(embedder.asked) == 6


def test_cached_vectors_find_the_same() -> None:
    query = "how many handshakes among pairs"
    cold = index_library(LIBRARY, Counting()).similarity_search_with_score(query, k=5)
    second = Counting()
    warm = index_library(LIBRARY, second).similarity_search_with_score(query, k=5)
    assert warm == cold
    assert second.asked == []


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", b"junk" * 100])
def test_a_broken_cache_is_made_anew(tmp_path: Path, content: bytes) -> None:
    index_library(LIBRARY, Counting())
    (cache,) = (tmp_path / "cache").rglob("*.npy")
    cache.write_bytes(content)
    embedder = Counting()
    assert len(index_library(LIBRARY, embedder)) == 5
    assert len(embedder.asked) == 5
    assert len(cache.read_bytes()) > 500


def test_a_pickle_in_the_cache_is_not_loaded(tmp_path: Path) -> None:
    import numpy as np

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    index_library(LIBRARY, Counting())
    (cache,) = (tmp_path / "cache").rglob("*.npy")
    np.save(cache, np.array([Bomb()], dtype=object), allow_pickle=True)
    index_library(LIBRARY, Counting())
    assert not (tmp_path / "exploded").exists()


def test_a_model_that_changed_its_width_is_encoded_anew() -> None:
    index_library(LIBRARY, Counting())
    wider = Counting()
    wider._inner = HashEmbeddings(128)
    larger = LIBRARY.merge(TemplateLibrary((template("Stars and bars"),), "more"))
    store = index_library(larger, wider)
    assert store.similarity_search("stars and bars", k=1)[0].id == "stars-and-bars"


def test_an_embedder_without_a_key_is_never_cached(tmp_path: Path) -> None:
    class Unknown(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return HashEmbeddings(8).embed_documents(texts)

        def embed_query(self, text: str) -> list[float]:
            return HashEmbeddings(8).embed_query(text)

    assert len(index_library(LIBRARY, Unknown())) == 5
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(index_library(LIBRARY, Counting())) == 5


def test_an_embedder_that_loses_texts_is_one_error() -> None:
    class Lossy(Counting):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return super().embed_documents(texts)[1:]

    with pytest.raises(ModelError, match=r"'counting' was asked for 5 vectors and returned an array of the shape \(4, 64\)"):
        index_library(LIBRARY, Lossy())


def test_two_processes_at_once_leave_a_good_cache(tmp_path: Path) -> None:
    code = (
        "from reasonflux_agent.templates import TemplateLibrary as L\n"
        "from reasonflux_agent.templates import index_library\n"
        "print(len(index_library(L.builtin(), 'hash')))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sizes = {process.communicate()[0].strip() for process in running}
    assert sizes == {str(len(TemplateLibrary.builtin()))}
    assert [p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()] == ["vectors.npy"]


def test_templates_are_added_to_a_store_as_they_come_and_searched_without_a_library(tmp_path: Path) -> None:
    embedder = Counting()
    store = LargeStore(embedder)
    assert add_templates(store, iter(LIBRARY), batch=2) == 5
    assert embedder.asked == [template_text(t) for t in LIBRARY]
    store.save(tmp_path)
    again = LargeStore.load(tmp_path, embedder)
    changed = LIBRARY.get("coin-probability").model_copy(update={"tags": ("dice",)})
    assert add_templates(again, [changed]) == 1
    assert len(again) == 5
    (document,) = again.as_retriever(search_kwargs={"k": 5, "filter": {"tags": "dice"}}).invoke("round table")
    assert document.page_content == render_template(changed)
    assert document.metadata == {
        "name": "Coin probability",
        "kind": "Method",
        "chapter": "Combinatorics",
        "section": "Probability",
        "tags": ["dice"],
    }


def test_an_opened_store_is_the_retriever_of_a_solver(tmp_path: Path) -> None:
    built = LargeStore(HashEmbeddings())
    add_templates(built, TemplateLibrary.builtin())
    built.save(tmp_path)
    store = LargeStore.load(tmp_path, HashEmbeddings())
    chapter = "Probability"
    retriever = store.as_retriever(search_kwargs={"k": 8, "filter": {"chapter": chapter}})
    solver = ReasonFlux(FakeModel(), retriever=retriever)
    solution = solver.solve("Two dice are rolled. What is the probability of a sum of 7?", effort="medium")
    assert solution.plan.steps
    used = {id for step in solution.plan.steps for id in step.templates}
    assert used
    assert all(TemplateLibrary.builtin().get(id).chapter == chapter for id in used)


def test_a_warm_index_of_500_templates_loads_in_50_ms() -> None:
    library = TemplateLibrary(tuple(template(f"Template number {n}") for n in range(500)))
    embedder = HashEmbeddings(256)
    index_library(library, embedder)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        index_library(library, embedder)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05


def test_importing_is_light() -> None:
    heavy = "{'faiss', 'numpy', 'wordllama', 'torch', 'langchain_openai'}"
    code = f"import sys, reasonflux_agent.templates.retriever; print(*({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_large_library_is_indexed_by_the_large_store_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(index_library(LIBRARY, "hash")) is FaissStore
    monkeypatch.setattr(index, "EXACT_UP_TO", 4)
    assert type(index_library(LIBRARY, "hash")) is LargeStore
    assert retriever().invoke("coin probability")[0].id == "coin-probability"


def test_the_everyday_path_leaves_the_large_store_alone() -> None:
    code = (
        "import sys\n"
        "from reasonflux_agent.templates import TemplateRetriever\n"
        "found = TemplateRetriever.from_library('builtin', 'hash', min_score=0.0).invoke('coin', filter={'kind': 'Method'})\n"
        "print(len(found), *({'reasonflux_agent.templates.large', 'sqlite3'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2"]


# The retriever


def test_documents_carry_the_rendered_template_and_where_it_stands() -> None:
    (document,) = retriever(k=1).invoke("sit around a round table")
    found = LIBRARY.get("round-table-arrangements")
    assert document.page_content == render_template(found)
    assert document.id == found.id
    score = document.metadata.pop("score")
    assert document.metadata == {"id": found.id, **template_document(found).metadata}
    assert document.metadata == {
        "id": found.id,
        "name": found.name,
        "kind": "Method",
        "chapter": "Combinatorics",
        "section": "Counting",
        "tags": ["circular", "seating"],
    }
    assert 0 < score <= 1


@pytest.mark.parametrize("mode", ["flat", "hybrid", "hierarchical"])
def test_every_mode_finds_the_obvious_first_and_respects_k_and_the_floor(mode: Any) -> None:
    query = "Geometry: circles, the circle through three points"
    found = retriever(mode=mode, k=2).invoke(query)
    assert found[0].id == "circle-through-three-points"
    assert len(found) == 2
    assert len(retriever(mode=mode, k=2).invoke(query, k=1)) == 1
    floor = found[0].metadata["score"]
    assert [d.id for d in retriever(mode=mode, k=2, min_score=floor - 0.001).invoke(query)][:1] == [found[0].id]
    assert retriever(mode=mode, k=2, min_score=1.01).invoke(query) == []


@pytest.mark.parametrize("mode", ["flat", "hybrid", "hierarchical"])
@pytest.mark.parametrize("query", ["", "  \n"])
def test_an_empty_query_finds_nothing(mode: Any, query: str) -> None:
    assert retriever(mode=mode).invoke(query) == []


@pytest.mark.parametrize("mode", ["flat", "hybrid", "hierarchical"])
def test_an_empty_library_finds_nothing(mode: Any) -> None:
    assert TemplateRetriever.from_library(TemplateLibrary(()), "hash", mode=mode).invoke("coin probability") == []


def test_hierarchical_weighs_names_and_sections_as_published() -> None:
    found = retriever(mode="hierarchical", k=5).invoke("Geometry: area of a triangle")
    assert {d.metadata["chapter"] for d in found} == {"Geometry"}
    vectors = HashEmbeddings()

    def near(name: str) -> float:
        return float(unit_rows([vectors.embed_query(name)])[0] @ unit)

    unit = unit_rows([vectors.embed_query("Geometry: area of a triangle")])[0]
    expected = 0.9 * near("Area of a triangle") + 0.1 * near("Triangles")
    assert found[0].metadata["score"] == pytest.approx(expected, abs=1e-4)


def test_hybrid_lifts_what_shares_rare_words() -> None:
    class Blind(Embeddings):
        """Sees every text alike."""

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[1.0, 1.0] for _ in texts]

        def embed_query(self, text: str) -> list[float]:
            return [1.0, 1.0]

    found = retriever(embeddings=Blind(), mode="hybrid", k=1).invoke("everybody shakes hands: count the handshakes")
    assert [d.id for d in found] == ["handshakes-as-pairs"]


def test_any_langchain_store_can_take_the_place_of_the_index() -> None:
    store = InMemoryVectorStore(HashEmbeddings())
    store.add_documents([Document(id=t.id, page_content=template_text(t)) for t in LIBRARY])
    found = TemplateRetriever(library=LIBRARY, store=store, k=1).invoke("coin probability")
    assert [d.id for d in found] == ["coin-probability"]


FILTERS: list[Any] = [
    {"chapter": "Geometry"},
    {"section": ["Triangles", "Circles"]},
    lambda document: document.metadata["chapter"] == "Geometry",
]


@pytest.mark.parametrize("mode", ["flat", "hybrid"])
@pytest.mark.parametrize("filter", FILTERS)
def test_a_filter_leaves_the_nearest_of_what_passes(mode: Any, filter: Any) -> None:
    query = "coin probability"
    assert retriever(mode=mode, k=1).invoke(query)[0].id == "coin-probability"
    geometry = {"area-of-a-triangle", "circle-through-three-points"}
    assert {d.id for d in retriever(mode=mode, k=5).invoke(query, filter=filter)} == geometry
    kept = TemplateRetriever(library=LIBRARY, store=index_library(LIBRARY, "hash"), mode=mode, k=5, filter=filter)
    assert {d.id for d in kept.invoke(query)} == geometry
    assert {d.id for d in kept.invoke(query, filter={"tags": "pairs"})} == {"handshakes-as-pairs"}


def test_a_filter_on_the_hierarchical_search_leaves_of_its_sections_what_passes() -> None:
    found = retriever(mode="hierarchical", k=5).invoke("Geometry: circles", filter={"section": "Circles"})
    assert [d.id for d in found] == ["circle-through-three-points"]


def test_words_count_for_a_template_that_states_the_formula_but_is_not_near() -> None:
    recurrence = template("Recurrence", description="A recurrence such as a_{n+1} = 3 a_n + 1")
    nearer = [template(f"A tank of fish {n}", description="Fish in a tank, by month") for n in range(NEIGHBOURS)]
    library = TemplateLibrary((*nearer, recurrence))
    query = "A tank of fish: fish in a tank, by month, are a_{n+1} = 2 a_n + 3, by a recurrence. How many fish in the tank?"
    found = TemplateRetriever.from_library(library, "wordllama", min_score=0.0)
    assert "recurrence" not in {d.id for d in found.store.similarity_search(query, NEIGHBOURS)}
    assert dict(found._by_store(query, 1, None))["recurrence"] > SAME_FORMULA


def test_a_formula_that_is_the_same_does_not_get_past_the_filter() -> None:
    formula = "a_{n+1} = 2 a_n + 3, a_1 = 1"
    recurrence = template("Recurrence", chapter="Sequences", description=formula)
    library = TemplateLibrary((*LIBRARY, recurrence))
    found = TemplateRetriever.from_library(library, "hash", min_score=0.0)
    query = formula.replace("3", "5")
    assert found.invoke(query, k=1)[0].id == "recurrence"
    assert "recurrence" not in {d.id for d in found.invoke(query, k=9, filter={"chapter": "Geometry"})}


def test_a_foreign_store_is_given_the_filter() -> None:
    store = InMemoryVectorStore(HashEmbeddings())
    store.add_documents([template_document(t) for t in LIBRARY])
    found = TemplateRetriever(library=LIBRARY, store=store, k=5)
    assert {d.id for d in found.invoke("coin probability", filter=FILTERS[2])} == {
        "area-of-a-triangle",
        "circle-through-three-points",
    }


def test_the_code_of_a_drawing_is_no_part_of_the_query() -> None:
    drawing = '[asy] draw((0,0)--(4,0)); label("triangle", area); [/asy]'
    plain, drawn = (retriever(k=5).invoke(q) for q in ("coin probability", f"coin probability {drawing}"))
    assert drawn == plain
    assert retriever().invoke(drawing) == []


def test_k_must_be_positive() -> None:
    with pytest.raises(InputError, match="k is 0"):
        retriever().invoke("x", k=0)


async def test_async_searches_do_not_block_the_loop() -> None:
    class Slow(Counting):
        def embed_query(self, text: str) -> list[float]:
            time.sleep(0.2)
            return super().embed_query(text)

    slow = retriever(embeddings=Slow(), k=1)
    async with ticking(0.01) as loop:
        start = time.perf_counter()
        found = await asyncio.gather(*(slow.ainvoke("coin probability") for _ in range(4)))
    assert loop.ticks > 5
    assert time.perf_counter() - start < 0.7
    assert [documents[0].id for documents in found] == ["coin-probability"] * 4


def test_the_tool_answers_in_text_and_says_when_nothing_fits() -> None:
    tool = template_search_tool(retriever(k=2))
    assert tool.invoke({"query": "coin probability"}).startswith("Template: Coin probability\n1. Do it.")
    assert tool.invoke("coin probability").count("Template: ") == 2
    assert tool.args.keys() == {"query"}
    nothing = template_search_tool(retriever(min_score=1.01))
    assert nothing.invoke("coin") == "No template of the library fits this query."


# Words


def test_words_meet_across_endings() -> None:
    assert words("Divisors of a divisor, \\log_2 x!") == ["diviso", "of", "diviso", "log"]


def test_bm25_ranks_rare_words_over_common_ones() -> None:
    texts = ["the sum of angles", "the sum of digits", "the sum of roots", "vieta formulas"]
    bm25 = Bm25(map(words, texts))
    points = bm25.scores(words("the digits"), [0, 1, 2, 3]).tolist()
    assert points[1] > 2 * max(points[0], points[2]) > 0
    assert points[3] == 0
    assert bm25.scores(words("the digits"), [3, 1]).tolist() == [0, points[1]]
    assert bm25.scores(words("nothing shared"), [0, 1]).tolist() == [0, 0]
    assert bm25.scores(words("the digits"), []).tolist() == []
    assert Bm25([]).scores(["x"], []).tolist() == []


def test_bm25_is_the_sum_over_the_shared_words() -> None:
    texts = ["one two two three", "two four", "five", "two " * 70_000]
    bm25 = Bm25(map(words, texts))
    lengths = [4, 2, 1, 70_000]

    def points(times: int, row: int, holding: int) -> float:
        rarity = math.log(1 + (4 - holding + 0.5) / (holding + 0.5))
        return rarity * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * lengths[row] / (sum(lengths) / 4)))

    expected = [points(2, 0, 3) + points(1, 0, 1), points(1, 1, 3), 0, points(65535, 3, 3)]
    assert bm25.scores(words("two three two"), range(4)).tolist() == pytest.approx(expected, rel=1e-12)
