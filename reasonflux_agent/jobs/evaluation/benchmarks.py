"""Problems with known answers: the benchmarks of the papers by name, any JSON-lines file, and reasoning-gym's families.

Rows of such a file: `problem`, `answer`; optional `id`, `subject`, `level`, `unit`, `scorer` (the name of a registered one),
`group` (the kind of problem), `solution`, and `distractors` (the wrong options of a multiple-choice question whose right option
is `answer`; they are shuffled by the seed, and the answer becomes a letter). A scorer gets all fields of the row.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from reasonflux_agent.errors import DownloadError, InputError, MissingExtraError
from reasonflux_agent.jobs.evaluation import gym
from reasonflux_agent.verify.scoring import check_scorer, score

JSON = dict[str, Any]
FIELDS = ("id", "problem", "answer", "subject", "level", "unit")
GENERATED = f"{gym.NAME}:"
_RANGE = re.compile(r"(.+):(\d+)-(\d+)")


@dataclass(frozen=True)
class Item:
    id: str
    problem: str
    """With its lettered options, where it has some."""
    answer: str
    """The gold answer: LaTeX, plain text, or the letter of the right option."""
    subject: str | None = None
    level: int | str | None = None
    unit: str | None = None
    """The unit of the answer, which a solution may state or leave out."""
    row: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The row that it was read from, with `problem` and `answer` as above: what a scorer gets."""

    def score(self, answer: str | None, scorer: str | None = None) -> bool | None:
        """Return whether an answer is right; None where that could not be decided (see `verify.scoring.score`)."""
        return score({**self.row, "problem": self.problem, "answer": self.answer, "unit": self.unit}, answer, scorer)


@dataclass(frozen=True)
class Benchmark:
    """Where a benchmark lies on the Hugging Face hub (or anywhere that `datasets.load_dataset` reads), and how to read it."""

    dataset: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """Field of a row (see the module) -> column of the data set; `problem` and `answer` by default have columns of their name.
    Without `id` the row's index is its id."""
    config: str | None = None
    split: str = "test"
    worked: bool = False
    """Whether the answer's column holds a worked solution, from which the final answer is extracted."""
    distractors: tuple[str, ...] = ()
    """Columns of the wrong options of a multiple-choice question."""

    def row(self, name: str, index: int, found: JSON) -> JSON:
        """A row of the data set as a row of a file."""
        from reasonflux_agent.verify.grading import extract_answer

        columns = {"problem": "problem", "answer": "answer", **self.columns}
        row = {"id": index} | {to: found[column] for to, column in columns.items()}
        id, answer = str(row["id"]), row["answer"]
        row["id"] = id if "/" in id else f"{name}/{id}"
        if isinstance(answer, list):  # several parts
            answer = ", ".join(map(str, answer))
        row["answer"] = extract_answer(answer) or answer if self.worked else answer
        if self.distractors:
            row["distractors"] = [found[column] for column in self.distractors]
        return {key: value for key, value in row.items() if value is not None}


# Layouts as their publishers describe them. The hub could not be reached where this was written, so that only data of the
# same layout on a disk were read by a test.
BENCHMARKS: dict[str, Benchmark] = {
    "math500": Benchmark("HuggingFaceH4/MATH-500", {"id": "unique_id", "subject": "subject", "level": "level"}),
    "aime24": Benchmark("math-ai/aime24", {"id": "id", "answer": "solution"}, worked=True),
    "aime25": Benchmark("math-ai/aime25", {"id": "id"}),
    "amc23": Benchmark("math-ai/amc23", {"id": "id", "problem": "question"}),
    "olympiadbench": Benchmark(
        "Hothan/OlympiadBench",
        {"id": "id", "problem": "question", "answer": "final_answer", "subject": "subfield", "unit": "unit"},
        config="OE_TO_maths_en_COMP",
        split="train",
    ),
    "gaokao2023en": Benchmark("MARIO-Math-Reasoning/Gaokao2023-Math-En", {"problem": "question"}, split="train"),
    "gpqa_diamond": Benchmark(
        "Idavidrein/gpqa",
        {"id": "Record ID", "problem": "Question", "answer": "Correct Answer", "subject": "High-level domain"},
        config="gpqa_diamond",
        split="train",
        distractors=("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"),
    ),
    # the sets of the s1 evaluation: figures as Asymptote code, or left out
    "aime24_figures": Benchmark("simplescaling/aime24_figures", split="train"),
    "aime24_nofigures": Benchmark("simplescaling/aime24_nofigures", split="train"),
    "aime25_nofigures": Benchmark("simplescaling/aime25_nofigures", split="train"),
    "gsm8k": Benchmark("openai/gsm8k", {"problem": "question"}, config="main", worked=True),
}


def title(name: str) -> str:
    """What a benchmark is called in results: `gsm8k` for `gsm8k:0-50`, `mine` for `data/mine.jsonl`."""
    plain = match[1] if (match := _RANGE.fullmatch(name)) else name
    return Path(plain).stem if plain.endswith(".jsonl") else plain.removeprefix(GENERATED)


def load(name: str, data_dir: str | Path | None = None, limit: int | None = None, seed: int = 0) -> list[Item]:
    """The problems of a benchmark: all, or the first `limit`; of `NAME:100-150` those from the 101st to the 150th.

    NAME is a registered benchmark, a path to a JSON-lines file, or `gym:FAMILY` (see gym.py). A registered one is read from
    `data_dir` (NAME.jsonl or NAME_dev.jsonl), else from the cache ($REASONFLUX_CACHE/benchmarks), else from the hub, and then
    cached. Raises InputError naming file, line and field; MissingExtraError without `datasets` or reasoning-gym, DownloadError
    without the hub.
    """
    match = _RANGE.fullmatch(name)
    plain, rows = (match[1], slice(int(match[2]), int(match[3]))) if match else (name, slice(None))
    if plain.startswith(GENERATED):
        made = gym.rows(plain.removeprefix(GENERATED), *((rows.start, rows.stop) if match else ()))
        return [_item(row, row["id"], seed) for row in made][: limit if limit is None else max(0, limit)]
    path = _file(plain, Path(data_dir).expanduser() if data_dir is not None else None)
    found = list(_read(path, title(plain), seed))
    items = found[rows][: limit if limit is None else max(0, limit)]
    if not items:
        raise InputError(f"No problem of {name!r} is left of the {len(found)} in {path}. Next: name other rows or limits.")
    return items


def digest(value: object) -> str:
    """SHA-256 of a value made of items, pydantic values and what JSON knows."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> JSON:
    if isinstance(value, BaseModel):
        return value.model_dump()
    found = asdict(value)
    if "scorer" not in found.get("row", {"scorer"}):
        del found["row"]  # the grader sees the other fields alone
    return found


def _file(name: str, data_dir: Path | None) -> Path:
    """The file that holds the benchmark; fetched where it is nowhere yet."""
    from reasonflux_agent.files import cache_root
    from reasonflux_agent.plugins import registered

    if name.endswith(".jsonl"):
        return Path(name).expanduser()
    places = [data_dir / file for file in (f"{name}.jsonl", f"{name}_dev.jsonl")] if data_dir else []
    if here := list(filter(Path.is_file, places)):
        return here[0]
    known = registered("benchmarks")
    if name not in known:
        also = f" and no {places[0].name} in {data_dir}" if data_dir else ""
        raise InputError(
            f"There is no benchmark {name!r}{also}. There are: {', '.join(known)}. "
            "Next: name one of them, or a path to a .jsonl file whose rows have `problem` and `answer`."
        )
    cached = cache_root() / "benchmarks" / f"{name}.jsonl"
    if not cached.is_file():
        _download(name, known[name][1], cached)
    return cached


def _download(name: str, source: Benchmark, target: Path) -> None:
    """Writes the rows of a data set to `target`, in the form that this module reads."""
    from reasonflux_agent.files import write_atomically

    try:
        import datasets
    except ImportError:
        raise MissingExtraError(f"The benchmark {name!r}, which is in no local file,", "datasets", "eval") from None
    local = f"put a file {name}.jsonl (one JSON object with `problem` and `answer` a line) into a folder and give --data-dir"
    # The rows are kept in a file of our own; what the client keeps (under a name that two sets can share) is thrown away.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            table = datasets.load_dataset(source.dataset, source.config, split=source.split, cache_dir=folder)
        except Exception as error:  # whatever the hub's client raises
            why = " ".join(str(error).split())[:300]
            raise DownloadError(
                f"The benchmark {name!r} could not be fetched: the data set {source.dataset!r} of the hub was tried "
                f"({type(error).__name__}: {why}). Next: {local}; for a gated set, accept its terms there and set HF_TOKEN."
            ) from error
        wanted = [*{"problem": "problem", "answer": "answer", **source.columns}.values(), *source.distractors]
        if missing := [column for column in wanted if column not in table.column_names]:
            raise DownloadError(
                f"The data set {source.dataset!r} for the benchmark {name!r} has changed: it has no column {missing[0]!r}, "
                f"but {', '.join(table.column_names)}. Next: {local}, or update this package."
            )
        # only what is read: other columns may hold pictures, which take another package to decode
        rows = [source.row(name, index, row) for index, row in enumerate(table.select_columns(wanted))]
    write_atomically(target, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())


def _read(path: Path, name: str, seed: int) -> Iterator[Item]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # not splitlines: JSON may hold other line ends
    except (OSError, UnicodeError) as error:
        raise InputError(f"The benchmark {path} cannot be read: {error}. Next: correct the path or the file.") from None
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item = _item(json.loads(line), f"{name}/{number - 1}", seed)
            if item.id in seen:
                raise ValueError(f"field 'id': {item.id!r} stands in line {seen[item.id]} already")
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: {error}. Next: correct the line.") from None
        seen[item.id] = number
        yield item


def _item(row: object, id: str, seed: int) -> Item:
    """The problem that a row holds. Raises ValueError naming the field."""
    if not isinstance(row, dict):
        raise ValueError("a row is a JSON object")
    given = {key: row[key] for key in FIELDS if row.get(key) is not None}
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"field {key!r}: {json.dumps(value)[:80]} is neither text nor a number")
        given[key] = value if key == "level" else str(value).strip()
    for key in ("problem", "answer"):
        if not given.get(key):
            raise ValueError(f"field {key!r}: it is missing or empty; the row has {', '.join(row) or 'no field'}")
    if row.get("scorer") is not None:
        check_scorer(row["scorer"])
    item = Item(**{"id": id, **given}, row=row)
    wrong = row.get("distractors")
    return item if wrong is None else _lettered(item, wrong, seed)


def _lettered(item: Item, wrong: object, seed: int) -> Item:
    if not isinstance(wrong, list) or not 1 <= len(wrong) <= 9 or not all(isinstance(option, str) for option in wrong):
        raise ValueError("field 'distractors': it must be a list of one to nine texts")
    options = [item.answer, *(option.strip() for option in wrong)]
    order = list(range(len(options)))
    random.Random(f"{seed} {item.id}").shuffle(order)
    letters = "ABCDEFGHIJ"
    listed = "\n".join(f"{letter}. {options[index]}" for letter, index in zip(letters, order, strict=False))
    problem = f"{item.problem}\n\n{listed}\n\nExactly one option is right. The answer is its letter."
    return replace(item, problem=problem, answer=letters[order.index(0)], unit=None)
