"""One server with a counting upstream for the whole room: it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reasonflux_agent.testing import serve_fake
from tests.serving.servers import Server, Upstream, served


@pytest.fixture(scope="package")
def upstream() -> Upstream:
    """Counts what the server asks of its model."""
    return Upstream()


@pytest.fixture(scope="package")
def server(upstream: Upstream) -> Iterator[Server]:
    """`reasonflux serve` on loopback, without a key."""
    with serve_fake(upstream) as url, served("--model", f"vllm:fake@{url}") as running:
        yield running
