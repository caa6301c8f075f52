"""axe-core in headless Chromium: no page of the run page has a fault for those who see badly, or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from reasonflux_agent.learning.report import write_report
from reasonflux_agent.testing import serve_fake
from tests.learning.tasks import rows
from tests.learning.test_learning import learned_by
from tests.serving.test_ui import RECORD
from tests.serving.test_ui_browser import chromium  # noqa: F401  (a fixture)
from tests.serving.test_ui_forks import post, solved
from tests.serving.ui_server import Mathematician, ui_served

pytestmark = pytest.mark.browser


class Slow(Mathematician):
    """Takes its time over one problem."""

    def __call__(self, prompt: str) -> str:
        self.seconds = 20.0 if "slowly" in prompt else 0.0
        return super().__call__(prompt)


def faults(page: Any) -> list[str]:
    """What axe finds, in the light and in the dark: all rules, those of good practice too."""
    from axe_playwright_python.sync_playwright import Axe

    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true })")
        for violation in Axe().run(page).response["violations"]:
            found += [f"{scheme} {violation['id']}: {node['html'][:200]}" for node in violation["nodes"]]
    return found


def test_axe_finds_what_is_wrong(chromium: Any) -> None:  # noqa: F811
    pytest.importorskip("axe_playwright_python")
    page = chromium.new_page()
    page.set_content("<img src='data:,'><input><p style='color: #ccc'>pale</p>")
    found = {fault.split()[1] for fault in faults(page)}
    assert {"image-alt:", "label:", "color-contrast:", "html-has-lang:"} <= found
    page.close()


def test_axe_finds_nothing_on_our_pages(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    pytest.importorskip("axe_playwright_python")
    records, found = tmp_path / "runs", dict[str, list[str]]()
    page = chromium.new_page(viewport={"width": 360, "height": 800})

    def look(name: str, place: str, wait_for: str = "h1") -> None:
        page.goto(place)
        page.locator(wait_for).first.wait_for()
        found[name] = faults(page)

    with serve_fake(Slow()) as upstream, ui_served(records, f"vllm:fake@{upstream}") as url:
        look("the first page", url)
        place = solved(url, "Let $a_1=3$ and $a_{n+1}=2a_n+5$. Find $a_n$.", granularity="step", effort="high")
        look("a finished run", place, "section.answer")
        look("a follow-up", post(f"{place}/follow", problem="Now for $a_1 = 4$."), "section.answer")
        look("a question", post(f"{place}/fork", place="attempt 0/1", effort="low"), "form.question")
        look("a refusal", f"{url}runs/nosuch")
        running = [post(url, problem=f"Find it slowly, {n}.", effort="low") for n in range(5)]
        look("a running run", running[0], "#now pre")
        lines = RECORD.read_text().splitlines(keepends=True)
        for n in range(45):
            begun = re.sub(r'"time": [\d.]+', f'"time": {1_700_000_000 + n}', lines[0], count=1)
            (records / f"run{n:02}.jsonl").write_text("".join([begun, *lines[1:]]))
        look("a list with pages and a queue", url, ".state.queued")
        assert page.get_by_role("navigation", name="Pages of the list").count() == 1
        learned, _ = learned_by(lambda way, row: bool(way.templates) or int(row.id, 16) % 3 == 0, rows(15))
        assert learned.library
        learned.library.save(records / "mine.json")
        _, report = write_report(learned, records / "mine.json")
        look("the libraries", f"{url}libraries")
        look("a library", f"{url}libraries/mine")
        look("a report", report.as_uri())  # as it is served, no script can look at it
    page.close()
    assert {name: faults for name, faults in found.items() if faults} == {}
