"""Several servers, many calls at once, and callers who give up: as the servers see it."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from typing import Any

import openai
import pytest

from reasonflux_agent import ReasonFlux
from reasonflux_agent.errors import ModelError
from reasonflux_agent.models import CallOptions, call_kwargs, load_model, model_error
from reasonflux_agent.models.balancer import AVOIDED, Balancer
from tests.models.watcher import Watcher, watching


def model_at(*watchers: Watcher, gone: int = 0) -> Any:
    """The model at these servers, and `gone` more that nobody listens at, which come first."""
    urls = [f"http://127.0.0.1:{free_port()}/v1" for _ in range(gone)] + [watcher.url for watcher in watchers]
    return load_model(f"vllm:m@{','.join(urls)}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def of_run(name: str) -> Any:
    return {"metadata": {"reasonflux_run": name}}


async def at_once(model: Any, count: int, config: Any = None) -> None:
    await asyncio.gather(*(model.ainvoke("hi", config) for _ in range(count)))


async def test_calls_of_no_run_go_where_the_fewest_are_under_way() -> None:
    with watching(Watcher(seconds=0.3), Watcher(seconds=0.3), Watcher(seconds=0.3)) as servers:
        await at_once(model_at(*servers), 12)
        assert [server.requests for server in servers] == [4, 4, 4]


def test_one_after_the_other_they_take_turns() -> None:
    with watching(Watcher(), Watcher()) as servers:
        model = model_at(*servers)
        for _ in range(6):
            model.invoke("hi")
        assert [server.requests for server in servers] == [3, 3]


def test_a_run_stays_with_the_server_that_its_name_decides() -> None:
    urls = [f"http://h{n}/v1" for n in range(4)]

    def home(balancer: Balancer, run: str) -> str:
        with next(balancer.tries(run)) as server:
            return server.url

    balancer = Balancer(urls)
    homes = {f"run {n}": home(balancer, f"run {n}") for n in range(400)}
    assert all(home(Balancer(urls), run) == url for run, url in homes.items())  # another process decides alike
    counts = [list(homes.values()).count(url) for url in urls]
    assert min(counts) > 60  # 100 each, by chance
    moved = [run for run, url in homes.items() if home(Balancer(urls[1:]), run) != url]
    assert {homes[run] for run in moved} == {urls[0]}  # without a server, only its own runs move


async def test_a_run_with_many_calls_at_once_overflows() -> None:
    with watching(Watcher(seconds=0.3), Watcher(seconds=0.3)) as servers:
        await at_once(model_at(*servers), 16, of_run("a"))
        assert min(server.requests for server in servers) >= 5
        before = [server.requests for server in servers]
        model = model_at(*servers)
        for _ in range(3):
            await at_once(model, 1, of_run("a"))
        assert sorted(server.requests - was for server, was in zip(servers, before, strict=True)) == [0, 3]


async def test_the_calls_of_a_solve_reach_one_server() -> None:
    with watching(Watcher(), Watcher(), Watcher()) as servers:
        spec = f"vllm:m@{','.join(server.url for server in servers)}"
        solution = await ReasonFlux(spec, effort="low", templates=0).asolve("Add 2 and 3.")
        assert solution.total.calls > 1
        assert sorted(server.requests for server in servers) == [0, 0, solution.total.calls]


def test_a_server_that_is_gone_costs_no_call_and_is_then_avoided() -> None:
    with watching(Watcher()) as (up,):
        model = model_at(up, gone=2)
        for _ in range(9):
            assert model.invoke("hi").content == "yes"
        assert up.requests == 9
        gone = model._balancer.servers[:2]
        assert all("refused" in server.said for server in gone)
        assert all(0 < server.avoided_until - time.monotonic() < AVOIDED for server in gone)
        assert "refused" in model.where
        assert [server.under_way for server in model._balancer.servers] == [0, 0, 0]


def test_a_server_that_turns_calls_away_is_avoided_and_tried_again_later() -> None:
    with watching(Watcher("503"), Watcher()) as (down, up):
        model = model_at(down, up)
        for _ in range(2):
            with suppress(openai.InternalServerError):
                model.invoke("hi")
        assert "loading" in model.where
        for _ in range(4):
            assert model.invoke("hi").content == "yes"
        assert down.requests == 1
        down.does = "answers"
        model._balancer.servers[0].avoided_until = time.monotonic()  # the seconds are over
        for _ in range(4):
            model.invoke("hi")
        assert down.requests > 1
        assert model.where == f"{down.url}, {up.url}"


def test_when_all_are_down_the_error_names_them_and_what_each_said() -> None:
    with watching(Watcher("503")) as (down,):
        model = model_at(down, gone=2)
        with suppress(openai.InternalServerError):
            model.invoke("hi")
        with pytest.raises(openai.InternalServerError) as caught:
            model.invoke("hi")
        text = str(model_error(model, caught.value))
    for server in model._balancer.servers[:2]:
        assert f"{server.url} ([Errno 111] Connection refused)" in text
    assert f"{down.url} (Error code: 503" in text
    assert "loading" in text

    nowhere = model_at(gone=3)
    with pytest.raises(ModelError) as raised:
        ReasonFlux(nowhere, effort="low", templates=0).solve("Add 2 and 3.")
    assert "could not be reached" in str(raised.value)
    for server in nowhere._balancer.servers:
        assert f"{server.url} ([Errno 111] Connection refused)" in str(raised.value)


@pytest.mark.parametrize(("does", "error"), [("hangs", openai.APITimeoutError), ("breaks", openai.APIConnectionError)])
def test_a_call_that_reached_a_server_is_not_made_again_in_silence(does: str, error: type[Exception]) -> None:
    with watching(Watcher(does), Watcher(does)) as servers:
        model = model_at(*servers)
        with pytest.raises(error):
            model.invoke("hi", timeout=0.3)
        assert sum(server.requests for server in servers) == 1


SHORT = CallOptions(timeout=0.4)


def read_some(chunks: Any) -> None:
    assert next(chunks).text
    chunks.close()


async def cancel(model: Any) -> None:
    task = asyncio.ensure_future(model.ainvoke("hi"))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave(model: Any) -> None:
    chunks = model.astream("hi")
    assert (await anext(chunks)).text
    await chunks.aclose()


async def wait_for(model: Any) -> None:
    async for _ in model.astream("hi", **call_kwargs(model, SHORT)):
        pass


WAYS = {
    "the deadline": ("hangs", lambda model: model.invoke("hi", **call_kwargs(model, SHORT))),
    "the deadline, streaming": ("drips", lambda model: list(model.stream("hi", **call_kwargs(model, SHORT)))),
    "the deadline, streaming on the event loop": ("drips", lambda model: asyncio.run(wait_for(model))),
    "a stream is closed": ("drips", lambda model: read_some(model.stream("hi"))),
    "a stream is closed on the event loop": ("drips", lambda model: asyncio.run(leave(model))),
    "a task is cancelled": ("hangs", lambda model: asyncio.run(cancel(model))),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_server_hears_of_a_caller_who_gives_up(way: str) -> None:
    does, give_up = WAYS[way]
    with watching(Watcher(does)) as (server,):
        model = model_at(server)
        begun = time.monotonic()
        if "deadline" in way:
            with pytest.raises((openai.APITimeoutError, TimeoutError)):
                give_up(model)
        else:
            give_up(model)
        server.sees("given_up", 1)
        assert time.monotonic() - begun < 3
        assert server.requests == 1
        assert model._balancer.servers[0].under_way == 0


async def test_hundreds_of_calls_are_under_way_at_once() -> None:
    with watching(Watcher("answers together", together=300)) as (server,):
        await at_once(model_at(server), 300)
        assert server.requests == 300


def test_one_event_loop_after_another_leaves_no_connection_open() -> None:
    with watching(Watcher()) as (server,):
        model = model_at(server)
        for loops in (1, 2, 3):
            asyncio.run(at_once(model, 5))
            server.sees("open", 0)
            assert server.requests == 5 * loops


def test_threads_share_the_connections_of_synchronous_calls() -> None:
    with watching(Watcher(seconds=0.05)) as (server,):
        model = model_at(server)
        model.batch(["hi"] * 20, {"max_concurrency": 5})
        assert server.requests == 20
        assert server.connections <= 5
