"""The chat model that a spec names, loaded once a process. Only this file knows which class serves which kind of spec."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reasonflux_agent.errors import SpecError
from reasonflux_agent.models.specs import provider_model, read_spec, servers_of

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from reasonflux_agent.models.local.server import Endpoint


class _Local(NamedTuple):
    file: Path
    server: Endpoint
    model: BaseChatModel


_lock = threading.Lock()
_models: dict[str, BaseChatModel] = {}
"""The loaded models by their specs, without those of `local:` specs, whose server may have died."""
_local: dict[str, _Local] = {}
"""The models of `local:` specs."""


def load_model(spec: str | BaseChatModel) -> BaseChatModel:
    """Return the chat model that `spec` names; a model is returned as it is.

    One spec is one object in a process, so that two roles share a loaded model. If an embedded server has died, the next call
    starts another. Environment variables (keys) are read when a spec is first loaded. Nothing is sent to a server.

    Raises SpecError (not a spec), InputError (no such file), DownloadError, MissingExtraError, or ModelError (the file does not
    load).

    >>> model = load_model("vllm:Qwen/Qwen3-8B@http://gpu:8000/v1")
    >>> model.model_name, model.urls
    ('Qwen/Qwen3-8B', ('http://gpu:8000/v1',))
    >>> load_model(model) is load_model("vllm:Qwen/Qwen3-8B@http://gpu:8000/v1") is model
    True
    """
    if not isinstance(spec, str):
        return spec
    spec = spec.strip()
    kind, name = read_spec(spec)
    with _lock:  # two threads that ask at once must not both load
        if kind == "local":
            return _load_local(spec, name)
        if spec not in _models:
            _models[spec] = _load(spec, kind, name)
        return _models[spec]


async def aload_model(spec: str | BaseChatModel) -> BaseChatModel:
    """As `load_model`, on the event loop: it uses a thread unless the model is loaded already."""
    ready = _models.get(spec.strip()) if isinstance(spec, str) else spec
    return await asyncio.to_thread(load_model, spec) if ready is None else ready


def unload(specs: Set[str], kept: Set[str]) -> None:
    """Stop the embedded servers of the `local:` specs in `specs`, except those whose file a spec in `kept` uses too."""
    from reasonflux_agent.models.local.server import stop

    for file in {_local[spec].file for spec in specs & _local.keys()} - {_local[spec].file for spec in kept & _local.keys()}:
        stop(file)


def reads_errors(model: BaseChatModel | str) -> bool:
    """Whether a model mends its program when it is shown the program's error; any other is asked for a new program.

    Embedded models are too small for it: they argue with the error (docs/LOG.md).
    """
    spec = model if isinstance(model, str) else getattr(model, "spec", "")
    return not str(spec).startswith("local:")


def _load_local(spec: str, name: str) -> BaseChatModel:
    from reasonflux_agent.models.local.fetch import ensure
    from reasonflux_agent.models.local.server import serve

    file = ensure(name)
    server = serve(file)
    if spec not in _local or _local[spec].server != server:
        from reasonflux_agent.models.chat import ServerChat

        model = ServerChat.connect(spec, name, [f"{server.url}/v1"], api_key=server.key, cut_loops=True)
        _local[spec] = _Local(file, server, model)
    return _local[spec].model


def _load(spec: str, kind: str, name: str) -> BaseChatModel:
    if kind == "hf":
        from reasonflux_agent.models.hf import TransformersChat

        return TransformersChat.load(spec, name)
    if kind == "vllm":
        name, urls = servers_of(spec, name)
        from reasonflux_agent.models.chat import ServerChat

        return ServerChat.connect(spec, name, urls, api_key=os.environ.get("VLLM_API_KEY") or "EMPTY")
    try:
        return provider_model(spec, kind, name)
    except SpecError:
        raise
    except ImportError as error:
        raise SpecError(f"The model {spec!r} needs a package that is not installed. {error}") from error
    except Exception as error:
        raise SpecError(
            f"The model {spec!r} was asked of LangChain's provider {kind!r}, which refused: {error} "
            "Next: set what it asks for (usually its API key in the environment)."
        ) from error


def _after_fork() -> None:
    """A child process must not share its parent's sockets, nor a lock that another thread held."""
    global _lock
    _lock = threading.Lock()
    _models.clear()
    _local.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
