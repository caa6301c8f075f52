"""Structure rows, imported rows, leaks, and the journal."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
from pathlib import Path
from typing import Any

import import_rows
import pytest
import structure_sft
from common import Build
from rows import GRAM, Leaks

from reasonflux_agent.errors import InputError

from .conftest import assert_golden, left, read, write_lines


def test_structure_rows(library: Path, tmp_path: Path) -> None:
    out = tmp_path / "structure_sft.json"
    structure_sft.main(["--library", str(library), "--out", str(out)])
    assert_golden("structure_sft.json", read(out))
    stages = read(out.with_suffix(".manifest.json"))["stages"]
    assert stages == {"templates": 2, "templates: kept": 1, "templates: without description or scope": 1}


def test_the_built_in_library_gives_a_row_for_nearly_every_template(tmp_path: Path) -> None:
    out = tmp_path / "structure_sft.json"
    structure_sft.main(["--out", str(out)])
    manifest = read(out.with_suffix(".manifest.json"))
    assert manifest["rows"] >= 0.95 * manifest["stages"]["templates"] > 600


ASKED, SAID = {"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}
FIRST, ONE, FIVE = {"from": "human", "value": "1+1?"}, {"from": "gpt", "value": "2"}, {"from": "gpt", "value": "5"}
TURNS, BRIEF = [FIRST, ONE, ASKED], {"from": "system", "value": "Be brief."}
PARAGRAPHS = "\n\nHuman: 1+1?\n\nAssistant: 2\n\nHuman: 2+2?\n\nAssistant:"
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "alpaca": (
        {"instruction": "Add.", "input": "2+2?", "output": "4"},
        {"conversations": [{**ASKED, "value": "Add.\n2+2?"}, SAID]},
    ),
    "alpaca without input": (
        {"instruction": "2+2?", "output": "4", "system": "Be brief."},
        {"conversations": [ASKED, SAID], "system": "Be brief."},
    ),
    "alpaca with history": (
        {"instruction": "2+2?", "output": "4", "history": [["1+1?", "2"]]},
        {"conversations": [{"from": "human", "value": "1+1?"}, {"from": "gpt", "value": "2"}, ASKED, SAID]},
    ),
    "sharegpt": ({"conversations": [ASKED, SAID]}, {"conversations": [ASKED, SAID]}),
    "messages": (
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "2+2?"},
                {"role": "assistant", "content": "4"},
            ]
        },
        {"conversations": [ASKED, SAID], "system": "Be brief."},
    ),
    "pairs": ({"prompt": "2+2?", "response": "4"}, {"conversations": [ASKED, SAID]}),
    "alpaca preference": (
        {"instruction": "2+2?", "input": "", "chosen": "4", "rejected": "5"},
        {"conversations": [ASKED], "chosen": SAID, "rejected": {"from": "gpt", "value": "5"}},
    ),
    "sharegpt preference": (
        {"conversations": [ASKED], "chosen": SAID, "rejected": {"from": "gpt", "value": "5"}},
        {"conversations": [ASKED], "chosen": SAID, "rejected": {"from": "gpt", "value": "5"}},
    ),
    "conversations preference": (
        {
            "prompt": "2+2?",
            "chosen": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}],
            "rejected": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "5"}],
        },
        {"conversations": [ASKED], "chosen": SAID, "rejected": {"from": "gpt", "value": "5"}},
    ),
    **{
        f"several turns, {name}": (given, {"conversations": [FIRST, ONE, ASKED], "chosen": SAID, "rejected": FIVE, **more})
        for name, given, more in (
            ("the first one as prompt", {"prompt": "1+1?", "chosen": [*TURNS, SAID], "rejected": [*TURNS, FIVE]}, {}),
            ("the last one as prompt", {"prompt": "2+2?", "chosen": [*TURNS, SAID], "rejected": [*TURNS, FIVE]}, {}),
            ("no prompt", {"chosen": [*TURNS, SAID], "rejected": [*TURNS, FIVE]}, {}),
            ("all before the last in the prompt", {"prompt": TURNS, "chosen": [SAID], "rejected": [FIVE]}, {}),
            ("beside conversations", {"conversations": TURNS, "chosen": [*TURNS, SAID], "rejected": [*TURNS, FIVE]}, {}),
            ("the last one again", {"conversations": TURNS, "chosen": [ASKED, SAID], "rejected": [ASKED, FIVE]}, {}),
            ("history", {"instruction": "2+2?", "history": [["1+1?", "2"]], "chosen": "4", "rejected": "5"}, {}),
            (
                "a system turn",
                {"prompt": "1+1?", "chosen": [BRIEF, *TURNS, SAID], "rejected": [BRIEF, *TURNS, FIVE]},
                {"system": "Be brief."},
            ),
            (
                "a system turn of the prompt",
                {"prompt": [BRIEF, *TURNS], "chosen": "4", "rejected": "5"},
                {"system": "Be brief."},
            ),
            (
                "the system twice",
                {"messages": [BRIEF, *TURNS], "system": "Be brief.", "chosen": SAID, "rejected": FIVE},
                {"system": "Be brief."},
            ),
            ("an empty system turn", {"messages": [{**BRIEF, "value": ""}, *TURNS], "chosen": SAID, "rejected": FIVE}, {}),
            ("paragraphs", {"chosen": f"{PARAGRAPHS} 4", "rejected": f"{PARAGRAPHS} 5"}, {}),
            ("a prompt of paragraphs", {"prompt": PARAGRAPHS, "chosen": "4", "rejected": "5"}, {}),
        )
    },
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_published_shapes_are_imported(shape: str, ending: str, tmp_path: Path) -> None:
    given, expected = SHAPES[shape]
    source = tmp_path / f"given.{ending}"
    source.write_text(json.dumps([given]) if ending == "json" else json.dumps(given) + "\n")
    out = tmp_path / "rows.json"
    import_rows.main([str(source), "--out", str(out)])
    assert read(out) == [expected]
    entry = read(tmp_path / "dataset_info.json")["rows"]
    assert entry.get("ranking", False) == ("chosen" in expected)
    assert ("system" in entry["columns"]) == ("system" in expected)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"instruction": "2+2?"}, "row 2: the field 'output' is missing"),
        ({"instruction": "2+2?", "output": " "}, "row 2: `output` is not a text, or empty"),
        ({"conversations": [SAID, ASKED]}, "row 2: its turns are gpt, human, not human and gpt by turns"),
        ({"conversations": [ASKED, {"from": "alien", "value": "?"}]}, "row 2: a turn is by 'alien'"),
        ({"conversations": "x"}, "row 2: `conversations` is not a list"),
        ({"conversations": [ASKED]}, "row 2: its turns are human, not human and gpt by turns"),
        ({"conversations": [ASKED, SAID, ASKED]}, "row 2: its turns are human, gpt, human, not"),
        ({"conversations": [ASKED, SAID, {"from": "system", "value": "x"}]}, "row 2: its turns are human, gpt, system, not"),
        ({"conversations": [ASKED, {"from": "gpt", "value": ""}]}, "row 2: `value` is not a text, or empty"),
        ({"conversations": []}, "row 2: `conversations` is empty"),
        ({"prompt": "2+2?"}, "row 2: the field 'response' is missing"),
        ("text", "row 2: it is no JSON object"),
    ],
)
def test_a_malformed_row_is_refused_by_number(row: Any, text: str, tmp_path: Path) -> None:
    source = tmp_path / "given.json"
    source.write_text(json.dumps([{"instruction": "1+1?", "output": "2"}, row]))
    with pytest.raises(InputError, match=text.replace("(", r"\(").replace("?", r"\?")):
        import_rows.main([str(source), "--out", str(tmp_path / "out" / "rows.json")])
    assert left(tmp_path / "out", "rows.work.jsonl") == set()


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"prompt": "2+2?", "chosen": "4", "rejected": "4 "}, "row 2: chosen and rejected are the same"),
        ({"prompt": "2+2?", "chosen": "4"}, "row 2: the field 'rejected' is missing"),
        ({"prompt": "2+2?", "chosen": "4", "rejected": ""}, "row 2: `rejected` is not a text, or empty"),
        ({"prompt": "2+2?", "chosen": [ASKED], "rejected": [ASKED, FIVE]}, "row 2: the conversations .* differ"),
        ({"prompt": "2+2?", "chosen": [*TURNS, SAID], "rejected": [ASKED, FIVE]}, "row 2: the conversations .* differ"),
        ({"prompt": "3+3?", "chosen": [*TURNS, SAID], "rejected": [*TURNS, FIVE]}, "row 2: .* do not hold what the row asks"),
        ({"prompt": "2+2?", "chosen": [ASKED, SAID, ASKED], "rejected": [ASKED, SAID, FIRST]}, "row 2: .* the assistant's"),
        ({"conversations": [ASKED, SAID], "chosen": SAID, "rejected": FIVE}, "row 2: its turns are human, gpt, not"),
        ({"conversations": [ASKED, ASKED], "chosen": SAID, "rejected": FIVE}, "row 2: its turns are human, human, not"),
        ({"chosen": SAID, "rejected": FIVE}, "row 2: its turns are none"),
        ({"chosen": [], "rejected": []}, "row 2: `chosen` is empty"),
        ({"conversations": [BRIEF, ASKED], "system": "Be long.", "chosen": SAID, "rejected": FIVE}, "row 2: `system` and its"),
    ],
)  # fmt: skip
def test_a_preference_that_is_none_is_refused_by_number(row: Any, text: str, tmp_path: Path) -> None:
    source, good = tmp_path / "given.json", {"prompt": "1+1?", "chosen": "2", "rejected": "3"}
    source.write_text(json.dumps([good, row]))
    with pytest.raises(InputError, match=text.replace("?", r"\?")):
        import_rows.main([str(source), "--out", str(tmp_path / "rows.json")])
    source.write_text(json.dumps([good, row, good, row]))
    with pytest.raises(InputError, match="1 more rows cannot be read: 4"):
        import_rows.main([str(source), "--out", str(tmp_path / "rows.json")])


@pytest.mark.parametrize("content", ["", "{}", "[]", "[1]", "{"])
def test_a_file_without_rows_is_refused(content: str, tmp_path: Path) -> None:
    source = tmp_path / "given.json"
    source.write_text(content)
    with pytest.raises(InputError, match=r"given\.json"):
        import_rows.main([str(source), "--out", str(tmp_path / "rows.json")])


def test_a_shared_run_of_words_is_a_leak(tmp_path: Path) -> None:
    words = [f"w{n}" for n in range(2 * GRAM)]
    write_lines(tmp_path / "b.jsonl", [{"problem": " ".join(words), "answer": "1"}, {"problem": "Short one?", "answer": "1"}])
    leaks = Leaks(tmp_path)
    assert leaks.found(f"before {', '.join(words[3 : 3 + GRAM])}! after")
    assert leaks.found("other", f"an output that says {' '.join(words[:GRAM])}".upper())
    assert not leaks.found(" ".join(words[: GRAM - 1]))
    assert leaks.found("short  ONE")
    assert not leaks.found("A short one?")


def test_a_folder_without_benchmarks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no \*\.jsonl in it"):
        Leaks(tmp_path)


def build(tmp_path: Path, **settings: Any) -> Build:
    return Build("made.py", argparse.Namespace(out=tmp_path / "made.json", benchmarks=None), settings, {})


def test_the_same_rows_are_written_once_and_the_manifest_fits(tmp_path: Path) -> None:
    made = build(tmp_path)
    made.write([("a", {"conversations": [ASKED, SAID]})] * 3, "sharegpt")
    manifest = read(tmp_path / "made.manifest.json")
    assert manifest["rows"] == 1
    assert manifest["stages"] == {"rows: said before": 2}
    assert manifest["sha256"] == hashlib.sha256((tmp_path / "made.json").read_bytes()).hexdigest()
    assert manifest["benchmarks"].startswith("none given")


def test_data_sets_in_one_folder_share_the_register(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text('{"mine": {"file_name": "mine.json"}}')
    build(tmp_path).write([("a", {"conversations": [ASKED, SAID]})], "sharegpt")
    assert sorted(read(tmp_path / "dataset_info.json")) == ["made", "mine"]


def test_two_builds_do_not_write_one_journal(tmp_path: Path) -> None:
    with (tmp_path / "made.work.jsonl").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="Another process is writing"):
            build(tmp_path).each("units", {"a": 1}, lambda unit: {"outcome": "kept"})


def test_units_done_at_once_keep_their_order(tmp_path: Path) -> None:
    units = {str(n): n for n in range(50)}
    results = build(tmp_path).each("units", units, lambda n: {"outcome": "kept", "n": n}, jobs=8)
    assert [result["n"] for result in results] == list(range(50))
    again = build(tmp_path).each("units", units, lambda n: {"outcome": "done twice"})
    assert again == results
