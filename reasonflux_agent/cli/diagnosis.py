"""What `reasonflux doctor` looks at: packages, the model, servers, folders, pages and plugins of this installation."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import socket
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from reasonflux_agent import __version__
from reasonflux_agent.errors import MissingExtraError, ReasonFluxError, redacted
from reasonflux_agent.files import cache_root

PACKAGE = "reasonflux-agent"
EXTRAS = {
    "local": "models without a server (local:NAME), template search, threads in SQLite",
    "ui": "the run page (reasonflux ui)",
    "serve": "the endpoint for OpenAI clients (reasonflux serve)",
    "mcp": "the MCP server (reasonflux mcp)",
    "postgres": "threads in PostgreSQL",
    "gym": "benchmarks gym:FAMILY",
    "eval": "benchmarks from the hub, lm-evaluation-harness",
    "embed": "sentence-transformers as the embedder",
    "hf": "models in this process (hf:DIR)",
    "ray": "batches on a Ray cluster",
    "studio": "LangGraph Studio (make studio)",
    "community": "templates in the stores of langchain-community",
}
"""Extra -> what it is for, the most wanted first."""
UNLISTED = {"cpu", "sqlite", "gpu", "vllm", "dev", "docs"}
"""Extras that are parts of `local`, need an environment of their own, or are for developers."""
PORTS = {"serve": 8400, "mcp": 8401, "ui": 8402}
"""Verb -> its default port."""
QUESTION, WORDS = "What is 3 + 4? Answer with the number alone.", 16
"""What the model is asked, and the most tokens of its reply."""
PATIENCE = 120.0
"""Seconds for the model's reply; a server's list of models may take a tenth."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    part: str
    """Heading of the report under which it stands."""
    name: str
    ok: bool | None
    """False: it is broken, and the exit code is 1. None: it is optional and missing, or was not tried."""
    found: str
    fix: str = ""
    """The command or setting that mends it; empty if nothing is to be done."""


def diagnose(specs: Sequence[str], urls: Iterable[str]) -> Iterator[Finding]:
    """Look at each part in turn. `specs` are the models of the roles; `urls` are base URLs of servers, ending in /v1."""
    yield from _packages()
    for spec in dict.fromkeys(specs):
        yield _tried("Model", spec, lambda spec=spec: _model(spec))  # type: ignore[misc]
    for url in urls:
        yield _tried("Servers", url, lambda url=url: _server(url))  # type: ignore[misc]
    yield _tried("Parts", "search for templates", _search)
    yield _tried("Parts", "programs in isolation", _program)
    yield _tried("Parts", "grading", _grading)
    yield _tried("Parts", "plugins", _plugins)
    yield from _folders()
    yield from _pages()


Seen = tuple[bool | None, str, str]
"""(ok, found, fix) of a Finding."""


def _tried(part: str, name: str, check: Callable[[], Seen]) -> Finding:
    """Return the finding of a check; what it raises is the finding too."""
    name = redacted(name)
    try:
        return Finding(part, name, *check())
    except MissingExtraError as error:
        said, _, fix = str(error).partition(" Next: ")
        return Finding(part, name, False, said, fix)
    except ReasonFluxError as error:
        said, _, fix = str(error).partition(" Next: ")
        return Finding(part, name, False, said, fix)
    except Exception as error:  # whatever is broken here, the rest is looked at too
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return Finding(part, name, False, redacted(said), f"reasonflux doctor -v, or reinstall: pip install -U {PACKAGE}")


def _packages() -> Iterator[Finding]:
    yield Finding("Packages", PACKAGE, True, f"{__version__}, on Python {platform.python_version()}, {platform.platform()}")
    wanted = _requirements()
    if not wanted:
        found = "its metadata cannot be found, so extras are not checked"
        yield Finding("Packages", "extras", None, found, f"pip install {PACKAGE}")
    for extra, purpose in EXTRAS.items():
        if names := wanted.get(extra):
            missing = [name for name in names if not _installed(name)]
            found = f"for {purpose}" + (f"; not installed: {', '.join(missing)}" if missing else "")
            fix = f"pip install '{PACKAGE}[{extra}]'" if missing else ""
            yield Finding("Packages", f"extra {extra}", None if missing else True, found, fix)


def _requirements() -> dict[str, list[str]]:
    """Return the packages of each extra, as the installed metadata names them; those of an extra in an extra too."""
    try:
        lines = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return {}
    wanted: dict[str, list[str]] = {}
    for line in lines:
        found = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?.*;.*extra == [\"']([\w-]+)[\"']", line)
        if found:
            wanted.setdefault(found[3], []).extend([found[1]] if found[1] != PACKAGE else found[2].split(","))
    return {extra: [p for name in names for p in wanted.get(name, [name])] for extra, names in wanted.items()}


def _installed(name: str) -> bool:
    with suppress(metadata.PackageNotFoundError):
        return bool(metadata.version(name))
    return False


def _model(spec: str) -> Seen:
    from reasonflux_agent.models import CallOptions, call_kwargs, load_model, model_error, read_reply
    from reasonflux_agent.models.local.fetch import path_of
    from reasonflux_agent.models.local.files import KNOWN

    kind, _, name = spec.partition(":")
    file = KNOWN.get(name) if kind == "local" else None
    if file and not path_of(file).is_file():
        return _absent(file.id, file.size, path_of(file))
    begun = time.monotonic()
    model = load_model(spec)
    loaded = time.monotonic()
    try:
        options = CallOptions(max_tokens=WORDS, temperature=0.0, timeout=PATIENCE)
        reply = read_reply(model.invoke([("human", QUESTION)], **call_kwargs(model, options)))
    except Exception as error:
        raise model_error(spec, error) from error
    text = " ".join(reply.text.split())[:60]
    found = f"loaded in {loaded - begun:.1f} s, answered {text!r} in {time.monotonic() - loaded:.1f} s"
    return True, found, ""


def _absent(id: str, size: int, path: Path) -> Seen:
    """What is said of a known model's file that is not here yet."""
    folder = path
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < size:
        return (
            False,
            f"its file is not here; it needs {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
            ("REASONFLUX_CACHE=/another/folder"),
        )
    return None, f"its file is not here yet; the first run fetches it ({size / 1e9:.1f} GB)", f"reasonflux models pull {id}"


def _server(url: str) -> Seen:
    import httpx

    key = os.environ.get("VLLM_API_KEY") or os.environ.get("OPENAI_API_KEY")
    try:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = httpx.get(f"{url.rstrip('/')}/models", headers=headers, timeout=PATIENCE / 10)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return False, f"cannot be reached: {error}", f"start the server, or correct the URL: curl {redacted(url)}/models"
    if answer.status_code != 200:
        fix = "set VLLM_API_KEY" if answer.status_code in (401, 403) else "give the base URL, which mostly ends in /v1"
        return False, f"answers HTTP {answer.status_code} to GET /models", fix
    try:
        names = [str(card["id"]) for card in answer.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return False, "its list of models cannot be read", "give the base URL, which mostly ends in /v1"
    if not names:
        return False, "it lists no model", "name a model when you start the server"
    return True, f"serves {', '.join(names)}; reasonflux models check vllm:{names[0]}@{url} examines it", ""


def _search() -> Seen:
    from reasonflux_agent.templates import TemplateLibrary, TemplateRetriever

    library = TemplateLibrary.builtin()
    found = TemplateRetriever.from_library(library).invoke("the remainder of a large power")
    if not found:
        return False, f"{len(library)} templates, and none is found", f"pip install -U {PACKAGE}"
    return True, f"{len(library)} templates; found for a test problem: {found[0].metadata['name']}", ""


def _program() -> Seen:
    from reasonflux_agent.verify.programs import run_program

    result = run_program("print(3 + 4)", seconds=30)
    if result.output.strip() != "7":
        return False, f"a test program failed: {result.error}", "pip install -U pydantic-monty"
    return True, "a test program ran", ""


def _grading() -> Seen:
    from reasonflux_agent.verify.grading import pool

    same = pool.compare(r"\int_0^1 x dx", r"\frac{1}{2}", 60)
    return (
        (True, "the worker for formulas answers", "")
        if same
        else (
            False,
            "the worker for formulas does not answer",
            "pip install -U math-verify latex2sympy2-extended",
        )
    )


def _plugins() -> Seen:
    from reasonflux_agent.plugins import KINDS, registered

    owners = {owner for kind in KINDS for owner, _ in registered(kind).values()}
    return True, f"loaded: {', '.join(sorted(owners))}", ""


def _folders() -> Iterator[Finding]:
    yield _folder("cache", cache_root(), "REASONFLUX_CACHE=/another/folder")
    yield _folder("working folder", Path.cwd(), "cd to a folder of yours, or give --out and --record a full path")
    yield _folder("temporary files", Path(tempfile.gettempdir()), "TMPDIR=/another/folder")
    yield _tried("Folders", "threads", _threads)


def _folder(name: str, path: Path, fix: str) -> Finding:
    """Whether a folder can be written, and what is free there; it is not made."""
    folder = path
    try:
        while not folder.exists():
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding("Folders", name, False, f"{path} cannot be written: {error.strerror}", fix)
    return Finding("Folders", name, True, f"{path}, {free / 1e9:.1f} GB free")


def _threads() -> Seen:
    from reasonflux_agent.runs.threads import database, list_threads

    try:
        url = database()
        if "://" not in url and not Path(url).exists():  # it is not made here
            seen = _folder("", Path(url).parent, "REASONFLUX_CHECKPOINTS=/another/file")
            return seen.ok, f"none kept yet; {seen.found}", seen.fix
        kept = len(list_threads(url))
    except MissingExtraError as error:
        return None, str(error).partition(" Next: ")[0], f"pip install '{PACKAGE}[sqlite]'"
    return True, f"{redacted(url)}, {kept} kept", ""


def _pages() -> Iterator[Finding]:
    yield _tried("Pages", "run page", _run_page)
    for verb, port in PORTS.items():
        with closing(socket.socket()) as probe:
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        if taken:
            yield Finding("Pages", f"port {port}", None, "taken by another program", f"reasonflux {verb} --port 0")
    try:
        webbrowser.get()
        yield Finding("Pages", "browser", True, "found; reasonflux ui opens the page in it")
    except webbrowser.Error:
        found = "none can be started from here; open the address that reasonflux ui prints"
        yield Finding("Pages", "browser", None, found, "reasonflux ui --no-browser")


def _run_page() -> Seen:
    """Ask the run page for its first page, in this process."""
    try:
        import httpx

        from reasonflux_agent.serving.ui.routes import create_ui_app
        from reasonflux_agent.serving.ui.runs import Runs
    except MissingExtraError as error:
        return None, str(error).partition(" Next: ")[0], f"pip install '{PACKAGE}[ui]'"

    async def ask(folder: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=create_ui_app(Runs(folder)))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{PORTS['ui']}") as client:
            return await client.get("/ui/")

    with tempfile.TemporaryDirectory() as folder:
        answer = asyncio.run(ask(folder))
    if answer.status_code != 200:
        return False, f"its first page answers HTTP {answer.status_code}", f"pip install -U '{PACKAGE}[ui]'"
    return True, "its first page is there", ""
