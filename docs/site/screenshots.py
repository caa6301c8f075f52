"""Makes the pictures of the documentation: `python docs/site/screenshots.py [--model SPEC] [--out DIR]`, or `make screenshots`.

Nothing is staged: the run page shows a run that the model made (it is kept in build/pictures; delete the folder for a new one),
the report is drawn from the rows in docs/records, and the README and the site's front page are rendered as they are. It needs
the extras `dev` and `docs`, and Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
PROBLEM = "Given a sequence {a_n} satisfying a_1 = 3 and a_{n+1} = 2 a_n + 5 (n ≥ 1), find the general term formula a_n"
MODEL = "local:qwen2.5-coder-1.5b"
LARGEST = 150_000
"""Bytes of a picture of the documentation at most."""
WIDE, NARROW = {"width": 1040, "height": 1040}, {"width": 360, "height": 900}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
GITHUB = """body { max-width: 1012px; margin: 0 auto; padding: 32px; font: 16px/1.5 system-ui, sans-serif; color: #1f2328 }
h1, h2 { border-bottom: 1px solid #d1d9e0; padding-bottom: .3em } a { color: #0969da } img { max-width: 100% }
pre { background: #f6f8fa; padding: 16px; overflow: auto; border-radius: 6px; font-size: 85% }
table { border-collapse: collapse }
th, td { border: 1px solid #d1d9e0; padding: 6px 13px }"""
"""Looks that are close to GitHub's."""


def main() -> None:
    """Make the pictures, and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=MODEL, help="the spec of the model that solves the problem")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where the pictures that the documentation shows go")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    looked_at = ROOT / "build" / "pictures"
    """Where those go that no page shows."""
    looked_at.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with run_page(looked_at / "runs", given.model) as url:
            place = solved(url)
            take(browser, place, given.out / "run-page.png", WIDE)
            take(browser, place, given.out / "run-page-dark.png", WIDE, color_scheme="dark")
            take(browser, place, given.out / "run-page-360.png", NARROW)
            take(browser, url, looked_at / "first-page.png", WIDE)
        report = Path(folder) / "rows"
        shutil.copytree(ROOT / "docs" / "records" / "evaluation-80", report)
        subprocess.run([sys.executable, "-m", "reasonflux_agent.cli", "eval", "report", str(report)], check=True)
        take(browser, (report / "report.html").as_uri(), given.out / "report.png", {"width": 1280, "height": 1100})
        readme = ROOT / "build" / "README.html"
        readme.write_text(rendered((ROOT / "README.md").read_text(encoding="utf-8")), encoding="utf-8")
        take(browser, readme.as_uri(), looked_at / "readme.png", {**WIDE, "height": 2600})
        subprocess.run([sys.executable, str(ROOT / "docs" / "site" / "build.py")], check=True)
        take(browser, (ROOT / "build" / "site" / "index.html").as_uri(), looked_at / "site.png", WIDE)
        browser.close()


@contextlib.contextmanager
def run_page(records: Path, model: str) -> Iterator[str]:
    """Serve the run page over a folder of records; gives its address."""
    log = records.with_suffix(".log")
    command = [sys.executable, "-m", "reasonflux_agent.cli", "ui", "--no-browser", "--port", "0"]
    with log.open("wb") as out:
        server = subprocess.Popen([*command, "--record", str(records), "--model", model], stdout=out, stderr=out)
    try:
        while not (found := re.search(r"http://\S+/ui/", log.read_text())):
            if server.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.2)
        yield found[0]
    finally:
        server.terminate()
        server.wait()


def solved(url: str) -> str:
    """Solve the problem, unless that was done, and return the address of the run, when it has ended."""
    if done := re.search(r'href="(/ui/runs/\w+)"', httpx.get(url, params={"q": "answered"}).text):
        return str(httpx.URL(url).join(done[1]))
    answer = httpx.post(url, data={"problem": PROBLEM}, timeout=1800)
    if answer.status_code != 303:
        sys.exit(answer.text)
    place = str(httpx.URL(url).join(answer.headers["location"]))
    while "The run has ended" not in (page := httpx.get(place, timeout=60).text):
        if 'role="alert"' in page:
            sys.exit(page)
        time.sleep(1)
    return place


def take(browser: Browser, place: str, path: Path, size: Any, **how: Any) -> None:
    """Write a picture of what a window of this size shows of a page."""
    page = browser.new_page(viewport=size, **how)
    page.goto(place)
    page.wait_for_timeout(1000)
    page.screenshot(path=path)
    page.close()
    bytes = path.stat().st_size
    print(f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}: {bytes:,} bytes")
    if bytes > LARGEST and "build" not in path.parts:
        sys.exit(f"{path} is larger than {LARGEST:,} bytes.")


def rendered(text: str) -> str:
    """Return the README as a page; its links are those of the checkout."""
    body = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    head = f"<!doctype html><meta charset=utf-8><title>README</title><base href='{ROOT.as_uri()}/'>"
    return f"{head}<style>{GITHUB}</style>{body}"


if __name__ == "__main__":
    main()
