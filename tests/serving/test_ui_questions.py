"""The forms of questions and what is wide, in headless Chromium: on a telephone, a tablet and a desk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from reasonflux_agent.testing import serve_fake
from tests.serving.test_ui_browser import check, chromium, page  # noqa: F401  (fixtures)
from tests.serving.ui_server import Mathematician, ui_served

pytestmark = pytest.mark.browser

SUM = "+".join(f"x_{{{n}}}^2" for n in range(1, 40))
WORD = "https://example.org/" + "a" * 200
CODE = "print(" + "+".join("1" * 60) + ")"
SCROLLS = "e => e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX === 'auto'"
BASELINE = """e => { const line = document.createElement('span'); line.style.display = 'inline-block'; e.before(line);
  const inner = e.querySelector('mi').getBoundingClientRect(), base = line.getBoundingClientRect().bottom; line.remove();
  return Math.abs(inner.bottom - base) }"""


class Wide(Mathematician):
    """All that it writes is wide: formulas in a line, words, programs, tables."""

    def __call__(self, prompt: str) -> str:
        said = super().__call__(prompt)
        if "Do not solve" in prompt.rsplit("Task:", 1)[-1]:
            return f"Kind: ${SUM}$ {WORD}\n1. Write ${SUM}$ {WORD} | find: {WORD}\n2. Add ${SUM}$ | find: ${SUM}$"
        if said == "ACCEPT":
            return f"REDO ${SUM}$ {WORD}"
        return (
            f"So ${SUM} = 0$ `{CODE}` {WORD} and $x$.\n\n```python\n{CODE}\n```\n" if "3 + 8" in said else f"$\\boxed{{{SUM}}}$"
        )


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_fake(Wide()) as upstream, ui_served(tmp_path_factory.mktemp("ui") / "runs", f"vllm:fake@{upstream}") as url:
        yield url


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = Mathematician(seconds=0.1)
    with serve_fake(model) as upstream, ui_served(tmp_path_factory.mktemp("ui") / "runs", f"vllm:fake@{upstream}") as url:
        yield url


def begin(window: Any, url: str, problem: str, ask: str = "plan", effort: str = "high", **more: str) -> None:
    given = {"problem": problem, "ask": ask, "effort": effort, **more}
    window.goto(str(httpx.URL(url).join(httpx.post(url, data=given, timeout=60).headers["location"])))


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_widens_the_page(chromium: Any, wide: str, width: int) -> None:  # noqa: F811
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()  # noqa: F811
    begin(page, wide, f"Show that ${SUM}$ is {WORD}.", ask="reviews", granularity="step")
    form = page.locator("form.question").first
    form.wait_for()
    check(page)
    form.get_by_role("button", name="Go on as proposed").click()
    page.locator(".try").first.wait_for()
    page.reload()
    page.locator("form.question .decide").first.wait_for()
    page.evaluate("() => document.querySelectorAll('details').forEach(d => { d.open = true })")
    check(page)
    if width < 1000:
        assert page.locator(".problem .inline").first.evaluate(SCROLLS)
        assert page.locator(".try .inline").first.evaluate(SCROLLS)
    assert page.locator(".try .inline").nth(1).evaluate(BASELINE) < 1.5
    page.goto(wide)
    check(page)
    context.close()


def test_each_question_says_whose_it_is_in_the_order_of_the_attempts(page: Any, plain: str) -> None:  # noqa: F811
    begin(page, plain, "Let $a_1=3$.")
    page.locator("form.question").nth(1).wait_for()
    titles = page.locator("form.question h2").all_inner_texts()
    names = page.locator("article.branch h3").all_inner_texts()
    assert titles == [f"{name}: May this trajectory be carried out?" for name in names if name.startswith("attempt")]
    assert titles[0].startswith("attempt 0:")
    # the answer of the second one goes to the second attempt
    form = page.locator("form.question").nth(1)
    form.get_by_label("Purpose").first.fill("Only in the second")
    with page.expect_navigation():
        form.get_by_role("button", name="Go on with my edits").click()
    branch = page.locator("article.branch", has=page.locator(".purpose", has_text="Only in the second"))
    branch.wait_for()
    assert branch.locator("h3").all_inner_texts() == ["attempt 1"]


def test_no_edit_is_dropped_without_a_word(page: Any, plain: str) -> None:  # noqa: F811
    begin(page, plain, "Let $a_1=3$.")
    page.locator("form.question").nth(1).wait_for()
    first, second = page.locator("form.question").nth(0), page.locator("form.question").nth(1)
    approve = first.get_by_role("button", name="Go on as proposed")
    assert approve.inner_text() == "Go on as proposed"
    first.get_by_label("Purpose").first.fill("Mine")
    assert approve.inner_text() == "Go on as proposed, without my changes"
    assert second.get_by_role("button", name="Go on as proposed").inner_text() == "Go on as proposed"
    # to answer the other question keeps what was typed here
    with page.expect_navigation():
        second.get_by_role("button", name="Go on as proposed").click()
    again = page.locator("form.question").first
    again.get_by_label("Purpose").first.wait_for()
    assert again.get_by_label("Purpose").first.input_value() == "Mine"
    # what the run cannot use is shown again, as it was typed
    again.get_by_label("Add a template").first.fill("no/such/template")
    again.get_by_label("Query").first.press("Enter")  # the key does what the button with the edits does
    page.get_by_role("alert").get_by_text("no/such/template").wait_for()
    page.wait_for_load_state()
    again = page.locator("form.question").first
    assert again.get_by_label("Purpose").first.input_value() == "Mine"
    again.get_by_role("checkbox", name="no/such/template").first.uncheck()
    again.get_by_role("button", name="Go on with my edits").click()
    page.locator("#tree .purpose", has_text="Mine").wait_for()


def test_without_script_too(chromium: Any, plain: str) -> None:  # noqa: F811
    def text() -> str:
        return re.sub(r"\s+", " ", page.locator("#questions").inner_text())

    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()  # noqa: F811
    begin(page, plain, "Let $a_1=3$.", effort="low")
    for _ in range(50):
        if page.locator("form.question").count():
            break
        page.wait_for_timeout(200)
        page.reload()
    page.get_by_label("Purpose").first.fill("Mine")
    page.get_by_role("button", name="Go on as proposed").click()
    assert "This button does not use what you changed" in text()
    assert page.get_by_label("Purpose").first.input_value() == "Mine"
    page.get_by_role("button", name="Go on as proposed, without my changes").click()
    for _ in range(50):
        if page.locator("section.answer").count():
            break
        page.wait_for_timeout(200)
        page.reload()
    assert page.locator("section.answer").count() == 1
    assert page.locator("#tree .purpose", has_text="Mine").count() == 0
    context.close()
