"""Model specs as text: what one says, and whether it can name a model at all. Nothing is fetched, loaded or started."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from reasonflux_agent.errors import SpecError, without_password
from reasonflux_agent.models.local.files import KNOWN

VLLM_URL = "http://localhost:8000/v1"


def read_spec(spec: str) -> tuple[str, str]:
    """(kind, what it names). Raises SpecError for what has not that form, and for a `local:` name that is not known."""
    kind, _, name = without_password(spec).strip().partition(":")
    if not name:
        raise _error(spec, "it has no 'KIND:' in front, or nothing after it")
    if kind == "local" and name not in KNOWN and not name.endswith(".gguf"):
        near = get_close_matches(name, KNOWN, n=1)
        raise _error(spec, "no known model has this name" + (f" (did you mean 'local:{near[0]}'?)" if near else ""))
    return kind, name


def check_spec(spec: str) -> None:
    """Raises SpecError for what names no model on any machine. Packages, keys, files and servers are not looked for."""
    kind, name = read_spec(spec)
    if kind == "vllm":
        servers_of(spec, name)
    elif kind not in ("local", "hf"):
        from langchain.chat_models import init_chat_model

        try:
            init_chat_model(name, model_provider=kind)
        except Exception as error:  # a package or a key that is missing may be there when the model is first called
            if unsupported(error):
                raise no_provider(spec, kind, name) from error


def check_path(spec: str) -> None:
    """Raises SpecError for a `local:` or `hf:` spec that can only be a path, where nothing is on this machine."""
    kind, name = read_spec(spec)
    if kind in ("local", "hf") and name.startswith(("/", "./", "../", "~")) and not Path(name).expanduser().exists():
        raise _error(spec, f"there is nothing at {name}")


def servers_of(spec: str, rest: str) -> tuple[str, list[str]]:
    """(model's name, URLs) of a `vllm:` spec. Raises SpecError."""
    name, at, tail = rest.partition("@http")
    urls = [url.strip().rstrip("/") for url in f"http{tail}".split(",")] if at else [VLLM_URL]
    for url in urls:
        if not _is_url(url):
            raise _error(spec, f"{url!r} is not an http(s) URL")
    if not name:
        raise _error(spec, "it names no model in front of the '@'")
    if "@" in name:
        raise _error("vllm:NAME@...", "what stands behind the '@' is no URL that begins with http:// or https://")
    return name, urls


def original_spec(path: str | None) -> str | None:
    """`hf:` for a directory or hub id, as the original ReasonFlux took them; any spec as it is."""
    if path is None:
        return None
    return path if ":" in path and not Path(path).is_dir() else f"hf:{path}"


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return (
            url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and text.isprintable() and " " not in text
        )
    except ValueError:  # a bracket that is not closed, a port that is no number
        return False


def unsupported(error: Exception) -> bool:
    """Whether LangChain's `init_chat_model` says that it has no such provider."""
    return isinstance(error, ValueError) and str(error).startswith("Unsupported")


def no_provider(spec: str, provider: str, name: str) -> SpecError:
    """The error for a provider that nobody knows."""
    near = get_close_matches(provider, ["local", "vllm", "hf", "openai", "anthropic"], n=1)
    hint = f" (did you mean '{near[0]}:{name}'?)" if near else ""
    return _error(spec, f"LangChain has no provider {provider!r}{hint}")


def _error(spec: str, why: str) -> SpecError:
    return SpecError(
        f"{spec!r} names no model: {why}. Forms that work: local:NAME with NAME one of {', '.join(KNOWN)}; "
        "local:/path/to/model.gguf; local:OWNER/REPO/FILE.gguf; vllm:NAME or vllm:NAME@http://host:8000/v1[,URL...]; "
        "hf:DIRECTORY_OR_ID; openai:NAME, anthropic:NAME and the other providers of LangChain's init_chat_model."
    )
