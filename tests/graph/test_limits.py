"""Limits of a run: it ends as `exhausted`, with the best answer so far, and no call is made beyond them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from reasonflux_agent import ReasonFlux
from reasonflux_agent.errors import ModelError
from reasonflux_agent.schema import Solution
from reasonflux_agent.testing import FakeModel, mathematician, serve_fake
from tests.graph.fakes import GOOD, Scripted, Shelf

PROBLEM = "What is 3 + 4?"
STRATEGIES = ["navigator", "original", "direct", "propose"]


def flux(model: Any, **given: Any) -> ReasonFlux:
    return ReasonFlux(model, retriever=Shelf(), **{"direct_samples": 0, "llm_review": True, **given})


def cost(model: Scripted, node: str) -> int:
    """Words that the calls up to the first one of `node` cost."""
    spent = 0
    for name, prompt in model.asked:
        if name == node:
            break
        spent += len(prompt.split()) + len(str(GOOD[name]).split())
    return spent


@pytest.mark.parametrize(
    ("granularity", "before", "answer"),
    [
        ("whole", "refine", None),
        ("whole", "solve_step", None),
        ("whole", "review", "7"),
        ("step", "review", "7"),
        ("step", "solve_step", None),
    ],
)
def test_a_budget_that_ends_before_a_node_ends_in_what_there_is(granularity: str, before: str, answer: str | None) -> None:
    free = Scripted()
    flux(free, granularity=granularity, refine=True).solve(PROBLEM)
    budget = cost(free, before)
    model = Scripted()
    solution = flux(model, granularity=granularity, refine=True).solve(PROBLEM, token_budget=budget)
    assert model.nodes == free.nodes[: free.nodes.index(before)]
    assert (solution.status, solution.answer) == ("exhausted", answer)
    assert f"token budget of {budget}" in solution.reason
    assert solution.total.tokens == budget


def test_a_stepwise_run_that_is_cut_keeps_its_steps() -> None:
    script: Any = {"solve_step": "So far so good."}
    free = Scripted(script)
    flux(free, granularity="step", effort="low").solve(PROBLEM)
    spent = sum(len(p.split()) for _, p in free.asked[:3]) + len(str(GOOD["plan"]).split()) + 2 * 4
    solution = flux(Scripted(script), granularity="step", effort="low").solve(PROBLEM, token_budget=spent)
    assert (solution.status, solution.answer) == ("exhausted", None)
    assert [r.text for r in solution.results] == ["So far so good."] * 2
    assert solution.text == "So far so good.\n\nSo far so good."


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("effort", ["low", "high", "auto"])
@pytest.mark.parametrize("budget", [40])
def test_no_call_starts_beyond_the_budget(strategy: str, effort: str, budget: int) -> None:
    model = Scripted()
    solution = flux(model, strategy=strategy, effort=effort).solve(PROBLEM, token_budget=budget)
    costs = [len(prompt.split()) + 10 for _, prompt in model.asked]
    assert solution.status in ("exhausted", "answered")
    if effort == "low":  # one call after the other
        assert sum(costs[:-1]) - 10 * len(costs) < budget
    assert solution.total.calls == len(model.asked)
    if solution.status == "exhausted":
        assert solution.reason == f"the token budget of {budget} is spent"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_attempts_at_once_may_all_hit_the_limit(asynchronous: bool) -> None:
    """Their reasons meet in one state."""
    model = Scripted({"draft": "I do not know.", "plan": "word " * 300})
    given = flux(model, effort="high", trajectories=5, direct_samples=2)
    solution = await given.asolve(PROBLEM, token_budget=400) if asynchronous else given.solve(PROBLEM, token_budget=400)
    assert (solution.status, solution.reason) == ("exhausted", "the token budget of 400 is spent")


@pytest.mark.parametrize("attempts", [1, 3, 8])
def test_attempts_at_once_share_a_budget(attempts: int) -> None:
    model = Scripted({"review": "REDO: no."})
    given = flux(model, effort="high", trajectories=attempts, direct_samples=0, refine=False, reviews=20)
    solution = given.solve(PROBLEM, token_budget=2000)
    assert solution.status == "exhausted"
    last = max(len(prompt.split()) for _, prompt in model.asked) + 30  # a call that begins within it may end beyond
    assert solution.total.tokens <= 2000 + attempts * last
    assert {node for node, _ in model.asked} == {"plan", "solve_step", "review"}


def test_the_next_problem_of_a_thread_is_not_exhausted_by_the_last() -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    given = flux(Scripted(), checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "one"}}
    assert given.solve(PROBLEM, config=config, token_budget=30).status == "exhausted"
    assert given.solve(PROBLEM, config=config).status == "answered"


@pytest.mark.parametrize(("granularity", "asynchronous"), [("whole", True), ("step", False)])
async def test_a_deadline_ends_a_run_of_slow_calls(granularity: str, asynchronous: bool) -> None:
    model = Scripted({"review": "REDO: again"}, delay=0.1)
    given = flux(model, granularity=granularity, reviews=20, deadline=1.5)
    solution = await given.asolve(PROBLEM) if asynchronous else given.solve(PROBLEM)
    assert (solution.status, solution.answer) == ("exhausted", "7")
    assert "deadline of 1.5 s" in solution.reason
    assert 3 <= len(model.asked) <= 15


def test_the_deadline_counts_the_longest_branch_not_the_sum() -> None:
    model = Scripted({"draft": lambda _, count: f"Thus \\boxed{{{count}}}."}, delay=0.4)
    solution = flux(model, effort="auto", direct_samples=8, trajectories=1, programs=False, deadline=3).solve(PROBLEM)
    # eight drafts at once take 0.4 s, all in all 3.2 s; a plan and its solution take 0.8 s more
    assert sum(u.seconds for u in solution.usage.values()) > 3
    assert model.nodes == ["draft"] * 8 + ["plan", "solve_step"]
    assert solution.status == "answered"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_slow_server_is_cut_off_at_the_deadline(asynchronous: bool) -> None:
    with serve_fake(delay=30) as url:
        given = flux(f"vllm:fake@{url}", deadline=0.5)
        started = time.monotonic()
        solution = await given.asolve(PROBLEM) if asynchronous else given.solve(PROBLEM)
        assert time.monotonic() - started < 10
    assert (solution.status, solution.answer) == ("exhausted", None)
    assert "deadline of 0.5 s" in solution.reason


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_server_that_slows_down_leaves_the_best_answer_so_far(asynchronous: bool) -> None:
    def respond(prompt: str) -> str:
        if "reviewer" in prompt:
            time.sleep(30)
        return mathematician(prompt)

    with serve_fake(respond) as url:
        given = flux(f"vllm:fake@{url}", deadline=2.0)
        solution = await given.asolve(PROBLEM) if asynchronous else given.solve(PROBLEM)
    assert (solution.status, solution.answer) == ("exhausted", "7")
    assert solution.plan.steps


# A server that fails is not bad output


def served(status: int) -> Any:
    from contextlib import contextmanager
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            requests.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()

    requests: list[str] = []

    @contextmanager
    def serving() -> Any:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1", requests
        finally:
            server.shutdown()
            server.server_close()

    return serving()


@pytest.mark.parametrize(
    ("status", "tries", "asynchronous"),
    [(503, 3, False), (429, 3, True), (404, 1, False), (401, 1, True)],
)
async def test_a_failing_server_is_one_error_after_the_tries_that_were_due(status: int, tries: int, asynchronous: bool) -> None:
    with served(status) as (url, requests):
        given = flux(f"vllm:fake@{url}")
        with pytest.raises(ModelError, match="Next: ") as caught:
            _ = await given.asolve(PROBLEM) if asynchronous else given.solve(PROBLEM)
    assert url in str(caught.value)
    assert "vllm:fake" in str(caught.value)
    assert len(requests) == tries


def test_a_dead_port_is_named_with_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:9/v1.*could not be reached.*Next: start the server"):
        flux("vllm:fake@http://127.0.0.1:9/v1").solve(PROBLEM)


def test_a_batch_of_a_failing_and_a_good_problem() -> None:
    def respond(prompt: str) -> str:
        if "13" in prompt:
            raise ConnectionResetError("unlucky")
        return mathematician(prompt)

    good, bad, other = flux(FakeModel(respond=respond), effort="low").batch(["1 + 2 = ?", "13 + 1 = ?", "3 + 3 = ?"])
    assert isinstance(good, Solution)
    assert good.answer == "3"
    assert isinstance(bad, ModelError)
    assert "unlucky" in str(bad)
    assert isinstance(other, Solution)
    assert other.answer == "6"
