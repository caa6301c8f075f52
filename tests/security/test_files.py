"""Every file that is read, damaged at random: a typed error of ours or a value, never another exception. (The library's JSON
is fuzzed in tests/templates.)"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonflux_agent.errors import ReasonFluxError, RecordError
from reasonflux_agent.events import ProgramRun
from reasonflux_agent.jobs.batch.rows import parse, read_jobs
from reasonflux_agent.jobs.evaluation.benchmarks import load
from reasonflux_agent.jobs.evaluation.results import read_run
from reasonflux_agent.runs.journal import to_line
from reasonflux_agent.runs.record import Recorder, read_record
from reasonflux_agent.serving.ui.view import news, sections
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.templates.embeddings import HashEmbeddings
from reasonflux_agent.templates.large import LargeStore
from tests.security.texts import json_values

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "docs" / "records" / "replacement.jsonl"
LINES: list[dict[str, Any]] = [json.loads(line) for line in RECORD.read_text(encoding="utf-8").splitlines()]
JSON = dict[str, Any]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@st.composite
def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value of which one part, however deep, is another value or gone."""
    parts = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    if not parts or draw(st.integers(0, 3)) == 0:
        return draw(json_values)
    key, inner = draw(st.sampled_from(parts))
    changed = value.copy()
    if draw(st.integers(0, 5)) == 0:
        del changed[key]
    else:
        changed[key] = draw(spoilt(inner))
    return changed


@st.composite
def spoilt_lines(draw: st.DrawFn, lines: list[JSON]) -> bytes:
    """JSON lines of which one is spoilt, or bytes of which one is another."""
    at = draw(st.integers(0, len(lines) - 1))
    changed = [*lines[:at], draw(spoilt(lines[at])), *lines[at + 1 :]]
    content = bytearray(b"".join((json.dumps(line) + "\n").encode() for line in changed))
    for _ in range(draw(st.integers(0, 1))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


@settings(max_examples=150)
@given(spoilt_lines(LINES))
def test_records(place: Path, content: bytes) -> None:
    path = place / "spoilt.jsonl"
    path.write_bytes(content)
    with suppress(RecordError):
        record = read_record(path)
        _ = record.calls, record.solution


def test_what_a_model_writes_does_not_end_a_line_of_its_record(tmp_path: Path) -> None:
    """A line separator in a reply is no line's end in JSON, and half of a surrogate pair is written all the same."""
    recorder = Recorder(tmp_path)
    reply = 'a\u2028{"type": "solution"}\u2029\x85\x0c\ud800'
    for number, event in enumerate(
        ({"problem": "p", "context": {}, "time": 0.0}, {"code": reply, "output": reply, "error": None})
    ):
        recorder.on_custom_event("reasonflux_x", {"run": "r", "type": "program" if number else "begin", **event})
    (line,) = read_record(recorder.path("r")).events[1:]
    assert isinstance(line, ProgramRun)
    assert line.code == reply


@pytest.mark.parametrize("run", ["../other", "a/b", "..", ".", "", ".hidden", "a\x00b", "x" * 101, "a\n"])
def test_a_record_lies_in_its_folder(tmp_path: Path, run: str) -> None:
    with pytest.raises(RecordError, match="no id of a run"):
        Recorder(tmp_path).path(run)


ROWS: list[JSON] = [
    {"id": "1", "problem": "2 + 2?", "answer": "4", "subject": "s", "level": 1},
    {"problem": "Which?", "answer": "b", "distractors": ["a", "c"]},
]


@given(spoilt_lines(ROWS))
def test_benchmarks(place: Path, content: bytes) -> None:
    path = place / "benchmark.jsonl"
    path.write_bytes(content)
    with suppress(ReasonFluxError):
        load(str(path))


@given(spoilt_lines(ROWS) | st.binary(max_size=60))
def test_batch_input(place: Path, content: bytes) -> None:
    path = place / "batch.jsonl"
    path.write_bytes(content)

    async def read() -> None:
        with path.open("rb") as source:
            async for job in read_jobs(source):
                to_line({"row": job.row, "id": job.id})

    with suppress(ReasonFluxError):
        asyncio.run(read())


@pytest.mark.parametrize("depth", [100, 500, 900, 960, 980, 990, 1_000, 100_000])
def test_a_nested_row_is_read_and_written_or_refused(depth: int) -> None:
    job = parse(b'{"problem": "x", "more": ' + b"[" * depth + b"]" * depth + b"}", 1)
    to_line({"row": job.row})


RUN: JSON = {
    "format": "reasonflux-eval",
    "version": 1,
    "methods": ["direct"],
    "benchmarks": {"mine": {"n": 2, "sha256": "a" * 64}},
    "repeats": 1,
    "model": "m",
    "seed": 0,
}
RESULTS: list[JSON] = [
    {
        "benchmark": "mine",
        "method": "direct",
        "id": str(n),
        "repeat": 0,
        "gold": "1",
        "answer": "1",
        "correct": True,
        "calls": 1,
    }
    for n in range(2)
]


@given(spoilt(RUN), spoilt_lines(RESULTS))
def test_evaluations(place: Path, config: Any, results: bytes) -> None:
    folder = place / "eval"
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(config))
    (folder / "results.jsonl").write_bytes(results)
    with suppress(ReasonFluxError):
        run = read_run(folder)
        _ = run.groups, run.methods, run.benchmarks, run.pooled(run.benchmarks), run.title, run.settings, run.progress


@given(st.data())
def test_libraries(place: Path, data: st.DataObject) -> None:
    """Bytes of a library's file, where tests/templates takes its values."""
    content = bytearray((ROOT / "examples/plugin/reasonflux_example/templates.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = place / "library.json"
    path.write_bytes(content)
    with suppress(ReasonFluxError):
        TemplateLibrary.load(path)


@given(st.data())
def test_vector_stores(place: Path, data: st.DataObject) -> None:
    """All of a store but its FAISS file, which native code reads: that one is trusted (docs/security.md)."""
    whole, folder = place / "store", place / "spoilt-store"
    if not whole.exists():
        LargeStore.from_texts(["a b", "c d"], HashEmbeddings(8), [{"chapter": "x"}, {}], ids=["1", "2"]).save(whole)
    folder.mkdir(exist_ok=True)
    for file in whole.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    ours = sorted(file.name for file in whole.iterdir() if file.suffix != ".faiss")
    spoiling = folder / data.draw(st.sampled_from(ours))
    content = bytearray(spoiling.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    spoiling.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    with suppress(ReasonFluxError):
        LargeStore.load(folder, HashEmbeddings(8)).similarity_search("a", 1)


PUBLISHED: list[JSON] = [
    {"instruction": "i", "input": "", "output": "o", "history": [["q", "a"]], "system": "s"},
    {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
    {"prompt": "q", "response": "a"},
    {"conversations": [{"role": "user", "content": "q"}], "chosen": {"from": "gpt", "value": "a"}, "rejected": "b"},
]


@pytest.fixture(scope="module")
def read_row() -> Callable[[Any, str], JSON]:
    sys.path.insert(0, str(ROOT / "training" / "data"))
    try:
        from import_rows import read_row  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    found: Callable[[Any, str], JSON] = read_row
    return found


@given(st.sampled_from(PUBLISHED).flatmap(spoilt), st.sampled_from(["sharegpt", "preference"]))
def test_imported_training_rows(read_row: Callable[[Any, str], JSON], row: Any, kind: str) -> None:
    """What `import_rows.py` turns into one InputError with the row's number."""
    with suppress(ValueError, KeyError, TypeError):
        json.dumps(read_row(row, kind))


@settings(max_examples=150)
@given(spoilt_lines(LINES))
def test_records_on_the_run_page(place: Path, content: bytes) -> None:
    """As the page reads them: what `record.reading` is around."""
    from reasonflux_agent.runs.record import reading

    path = place / "shown.jsonl"
    path.write_bytes(content)
    with suppress(RecordError), reading(path):
        record = read_record(path)
        "".join(sections(record, lambda id: (id, id), []).values()).encode()
        [news(line) for line in record.events[1:]]


def test_the_reader_of_a_pipe_is_bounded(tmp_path: Path) -> None:
    """A line that never ends is refused before it fills the memory."""
    path = tmp_path / "endless"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 64 << 20)

    async def read() -> None:
        with path.open("rb") as source:
            async for _ in read_jobs(source):
                pass

    with pytest.raises(ReasonFluxError, match="longer than"):
        asyncio.run(read())
