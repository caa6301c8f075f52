"""The runner: rows, resuming after a kill, failures, locks, matched tokens, grading that hangs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.jobs.evaluation.folder import key_of
from reasonflux_agent.jobs.evaluation.results import read_run
from reasonflux_agent.jobs.evaluation.runner import evaluate
from reasonflux_agent.jobs.evaluation.solving import _outcome
from reasonflux_agent.jobs.running import Watcher
from reasonflux_agent.runs.journal import Journal
from reasonflux_agent.runs.record import read_record
from reasonflux_agent.schema import Candidate, Solution
from reasonflux_agent.testing import FakeModel, mathematician, serve_fake
from reasonflux_agent.verify.grading import pool
from tests.models.recorder import Recorder, reply, serving

METHODS = ["direct", "self-consistency@3", "no-templates,effort=low"]


def sums(folder: Path, count: int = 6) -> str:
    """A benchmark of additions; every third answer is not the one that the fake model gives."""
    path = folder / "sums.jsonl"
    rows = [{"problem": f"Add {n} and 3.", "answer": str(n + 3 + (n % 3 == 2)), "level": n % 2} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "results.jsonl").read_text().split("\n") if line]


class Notes(Watcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.done = 0

    def begin(self, journal: Journal[Any], before: int, total: int | None) -> None:
        assert before == len(journal.rows)
        self.done, self.total = before, total

    def row(self, row: dict[str, Any]) -> None:
        self.rows.append(row)

    def note(self, text: str) -> None:
        self.notes.append(text)


async def test_every_method_solves_every_problem_side_by_side(tmp_path: Path) -> None:
    path = await evaluate([sums(tmp_path)], METHODS, model=FakeModel(), out=tmp_path / "run", concurrency=1, seed=3)
    rows = rows_of(path)
    order = [(row["id"], row["method"]) for row in rows]
    assert order == [(f"sums/{n}", method) for n in range(6) for method in METHODS]
    assert [row["correct"] for row in rows] == [n % 3 != 2 for n in range(6) for _ in METHODS]
    direct, majority, planned = rows[:3]
    assert (direct["gold"], direct["answer"], direct["level"], direct["error"]) == ("3", "3", 0, None)
    assert (direct["calls"], majority["calls"], planned["calls"]) == (1, 3, 2)
    assert majority["reason"] == "3 of 3 samples agree"
    assert [candidate["correct"] for candidate in majority["candidates"]] == [True] * 3
    assert (planned["candidates"][0]["source"], planned["escalated"], planned["templates"]) == ("navigator", False, [])
    assert planned["prompt_tokens"] > direct["prompt_tokens"] > 0
    for row in rows:
        record = read_record(path / "records" / f"{row['run']}.jsonl")
        assert record.solution is not None
        assert sum(len(call.reply.text) > 0 for call in record.calls) == row["calls"]
    settings = json.loads((path / "run.json").read_text())
    assert settings["methods"] == METHODS
    assert settings["benchmarks"]["sums"]["n"] == 6
    assert (settings["navigator"], settings["library"], settings["seed"]) == ("FakeModel", "builtin", 3)


async def test_a_finished_evaluation_calls_no_model_again(tmp_path: Path) -> None:
    model, problems = FakeModel(calls=[]), sums(tmp_path, 2)
    path = await evaluate([problems], ["direct"], model=model, out=tmp_path / "run")
    notes = Notes()
    assert len(model.calls) == 2
    assert await evaluate([problems], ["direct"], model=model, out=tmp_path / "run", watcher=notes) == path
    assert (len(model.calls), notes.done, notes.total, notes.rows) == (2, 2, 2, [])


async def test_auto_tells_whether_it_escalated(tmp_path: Path) -> None:
    def respond(prompt: str) -> str:
        astray = "Python program" in prompt and "Add 1" in prompt  # its drafts disagree
        return "```python\nprint(0)\n```" if astray else mathematician(prompt)

    methods = ["no-templates,effort=auto", "direct,effort=auto"]
    path = await evaluate([sums(tmp_path, 3)], methods, model=FakeModel(respond=respond), out=tmp_path / "r")
    told = {row["id"]: row["escalated"] for row in rows_of(path) if row["method"] != "direct,effort=auto"}
    assert told == {"sums/0": False, "sums/1": True, "sums/2": False}
    assert not any(row["escalated"] for row in rows_of(path) if row["method"] == "direct,effort=auto")  # it makes no drafts


async def test_any_text_of_a_model_is_kept(tmp_path: Path) -> None:
    answer = "\\text{\u2028 \x00 \ud800 <b>}"
    model = FakeModel(respond=lambda _: f"\\boxed{{{answer}}}")
    path = await evaluate([sums(tmp_path, 1)], ["direct"], model=model, out=tmp_path / "run")
    (row,) = rows_of(path)
    kept = answer.replace("\ud800", "\ufffd")  # half of a surrogate pair is no character
    assert (row["answer"], row["correct"], row["error"]) == (kept, False, None)
    assert await evaluate([sums(tmp_path, 1)], ["direct"], model=model, out=tmp_path / "run") == path


async def test_a_folder_of_another_evaluation_is_refused(tmp_path: Path) -> None:
    problems = sums(tmp_path, 2)
    await evaluate([problems], ["direct"], model=FakeModel(), out=tmp_path / "run")
    with pytest.raises(InputError, match=r"seed was 0, is 1\. Next: give the same options"):
        await evaluate([problems], ["direct"], model=FakeModel(), out=tmp_path / "run", seed=1)
    with pytest.raises(InputError, match=r"benchmarks\.sums\.n was 2, is 1; benchmarks\.sums\.sha256"):
        await evaluate([problems], ["direct"], model=FakeModel(), out=tmp_path / "run", limit=1)
    with pytest.raises(InputError, match=r"contexts\.direct\.max_tokens was 1536, is 99"):
        await evaluate([problems], ["direct"], model=FakeModel(), out=tmp_path / "run", max_tokens=99)
    with pytest.raises(InputError, match=r"contexts\.direct\.reviews was 3, is 0"):  # what an effort stands for
        await evaluate([problems], ["direct"], model=FakeModel(), out=tmp_path / "run", effort="low")
    assert len(rows_of(tmp_path / "run")) == 2


async def test_methods_are_added_to_a_folder_and_what_it_has_is_not_done_again(tmp_path: Path) -> None:
    model, problems, out = FakeModel(calls=[]), sums(tmp_path, 3), tmp_path / "run"
    await evaluate([problems], ["direct", "self-consistency@direct"], model=model, out=out)
    first, calls, notes = (out / "results.jsonl").read_bytes(), len(model.calls), Notes()
    await evaluate([problems], ["drafts", "direct", "self-consistency@drafts"], model=model, out=out, watcher=notes)
    rows, settings = rows_of(out), json.loads((out / "run.json").read_text())
    assert (out / "results.jsonl").read_bytes().startswith(first)
    assert len(model.calls) - calls == sum(row["calls"] for row in rows[6:])
    assert [row["method"] for row in rows[6:]] == ["drafts"] * 3 + ["self-consistency@drafts"] * 3
    assert (
        settings["methods"]
        == ["direct", "self-consistency@direct", "drafts", "self-consistency@drafts"]
        == list(settings["contexts"])
    )
    assert (
        settings["matched"]["self-consistency@direct"]["sums"]["k"]
        == 1
        < settings["matched"]["self-consistency@drafts"]["sums"]["k"]
    )
    assert (notes.done, notes.total, len(notes.rows)) == (6, 12, 6)
    with pytest.raises(InputError, match=r"contexts\.drafts\.max_tokens was 1536, is 99"):
        await evaluate([problems], ["drafts", "no-templates"], model=model, out=out, max_tokens=99)
    assert json.loads((out / "run.json").read_text()) == settings


async def test_a_folder_whose_methods_are_not_named_again_keeps_them(tmp_path: Path) -> None:
    problems, out = sums(tmp_path, 2), tmp_path / "run"
    await evaluate([problems], ["direct"], model=FakeModel(), out=out)
    await evaluate([problems], ["drafts"], model=FakeModel(), out=out)
    assert [row["method"] for row in rows_of(out)] == ["direct"] * 2 + ["drafts"] * 2
    with pytest.raises(InputError, match=r"contexts\.direct\.max_tokens was 1536, is 99"):
        await evaluate([problems], ["direct"], model=FakeModel(), out=out, max_tokens=99)
    with pytest.raises(InputError, match=r"contexts\.direct\.max_tokens was 1536, is 99"):
        await evaluate([problems], ["no-templates"], model=FakeModel(), out=out, max_tokens=99)


async def test_what_an_effort_meant_when_a_folder_was_made_is_asked_of_methods_not_named_again(tmp_path: Path) -> None:
    problems, out = sums(tmp_path, 1), tmp_path / "run"
    await evaluate([problems], ["navigator"], model=FakeModel(), out=out)
    settings = json.loads((out / "run.json").read_text())
    settings["contexts"]["navigator"]["direct_samples"] = 0  # as an earlier version had it
    (out / "run.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match=r"contexts\.navigator\.direct_samples was 0, is 2"):
        await evaluate([problems], ["direct"], model=FakeModel(), out=out)
    assert len(rows_of(out)) == 1


async def test_without_a_folder_the_same_call_finds_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = sums(tmp_path, 1)
    monkeypatch.chdir(tmp_path)
    first = await evaluate([problems], ["direct"], model=FakeModel())
    assert first == await evaluate([problems], ["direct"], model=FakeModel())
    assert first != await evaluate([problems], ["direct"], model=FakeModel(), seed=1)


async def test_the_majority_matches_the_tokens_of_a_method(tmp_path: Path) -> None:
    notes, methods = Notes(), ["self-consistency@no-templates", "direct", "no-templates"]
    path = await evaluate([sums(tmp_path)], methods, model=FakeModel(), out=tmp_path / "run", watcher=notes)
    rows = rows_of(path)
    mean = {
        method: sum(row["prompt_tokens"] + row["completion_tokens"] for row in rows if row["method"] == method) / 6
        for method in methods
    }
    matched = json.loads((path / "run.json").read_text())["matched"]["self-consistency@no-templates"]["sums"]
    assert matched["k"] == round(mean["no-templates"] / mean["direct"]) > 1
    assert (matched["target_tokens"], matched["sample_tokens"]) == (round(mean["no-templates"], 1), round(mean["direct"], 1))
    assert mean[methods[0]] == pytest.approx(mean["no-templates"], abs=mean["direct"])
    assert {row["calls"] for row in rows if row["method"] == methods[0]} == {matched["k"]}
    assert [row["method"] for row in rows[-6:]] == [methods[0]] * 6
    assert f"{matched['k']} samples" in notes.notes[0]


async def test_one_problem_that_fails_is_a_row_and_is_retried_on_request(tmp_path: Path) -> None:
    problems = sums(tmp_path)
    broken = True

    def respond(prompt: str) -> str:
        if broken and "Add 4" in prompt:
            raise RuntimeError("the server stumbled")
        return mathematician(prompt)

    model = FakeModel(respond=respond)
    path = await evaluate([problems], ["direct"], model=model, out=tmp_path / "run")
    by_id = {row["id"]: row for row in rows_of(path)}
    assert len(by_id) == 6
    failed = by_id["sums/4"]
    assert "the server stumbled" in failed["error"]
    assert (failed["correct"], failed["status"], failed["answer"]) == (False, "failed", None)
    await evaluate([problems], ["direct"], model=model, out=tmp_path / "run")
    assert {row["id"]: row for row in rows_of(path)} == by_id
    broken = False
    await evaluate([problems], ["direct"], model=model, out=tmp_path / "run", retry_failed=True)
    again = {row.id: row for row in read_run(path).rows}
    assert again["sums/4"].correct
    assert len(read_run(path).rows) == 6


async def test_a_server_that_is_gone_takes_no_row_from_those_that_are_done_again(tmp_path: Path) -> None:
    def respond(prompt: str) -> str:
        if "Add 4" in prompt or gone:
            raise RuntimeError("nobody there")
        return mathematician(prompt)

    problems, gone = sums(tmp_path), False
    path = await evaluate([problems], ["direct"], model=FakeModel(respond=respond), out=tmp_path / "run")
    before, gone = (path / "results.jsonl").read_bytes(), True
    with pytest.raises(ModelError, match="nobody there"):
        await evaluate([problems], ["direct"], model=FakeModel(respond=respond), out=path, retry_failed=True)
    assert (path / "results.jsonl").read_bytes() == before


async def test_problems_that_cannot_be_asked_do_not_end_the_run(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    texts = [f"Add {n} and 3." + " Mind that." * (n > 0) * 2000 for n in range(8)]
    path.write_text("".join(json.dumps({"problem": text, "answer": "3"}) + "\n" for text in texts))
    run = await evaluate([str(path)], ["direct"], model=FakeModel(), out=tmp_path / "run", concurrency=1)
    assert [row["fault"] for row in rows_of(run)] == [None] + ["problem"] * 7
    refusing = Recorder((400, {"error": {"message": "maximum model length"}}))
    with serving(refusing) as server:
        run = await evaluate([sums(tmp_path, 7)], ["direct"], model=f"vllm:fake@{server.url}", out=tmp_path / "refused")
    assert [row["fault"] for row in rows_of(run)] == ["problem"] * 7


async def test_a_server_that_goes_near_the_end_costs_no_problem(tmp_path: Path) -> None:
    gone = False

    def respond(prompt: str) -> str:
        nonlocal gone
        gone = gone or "Add 6 " in prompt
        if gone:
            raise RuntimeError("nobody there")
        return mathematician(prompt)

    with pytest.raises(ModelError, match=r"its last 2 row\(s\) failed.*nobody there"):
        await evaluate([sums(tmp_path, 8)], ["direct"], model=FakeModel(respond=respond), out=tmp_path / "run", concurrency=1)
    assert [row["error"] for row in rows_of(tmp_path / "run")] == [None] * 6


async def test_the_last_problem_that_fails_alone_is_a_row(tmp_path: Path) -> None:
    def respond(prompt: str) -> str:
        if "Add 3 " in prompt:
            raise RuntimeError("stumbled")
        return mathematician(prompt)

    path = await evaluate(
        [sums(tmp_path, 4)], ["direct"], model=FakeModel(respond=respond), out=tmp_path / "run", concurrency=1
    )
    assert [row["fault"] for row in rows_of(path)] == [None, None, None, "server"]


@pytest.mark.parametrize("method", ["self-consistency@24", "best-of@40"])
async def test_all_samples_are_made_though_they_agree(tmp_path: Path, method: str) -> None:
    path = await evaluate([sums(tmp_path, 1)], [method], model=FakeModel(), out=tmp_path / "run")
    (row,) = rows_of(path)
    assert row["calls"] == len(row["candidates"]) == int(method.partition("@")[2])


async def test_random_templates_are_shown_where_the_navigators_are(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    texts = ["What is the probability that two dice sum to 7?", "Who wrote Faust?", "How many ways are there to seat 5 people?"]
    path.write_text("".join(json.dumps({"problem": text, "answer": "3"}) + "\n" for text in texts))
    methods = ["navigator,effort=low", "random-templates,effort=low"]
    rows = rows_of(await evaluate([str(path)], methods, model=FakeModel(), out=tmp_path / "run"))
    shown = {method: {row["id"]: len(row["templates"]) for row in rows if row["method"] == method} for method in methods}
    assert shown[methods[0]] == shown[methods[1]]
    assert 0 in shown[methods[0]].values()


def test_a_candidate_that_was_cut_counts_though_another_was_chosen() -> None:
    made = [Candidate(source="direct", text=text, answer="1", truncated=text == "cut") for text in ("whole", "cut")]
    solution = Solution(problem="x", answer="1", text="whole", status="answered", candidates=tuple(made))
    assert _outcome(solution)["truncated"]


async def test_a_server_that_is_gone_ends_the_run_and_costs_no_problem(tmp_path: Path) -> None:
    problems, gone = sums(tmp_path, 20), False

    def respond(prompt: str) -> str:
        nonlocal gone
        gone = gone or "Add 10 " in prompt
        if gone:
            raise RuntimeError("nobody there")
        return mathematician(prompt)

    model = FakeModel(respond=respond)
    with pytest.raises(ModelError, match=r"stopped: its last 5 row\(s\) failed.*nobody there.*the same command goes on"):
        await evaluate([problems], ["direct"], model=model, out=tmp_path / "run", concurrency=1)
    assert [row["error"] for row in rows_of(tmp_path / "run")] == [None] * 10
    path = await evaluate([problems], ["direct"], model=FakeModel(), out=tmp_path / "run")
    assert Counter(key_of(row) for row in rows_of(path)) == {("sums", "direct", 0, f"sums/{n}"): 1 for n in range(20)}


async def test_a_dead_server_is_an_error_and_no_rows(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="could not be reached"):
        await evaluate([sums(tmp_path, 1)], ["direct"], model="vllm:fake@http://127.0.0.1:9/v1", out=tmp_path / "run")
    assert (tmp_path / "run" / "results.jsonl").read_text() == ""


async def test_repeats_and_samples_have_seeds_of_their_own(tmp_path: Path) -> None:
    answers = Recorder((200, reply("So $\\boxed{3}$.")))
    with serving(answers) as server:
        path = await evaluate(
            [sums(tmp_path, 2)],
            ["self-consistency@3"],
            model=f"vllm:fake@{server.url}",
            out=tmp_path / "run",
            repeats=2,
            seed=5,
        )
    assert len(rows_of(path)) == 4
    drawn = Counter((body["seed"], body["temperature"]) for body in answers.bodies)
    # none is greedy: a first repeat of another kind would make pass@k one of a mixture
    assert drawn == {(5, 0.7): 2, (6, 0.7): 2, (7, 0.7): 2, (1005, 0.7): 2, (1006, 0.7): 2, (1007, 0.7): 2}


HANGING = r"9^{9^{9^9}}"


async def test_a_grader_that_is_killed_costs_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "hard.jsonl"
    golds = ["1+2i", "x^2+x", "3+4i"]  # each takes a worker
    path.write_text("".join(json.dumps({"problem": f"Problem {n}", "answer": gold}) + "\n" for n, gold in enumerate(golds)))
    replies = ["2i + 1", HANGING, "4i + 3"]

    def respond(prompt: str) -> str:
        return f"\\boxed{{{next(reply for n, reply in enumerate(replies) if f'Problem {n}' in prompt)}}}"

    stop = threading.Event()

    def kill_what_hangs() -> None:
        """Kills a worker that has been busy for a second, as the kernel does when memory runs out."""
        while not stop.wait(1.0):
            for worker in [worker for worker in list(pool._alive) if worker not in pool._idle]:
                stat = Path(f"/proc/{worker.process.pid}/stat")
                if stat.exists() and int(stat.read_text().split()[13]) > 300:  # ticks of CPU: it works, and does not start
                    os.kill(worker.process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_what_hangs, daemon=True)
    killer.start()
    run = await evaluate([str(path)], ["direct"], model=FakeModel(respond=respond), out=tmp_path / "run", concurrency=1)
    stop.set()
    assert [(row["correct"], row["ungraded"]) for row in rows_of(run)] == [(True, False), (False, True), (True, False)]


SCRIPT = """
import asyncio, sys
from reasonflux_agent.jobs.evaluation.runner import evaluate
problems, url, out = sys.argv[1:]
asyncio.run(evaluate([problems], ["direct", "no-templates"], model=f"vllm:fake@{url}", out=out, concurrency=3))
"""


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    problems, out, asked = sums(tmp_path, 12), tmp_path / "run", Counter[str]()
    lines = out / "results.jsonl"

    def respond(prompt: str) -> str:
        task = "plan" if "Do not solve" in prompt else "solve" if "plan" in prompt else "direct"
        asked[f"{task} {prompt.split('Add ')[-1][:6]}"] += 1
        time.sleep(0.05)
        return mathematician(prompt)

    with serve_fake(respond) as url, child(problems, url, str(out)) as first:
        deadline = time.monotonic() + 120
        while (lines.read_bytes().count(b"\n") if lines.exists() else 0) < 8 and time.monotonic() < deadline:
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        first.wait()
        with lines.open("ab") as file:
            file.write(b'{"benchmark": "sums", "method": "dir')  # the kill cut a line
        before = {key_of(json.loads(line)) for line in lines.read_text().split("\n")[:-1]}
        assert 8 <= len(before) < 24
        asked.clear()
        with child(problems, url, str(out)) as second:
            assert second.wait(timeout=300) == 0, second.stderr and second.stderr.read()
    after = Counter(key_of(row) for row in rows_of(out))
    assert set(after.values()) == {1}
    assert {key[1:] for key in after} == {(m, 0, f"sums/{n}") for m in ("direct", "no-templates") for n in range(12)}
    done = {int(key[3].split("/")[1]) for key in before if key[1] == "direct"} & {
        int(key[3].split("/")[1]) for key in before if key[1] == "no-templates"
    }
    assert done
    assert [prompt for prompt in asked for n in done if f" {n} and" in prompt] == []  # nothing finished was asked again


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    problems, out = sums(tmp_path, 12), tmp_path / "run"

    def slow(prompt: str) -> str:
        time.sleep(0.5)
        return mathematician(prompt)

    with serve_fake(slow) as url, child(problems, url, str(out)):
        deadline = time.monotonic() + 120
        while not (out / "run.json").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        with pytest.raises(InputError, match=r"Another process is writing .*run"):
            asyncio.run(evaluate([problems], ["direct", "no-templates"], model=f"vllm:fake@{url}", out=out))


async def test_bad_input_is_refused_before_any_model_is_loaded(tmp_path: Path) -> None:
    problems, nobody = sums(tmp_path, 1), "vllm:fake@http://127.0.0.1:9/v1"
    for benchmarks, methods, more, says in [
        ([problems], ["nothing"], {}, "There is no method 'nothing'"),
        (["nothing"], ["direct"], {}, "There is no benchmark 'nothing'"),
        ([problems, problems], ["direct"], {}, "'sums' is given twice"),
        ([problems], [], {}, "nothing to evaluate"),
        ([problems], ["direct"], {"repeats": 0}, "repeats=0"),
        ([problems], ["direct"], {"temperature": 9}, "temperature = 9"),
    ]:
        with pytest.raises(InputError, match=says):
            await evaluate(benchmarks, methods, model=nobody, out=tmp_path / "run", **more)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


@pytest.mark.local_model
async def test_a_real_model_is_evaluated(tmp_path: Path) -> None:
    path = await evaluate(
        [sums(tmp_path, 3)], ["direct", "navigator,effort=low"], model="local:smollm2-135m", out=tmp_path / "run",
        max_tokens=64, concurrency=4,
    )  # fmt: skip
    rows = rows_of(path)
    assert len(rows) == 6
    assert all(row["error"] is None and row["completion_tokens"] > 0 and row["seconds"] > 0 for row in rows)
