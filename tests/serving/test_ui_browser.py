"""The run page in headless Chromium: solve, watch, edit, resume; by keyboard alone, in dark, on a narrow screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from reasonflux_agent.testing import serve_fake
from tests.serving.ui_server import EVIL, Mathematician, ui_served

pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NAMELESS = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")]
  .filter(e => e.checkVisibility() && !(e.getAttribute("aria-label") || e.labels?.[0]?.innerText || e.innerText || "").trim())
  .map(e => e.outerHTML)"""
HEADINGS = "() => [...document.querySelectorAll('h1, h2, h3')].filter(e => e.checkVisibility()).map(e => +e.tagName[1])"
TWICE = "() => [...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i)"
DANGLING = """() => [...document.querySelectorAll('[aria-labelledby]')].map(e => e.getAttribute('aria-labelledby'))
  .filter(id => !document.getElementById(id))"""
TOO_WIDE = "() => document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", exc_type=ImportError)
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with (
        serve_fake(Mathematician(seconds=0.3)) as upstream,
        ui_served(tmp_path_factory.mktemp("ui") / "runs", f"vllm:fake@{upstream}") as address,
    ):
        yield address


@pytest.fixture(
    params=[{}, {"color_scheme": "dark", "viewport": {"width": 400, "height": 800}}], ids=["wide", "narrow and dark"]
)
def page(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A fresh window; whatever it logs as an error, or asks of another machine, fails the test."""
    context = chromium.new_context(**request.param)
    opened, faults = context.new_page(), []
    opened.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda asked: faults.append(asked.url) if not asked.url.startswith("http://127.0.0.1") else None)
    yield opened
    context.close()
    assert [fault for fault in faults if fault != "data:,"] == []


def check(page: Any) -> None:
    """What holds of every page for those who cannot see it, and for narrow screens."""
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(TWICE) == []
    assert page.evaluate(DANGLING) == []
    levels = page.evaluate(HEADINGS)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert page.locator("main").count() == page.locator("header nav").count() == 1
    assert page.locator("html[lang=en]").count() == 1
    assert page.evaluate(TOO_WIDE) <= 0
    assert page.title() != "owned"
    assert page.locator("main script, main img").count() == 0


def test_solve_and_watch(page: Any, url: str) -> None:
    page.goto(url)
    check(page)
    page.get_by_label("Problem", exact=True).fill(f"Let $a_1=3$. {EVIL}")
    page.get_by_text("More settings").click()
    page.get_by_label("Granularity").select_option("step")
    page.get_by_role("button", name="Solve", exact=True).click()
    page.get_by_text("Find the fixed point", exact=True).wait_for()
    assert page.locator("section.answer").count() == 0  # the plan is there before the answer
    page.locator("#now pre").wait_for()
    first = page.locator("ol.steps > li").first
    first.locator(".try math").first.wait_for()
    page.evaluate("() => { document.querySelector('ol.steps details').open = false }")
    page.locator("section.answer").wait_for()
    assert first.locator("details").first.evaluate("d => d.open") is False  # what was closed stays closed
    assert page.locator("section.answer .final msup").count() == 1
    assert "11" in page.locator(".code.output pre").first.text_content()
    assert page.locator(".steps .state").all_inner_texts() == ["done"] * 3
    assert page.get_by_role("status").inner_text().startswith("The run has ended.")
    check(page)
    page.locator("ol.steps > li > details > summary").first.click()
    page.locator(".template > summary").first.click()
    assert "1." in page.locator(".template[open] pre").first.inner_text()
    page.get_by_role("link", name="all runs").click()
    page.get_by_label("Search").fill("owned")
    page.keyboard.press("Enter")
    page.locator("ol.runs a").first.click()
    assert "No second one confirms it." in page.locator("section.answer").inner_text()
    check(page)


def test_edit_the_trajectory_and_resume(page: Any, url: str) -> None:
    page.goto(url)
    page.get_by_label("Problem", exact=True).fill("Let $a_1=3$.")
    page.get_by_text("More settings").click()
    page.get_by_label("Granularity").select_option("step")
    page.get_by_label("Ask me").select_option("reviews")
    page.get_by_role("button", name="Solve", exact=True).click()
    form = page.locator("form.question")
    form.wait_for()
    check(page)
    assert form.locator("ol.edit > li").count() == 3
    form.get_by_role("button", name="Move up: step 3").click()
    assert "now step 2 of 3" in page.get_by_role("status").inner_text()
    form.get_by_role("button", name="Delete: step 1").click()
    form.get_by_role("button", name="Add a step").click()
    page.keyboard.type("Check with $n=1$")
    purposes = form.get_by_label("Purpose").evaluate_all("all => all.map(e => e.value)")
    assert purposes == ["State the general term", "Write the shifted sequence as geometric", "Check with $n=1$"]
    form.get_by_role("checkbox").first.uncheck()
    page.screenshot()
    form.get_by_role("button", name="Go on with my edits").click()
    form.get_by_text("The review of step 1 proposes: accept").wait_for()
    check(page)
    form.get_by_label("What is wrong").fill("Too short.")
    form.get_by_role("button", name="Redo the step").click()
    page.get_by_text("done, 2 tries").wait_for()
    form.get_by_role("button", name="Stop the run").click()
    page.locator("#about").get_by_text("The run has ended").wait_for()
    assert page.locator(".verdict.redo").inner_text() == "You redo: Too short."
    assert page.locator("ol.steps").last.locator("> li").count() == 3
    check(page)


def test_by_keyboard_alone(page: Any, url: str) -> None:
    page.goto(url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("What is 3 + 4?")
    for key in ("Tab", "Tab", "Tab", "Tab", "l", "Tab", "b", "Tab"):  # the examples; effort low; ask before; more settings
        page.keyboard.press(key)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("form.question").wait_for()
    for _ in range(40):
        if page.evaluate("document.activeElement.value") == "approve":
            break
        page.keyboard.press("Tab")
        outlined = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outlined != "none"  # where the focus is can be seen
    page.keyboard.press("Enter")
    page.locator("section.answer").wait_for()
    assert "low" in page.locator("#made").text_content()


def test_several_questions_at_once(page: Any, url: str) -> None:
    page.goto(url)
    page.get_by_label("Problem", exact=True).fill("Let $a_1=3$.")
    page.get_by_label("Effort").select_option("high")
    page.get_by_label("Ask me").select_option("plan")
    page.get_by_role("button", name="Solve", exact=True).click()
    forms = page.locator("form.question")
    forms.nth(1).wait_for()
    check(page)
    for _ in range(3):  # attempts at once ask at once; each form answers its own question
        page.locator("form.question, section.answer").first.wait_for()
        if page.locator("section.answer").count():
            break
        with page.expect_navigation():
            forms.first.get_by_role("button", name="Go on as proposed").click()
    page.locator("section.answer").wait_for()
    assert page.get_by_role("heading", name="attempt 1").count() == 1
    check(page)


def test_mark_a_run(page: Any, url: str) -> None:
    page.goto(url)
    page.get_by_label("Problem", exact=True).fill("Let $a_1=3$.")
    page.get_by_role("button", name="Solve", exact=True).click()
    form = page.get_by_role("region", name="Is the answer right?")
    form.wait_for()  # it appears when the run has ended
    check(page)
    form.get_by_label("The right answer").fill("2^{n+1}")
    page.keyboard.press("Enter")  # who types a right answer does not say that the run's is right
    form.get_by_text("Marked as wrong").wait_for()
    assert form.locator("math").count() == 1
    check(page)
    page.screenshot()
    form.get_by_role("button", name="The answer is right").click()
    form.get_by_text("Marked as right").wait_for()
    assert form.get_by_label("The right answer").input_value() == ""
    assert page.url.endswith("#mark-title")
    page.get_by_role("link", name="all runs").click()
    page.get_by_text("marked right").first.wait_for()
    check(page)


def test_an_example_is_solved_by_ctrl_enter_followed_up_and_forked(page: Any, url: str) -> None:
    page.goto(url)
    page.locator(".examples a").first.click()
    problem = page.locator("textarea[name=problem]")
    assert problem.input_value().startswith("Given a sequence")
    problem.press("Control+Enter")
    clock = page.locator("[data-since]")
    clock.wait_for()
    before = clock.inner_text()
    page.wait_for_function("text => document.querySelector('[data-since]')?.textContent !== text", arg=before)  # it goes on
    page.get_by_role("heading", name="Why trust it?").wait_for()
    assert page.locator("[data-since]").count() == 0
    question = page.get_by_label("Your next question")
    question.fill("Now for $a_1 = 4$.")
    question.press("Control+Enter")
    page.get_by_role("navigation", name="Earlier turns").wait_for()
    page.get_by_role("heading", name="Why trust it?").wait_for()
    check(page)
    page.get_by_label("Effort of the rest").select_option("low")
    page.get_by_role("button", name="Fork the run").click()
    form = page.locator("form.question")
    form.wait_for()
    check(page)
    form.get_by_label("Purpose").first.fill("Mine")
    form.get_by_role("button", name="Go on with my edits").click()
    page.locator("section.answer").wait_for()
    assert page.locator("#tree .purpose", has_text="Mine").count() == 1
    check(page)


def test_without_script_a_run_is_begun_and_answered(chromium: Any, url: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Problem", exact=True).fill("Let $a_1=3$.")
    page.get_by_label("Ask me").select_option("plan")
    page.get_by_role("button", name="Solve", exact=True).click()
    for _ in range(50):
        if page.locator("form.question").count():
            break
        page.wait_for_timeout(200)
        page.reload()
    page.get_by_label("Purpose").nth(1).fill("")
    page.get_by_role("button", name="Go on with my edits").click()
    for _ in range(50):
        if page.locator("section.answer").count():
            break
        page.wait_for_timeout(200)
        page.reload()
    assert page.locator("ol.steps").last.locator("> li").count() == 2
    page.get_by_label("The right answer").fill("2^{n+1}")
    page.get_by_role("button", name="The answer is wrong").click()
    assert "Marked as wrong" in page.locator("section.mark").inner_text()
    context.close()
