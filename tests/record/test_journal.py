"""The journal: nothing that was kept is lost or done again, whatever ends the process."""

from __future__ import annotations

import doctest
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.errors import InputError
from reasonflux_agent.jobs.running import Watcher, run_all
from reasonflux_agent.runs import journal as module
from reasonflux_agent.runs.journal import Journal

HEADER = {"format": "test", "version": 1, "settings": {"power": 2, "deep": {"a": [1]}}}


def opened(path: Path, **options: Any) -> Journal[int]:
    return Journal(path, itemgetter("n"), **{"header": HEADER, **options})


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def rows(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_the_example_of_the_documentation() -> None:
    assert doctest.testmod(module) == (0, 6)


def test_rows_are_read_back_and_the_later_one_counts(tmp_path: Path) -> None:
    with opened(tmp_path / "new" / "j") as journal:
        journal.add({"n": 1, "said": "\ud800 \u2028\n"})
        journal.add({"n": 2, "said": "b"})
        journal.add({"n": 1, "said": "c"})
    with opened(tmp_path / "new" / "j") as journal:
        assert {n: row["said"] for n, row in journal.rows.items()} == {1: "c", 2: "b"}
        assert journal.missing([3, 2, 1, 0]) == [3, 0]
    assert lines(tmp_path / "new" / "j")[0] == HEADER


@pytest.mark.parametrize("cut", [b'{"n": 2, "sa', b'{"n": 2}', b"{"])
def test_a_cut_last_line_is_removed(tmp_path: Path, cut: bytes) -> None:
    path = tmp_path / "j"
    with opened(path) as journal:
        journal.add({"n": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + cut)
    with opened(path) as journal:
        assert list(journal.rows) == [1]
    assert path.read_bytes() == whole
    path.write_bytes(whole[:10])  # within the header
    with opened(path) as journal:
        assert journal.rows == {}
    assert lines(path) == [HEADER]


@pytest.mark.parametrize("line", ["text", "[1]", "3", '{"m": 1}', "", "[" * 9999])
def test_a_damaged_line_is_an_error_that_names_it(tmp_path: Path, line: str) -> None:
    path = tmp_path / "j"
    path.write_text(f'{json.dumps(HEADER)}\n{{"n": 1}}\n{line}\n{{"n": 2}}\n')
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"j is damaged in line 3: .*Next: remove that line"):
        opened(path).__enter__()
    assert path.read_bytes() == before
    with opened(tmp_path / "k"), pytest.raises(InputError, match="damaged in line 3"):
        opened(path).__enter__()  # the lock of a refused file is free again


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    with opened(tmp_path / "j") as journal:
        journal.add({"n": 1})
    other = {"format": "test", "version": 2, "settings": {"power": 2, "deep": {"a": [2]}, "more": True}}
    says = r"settings\.deep\.a was \[1\], is \[2\]; settings\.more was None, is True; version was 1, is 2\. Next: give the same"
    with pytest.raises(InputError, match=says):
        opened(tmp_path / "j", header=other).__enter__()
    (tmp_path / "k").write_text('{"n": 1}\n')  # a file without a header
    with pytest.raises(InputError, match="format was None, is 'test'"):
        opened(tmp_path / "k").__enter__()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path / "j"), pytest.raises(InputError, match=r"Another process is writing .*j\. Next: wait"):
        opened(tmp_path / "j").__enter__()
    opened(tmp_path / "j").__enter__()  # and then the next one


def test_dropped_rows_leave_the_file_and_forgotten_ones_stay(tmp_path: Path) -> None:
    with opened(tmp_path / "j") as journal:
        for n in range(4):
            journal.add({"n": n, "bad": n % 2})
    with opened(tmp_path / "j") as journal:
        journal.forget(lambda row: bool(row["bad"]))
        assert journal.missing(range(4)) == [1, 3]
    assert len(lines(tmp_path / "j")) == 5
    with opened(tmp_path / "j", drop=lambda row: bool(row["bad"])) as journal:
        assert journal.missing(range(4)) == [1, 3]
        with pytest.raises(InputError, match="Another process"):
            opened(tmp_path / "j").__enter__()
        journal.add({"n": 1, "bad": 0})
    assert [line.get("n") for line in lines(tmp_path / "j")] == [None, 0, 2, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_the_first_error_ends_a_job_and_what_is_finished_is_kept(tmp_path: Path) -> None:
    def work(key: int, item: int) -> dict[str, Any]:
        if item == 3:
            raise ValueError("three")
        time.sleep(0.1 * (item > 3))
        return {"n": key}

    watcher = Watcher()
    with opened(tmp_path / "j") as journal, pytest.raises(ValueError, match="three"):
        run_all({n: n for n in range(9)}, work, journal, watcher)
    kept = [line["n"] for line in lines(tmp_path / "j")[1:]]
    assert kept in ([0, 1, 2], [0, 1, 2, 4])  # the one that was under way too
    assert (watcher.before, watcher.new, watcher.total) == (0, len(kept), 9)
    assert watcher.left is not None


def test_a_job_never_counts_more_rows_than_its_total(tmp_path: Path) -> None:
    watcher = Watcher()
    with Journal(tmp_path / "rows.jsonl", itemgetter("id")) as journal:
        watcher.begin(journal, before=2, total=3)  # an estimate that is too low
        for number in range(4):
            watcher.row({"id": number})
            assert watcher.before + watcher.new <= (watcher.total or 0)
    assert watcher.total == 6


JOB = """
import sys, time
from pathlib import Path
from reasonflux_agent.jobs.running import run_all
from reasonflux_agent.runs.journal import Journal
def work(key, item):
    with open(sys.argv[1] + ".done", "a") as file:
        file.write(f"{key}\\n")
    time.sleep(0.01)
    return {"n": key, "text": "x" * 20_000}
with Journal(sys.argv[1], lambda row: row["n"], header={"format": "x", "version": 1, "settings": {}}) as journal:
    run_all({n: n for n in range(300)}, work, journal, at_once=4)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_job_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    path, kills = tmp_path / "j", 3
    for kill in range(kills + 1):
        before = rows(path)
        with subprocess.Popen([sys.executable, "-c", JOB, str(path)], stderr=subprocess.DEVNULL) as process:
            while kill < kills and rows(path) < before + 40:
                time.sleep(0.01)
            if kill < kills:
                process.send_signal(number)
    assert process.returncode == 0
    assert Counter(line["n"] for line in lines(path)[1:]) == dict.fromkeys(range(300), 1)
    begun = Counter((tmp_path / "j.done").read_text().split())
    assert sum(begun.values()) <= 300 + kills * 4  # what was under way is done again, nothing else
