"""Embedding models from a spec string, as LangChain `Embeddings`."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any
from zlib import crc32

from langchain_core.embeddings import Embeddings

from reasonflux_agent.errors import MissingExtraError, ModelError, SpecError
from reasonflux_agent.models.retries import TRIES

SPECS = {
    "wordllama": "static word vectors, 256 numbers, in the wheel: instant, no torch",
    "minilm": "sentence-transformers/all-MiniLM-L6-v2, 384 numbers, needs torch",
    "st:DIR_OR_ID": "any sentence-transformers model, from a directory or the hub",
    "openai:MODEL@URL": "an OpenAI-compatible endpoint; the key is read from OPENAI_API_KEY",
    "hash": "hashed words and word pairs: no model at all, for tests and as a floor to compare with",
}
MINILM = "sentence-transformers/all-MiniLM-L6-v2"


class KeyedEmbeddings(Embeddings):
    """Embeddings that know what they are, so that their vectors can be kept on disk."""

    key: str
    """Names model and version: equal keys promise equal vectors. Starts with the spec's name."""

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def load_embeddings(spec: str | Embeddings) -> Embeddings:
    """Return the embedding model that `spec` names (see SPECS), loaded once a process; an Embeddings object comes back as is.

    A sentence-transformers model that has prompts named `query` and `document` gets them. The embedder of the paper is
    `st:jinaai/jina-embeddings-v3-hf`, without its task adapters; its licence, CC-BY-NC-4.0, forbids commercial use.

    Raises SpecError for a spec that nothing here understands, MissingExtraError for a package that is not installed,
    ModelError for a model that cannot be loaded.
    """
    return spec if isinstance(spec, Embeddings) else _load(spec)


@cache
def _load(spec: str) -> Embeddings:
    kind, _, rest = spec.partition(":")
    if spec == "wordllama":
        return WordLlamaEmbeddings()
    if spec == "hash":
        return HashEmbeddings()
    if spec == "minilm":
        return SentenceTransformerEmbeddings(MINILM, name="minilm")
    if kind == "st" and rest:
        return SentenceTransformerEmbeddings(rest)
    if kind == "openai" and re.fullmatch(r"[^@]+@https?://\S+", rest):
        return EndpointEmbeddings(*rest.split("@", 1))
    known = "; ".join(f"{name} ({what})" for name, what in SPECS.items())
    raise SpecError(f"No embedder is called {spec!r}. Next: use one of these, or pass a LangChain Embeddings object: {known}.")


class HashEmbeddings(KeyedEmbeddings):
    """Words and neighbouring word pairs, hashed into `size` signed counts. The same on every machine."""

    def __init__(self, size: int = 1024) -> None:
        self.size = size
        self.key = f"hash-1-{size}"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._vector(re.findall(r"\w+", text.lower())) for text in texts]

    def _vector(self, words: list[str]) -> list[float]:
        vector = [0.0] * self.size
        for gram in (*words, *map(" ".join, pairwise(words))):
            code = crc32(gram.encode("utf-8", "replace"))
            vector[code % self.size] += 1.0 if code & 0x80000000 else -1.0
        return vector


class WordLlamaEmbeddings(KeyedEmbeddings):
    """The static word vectors that the wordllama wheel carries: 256 numbers a text."""

    def __init__(self) -> None:
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        try:
            import wordllama
        except ImportError as error:
            raise MissingExtraError("The embedder 'wordllama'", "wordllama", "local") from error
        finally:  # its import calls logging.basicConfig(INFO), which is for applications to decide
            root.handlers[:], root.level = handlers, level
        # Its own search for the tokenizer misses the wheel's folder and then downloads; as cache the folder is found.
        home = Path(wordllama.__file__).parent
        self._model: Any = wordllama.WordLlama.load(cache_dir=home, disable_download=True)
        self.key = f"wordllama-{version('wordllama')}"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        encodable = [text.encode("utf-8", "replace").decode() for text in texts]  # Rust tokenizers refuse lone surrogates
        # norm=True would divide by zero for a text without a token; the index brings rows to length 1 itself.
        return _rows(self._model.embed(encodable)) if texts else []


class SentenceTransformerEmbeddings(KeyedEmbeddings):
    """A sentence-transformers model from a directory or the hub. Code that comes with a model is never run."""

    def __init__(self, model: str, *, name: str = "st") -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtraError(f"The embedder {model!r}", "sentence-transformers", "embed") from error
        try:
            self._model: Any = SentenceTransformer(model, trust_remote_code=False)
        except Exception as error:
            raise ModelError(
                f"The embedding model {model!r} cannot be loaded: {error}. "
                "Next: give a directory as st:/path/to/model, or make the hub reachable. A model that brings code of its "
                "own is refused; for jinaai/jina-embeddings-v3 take jinaai/jina-embeddings-v3-hf."
            ) from error
        self.key = f"{name}-{_slug(model)}-{_stamp(Path(model))}" if Path(model).is_dir() else f"{name}-{_slug(model)}"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return _rows(self._model.encode_document(texts, show_progress_bar=False)) if texts else []

    def embed_query(self, text: str) -> list[float]:
        return _rows(self._model.encode_query([text], show_progress_bar=False))[0]


class EndpointEmbeddings(KeyedEmbeddings):
    """An OpenAI-compatible `/v1/embeddings` endpoint, such as vLLM's. Sends text: token ids would need a download."""

    def __init__(self, model: str, url: str) -> None:
        from langchain_openai import OpenAIEmbeddings
        from pydantic import SecretStr

        self._model, self._url = model, url
        key = SecretStr(os.environ.get("OPENAI_API_KEY") or "none")
        self._inner = OpenAIEmbeddings(
            model=model,
            openai_api_base=url,
            openai_api_key=key,
            check_embedding_ctx_length=False,
            max_retries=TRIES - 1,
        )
        self.key = f"openai-{_slug(f'{model}@{url}')}"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts. Raises ModelError for whatever the client raises after its own retries."""
        try:
            return self._inner.embed_documents(texts) if texts else []
        except Exception as error:
            raise ModelError(
                f"The embeddings endpoint {self._url} failed for the model {self._model!r}: {error!r}. "
                "Next: check that the server runs, serves this model, and takes the key in OPENAI_API_KEY."
            ) from error


def unit_rows(rows: Any) -> Any:
    """Return n x d float32 rows scaled to length 1; a row of zeros stays one."""
    import numpy as np

    array = np.asarray(rows, dtype=np.float32)
    norms = np.linalg.norm(array, axis=1, keepdims=True)
    return array / np.where(norms > 0, norms, 1)


def _rows(array: Any) -> list[list[float]]:
    rows: list[list[float]] = array.tolist()
    return rows


def _slug(text: str) -> str:
    """Return a readable file name, kept apart from other texts of the same look by a piece of its digest."""
    return f"{re.sub(r'[^A-Za-z0-9.]+', '-', text).strip('-')[-60:]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _stamp(folder: Path) -> str:
    """Return what changes when a file of the folder does: a model trained anew under the same path gets new vectors."""
    facts = sorted(
        (str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
