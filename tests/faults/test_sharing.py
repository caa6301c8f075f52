"""Processes that share a cache, an index, a library and a download, some of them killed: nobody ever reads half a file."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.templates import TemplateLibrary
from tests.faults import workers
from tests.local.hub import Hub, serving

pytestmark = pytest.mark.faults

SLOTS, KILLS = 4, 10
Start = Callable[..., BaseProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `work(*given)` in a process of its own, which has imported already."""
    context, started = multiprocessing.get_context("forkserver"), list[BaseProcess]()
    context.set_forkserver_preload(["tests.faults.workers", "faiss"])

    def start(work: Callable[..., None], *given: Any) -> BaseProcess:
        process = context.Process(target=work, args=given, daemon=True)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


def kill(*processes: BaseProcess) -> None:
    for process in processes:
        assert process.exitcode is None, "it ended before it was killed"
        process.kill()
        process.join()


def churn(start: Start, work: Callable[..., None], stop: Path, *given: Any) -> None:
    """Four processes at once; ten times one of them, whichever it is and whatever it does, is killed and another started."""
    chance = random.Random(0)
    running = [start(work, seed, stop, *given) for seed in range(SLOTS)]
    time.sleep(1)
    for number in range(KILLS):
        time.sleep(chance.uniform(0.1, 0.3))
        kill(running.pop(chance.randrange(SLOTS)))
        running.append(start(work, SLOTS + number, stop, *given))
    time.sleep(0.5)
    stop.touch()
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0] * SLOTS


def test_one_embedding_cache(start: Start, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    churn(start, workers.embed, tmp_path / "stop", cache)
    assert len(list(cache.rglob("vectors.npy"))) == 1


def test_one_saved_index(start: Start, tmp_path: Path) -> None:
    workers.state("a").save(tmp_path / "index")
    churn(start, workers.index, tmp_path / "stop", tmp_path / "index")


def test_one_library_file(start: Start, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    path = tmp_path / "library" / "library.json"
    TemplateLibrary(TemplateLibrary.builtin().templates[:150]).save(path)
    churn(start, workers.library, tmp_path / "stop", path)


def test_one_download(start: Start, tmp_path: Path) -> None:
    """Killed in the middle, it is taken up by a process that waits; that one killed too, by another one."""
    content = b"GGUF" + random.Random(0).randbytes(16 << 20)
    folder = tmp_path / "cache" / "models" / "owner" / "repo"
    target, part = folder / "any.gguf", folder / "any.gguf.part"

    def grown(more: int) -> int:
        size = before = part.stat().st_size if part.exists() else 0
        until = time.monotonic() + 60
        while size < before + more:
            assert time.monotonic() < until
            assert not target.exists()
            time.sleep(0.01)
            size = part.stat().st_size if part.exists() else 0
        return size

    with serving(Hub("/owner/repo/resolve/main/any.gguf", content)) as hub:
        hub.pause = 0.1
        given = (workers.download, 0, tmp_path, tmp_path / "cache", hub.url, "owner/repo/any.gguf", len(content))
        first = start(*given)
        sizes = [grown(2 << 20)]
        waiting = [start(*given) for _ in range(SLOTS - 1)]
        time.sleep(0.5)
        kill(first)
        sizes.append(grown(2 << 20))
        kill(*waiting)
        hub.pause = 0
        last = [start(*given) for _ in range(SLOTS)]
        for process in last:
            process.join(60)
        assert [process.exitcode for process in last] == [0] * SLOTS
        assert target.read_bytes() == content
        assert not part.exists()
        starts = [int(asked.removeprefix("bytes=").removesuffix("-") or 0) for asked in hub.asked]
        assert len(starts) == 3  # nobody fetched what another one had
        assert all(found >= size for found, size in zip(starts, [0, *sizes], strict=True))
