"""Model specs as text: what a spec says, and whether it can name a model. Nothing is fetched, loaded or started."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reasonflux_agent.errors import SpecError
from reasonflux_agent.models.local.files import KNOWN
from reasonflux_agent.models.local.imported import imported, names

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

VLLM_URL = "http://localhost:8000/v1"


def read_spec(spec: str) -> tuple[str, str]:
    """(kind, name) of a spec `KIND:NAME`. Raises SpecError for another form, and for an unknown name of a `local:` model."""
    kind, _, name = without_password(spec).strip().partition(":")
    if not name:
        raise _error(spec, "it has no 'KIND:' in front, or nothing after it")
    if kind == "local" and name not in KNOWN and not name.endswith(".gguf") and name not in imported():
        near = get_close_matches(name, names(), n=1)
        raise _error(spec, "no known or imported model has this name" + (f" (did you mean 'local:{near[0]}'?)" if near else ""))
    return kind, name


def check_spec(spec: str, *, here: bool = False) -> None:
    """Raise SpecError for a spec that names no model on any machine; with `here`, also for a path with no file on this one.

    Packages, keys and servers are not looked for: they may be there when the model is first called.
    """
    kind, name = read_spec(spec)
    if kind in ("local", "hf"):
        is_path = name.startswith(("/", "./", "../", "~"))
        if here and is_path and not Path(name).expanduser().exists():
            raise _error(spec, f"there is nothing at {name}")
    elif kind == "vllm":
        servers_of(spec, name)
    else:
        try:
            provider_model(spec, kind, name)
        except SpecError:
            raise
        except Exception:
            return


def servers_of(spec: str, rest: str) -> tuple[str, list[str]]:
    """(model's name, URLs) of a `vllm:` spec, of which `rest` follows the colon. Raises SpecError."""
    name, at, tail = rest.partition("@http")
    urls = [url.strip().rstrip("/") for url in f"http{tail}".split(",")] if at else [VLLM_URL]
    if wrong := [url for url in urls if not _is_url(url)]:
        raise _error(spec, f"{wrong[0]!r} is not an http(s) URL")
    if not name:
        raise _error(spec, "it names no model in front of the '@'")
    if "@" in name:
        raise _error("vllm:NAME@...", "what stands behind the '@' is no URL that begins with http:// or https://")
    return name, urls


def provider_model(spec: str, provider: str, name: str) -> BaseChatModel:
    """LangChain's model for a spec of another provider. Raises SpecError if LangChain has no such provider, and what the
    provider raises: ImportError for a package that is missing, say."""
    from langchain.chat_models import init_chat_model

    try:
        model: BaseChatModel = init_chat_model(name, model_provider=provider)
    except ValueError as error:
        if not str(error).startswith("Unsupported"):
            raise
        near = get_close_matches(provider, ["local", "vllm", "hf", "openai", "anthropic"], n=1)
        hint = f" (did you mean '{near[0]}:{name}'?)" if near else ""
        raise _error(spec, f"LangChain has no provider {provider!r}{hint}") from error
    return model


def spec_of_path(path: str, kind: str, names: Collection[str] = ()) -> str:
    """`KIND:path` for a directory or hub id, as the original ReasonFlux took them; a spec, or one of `names`, as it is."""
    is_spec = path in names or (":" in path and not Path(path).is_dir())
    return path if is_spec else f"{kind}:{path}"


def without_password(spec: str) -> str:
    """The spec as it is. Raises SpecError for one that may hold a secret: specs stand in records and checkpoints."""
    # also a password with any of `/ ? #` or a blank in it, one without http:// in front, and a key among URL parameters
    if re.search(r"://.*[@?#]|@.*@", spec, re.DOTALL):
        raise SpecError(
            "A spec holds a user, password or token in a URL, and specs are written into records and checkpoints. "
            "Next: take out what stands between '://' and '@', and behind '?' or '#'; a key is given in the environment "
            "(vLLM: VLLM_API_KEY)."
        )
    return spec


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        plain = text.isprintable() and " " not in text
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and plain
    except ValueError:  # a bracket that is not closed, or a port that is no number
        return False


def _error(spec: str, why: str) -> SpecError:
    return SpecError(
        f"{spec!r} names no model: {why}. Forms that work: local:NAME with NAME one of {', '.join(names())}; "
        "local:/path/to/model.gguf; local:OWNER/REPO/FILE.gguf; vllm:NAME or vllm:NAME@http://host:8000/v1[,URL...]; "
        "hf:DIRECTORY_OR_ID; openai:NAME, anthropic:NAME and the other providers of LangChain's init_chat_model."
    )
