"""A library in a LangGraph store: what is put and read, and that a graph that runs already finds it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command

from reasonflux_agent import ReasonFlux, create_reasonflux
from reasonflux_agent.agents.review import create_review
from reasonflux_agent.errors import InputError, LibraryError
from reasonflux_agent.schema import Example, Template
from reasonflux_agent.templates import StoreRetriever, TemplateLibrary, TemplateRetriever, get_library, put_library
from tests.graph.fakes import Scripted
from tests.templates.interchange import learned
from tests.threads.postgres import serve_postgres

PROBLEM = "Sort these words by the alphabet: pear fig"
NAMESPACE = ("reasonflux", "templates")
DIRECT = {"direct_samples": 0, "trajectories": 1}


def template(id: str, problem: str = "Sort these words by the alphabet: dog cat", **provenance: Any) -> Template:
    example = Example(problem=problem, steps=(f"Steps of {id}.",), answer="x")
    common: Any = {"name": "Sorting", "flow": ("Sort.",), "scenario": (problem,), "chapter": "Learned", "section": id}
    return Template(id=id, example=example, provenance=provenance, **common)


def library(*templates: Template, name: str = "mine") -> TemplateLibrary:
    return TemplateLibrary(templates or (template("a"),), name)


class Noting(InMemoryStore):
    """Notes what is written."""

    __slots__ = ("written",)

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[str, bool]] = []
        """(key, whether it is deleted), in order."""

    def batch(self, ops: Any) -> Any:
        ops = list(ops)
        self.written += [(op.key, op.value is None) for op in ops if isinstance(op, PutOp)]
        return super().batch(ops)


@contextmanager
def a_store(kind: str) -> Iterator[BaseStore]:
    if kind == "memory":
        yield InMemoryStore()
    elif kind == "indexed":
        yield InMemoryStore(index={"dims": 8, "embed": DeterministicFakeEmbedding(size=8)})
    elif kind == "postgres":
        from langgraph.store.postgres import PostgresStore

        with serve_postgres() as url, PostgresStore.from_conn_string(url) as store:
            store.setup()
            yield store
    else:
        sqlite = pytest.importorskip("langgraph.store.sqlite", reason="the extra sqlite is not installed")
        with sqlite.SqliteStore.from_conn_string(":memory:") as store:
            store.setup()
            yield store


SERVER = pytest.mark.skipif(not os.environ.get("REASONFLUX_TEST_POSTGRES"), reason="REASONFLUX_TEST_POSTGRES is not set")
KINDS = pytest.mark.parametrize("kind", ["memory", "indexed", "sqlite", pytest.param("postgres", marks=SERVER)])


@KINDS
def test_a_library_comes_back_as_it_was(kind: str) -> None:
    with a_store(kind) as store:
        assert put_library(store, learned()) == (*NAMESPACE, "mine")
        back = get_library(store, (*NAMESPACE, "mine"))
        assert {t.id: t for t in back} == {t.id: t for t in learned()}
        assert back.templates[0].provenance["proven"] is True
        item = store.get((*NAMESPACE, "mine"), learned().templates[0].id)
        assert item is not None
        assert (item.value["name"], item.value["description"][:12]) == ("Word sorting", "Learned from")
    with a_store(kind) as store:
        put_library(store, TemplateLibrary.builtin())
        assert {t.id: t for t in get_library(store)} == {t.id: t for t in TemplateLibrary.builtin()}


@KINDS
def test_putting_it_again_changes_what_has_changed(kind: str) -> None:
    with a_store(kind) as store:
        put_library(store, library(template("a"), template("b")))
        put_library(store, library(template("z"), name="other"))
        put_library(store, library(template("b", "Sort: x y"), template("c")))
        assert {t.id: t for t in get_library(store, (*NAMESPACE, "mine"))} == {
            "b": template("b", "Sort: x y"),
            "c": template("c"),
        }
        assert {t.id for t in get_library(store)} == {"b", "c", "z"}


def test_only_what_has_changed_is_written() -> None:
    store = Noting()
    put_library(store, library(template("a"), template("b")))
    put_library(store, library(template("a"), template("c")))
    assert store.written == [("a", False), ("b", False), ("b", True), ("c", False)]


def test_an_index_takes_a_template_that_is_described_by_its_name() -> None:
    with a_store("indexed") as store:
        put_library(store, library(template("a").model_copy(update={"description": "Sorting"})))
        assert [item.key for item in store.search(NAMESPACE, query="sorting")] == ["a"]


def test_a_dot_in_a_name_is_no_level_of_the_namespace() -> None:
    assert put_library(InMemoryStore(), library(name="mine.v2..x")) == (*NAMESPACE, "mine-v2-x")


def test_of_two_libraries_with_one_id_the_later_one_counts() -> None:
    store = InMemoryStore()
    put_library(store, library(template("a", "first"), name="z"))
    put_library(store, library(template("a", "second"), name="b"))
    assert get_library(store).templates == (template("a", "second"),)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": "A"}, "flow"),
        ({"text": "x"}, "name"),
        ({"name": "A", "flow": ["x"], "provenance": {"shown_with": 1}}, "shown"),
    ],
)
def test_an_item_that_is_no_template_is_named(value: dict[str, Any], said: str) -> None:
    store = InMemoryStore()
    store.put((*NAMESPACE, "mine"), "odd", value)
    for read in (lambda: get_library(store), lambda: StoreRetriever(store=store).invoke("x")):
        with pytest.raises(LibraryError, match=said):
            read()


def test_it_finds_what_the_retriever_of_the_library_finds() -> None:
    store = InMemoryStore()
    put_library(store, TemplateLibrary.builtin())
    stored, held = StoreRetriever(store=store), TemplateRetriever.from_library(k=8)
    for query in ("the last digit of a large power", "two dice are rolled", "a recipe for apple cake", " "):
        found, usual = stored.invoke(query), held.invoke(query)
        assert [(d.id, d.metadata["score"]) for d in found] == [(d.id, d.metadata["score"]) for d in usual]
        assert [d.metadata["reasonflux_templates"].keys() for d in found] == [{d.id} for d in usual]


def test_the_floor_that_a_template_was_learned_with_counts() -> None:
    store, own = InMemoryStore(), {"scores": "wordllama hybrid", "floor": 9.0, "lead": 0.0}
    put_library(store, library(template("a", retrieval=own)))
    assert StoreRetriever(store=store).invoke(PROBLEM) == []
    put_library(store, library(template("a", retrieval={**own, "floor": 0.0})))
    assert StoreRetriever(store=store).invoke(PROBLEM) != []


def test_what_has_not_changed_is_not_indexed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store, built = InMemoryStore(), list[int]()
    retriever = StoreRetriever(store=store)
    made = TemplateRetriever.from_library
    monkeypatch.setattr(TemplateRetriever, "from_library", lambda *args, **given: built.append(1) or made(*args, **given))
    assert retriever.invoke(PROBLEM) == []
    put_library(store, library())
    for _ in range(3):
        assert [d.id for d in retriever.invoke(PROBLEM)] == ["a"]
    put_library(store, library(template("b")))
    assert [d.id for d in retriever.invoke(PROBLEM)] == ["b"]
    assert built == [1, 1]


def test_without_a_store_it_says_what_to_do() -> None:
    with pytest.raises(InputError, match=r"given no store.*Next: compile"):
        StoreRetriever().invoke("x")
    with pytest.raises(InputError, match="given no store"):
        create_reasonflux(strategy="recall", navigator=Scripted(), retriever=StoreRetriever()).compile().invoke(
            {"problem": PROBLEM}, context=DIRECT
        )


@pytest.mark.parametrize("asynchronous", [False, True])
@KINDS
async def test_a_graph_that_is_compiled_already_finds_what_was_learned_since(kind: str, asynchronous: bool) -> None:
    model = Scripted()
    with a_store(kind) as store:
        graph = create_reasonflux(strategy="recall", navigator=model, retriever=StoreRetriever()).compile(store=store)

        async def templates() -> list[str]:
            given: Any = {"input": {"problem": PROBLEM}, "context": DIRECT}
            state = await graph.ainvoke(**given) if asynchronous else await asyncio.to_thread(lambda: graph.invoke(**given))
            return [id for step in state["solution"]["plan"]["steps"] for id in step["templates"]]

        assert await templates() == []
        put_library(store, library(template("a", shown_with="b"), template("b", "Count 3 apples")))
        assert await templates() == ["a", "b"]
        before, after = model.prompts("reason")
        assert "dog cat" not in before
        assert after.index("Steps of b.") < after.index("Steps of a.") < after.index(PROBLEM)
        put_library(store, library(template("c")))
        assert await templates() == ["c"]


async def test_an_asynchronous_store() -> None:
    sqlite = pytest.importorskip("langgraph.store.sqlite.aio", reason="the extra sqlite is not installed")
    async with sqlite.AsyncSqliteStore.from_conn_string(":memory:") as store:
        await store.setup()
        await asyncio.to_thread(put_library, store, library())
        graph = create_reasonflux(strategy="recall", navigator=Scripted(), retriever=StoreRetriever()).compile(store=store)
        state = await graph.ainvoke({"problem": PROBLEM}, context=DIRECT)
    assert state["solution"]["plan"]["steps"][0]["templates"] == ["a"]


@pytest.mark.parametrize("held", [(), (template("a", "Another problem"),)], ids=["another library", "an older one"])
def test_the_planned_attempt_shows_it_whole_whatever_the_library_holds(held: tuple[Template, ...]) -> None:
    model, store = Scripted(), InMemoryStore()
    put_library(store, library())
    flux = ReasonFlux(
        model, library=TemplateLibrary(held) if held else "builtin", retriever=StoreRetriever(store=store), **DIRECT
    )
    solution = flux.solve(PROBLEM)
    assert solution.templates == ("a",)
    (prompt,) = model.prompts("solve_step")
    assert "dog cat" in prompt
    assert "Steps of a." in prompt
    assert "Another problem" not in prompt


def test_a_run_keeps_the_templates_that_it_found() -> None:
    """What is dropped from the store while a person is asked is still shown; the checkpoint is plain JSON."""
    model, store, saver = Scripted(), InMemoryStore(), InMemorySaver()
    put_library(store, library())
    graph = create_review(navigator=model, retriever=StoreRetriever()).compile(store=store, checkpointer=saver)
    thread: Any = {"configurable": {"thread_id": "1"}}
    asked = graph.invoke({"problem": PROBLEM}, thread, context=DIRECT)["__interrupt__"][0].value
    assert asked["templates"]["a"].startswith("Template: Sorting")
    put_library(store, library(template("z")))
    again = create_review(navigator=model, retriever=StoreRetriever()).compile(store=store, checkpointer=saver)
    again.invoke(Command(resume={"action": "approve"}), thread, context=DIRECT)
    assert "Steps of a." in model.prompts("solve_step")[-1]
