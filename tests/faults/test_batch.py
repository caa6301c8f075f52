"""A thousand problems through a server that fails in all its ways: each is accounted for, in time, in flat memory."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.runs.record import read_record
from tests.faults.server import Plan, serving

pytestmark = pytest.mark.faults

COUNT, DEADLINE = 1000, 5
SHARES = {
    **dict.fromkeys(["too-many", "unavailable", "server-error", "bad-request"], 0.01),
    **dict.fromkeys(["hang-up", "reset", "reset-midway", "cut", "bad-gateway", "no-http"], 0.002),
    **dict.fromkeys(["stall", "stall-midway", "drip", "endless", "declared-huge", "bomb"], 0.003),
    **dict.fromkeys(["not-json", "cut-unannounced", "web-page", "no-content", "a-list", "error-inside"], 0.005),
    **dict.fromkeys(["no-choices", "null-choices", "empty-choices", "null-message", "redirect"], 0.005),
    **dict.fromkeys(["null-content", "no-usage", "negative-usage"], 0.01),
}
"""Fault -> its share of the requests; 15 in 100 are faults."""
ANSWERED = ("", "null-content", "no-usage", "negative-usage")
"""Those with a reply."""


def by_lot(shares: dict[str, float]) -> Plan:
    """Each request of each problem draws its fault, the same one whenever it comes."""
    seen = Counter[str]()

    def plan(prompt: str) -> str:
        (problem,) = set(re.findall(r"Add (\d+) and 3\.", prompt))
        seen[problem] += 1
        weights = [*shares.values(), 1 - sum(shares.values())]
        return random.Random(f"{problem} {seen[problem]}").choices([*shares, ""], weights)[0]

    return plan


def batch(folder: Path, url: str, *options: str, status: int = 0) -> float:
    """Runs `reasonflux batch`, which ends with `status`; returns its largest memory, in megabytes."""
    command = [sys.executable, "-m", "reasonflux_agent.cli", "batch", str(folder / "problems.jsonl"), "-q"]
    command += ["-o", str(folder / "out.jsonl"), "--record", str(folder / "records"), "--model", f"vllm:fake@{url}"]
    command += ["--effort", "low", "--concurrency", "24", "--deadline", str(DEADLINE), *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, ended, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(ended)
    assert (process.returncode, "Traceback" in said) == (status, False), said
    return used.ru_maxrss / 1024


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def write_problems(folder: Path, count: int) -> None:
    folder.mkdir()
    lines = [json.dumps({"problem": f"Add {n} and 3.", "id": f"s{n}"}) for n in range(count)]
    (folder / "problems.jsonl").write_text("\n".join(lines))


def test_a_thousand_problems(tmp_path: Path) -> None:
    write_problems(tmp_path / "few", 20)
    with serving(lambda prompt: "") as server:
        usual = batch(tmp_path / "few", server.url)

    write_problems(tmp_path / "all", COUNT)
    plans = [by_lot(SHARES)]
    with serving(lambda prompt: plans[-1](prompt)) as server:
        most = batch(tmp_path / "all", server.url, status=1)  # rows failed
        rows = rows_of(tmp_path / "all")
        calls = [call for path in (tmp_path / "all" / "records").iterdir() for call in read_record(path).calls]
        met = Counter(fault for _, fault in server.log)

        # none lost, none done twice, none solved wrongly
        assert Counter(row["id"] for row in rows) == {f"s{n}": 1 for n in range(COUNT)}
        right = {f"s{n}": str(n + 3) for n in range(COUNT)}
        assert all(row["answer"] == (right[row["id"]] if row["status"] == "answered" else None) for row in rows)
        assert sum(row["status"] == "answered" for row in rows) > 0.75 * COUNT
        # every request is a call of the records, and the other way round
        assert len(calls) == len(server.log)
        assert sum(call.reply is not None for call in calls) == sum(met[fault] for fault in ANSWERED)
        assert set(met) == {*SHARES, ""}
        # each failure is one readable error
        failed = [row["error"] for row in rows if row["error"]]
        assert 0.02 * COUNT < len(failed) < 0.2 * COUNT
        assert all(
            re.fullmatch(r"ModelError: The model 'vllm:fake@.*' at http\S+ .+: .+\. Next: .+\.", text) for text in failed
        )
        # in time, in flat memory
        assert max(row["seconds"] for row in rows) < 3 * DEADLINE
        assert most - usual < 200

        # what failed is done again by a server that has recovered
        plans.append(lambda prompt: "")
        batch(tmp_path / "all", server.url, "--retry-failed")
        assert len(server.log) == len(calls) + 2 * len(failed)
    again = rows_of(tmp_path / "all")
    assert Counter(row["id"] for row in again) == {f"s{n}": 1 for n in range(COUNT)}
    assert [row["error"] for row in again] == [None] * COUNT
