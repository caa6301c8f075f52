"""The page in a real browser: it is laid out, its plots are drawn, nothing of it runs or leaves the machine."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from reasonflux_agent.jobs.evaluation.report import write_report
from tests.evaluation.test_report import row, write_run

pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def chromium(folder: Path, *arguments: str) -> str:
    """What headless Chromium prints."""
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome is installed")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def report(folder: Path, methods: Sequence[str]) -> Path:
    """The report of a run with hostile answers."""
    evil = "<script>document.title='owned'</script><img src='http://127.0.0.1:9/x' onerror=\"document.title='owned'\">"
    rows = [
        row(method, f"p{i}", i % 3 > 0, level=1 + i % 3, prompt_tokens=900 + 500 * m, answer=evil)
        for i in range(12)
        for m, method in enumerate(methods)
    ]
    return write_report(write_run(folder, rows))[1]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return report(tmp_path / "run", ("direct", "navigator", "original"))


def test_the_page_opens_with_its_plots_and_runs_nothing(page: Path, tmp_path: Path) -> None:
    dom = chromium(tmp_path, "--dump-dom", page.as_uri())
    assert "<title>Evaluation of fake:model</title>" in dom
    assert "owned" not in re.search(r"<title>.*?</title>", dom, re.DOTALL)[0]  # type: ignore[index]
    assert dom.count("<circle") == 3
    assert dom.count("<rect") == 9
    assert "<img" not in dom


def laid_out(page: Path, folder: Path, width: int) -> tuple[int, list[tuple[float, float]]]:
    """The width of the page and the sizes of its plots in a window, measured from a page that frames it."""
    probe = folder / "probe.html"
    probe.write_text(
        f"<iframe id=f width={width} height=900 src='{page.as_uri()}'></iframe><pre id=o></pre><script>"
        "f.onload = () => { const d = f.contentDocument, "
        "boxes = [...d.querySelectorAll('svg')].map(x => x.getBoundingClientRect());"
        "const plots = boxes.map(r => [r.width, r.height]);"
        "o.textContent = JSON.stringify({page: d.documentElement.scrollWidth, plots}) }</script>"
    )
    dom = chromium(folder, "--allow-file-access-from-files", "--virtual-time-budget=5000", "--dump-dom", probe.as_uri())
    found = json.loads(re.search(r'<pre id="o">(.*?)</pre>', dom)[1])  # type: ignore[index]
    return found["page"], found["plots"]


@pytest.mark.parametrize("width", [380, 1200])
def test_the_layout_fits_the_window(page: Path, tmp_path: Path, width: int) -> None:
    page_width, plots = laid_out(page, tmp_path, width)
    assert page_width <= width
    assert len(plots) == 2
    assert all(w > 250 and h > 150 for w, h in plots)


@pytest.mark.parametrize("width", [380, 1200])
def test_plots_of_many_methods_take_the_whole_width(tmp_path: Path, width: int) -> None:
    page = report(tmp_path / "run", [f"navigator,templates={n}" for n in range(12)])
    page_width, plots = laid_out(page, tmp_path, width)
    assert page_width <= width
    assert len(plots) == 2
    assert all(w > (650 if width == 1200 else 250) for w, _ in plots)


def test_a_screenshot_is_no_blank_page(page: Path, tmp_path: Path) -> None:
    shot, blank = tmp_path / "shot.png", tmp_path / "blank.png"
    chromium(tmp_path, f"--screenshot={shot}", "--window-size=1200,1400", page.as_uri())
    chromium(tmp_path, f"--screenshot={blank}", "--window-size=1200,1400", "about:blank")
    assert shot.stat().st_size > 5 * blank.stat().st_size
