"""examples/business: what make_rows.py writes is what is committed, and the commands of its README do what they say. The model
is a fake that is shown to be of no use alone: it writes a program, and only when asked for one or shown one of the kind."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from reasonflux_agent.learning.rows import read_rows
from reasonflux_agent.testing import serve_fake
from reasonflux_agent.verify.programs import extract_program, run_program

BUSINESS = Path(__file__).parents[2] / "examples" / "business"
INVOICE = "n, p, m, q, off, vat = {}\nprint(round((n * p + m * q) * (1 - off / 100) * (1 + vat / 100), 2))"
UNIT = """n, a, p, m, b, q, k, c, r, off = {}
print(round(min(p / (n * a), q / (m * b), r * (1 - off / 100) / (k * c)), 2))"""
DATE = """import datetime
year, month, day, first, second = {}
print(datetime.date(year, month, day) + datetime.timedelta(days=first + second))"""
PROGRAMS = {"VAT": INVOICE, "offer": UNIT, "YYYY": DATE}
"""Word of the problems of a kind -> a program for its numbers."""


def kind(problem: str) -> str | None:
    return next((word for word in PROGRAMS if word in problem), None)


def respond(prompt: str) -> str:
    """A program for the last problem, if one was asked for, or if a worked turn of its kind was shown."""
    problems = re.findall(r"^.*\bWhat\b.*\?.*$|^.*\bHow many euros\b.*$|^.*\bOn which date\b.*$", prompt, re.MULTILINE)
    asked = "Python program" in prompt
    if not problems or not kind(problems[-1]) or not (asked or kind(problems[-1]) in map(kind, problems[:-1])):
        return "I do not know."
    numbers = ", ".join(number.lstrip("0") for number in re.findall(r"\d+(?:\.\d+)?", problems[-1]))
    return f"```python\n{PROGRAMS[kind(problems[-1]) or ''].format(numbers)}\n```"


def test_the_rows_are_what_the_program_makes() -> None:
    for seed, name in (("1", "rows.jsonl"), ("2", "sealed.jsonl")):
        command = [sys.executable, str(BUSINESS / "make_rows.py"), seed, "30"]
        made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        assert made == (BUSINESS / name).read_text(encoding="utf-8")
    assert len(read_rows([BUSINESS / "rows.jsonl", BUSINESS / "sealed.jsonl"])) == 60  # no two are nearly equal


def test_the_answers_are_right() -> None:
    """The numbers in a problem's text lead to its answer by another program than the one that wrote both."""
    for row in read_rows([BUSINESS / "rows.jsonl", BUSINESS / "sealed.jsonl"]):
        result = run_program(extract_program(respond(f"Python program\n{row.problem}")) or "")
        assert row.score(result.output), (row, result)


def test_the_commands_of_the_readme_learn_and_use_a_library(tmp_path: Path) -> None:
    readme = (BUSINESS / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    learn, solve = (shlex.split(line)[1:] for line in block.splitlines())
    for name in ("rows.jsonl", "sealed.jsonl"):
        shutil.copy(BUSINESS / name, tmp_path)
    with serve_fake(respond) as url:
        for command in (learn, solve):
            done = subprocess.run(
                [sys.executable, "-m", "reasonflux_agent", *command, "--model", f"vllm:fake@{url}"],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            if command is learn:
                assert re.search(r"On 30 rows that chose nothing: (2[5-9]|30) right with the library, 0 without", done.stdout)
    learned = json.loads((tmp_path / "business.json").read_text(encoding="utf-8"))
    assert set(learned["Learned"]) == {"invoice total", "unit price", "payment date"}
    (answer,) = re.findall(r"The right answer is ([\d.]+)\.\s", readme)
    assert f"Answer: {answer}" in done.stdout
