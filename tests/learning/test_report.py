"""The report of a learning run."""

from __future__ import annotations

from pathlib import Path

from reasonflux_agent.learning.report import html, markdown, tables, write_report
from tests.learning.tasks import rows
from tests.learning.test_learning import by_chance, learned_by

SUMS = [{"problem": f"Add the numbers {n} and {n + 3}.", "answer": str(2 * n + 3), "group": "<sums>"} for n in range(15)]


def test_it_says_what_the_library_does_and_what_was_tried(tmp_path: Path) -> None:
    learned, _ = learned_by(lambda way, row: bool(way.templates) or int(row.id, 16) % 3 == 0, [*rows(15), *SUMS])
    effect, tried = tables(learned)
    assert [row[0] for row in effect.rows] == ["<sums>", "letters backwards", "all"]
    claim = learned.claim
    assert effect.rows[-1][1:5] == ["30", str(claim.right_without), "30", f"{claim.wins} : 0"]
    assert {row[2] for row in tried.rows} >= {"in the library", "control", "dropped: another did better, or it won too little"}
    page, text = html(learned, "mine"), markdown(learned, "mine")
    assert "Learned library: mine" in page
    assert page.count("<figure") == 2
    assert "<sums>" not in page
    assert "&lt;sums&gt;" in page
    assert "| Before and after" not in text
    assert "## Before and after" in text
    written = write_report(learned, tmp_path / "mine.json")
    assert [path.name for path in written] == ["mine.report.md", "mine.report.html"]
    assert [path.read_text() for path in written] == [text, page]


def test_it_can_say_that_nothing_helped() -> None:
    learned, _ = learned_by(lambda way, row: True, rows(10))
    assert learned.library is None
    assert [table.title for table in tables(learned)][-1] == "What more rows would show"
    assert "no library: nothing helped" in markdown(learned, "mine")
    assert "10 → 10 of 10 right" in html(learned, "mine")


def test_chance_is_not_called_a_proof() -> None:
    learned, _ = learned_by(by_chance(4, 0.3), rows(20))
    assert "- result: unproven" in markdown(learned, "mine") or "no library" in markdown(learned, "mine")
