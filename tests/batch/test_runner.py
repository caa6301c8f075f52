"""Rows in, rows out: ids, order, failures, resuming, locks, bounded memory."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.api import ReasonFlux
from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.jobs.batch.local import Solve, local_engine, solver
from reasonflux_agent.jobs.batch.rows import Index, Job
from reasonflux_agent.jobs.batch.runner import AHEAD, Output, failure, run_batch
from reasonflux_agent.jobs.running import GIVE_UP, Watcher
from reasonflux_agent.runs.journal import Journal
from reasonflux_agent.testing import FakeModel

OUTCOME = {**failure(ModelError("")), "answer": "1", "status": "answered", "votes": 1.0, "error": None, "fault": None}


def written(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


async def batch(
    problems: Path, out: Path, solve: Solve, concurrency: int = 4, *, ordered: bool = False, retry_failed: bool = False
) -> None:
    with problems.open("rb") as source, Output(out, source, retry_failed=retry_failed) as output:
        await run_batch(source, output, local_engine(solve, concurrency), concurrency=concurrency, ordered=ordered)


class Stub:
    """Solves at once; `failing` ids fail; keeps the order in which rows came."""

    def __init__(self, *failing: str, error: Exception | None = None) -> None:
        self.failing, self.error, self.jobs = set(failing), error or ModelError("the server stumbled"), list[Job]()

    async def __call__(self, job: Job) -> dict[str, Any]:
        self.jobs.append(job)
        # the earlier row of each pair takes longer
        await asyncio.sleep(0.002 * (job.number % 2))
        return failure(self.error) if job.id in self.failing else {**OUTCOME, "answer": job.problem}


def sums(count: int) -> list[dict[str, Any]]:
    return [{"problem": f"Add {n} and 3.", "id": f"s{n}"} for n in range(count)]


async def test_a_row_carries_its_input_through_and_says_what_it_cost(tmp_path: Path) -> None:
    given = {"problem": "Add 20 and 22.", "id": 7, "level": [1, {"x": None}], "text": "\u2028é"}
    problems, out = written(tmp_path / "p", [given, {"problem": "Add 1 and 1."}]), tmp_path / "new" / "o"
    flux = ReasonFlux(FakeModel(), record=tmp_path / "records")
    await batch(problems, out, solver(flux, effort="low"), ordered=True)
    first, second = rows_of(out)
    assert (first["id"], first["answer"], first["status"], first["error"], first["row"]) == ("7", "42", "answered", None, given)
    assert (second["id"], second["answer"]) == ("2", "2")
    assert first["tokens"] > 50
    assert first["votes"] == 1.0
    assert "42" in first["text"]
    assert (tmp_path / "records" / f"{first['run']}.jsonl").exists()
    assert first["run"] != second["run"]


async def test_rows_come_as_they_end_or_in_order(tmp_path: Path) -> None:
    problems = written(tmp_path / "p", sums(60))
    await batch(problems, tmp_path / "free", Stub())
    await batch(problems, tmp_path / "ordered", Stub("s3", "s58"), ordered=True)
    free, ordered = ([row["id"] for row in rows_of(tmp_path / name)] for name in ("free", "ordered"))
    assert ordered == [f"s{n}" for n in range(60)]
    assert sorted(free) == sorted(ordered)
    assert free != ordered


async def test_a_line_that_is_no_row_is_a_row_with_an_error(tmp_path: Path) -> None:
    bad = [
        "nonsense",
        [1],
        {"problem": " "},
        {"text": "x"},
        {"problem": "p", "id": 1.5},
        {"problem": "again", "id": "s0"},
        "[" * 9999,
    ]
    problems, stub = written(tmp_path / "p", [*sums(2), *bad, "", {"problem": "last"}]), Stub()
    await batch(problems, tmp_path / "o", stub)
    errors = {row["id"]: row["error"] for row in rows_of(tmp_path / "o") if row["error"]}
    assert list(errors) == [f"line {n}" for n in range(3, 10)]
    for id, says in {
        3: "no row: Expecting",
        4: "list, not an object",
        5: "'problem' is ' '",
        6: "fields text",
        7: "'id'",
        8: "earlier",
    }.items():
        assert says in errors[f"line {id}"]
        assert errors[f"line {id}"].startswith("InputError: ")
    assert [job.id for job in stub.jobs] == ["s0", "s1", "11"]
    again = Stub()
    await batch(problems, tmp_path / "o", again)
    assert again.jobs == []
    assert len(rows_of(tmp_path / "o")) == 10


async def test_an_input_of_another_kind_is_refused(tmp_path: Path) -> None:
    stub = Stub()
    with pytest.raises(InputError, match=r"no batch: line 1 is no row: Expecting value.* Next: give JSON lines"):
        await batch(written(tmp_path / "p", ["problem,answer", "1,2"]), tmp_path / "o", stub)
    with pytest.raises(InputError, match="longer than"):
        await batch(written(tmp_path / "q", ["x" * (9 << 20)]), tmp_path / "o", stub)
    assert stub.jobs == []


async def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    problems, out = written(tmp_path / "p", sums(20)), tmp_path / "o"
    await batch(problems, out, Stub("s4", "s5"))
    whole = out.read_bytes()
    out.write_bytes(b"".join(whole.splitlines(keepends=True)[:12]) + b'{"id": "s19", "ans')  # cut by a kill
    kept = [row["id"] for row in rows_of(out)]
    stub = Stub()
    await batch(problems, out, stub)
    assert {job.id for job in stub.jobs} == {f"s{n}" for n in range(20)} - set(kept)
    assert Counter(row["id"] for row in rows_of(out)) == {f"s{n}": 1 for n in range(20)}


async def test_failures_are_done_again_when_asked(tmp_path: Path) -> None:
    problems, out = written(tmp_path / "p", sums(20)), tmp_path / "o"
    await batch(problems, out, Stub("s4", "s5"))
    assert {row["id"]: row["error"] for row in rows_of(out) if row["error"]} == dict.fromkeys(
        ["s4", "s5"], "ModelError: the server stumbled"
    )
    stub = Stub()
    await batch(problems, out, stub)
    assert stub.jobs == []
    await batch(problems, out, stub, retry_failed=True)
    assert {job.id for job in stub.jobs} == {"s4", "s5"}
    assert [row["error"] for row in rows_of(out)] == [None] * 20
    assert {path.name for path in tmp_path.iterdir()} == {"p", "o"}


async def test_a_server_that_is_gone_ends_the_batch_and_costs_no_row(tmp_path: Path) -> None:
    problems, out = written(tmp_path / "p", sums(60)), tmp_path / "o"
    stub = Stub(*(f"s{n}" for n in range(30, 60)))
    with pytest.raises(ModelError, match=r"last 9 row\(s\) failed .*the server stumbled 30 row\(s\) are in .*o; the same"):
        await batch(problems, out, stub, ordered=True)
    assert [row["id"] for row in rows_of(out)] == [f"s{n}" for n in range(30)]
    assert len(stub.jobs) <= 30 + GIVE_UP + 3 * 4
    await batch(problems, out, Stub(), ordered=True)
    assert [row["error"] for row in rows_of(out)] == [None] * 60


async def test_rows_that_are_wrong_in_themselves_do_not_end_the_batch(tmp_path: Path) -> None:
    stub = Stub(*(f"s{n}" for n in range(30)), error=InputError("too long"))
    await batch(written(tmp_path / "p", sums(40)), tmp_path / "o", stub)
    assert sum(row["error"] == "InputError: too long" for row in rows_of(tmp_path / "o")) == 30


async def test_a_bug_in_a_row_is_that_rows_failure(tmp_path: Path) -> None:
    def respond(prompt: str) -> str:
        if "Add 4 " in prompt:
            raise KeyError("oh")
        return "So \\boxed{7}."

    problems = written(tmp_path / "p", sums(8))
    await batch(problems, tmp_path / "o", solver(ReasonFlux(FakeModel(respond=respond), strategy="direct")))
    errors = {row["id"]: row["error"] for row in rows_of(tmp_path / "o") if row["error"]}
    assert list(errors) == ["s4"]
    assert errors["s4"].startswith("ModelError: The model 'FakeModel' failed")


async def test_an_output_is_no_other_batchs(tmp_path: Path) -> None:
    problems, out, stub = written(tmp_path / "p", sums(3)), tmp_path / "o", Stub()
    await batch(problems, out, stub)
    other = written(tmp_path / "q", [{"problem": "Another", "id": "s1"}])
    with pytest.raises(InputError, match=r"o is of another input: the problem of its row 's1' is not that of .* line 1\. Next"):
        await batch(other, out, stub)
    with pytest.raises(InputError, match=r"p is the input\. Next"):
        await batch(problems, problems, stub)
    for foreign in ('{"name": "x"}', "a text", '{"name": "x"}\n', "a text\n"):
        (tmp_path / "f").write_text(foreign)
        with pytest.raises(InputError, match="f is damaged in line 1"):
            await batch(problems, tmp_path / "f", stub)
        assert (tmp_path / "f").read_text() == foreign
    with pytest.raises(InputError, match="cannot be written"):
        await batch(problems, tmp_path, stub)
    assert len(stub.jobs) == 3


async def test_two_processes_do_not_share_an_output(tmp_path: Path) -> None:
    problems, out = written(tmp_path / "p", sums(3)), tmp_path / "o"
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(job: Job) -> dict[str, Any]:
        begun.set()
        await go_on.wait()
        return OUTCOME

    for retry_failed in (False, True):
        first = asyncio.create_task(batch(problems, out, slow, retry_failed=retry_failed))
        await begun.wait()
        with pytest.raises(InputError, match="Another process is writing"):
            await batch(problems, out, Stub())
        first.cancel()
        await asyncio.wait([first])
        begun.clear()
    go_on.set()
    await batch(problems, out, slow)
    assert len(rows_of(out)) == 3


async def test_a_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    solved: asyncio.Queue[str] = asyncio.Queue()

    class Heard(Watcher):
        total: int | None = 0

        def begin(self, journal: Journal[Any], before: int, total: int | None) -> None:
            self.total = total

        def row(self, row: dict[str, Any]) -> None:
            solved.put_nowait(row["id"])

    heard = Heard()
    with (
        open(reading, "rb") as source,
        open(writing, "wb", buffering=0) as pipe,
        Output(tmp_path / "o", source) as output,
    ):
        run = asyncio.create_task(run_batch(source, output, local_engine(Stub(), 2), concurrency=2, watcher=heard))
        pipe.write(b'{"problem": "one"}\n{"prob')
        assert await asyncio.wait_for(solved.get(), 10) == "1"
        pipe.write(b'lem": "two"}')
        pipe.close()
        await asyncio.wait_for(run, 10)
    assert await solved.get() == "2"
    assert heard.total is None


async def test_a_pipe_that_does_not_block_is_waited_for(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with open(reading, "rb") as source, Output(tmp_path / "o", source) as output:
        run = asyncio.create_task(run_batch(source, output, local_engine(Stub(), 2), concurrency=2))
        await asyncio.sleep(0.1)
        os.write(writing, b'{"problem": "one"}\n')
        os.close(writing)
        await asyncio.wait_for(run, 10)
    assert [row["id"] for row in rows_of(tmp_path / "o")] == ["1"]


async def test_a_terminal_that_is_gone_ends_the_batch(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    with open(theirs, "rb", buffering=0) as source, Output(tmp_path / "o", source) as output:
        run = asyncio.create_task(run_batch(source, output, local_engine(Stub(), 2), concurrency=2))
        await asyncio.sleep(0.1)
        os.close(ours)
        with pytest.raises(InputError, match=r"cannot be read: .*see to what writes it"):
            await asyncio.wait_for(run, 10)


async def test_an_ordered_output_does_not_run_ahead_of_a_slow_row(tmp_path: Path) -> None:
    release, done = asyncio.Event(), 0

    async def solve(job: Job) -> dict[str, Any]:
        nonlocal done
        if job.number == 1:
            await release.wait()
        done += 1
        return OUTCOME

    run = asyncio.create_task(batch(written(tmp_path / "p", sums(3 * AHEAD)), tmp_path / "o", solve, ordered=True))
    before = -1
    while done != before:
        before = done
        await asyncio.sleep(0.2)
    assert done == AHEAD + 4 - 1
    release.set()
    await run
    assert [row["id"] for row in rows_of(tmp_path / "o")] == [f"s{n}" for n in range(3 * AHEAD)]


def test_the_index_finds_what_it_was_given() -> None:
    index, count = Index(), 200_000
    for n in range(count):
        index.add(f"id {n}", {"problem": f"p {n % 7}"})
    assert len(index) == count
    assert all(index.get(f"id {n}") == index.get(f"id {n + 7}") is not None for n in range(0, count - 7, 997))
    assert index.get("id 1") != index.get("id 2")
    assert index.get(f"id {count}") is None


MANY = """
import asyncio, json, os, resource, sys
from reasonflux_agent.jobs.batch.local import local_engine
from reasonflux_agent.jobs.batch.runner import Output, run_batch
path, count, ordered = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True"
with open(path + "/p", "w") as file:
    for n in range(count):
        file.write(json.dumps({"problem": f"Problem {n} " + "x" * 400}) + "\\n")
outcome = {"answer": "1", "tokens": 2, "text": "t" * 100, "error": None, "fault": None}
async def solve(job):
    return outcome
async def run():
    with open(path + "/p", "rb") as source, Output(path + "/o", source) as output:
        await run_batch(source, output, local_engine(solve, 64), concurrency=64, ordered=ordered)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
asyncio.run(run())
asyncio.run(run())  # and what it costs to find that all is done
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, os.path.getsize(path + "/o") / 2**20)
"""


@pytest.mark.parametrize("ordered", [False, True])
def test_memory_does_not_grow_with_the_input(tmp_path: Path, ordered: bool) -> None:
    """200,000 rows, more than 100 MiB of output: 16 bytes a row and index, and what is under way."""
    arguments = [sys.executable, "-c", MANY, str(tmp_path), "200000", str(ordered)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=True)
    grown, size = map(float, done.stdout.split())
    assert size > 100
    assert grown < 40
    with (tmp_path / "o").open("rb") as file:
        assert sum(1 for _ in file) == 200_000
