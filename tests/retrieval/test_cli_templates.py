"""`reasonflux templates` as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from reasonflux_agent.cli.templates import app
from reasonflux_agent.errors import InputError, LibraryError
from reasonflux_agent.templates import TemplateLibrary


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONFLUX_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    entries = [
        {"template_name": "Round table", "template_type": "Solution Method", "reason_flow": "Fix one.\nPermute."},
        {"template_name": "Handshakes", "reason_flow": ["Count pairs."], "description": "Pairs of people."},
    ]
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"Combinatorics": {"Counting": entries}}))
    return path


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_list_prints_one_tab_separated_line_a_template(library: Path) -> None:
    result = run("list", "--library", library)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "combinatorics/counting/round-table\tMethod\tRound table",
        "combinatorics/counting/handshakes\tMethod\tHandshakes",
    ]


def test_list_as_json_by_chapter(library: Path) -> None:
    shown = json.loads(run("list", "--library", library, "--chapter", "combi", "--json").stdout)
    assert [t["name"] for t in shown] == ["Round table", "Handshakes"]
    error = run("list", "--library", library, "--chapter", "Algebra").exception
    assert isinstance(error, LibraryError)
    assert "Its chapters: Combinatorics" in str(error)


def test_show_prints_the_whole_template(library: Path) -> None:
    text = run("show", "combinatorics/counting/round-table", "--library", library).stdout
    assert "Combinatorics / Counting" in text
    assert "1. Fix one.\n2. Permute." in text
    assert isinstance(run("show", "nowhere", "--library", library).exception, LibraryError)


def test_search_prints_score_id_and_name(library: Path) -> None:
    result = run("search", "pairs of people", "-k", "1", "--embedder", "hash", "--library", library)
    score, id, name = result.stdout.strip().split("\t")
    assert (id, name) == ("combinatorics/counting/handshakes", "Handshakes")
    assert 0 < float(score) <= 1
    (found,) = json.loads(run("search", "pairs of people", "-k", "1", "-e", "hash", "-L", library, "--json").stdout)
    assert found["text"].startswith("Template: Handshakes")


def test_search_without_a_hit_says_so_beside_the_output(library: Path) -> None:
    result = run("search", " ", "--embedder", "hash", "--library", library)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "No template" in result.stderr


def test_validate_counts_and_notes(library: Path) -> None:
    result = run("validate", library)
    assert result.exit_code == 0
    assert result.stdout.startswith("2 templates in 1 chapters and 1 sections.\n  Method: 2\n")
    assert "Normalised: 1 types rewritten to 'Method'." in result.stdout


def test_validate_ends_with_2_and_the_fault(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"C": {"S": [{"template_name": "N"}]}}')
    command = [sys.executable, "-m", "reasonflux_agent.cli", "templates", "validate", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "entry 1 ('N'): field 'reason_flow' is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_import_writes_the_normalised_library(library: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = run("import", library, "--out", out)
    assert result.exit_code == 0
    assert f"Written to {out}" in result.stdout
    assert TemplateLibrary.load(out) == TemplateLibrary.load(library)
    assert TemplateLibrary.load(out).notes == ()


def test_a_library_that_cannot_be_written_is_no_bug(library: Path, tmp_path: Path) -> None:
    for out in (tmp_path, library / "x.json"):
        error = run("import", library, "--out", out).exception
        assert isinstance(error, InputError)
        assert f"{out} cannot be written" in str(error)
