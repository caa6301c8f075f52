"""Benchmarks: local files, the hub's layouts, the cache, and what is said about what cannot be read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.errors import DownloadError, InputError
from reasonflux_agent.jobs.evaluation.benchmarks import BENCHMARKS, Benchmark, _download, digest, load, title
from reasonflux_agent.models.local.store import models_dir
from reasonflux_agent.plugins import registered

DEV = ["math500", "aime24", "aime25", "amc23", "olympiadbench", "gaokao2023en", "gsm8k"]


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", DEV)
def test_a_dev_file_is_found_under_the_benchmarks_name(data: Path, name: str) -> None:
    items = load(name, data / "benchmarks")
    rows = [json.loads(line) for line in (data / "benchmarks" / f"{name}_dev.jsonl").read_text().split("\n") if line]
    assert [(item.id, item.answer) for item in items] == [(row["id"], row["answer"].strip()) for row in rows]
    assert load(f"{name}:5-9", data / "benchmarks") == items[5:9]
    assert load(name, data / "benchmarks", limit=3) == items[:3]


def test_any_file_with_problems_and_answers_is_a_benchmark(tmp_path: Path) -> None:
    separator = "\u2028"  # a line end for str.splitlines, but not for JSON
    path = write(tmp_path / "mine.jsonl", {"problem": f"One{separator}and one?", "answer": 2}, {"problem": "x", "answer": "y"})
    first, second = load(str(path))
    assert (first.id, first.problem, first.answer, first.subject) == ("mine/0", f"One{separator}and one?", "2", None)
    assert second.id == "mine/1"
    assert title(f"{path}:0-1") == "mine"
    assert load("mine", tmp_path) == [first, second]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "Expecting property name"),
        ("[]", "a row is a JSON object"),
        ({"problem": "x"}, "field 'answer': it is missing"),
        ({"problem": " ", "answer": "1"}, "field 'problem': it is missing or empty"),
        ({"problem": "x", "answer": ["1"]}, "field 'answer': ['1'] is neither text nor a number".replace("'1'", '"1"')),
        ({"problem": "x", "answer": True}, "field 'answer': true"),
        ({"problem": "x", "answer": "1", "id": "a"}, "field 'id': 'a' stands in line 1 already"),
        ({"problem": "x", "answer": "1", "distractors": "2"}, "field 'distractors'"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_field(tmp_path: Path, row: Any, says: str) -> None:
    path = write(tmp_path / "bad.jsonl", {"id": "a", "problem": "p", "answer": "1"}, "", row)
    with pytest.raises(InputError) as error:
        load(str(path))
    assert f"{path}, line 3: " in str(error.value)
    assert says in str(error.value)


def test_options_are_shuffled_by_the_seed_and_the_answer_is_a_letter(tmp_path: Path) -> None:
    row = {"problem": "Which is prime?", "answer": "7", "distractors": ["4", "6", "8"]}
    path = write(tmp_path / "choice.jsonl", *({**row, "id": str(i)} for i in range(12)))
    items = load(str(path), seed=1)
    for item in items:
        assert f"\n{item.answer}. 7\n" in f"{item.problem}\n"
    assert items == load(str(path), seed=1)
    assert items != load(str(path), seed=2)
    assert len({item.answer for item in items}) > 1


def test_what_is_no_benchmark_is_answered_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no benchmark 'gsm9k' and no gsm9k\.jsonl in .*aime24.*path to a \.jsonl"):
        load("gsm9k", tmp_path)
    with pytest.raises(InputError, match=r"nowhere\.jsonl cannot be read"):
        load(str(tmp_path / "nowhere.jsonl"))
    write(tmp_path / "gsm8k.jsonl", {"problem": "x", "answer": "1"})
    with pytest.raises(InputError, match="No problem of 'gsm8k:5-9' is left of the 1"):
        load("gsm8k:5-9", tmp_path)


def test_all_benchmarks_are_registered() -> None:
    others = {"gpqa_diamond", "aime24_figures", "aime24_nofigures", "aime25_nofigures"}
    assert set(registered("benchmarks")) == {*DEV, *others} == set(BENCHMARKS)


HUB: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "math500": (
        {"problem": "p", "solution": "s", "answer": "\\frac{1}{2}", "subject": "Algebra", "level": 3,
         "unique_id": "test/algebra/1.json"},
        {"id": "test/algebra/1.json", "answer": "\\frac{1}{2}", "subject": "Algebra", "level": 3},
    ),
    "aime24": ({"id": 60, "problem": "p", "solution": "\\boxed{204}", "url": "u"}, {"id": "aime24/60", "answer": "204"}),
    "aime25": ({"problem": "p", "answer": "70", "id": "0"}, {"id": "aime25/0", "answer": "70"}),
    "amc23": ({"id": 0, "answer": 27.0, "question": "p", "url": "u"}, {"id": "amc23/0", "answer": "27.0"}),
    "olympiadbench": (
        {"id": 1606, "question": "p", "solution": ["s"], "final_answer": ["2", "3"], "context": None, "image_1": None,
         "unit": "km", "subfield": "Number Theory"},
        {"id": "olympiadbench/1606", "answer": "2, 3", "subject": "Number Theory", "unit": "km"},
    ),
    "gaokao2023en": ({"question": "p", "answer": "$x=9$"}, {"id": "gaokao2023en/0", "answer": "$x=9$"}),
    "gpqa_diamond": (
        {"Record ID": "rec1", "Question": "p", "Correct Answer": "right\n", "Incorrect Answer 1": "a",
         "Incorrect Answer 2": "b", "Incorrect Answer 3": "c", "High-level domain": "Physics"},
        {"id": "gpqa_diamond/rec1", "subject": "Physics"},
    ),
    "gsm8k": ({"question": "p", "answer": "3 * 4 = <<3*4=12>>12\n#### 12"}, {"id": "gsm8k/0", "answer": "12"}),
}  # fmt: skip
"""One row of each data set in the layout that its publisher describes, and what is to be read from it."""


@pytest.mark.parametrize("name", HUB)
def test_the_layouts_of_the_hub_are_read(name: str, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    given, expected = HUB[name]
    known = BENCHMARKS[name]
    folder = tmp_path / "hub"
    (folder / "data").mkdir(parents=True)
    datasets.Dataset.from_list([given]).to_parquet(folder / "data" / f"{known.split}-00000-of-00001.parquet")
    files = [{"split": known.split, "path": f"data/{known.split}-*"}]
    card = {"configs": [{"config_name": known.config or "default", "data_files": files}]}
    (folder / "README.md").write_text(f"---\n{json.dumps(card)}\n---\n")
    source = Benchmark(str(folder), known.columns, known.config, known.split, known.worked, known.distractors)
    _download(name, source, tmp_path / f"{name}.jsonl")
    (item,) = load(name, tmp_path)
    assert {key: getattr(item, key) for key in expected} == expected
    assert item.problem.startswith("p")
    if name == "gpqa_diamond":
        assert f"\n{item.answer}. right\n" in item.problem
        assert item.answer in "ABCD"


def test_a_changed_layout_is_named(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list([{"Q": "p", "answer": "1"}]).to_json(tmp_path / "test.jsonl")
    with pytest.raises(DownloadError, match="has no column 'problem', but Q, answer"):
        _download("mine", Benchmark(str(tmp_path)), tmp_path / "cache.jsonl")
    assert not (tmp_path / "cache.jsonl").exists()


def test_an_unreachable_hub_is_said_and_the_local_way_named() -> None:
    pytest.importorskip("datasets")
    program = "from reasonflux_agent.jobs.evaluation.benchmarks import load\nload('aime24')"
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "REASONFLUX_CACHE": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PATH": "", **environment}, capture_output=True, text=True, timeout=300
    )
    assert "DownloadError: The benchmark 'aime24' could not be fetched: the data set 'math-ai/aime24'" in done.stderr
    assert "put a file aime24.jsonl" in done.stderr
    assert "HF_TOKEN" in done.stderr


def test_what_was_fetched_once_is_read_from_the_cache() -> None:
    cached = models_dir().parent / "benchmarks" / "amc23.jsonl"
    cached.parent.mkdir(parents=True, exist_ok=True)
    write(cached, {"id": "amc23/1", "problem": "kept", "answer": "5"})
    try:
        assert [item.problem for item in load("amc23")] == ["kept"]
    finally:
        cached.unlink()


def test_the_digest_tells_problems_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"problem": "x", "answer": "1"}, {"problem": "y", "answer": "2"})
    items = load(str(path))
    assert digest(items) == digest(load(str(path)))
    assert digest(items) != digest(items[:1])
