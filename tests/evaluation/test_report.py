"""The report of runs as they come: whole, cut, empty, hostile, large."""

import json
import re
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.errors import InputError, RecordError
from reasonflux_agent.jobs.evaluation.measures import compare_rows
from reasonflux_agent.jobs.evaluation.report import Prices, compare, html, markdown, read_run, write_report
from reasonflux_agent.jobs.evaluation.tables import tables

BENCH = "toy"


def row(method: str, id: str, correct: bool, **more: Any) -> dict[str, Any]:
    """A result as the runner writes it."""
    return {
        "benchmark": BENCH, "method": method, "repeat": 0, "id": id, "subject": None, "level": None, "gold": "7",
        "answer": "7" if correct else "8", "correct": correct, "status": "answered", "reason": "", "truncated": False,
        "error": None, "calls": 2, "prompt_tokens": 1000, "cached_tokens": 400, "completion_tokens": 500, "seconds": 3.0,
        "wall": 2.0, "templates": [], "votes": 1.0, "candidates": [], "reviews": [], "escalated": False, "run": "r", **more,
    }  # fmt: skip


def write_run(folder: Path, rows: list[dict[str, Any]], **config: Any) -> Path:
    """A run's folder."""
    folder.mkdir(exist_ok=True)
    head = {"format": "reasonflux-eval", "version": 1, "model": "fake:model", "benchmarks": {}, "repeats": 1, **config}
    (folder / "run.json").write_text(json.dumps(head))
    (folder / "results.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


def cells(run_folder: Path, title: str, prices: Prices | None = None) -> list[dict[str, str]]:
    """A table of the report, a dictionary a row."""
    table = next(t for t in tables(read_run(run_folder), prices) if t.title == title)
    return [dict(zip(table.head, line, strict=True)) for line in table.rows]


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """20 problems: direct has 8 right and one failed, navigator these 8 and 9 more."""
    rows = []
    for i in range(20):
        failed = {"error": "ModelError: gone", "answer": None} if i == 19 else {}
        rows.append(row("direct", f"p{i}", i < 8, level=1 + i % 2, subject="Algebra", **failed))
        rows.append(row("navigator", f"p{i}", i < 17, level=1 + i % 2, subject="Algebra", prompt_tokens=3000))
    return write_run(tmp_path / "two", rows, methods=["direct", "navigator"], benchmarks={BENCH: {"n": 20, "sha256": "aa"}})


def test_accuracy_counts_failures_as_wrong(two: Path) -> None:
    direct, navigator = cells(two, "Accuracy")
    assert (direct["right"], direct["accuracy [95 %]"], direct["failed"]) == ("8/20", "40.0% [21.9, 61.3]", "1")
    assert (navigator["right"], navigator["failed"], navigator["problems"]) == ("17/20", "0", "20")
    assert direct["no answer"] == "0.0%"  # the failed one is counted once, as failed


def test_methods_are_compared_with_the_first(two: Path) -> None:
    (line,) = cells(two, "Against direct")
    assert (line["only it right"], line["only the other right"], line["p"], line["verdict"]) == ("9", "0", "0.004", "better")
    assert line["difference in points [95 %]"].startswith("+45.0 [+")


def test_several_benchmarks_are_counted_together_too(tmp_path: Path) -> None:
    # the same ids in both: neither benchmark alone shows what both together do
    rows = [
        row(method, f"{i}", i < right, benchmark=benchmark)
        for benchmark in ("toy", "game")
        for method, right in (("direct", 4), ("navigator", 8))
        for i in range(10)
    ]
    folder = write_run(
        tmp_path / "run", rows, methods=["direct", "navigator"], benchmarks={"toy": {"n": 10}, "game": {"n": 10}}
    )
    accuracies, compared = cells(folder, "Accuracy"), cells(folder, "Against direct")
    assert [line["right"] for line in accuracies] == ["4/10", "8/10", "4/10", "8/10", "8/20", "16/20"]
    assert [line["benchmark"] for line in accuracies] == ["toy", "toy", "game", "game", "all together", "all together"]
    assert [(line["benchmark"], line["only it right"], line["verdict"]) for line in compared] == [
        ("toy", "4", "no difference shown"),
        ("game", "4", "no difference shown"),
        ("all together", "8", "better"),
    ]


def test_no_difference_is_said_where_none_is_shown(tmp_path: Path) -> None:
    def verdict(gained: int, lost: int, n: int) -> str:
        rows = [row("a", f"{i}", i < lost) for i in range(n)]
        rows += [row("b", f"{i}", lost <= i < lost + gained) for i in range(n)]
        run = read_run(write_run(tmp_path / f"{gained}-{lost}-{n}", rows))
        return compare_rows(run.groups[BENCH, "b"], run.groups[BENCH, "a"]).verdict

    assert verdict(3, 2, 20) == "no difference shown"
    # four of thirty: the score interval excludes zero by a hair, the exact test has p = 0.125
    assert verdict(4, 0, 30) == "no difference shown"
    assert verdict(12, 1, 30) == "better"
    assert verdict(1, 12, 30) == "worse"


def test_costs_follow_the_prices(two: Path) -> None:
    direct, _ = cells(two, "Tokens, calls, time", Prices(prompt=2.0, cached=0.5, completion=10.0))
    # (600 * 2 + 400 * 0.5 + 500 * 10) / 1e6 a problem
    assert (direct["cost per 1,000"], direct["cost in all"]) == ("6.4", "0.1216")  # of the 19 that ended
    assert (direct["prompt tokens"], direct["cached"], direct["completion"], direct["all tokens"]) == (
        "1,000",
        "400",
        "500",
        "1,500",
    )
    assert "cost in all" not in cells(two, "Tokens, calls, time")[0]


def test_runs_that_failed_are_not_free(two: Path, tmp_path: Path) -> None:
    nothing = {"error": "gone", "calls": 0, "prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0, "seconds": 0.0}
    rows = [row("direct", f"p{i}", False, **(nothing if i < 5 else {})) for i in range(20)]
    folder = write_run(tmp_path / "run", [*rows, row("broken", "p0", False, **nothing)], methods=["direct", "broken"])
    direct, broken = cells(folder, "Tokens, calls, time", Prices(prompt=2.0, cached=0.5, completion=10.0))
    assert (direct["runs"], direct["calls"], direct["all tokens"], direct["cost per 1,000"]) == (
        "15 of 20",
        "2.0",
        "1,500",
        "6.4",
    )
    assert (broken["runs"], broken["all tokens"], broken["cost in all"]) == ("0 of 1", "–", "–")
    assert "1,500 tokens per problem" in html(read_run(folder))
    assert "1,500 / 1,500 = 1.00" in compare(read_run(two), read_run(folder), method_a="direct", method_b="direct")


def test_the_clock_of_a_run_with_a_cache_is_not_shown(tmp_path: Path) -> None:
    (own,) = cells(write_run(tmp_path / "own", [row("direct", "p", True)]), "Tokens, calls, time")
    (kept,) = cells(write_run(tmp_path / "kept", [row("direct", "p", True)], cached=True), "Tokens, calls, time")
    assert (own["clock s"], own["model s"]) == ("2.0", "3.0")
    assert (kept["clock s"], kept["model s"]) == ("–", "3.0")


def test_repeats_are_compared_as_far_as_both_have_them(tmp_path: Path) -> None:
    rows = [row("a", "p", right, repeat=r) for r, right in enumerate([False, True, True])] + [row("b", "p", False)]
    run = read_run(write_run(tmp_path / "run", rows, repeats=3))
    compared = compare_rows(run.groups[BENCH, "a"], run.groups[BENCH, "b"])
    assert (compared.n, compared.difference, compared.gained) == (1, 0.0, [])


def test_wrong_answers_that_mean_the_same_are_one_vote(tmp_path: Path) -> None:
    given = [("7", True), ("0.5", False), (r"\frac12", False), ("1/2", False), ("7", True)]
    rows = [row("direct", "p", ok, repeat=r, answer=answer) for r, (answer, ok) in enumerate(given)]
    by_k = {line["k"]: line["maj@k"] for line in cells(write_run(tmp_path / "run", rows, repeats=5), "Repeats")}
    assert by_k["5"] == "0.0%"  # by spelling, the right answer would lead with 2 of 5


def test_levels_are_in_their_order_and_subjects_apart(tmp_path: Path) -> None:
    rows = [row("direct", f"{i}", i % 2 == 0, level=level, subject="Geo|metry") for i, level in enumerate([10, 9, "2", 9])]
    folder = write_run(tmp_path / "run", rows)
    assert [(line["level"], line["problems"]) for line in cells(folder, "By level")] == [("2", "1"), ("9", "2"), ("10", "1")]
    assert cells(folder, "By subject")[0]["direct"].startswith("50.0%")
    assert "| toy | Geo\\|metry | 4 |" in markdown(read_run(folder))


def test_repeats_give_pass_and_majority(tmp_path: Path) -> None:
    right = [[True, True, False, True], [False, False, True, False]]
    rows = [
        row("direct", f"p{i}", ok, repeat=r, answer="7" if ok else r"\frac{1}{2}" if r < 2 else r"\dfrac12")
        for i, oks in enumerate(right)
        for r, ok in enumerate(oks)
    ]
    folder = write_run(tmp_path / "run", rows, repeats=4)
    by_k = {line["k"]: (line["pass@k"], line["maj@k"]) for line in cells(folder, "Repeats")}
    assert by_k["1"] == ("50.0%", "50.0%")
    assert by_k["4"] == ("100.0%", "50.0%")  # one problem's majority is right; the other's wrong answers are one answer
    assert cells(folder, "Accuracy")[0]["accuracy [95 %]"].startswith("50.0%")


def test_matched_samples_are_told(tmp_path: Path) -> None:
    found = {"k": 3, "target_tokens": 1490.4, "sample_tokens": 500.0}
    folder = write_run(tmp_path / "run", [row("sc", "p", True)], matched={"sc": {BENCH: found}}, templates="ab" * 32)
    (line,) = cells(folder, "Matched tokens")
    assert (line["samples"], line["tokens a sample"], line["tokens to match"]) == ("3", "500", "1,490")
    assert "- templates: abababababababab…" in markdown(read_run(folder))


class Page(HTMLParser):
    """The tags, what they refer to, and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_self_contained_and_escapes_everything(tmp_path: Path) -> None:
    evil = '<script>alert(1)</script><img src=x onerror="alert(2)">\'"&$title ${page}'
    more = {"level": evil, "subject": evil, "gold": evil, "reason": evil, "reviews": [evil]}
    votes = [{"source": evil, "answer": evil, "correct": False, "checks": {evil: True}}] * 2
    rows = [
        row(evil, evil, False, answer=evil, candidates=votes, **more),
        row("other", evil, False, error=evil, **more),
    ]
    folder = write_run(tmp_path / "run", rows, model=evil, library=evil, benchmarks={BENCH: {"n": 1, "sha256": evil}})
    page = Page(text := html(read_run(folder)))
    assert page.open == []
    assert not {"script", "img", "link", "iframe", "object", "embed", "form"} & set(page.tags)
    assert page.links == []
    assert page.tags.count("svg") == 2
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "default-src 'none'" in unescape(text)
    assert "<script" not in markdown(read_run(folder))
    assert "<img" not in markdown(read_run(folder))


def test_markdown_keeps_foreign_text_in_its_cell(tmp_path: Path) -> None:
    error = "a | b\n# heading [link](http://x) `code` *bold*"
    text = markdown(read_run(write_run(tmp_path / "run", [row("direct", "p", False, error=error)])))
    assert r"| a \| b # heading [link]\(http://x) \`code\` \*bold\* | 1 | p |" in text


def test_a_run_without_rows_has_a_report(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [], methods=["direct"], benchmarks={BENCH: {"n": 5}})
    (folder / "results.jsonl").unlink()
    md, page = write_report(folder)
    assert "rows: 0 of 5: the run is unfinished" in md.read_text()
    assert "<svg" not in page.read_text()
    (folder / "run.json").write_text("{}")
    assert "nothing has been evaluated" in markdown(read_run(folder))


@pytest.mark.parametrize("correct", [True, False])
def test_a_run_of_one_row_has_a_report(tmp_path: Path, correct: bool) -> None:
    md, page = write_report(write_run(tmp_path / "run", [row("direct", "p", correct)]))
    assert ("1/1" if correct else "0/1") in md.read_text()
    assert page.read_text().count("<svg") == 1


def test_rows_of_errors_only_have_a_report(tmp_path: Path) -> None:
    nothing = {"answer": None, "calls": 0, "prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0, "seconds": 0.0}
    rows = [row(m, f"p{i}", False, error="ModelError: gone", **nothing) for i in range(60) for m in ("direct", "navigator")]
    folder = write_run(tmp_path / "run", rows)
    write_report(folder)
    assert [line["accuracy [95 %]"] for line in cells(folder, "Accuracy")] == ["0.0% [0.0, 6.0]"] * 2
    (first, _) = cells(folder, "Failures")
    assert (first["times"], first["error"]) == ("60", "ModelError: gone")
    assert first["problems"].endswith("p9, …")


def test_missing_keys_and_nulls_are_tolerated(tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "run", [{"benchmark": "b", "method": "m", "id": 3, "votes": None, "candidates": None, "level": 2}]
    )
    (folder / "run.json").write_text("{}")
    (read,) = read_run(folder).rows
    assert (read.id, read.level, read.votes, read.candidates) == ("3", "2", 0.0, ())
    write_report(folder)


def test_a_line_that_a_kill_cut_is_passed_over_and_a_damaged_one_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [row("direct", "p1", True), row("direct", "p2", True)])
    file = folder / "results.jsonl"
    whole = file.read_text()
    file.write_text(whole[:-40])
    assert [r.id for r in read_run(folder).rows] == ["p1"]
    file.write_text(whole.replace('"calls": 2', '"calls": "many"', 1))
    with pytest.raises(RecordError, match=r"results\.jsonl is damaged in line 1: .*calls: .*Next: remove that line"):
        read_run(folder)


def test_a_problem_done_again_counts_once(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [row("direct", "p", False, error="gone"), row("direct", "p", True)])
    assert [r.correct for r in read_run(folder).rows] == [True]


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"holds no run of the evaluation: it has no run\.json"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text('{"format": "other"}')
    with pytest.raises(RecordError, match="is not the configuration of an evaluation"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text('{"version": 9}')
    with pytest.raises(RecordError, match="has version 9; this package reads version 1"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RecordError, match="cannot be read"):
        read_run(tmp_path)


def test_two_runs_are_compared_by_problem(two: Path, tmp_path: Path) -> None:
    rows = [row("direct", f"p{i}", i < 6 or i == 10, prompt_tokens=2500) for i in range(20)]
    benchmarks = {BENCH: {"n": 20, "sha256": "aa"}}
    contexts = {"direct": {"effort": "low"}}
    other = write_run(tmp_path / "b", rows, methods=["direct"], benchmarks=benchmarks, contexts=contexts, seed=4)
    text = compare(read_run(two), read_run(other))
    assert re.search(r"\| toy \| direct \| 40\.0% .* \| 35\.0% .* \| 20 \| −5\.0 .* \| 1 \| 2 \| 1\.000 \| no difference", text)
    assert "3,000 / 1,500 = 2.00" in text
    assert "| toy | direct | A | p6, p7 |" in text
    assert "| seed | – | 4 |" in text
    assert "| direct: effort | – | low |" in text
    crossed = compare(read_run(two), read_run(other), method_a="navigator", method_b="direct")
    assert "direct against navigator" in crossed
    assert crossed.count("| worse |") == 1


def test_runs_of_different_rows_are_compared_on_those_that_both_have(tmp_path: Path) -> None:
    def half(name: str, first: int, tokens: int, right: int) -> Any:
        rows = [
            row("direct", f"p{i}", i < right, benchmark=benchmark, sha=f"{i}", prompt_tokens=tokens * (1 if 4 <= i < 8 else 9))
            for benchmark in ("toy", "game")
            for i in range(first, first + 8)
        ]
        benchmarks = {benchmark: {"n": 8, "sha256": f"of {name}"} for benchmark in ("toy", "game")}
        return read_run(write_run(tmp_path / name, rows, benchmarks=benchmarks))

    text = compare(half("a", 0, 1000, 6), half("b", 4, 2000, 8))
    assert re.search(r"\| toy \| direct \| 75\.0% .* \| 50\.0% .* \| 4 \| \+50\.0 ", text)
    assert re.search(r"\| all together \| direct \| 75\.0% .* \| 50\.0% .* \| 8 \| \+50\.0 ", text)
    assert "| toy | direct | 4 of 4 | 2,500 / 1,500 = 1.67 |" in text
    assert "| all together | direct | 8 of 8 | 2,500 / 1,500 = 1.67 |" in text


def test_runs_that_cannot_be_compared_are_refused(two: Path, tmp_path: Path) -> None:
    a = read_run(two)

    def other(name: str, rows: list[dict[str, Any]], sha: str | None = None) -> Any:
        return read_run(write_run(tmp_path / name, rows, benchmarks={BENCH: {"n": 1, "sha256": sha}}))

    with pytest.raises(InputError, match="other problems of toy under the same ids: p0"):
        compare(a, other("gold", [row("direct", "p0", True, gold="9")]))
    first = other("sha-a", [row("direct", "p0", True, sha="aa"), row("direct", "p1", True, sha="aa")])
    with pytest.raises(InputError, match=r"under the same ids: p1\."):
        compare(first, other("sha-b", [row("direct", "p0", True, sha="aa"), row("direct", "p1", True, sha="bb")]))
    with pytest.raises(InputError, match="no problem in common"):
        compare(a, other("ids", [row("direct", "p99", True)]))
    with pytest.raises(InputError, match="share no method: the one has direct, navigator, the other voting"):
        compare(a, other("method", [row("voting", "p0", True)]))
    with pytest.raises(InputError, match=r"has no method 'magic'\. It has: direct, navigator"):
        compare(a, a, method_a="magic")
    with pytest.raises(InputError, match="share no benchmark"):
        compare(a, other("bench", [row("direct", "p0", True, benchmark="else")]))


def test_twenty_thousand_rows_take_seconds(tmp_path: Path) -> None:
    votes = [{"source": "draft", "answer": "7", "correct": True, "checks": {"arithmetic": True}, "logprob": -0.1}] * 3
    rows = [
        row(f"method-{m}", f"p{i}", (i * 7 + m) % 3 == 0, repeat=r, level=i % 5, candidates=votes, answer=str(i % 11))
        for i in range(1000)
        for m in range(5)
        for r in range(4)
    ]
    folder = write_run(tmp_path / "run", rows, repeats=4)
    began = time.process_time()
    write_report(folder)
    assert time.process_time() - began < 20
    assert cells(folder, "Accuracy")[0]["right"].endswith("/4000")
