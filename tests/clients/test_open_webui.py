"""Open WebUI, driven in Chromium, against a real server: `make test-open-webui`."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from reasonflux_agent.testing import mathematician, serve_fake
from tests.models.test_servers import free_port
from tests.serving.servers import served, until

COMMAND = os.environ.get("REASONFLUX_TEST_OPEN_WEBUI", "")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(not COMMAND, reason="REASONFLUX_TEST_OPEN_WEBUI names no open-webui")
PATIENCE = 180_000
"""Milliseconds."""


@contextmanager
def open_webui(home: Path, url: str) -> Iterator[str]:
    """Open WebUI with our endpoint as its only one, without accounts, and without anything from a hub."""
    about = {
        "DATA_DIR": str(home / "data"),
        "OPENAI_API_BASE_URL": url,
        "OPENAI_API_KEY": "unused",
        "ENABLE_OLLAMA_API": "false",
        "WEBUI_AUTH": "false",
        "WEBUI_SECRET_KEY": "unused",
        "OFFLINE_MODE": "true",
        "HF_HUB_OFFLINE": "1",
        "RAG_EMBEDDING_ENGINE": "openai",
        "ANONYMIZED_TELEMETRY": "false",
        "DO_NOT_TRACK": "true",
    }
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [COMMAND, "serve", "--host", "127.0.0.1", "--port", str(port)]
    (home / "data").mkdir()
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=home, env={"PATH": os.environ["PATH"], **about})
    try:
        assert until(lambda: server.poll() is not None or _up(address), 600)
        assert server.poll() is None, (home / "log").read_text()[-3000:]
        yield address
    finally:
        server.kill()
        server.wait()


def _up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health").status_code == 200
    except httpx.TransportError:
        return False


def ask(page: Any, problem: str, replies: int) -> None:
    """Writes a message, and waits until the reply to it is whole: its buttons are there."""
    page.click("#chat-input")
    page.keyboard.type(problem)
    page.keyboard.press("Enter")
    page.locator("[aria-label='Good Response']").nth(replies - 1).wait_for(timeout=PATIENCE)


def test_a_chat(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    prompts: list[str] = []

    def respond(prompt: str) -> str:
        prompts.append(prompt)
        return '{"title": "Sums", "tags": ["Sums"], "follow_ups": ["Why?"]}' if "### Task:" in prompt else mathematician(prompt)

    with (
        serve_fake(respond) as upstream,
        served("--model", f"vllm:fake@{upstream}") as server,
        open_webui(tmp_path, server.url) as address,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1300, "height": 1100})
        page.goto(address, timeout=PATIENCE)
        page.get_by_text("Okay, Let's Go!").click(timeout=PATIENCE)
        page.locator("[id^=model-selector]").first.click()
        page.get_by_role("option", name="reasonflux-medium").click()

        ask(page, "Add 2 and 3.", 1)
        assert "Adding the numbers gives" in page.locator("#messages-container").inner_text()
        page.get_by_text("Thought for").first.click()
        page.get_by_text("Collect the numbers").first.wait_for(timeout=PATIENCE)

        before = len(prompts)
        ask(page, "Now add 10 to that.", 2)
        assert any("Last message:\n> Now add 10 to that." in prompt for prompt in prompts[before:])
        page.get_by_text("Thought for").nth(1).click()
        page.get_by_text("Problem, restated").first.wait_for(timeout=PATIENCE)
        page.screenshot(path=tmp_path / "chat.png")

        page.get_by_text("Sums").first.wait_for(timeout=PATIENCE)  # the title that the server gave
        time.sleep(5)  # tags and follow-ups of the second reply, which nothing on the page waits for
        browser.close()
    tasks = [prompt for prompt in prompts if "### Task:" in prompt]
    assert all(prompt.startswith("### Task:") for prompt in tasks)  # plain: not inside a prompt of ours
    assert 3 <= len(tasks) == len(set(tasks))  # title, tags, follow-ups: one call each
