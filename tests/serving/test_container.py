"""docs/deploy without Docker: what the Dockerfile copies is all that the package's wheel is built from, what its image and the
compose file start serves, and the health check passes then. That the image builds needs Docker, and is tried by hand."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
import yaml

from reasonflux_agent.testing import serve_fake
from tests.serving.servers import served

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
STEPS = [
    (step.partition(" ")[0], step.partition(" ")[2])
    for step in re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8")).splitlines()
    if not step.startswith("#")
]
"""(word, rest) of each instruction."""
KEY = "a-key-of-this-test"


def names(folder: Path, out: Path) -> list[str]:
    """The files of the wheel that is built in a folder."""
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    return sorted(zipfile.ZipFile(wheel).namelist())


def test_what_is_copied_is_all_that_is_installed(tmp_path: Path) -> None:
    """An install that lacks a module, a template or a page would still build."""
    source = tmp_path / "image"
    for word, rest in STEPS:
        *sources, target = rest.split() if word == "COPY" else [""]
        for name in sources:
            place = source / target.removeprefix("/src").strip("/")
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, place)
    assert names(source, tmp_path / "a") == names(ROOT, tmp_path / "b")


def test_the_image_is_started_as_a_user_who_may_write_the_models() -> None:
    steps = dict(STEPS)
    made = " && ".join(rest for word, rest in STEPS if word == "RUN")
    assert f"useradd --create-home {steps['USER']}" in made
    home = f"/home/{steps['USER']}/.cache"
    assert f"install -d -o {steps['USER']} -g {steps['USER']} {home}" in made
    usage = (DEPLOY / "Dockerfile").read_text(encoding="utf-8") + (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    assert usage.count(f"-v reasonflux:{home} reasonflux\n") == 2


@pytest.mark.parametrize("started", ["Dockerfile", "compose.yaml"])
def test_what_is_started_serves_with_a_key_and_is_healthy(started: str) -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["reasonflux"]
    steps = dict(STEPS)
    assert json.loads(steps["ENTRYPOINT"]) == ["reasonflux"]
    verb, *options = json.loads(steps["CMD"]) if started == "Dockerfile" else compose["command"]
    given = {} if started == "Dockerfile" else compose["environment"]
    assert verb == "serve"
    with serve_fake() as url:
        options = [re.sub(r"http://(navigator|solver):8000/v1", url, option) for option in options]
        given = {"REASONFLUX_MODEL": f"vllm:fake@{url}", **given, "REASONFLUX_API_KEY": KEY}  # options outrank the first
        with served(*options, **given) as server:
            port = httpx.URL(server.url).port
            body = {"model": "reasonflux-low", "messages": [{"role": "user", "content": "What is 3 + 4?"}]}
            asked = [
                httpx.post(f"{server.url}/chat/completions", json=body, headers=headers, timeout=60)
                for headers in ({"Authorization": f"Bearer {KEY}"}, {})
            ]
            assert [reply.status_code for reply in asked] == [200, 401]
            assert asked[0].json()["reasonflux"]["answer"] == "7"
            kind, _, *check = compose["healthcheck"]["test"]
            assert kind == "CMD"
            check = [part.replace(steps["EXPOSE"], str(port)) for part in check]
            assert compose["ports"] == [f"{steps['EXPOSE']}:{steps['EXPOSE']}"]
            subprocess.run([sys.executable, *check], check=True, timeout=30, env=os.environ)


def test_without_a_key_it_does_not_start() -> None:
    verb, *options = json.loads(dict(STEPS)["CMD"])
    command = [
        sys.executable,
        "-m",
        "reasonflux_agent",
        verb,
        *options,
        *shlex.split("--port 0 -m vllm:x@http://127.0.0.1:9/v1"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "REASONFLUX_API_KEY" in done.stderr
