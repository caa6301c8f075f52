"""What a spec string names, read without loading anything: kind, name, and the servers of a `vllm:` one."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from reasonflux_agent.errors import SpecError, without_password
from reasonflux_agent.local.files import KNOWN

VLLM_URL = "http://localhost:8000/v1"


def parts(spec: str) -> tuple[str, str]:
    """(kind, name). Raises SpecError for what has no such parts, or holds a password."""
    kind, _, name = without_password(spec).strip().partition(":")
    if not name:
        raise spec_error(spec, "it has no 'KIND:' in front, or nothing after it")
    return kind, name


def check_local(spec: str, name: str) -> None:
    """Raises SpecError for a `local:` name that is neither known nor a GGUF file's."""
    if name not in KNOWN and not name.endswith(".gguf"):
        near = get_close_matches(name, KNOWN, n=1)
        raise spec_error(spec, "no known model has this name" + (f" (did you mean 'local:{near[0]}'?)" if near else ""))


def check_path(spec: str, name: str) -> None:
    """Raises SpecError for what can only be a path, where nothing is."""
    if name.startswith(("/", "./", "../", "~")) and not Path(name).expanduser().exists():
        raise spec_error(spec, f"there is nothing at {name}")


def vllm_servers(spec: str, rest: str) -> tuple[str, list[str]]:
    """(model, URLs) of a `vllm:` spec; `rest` is what follows its kind. Raises SpecError."""
    name, at, tail = rest.partition("@http")
    urls = [url.strip().rstrip("/") for url in f"http{tail}".split(",")] if at else [VLLM_URL]
    for url in urls:
        if not _is_url(url):
            raise spec_error(spec, f"{url!r} is not an http(s) URL")
    if not name:
        raise spec_error(spec, "it names no model in front of the '@'")
    return name, urls


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return (
            url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and text.isprintable() and " " not in text
        )
    except ValueError:  # a bracket that is not closed, a port that is no number
        return False


def spec_error(spec: str, why: str) -> SpecError:
    """The error for a spec that names no model, with the forms that do."""
    return SpecError(
        f"{spec!r} names no model: {why}. Forms that work: local:NAME with NAME one of {', '.join(KNOWN)}; "
        "local:/path/to/model.gguf; local:OWNER/REPO/FILE.gguf; vllm:NAME or vllm:NAME@http://host:8000/v1[,URL...]; "
        "hf:DIRECTORY_OR_ID; openai:NAME, anthropic:NAME and the other providers of LangChain's init_chat_model."
    )
