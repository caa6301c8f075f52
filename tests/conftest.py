"""What holds for every test: no network beyond this machine, no settings of the user's, a cache that is thrown away."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_socket import socket_allow_hosts

LOOPBACK = ["127.0.0.1", "::1", "localhost"]
SWITCHES = {
    "local_model": "REASONFLUX_TEST_LOCAL",
    "vllm": "REASONFLUX_TEST_VLLM_URL",
    "studio": "REASONFLUX_TEST_STUDIO",
    "network": "REASONFLUX_TEST_NETWORK",
}
"""Marker -> the environment variable that lets its tests run."""
KEPT = ("REASONFLUX_TEST_", "REASONFLUX_DATA")
"""Beginnings of the variables that address the tests themselves; all others are settings, and are taken away."""

# The same examples each time, so that a commit fails for what it holds; REASONFLUX_FUZZ=1 draws new ones.
settings.register_profile("tests", deadline=None, max_examples=80, derandomize="REASONFLUX_FUZZ" not in os.environ)
settings.load_profile("tests")

_own: dict[str, str] = {}
_cache = tempfile.TemporaryDirectory(prefix="reasonflux-tests-", ignore_cleanup_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    """Settings of the user's environment must not decide a test."""
    for name in [name for name in os.environ if name.startswith("REASONFLUX_") and not name.startswith(KEPT)]:
        _own[name] = os.environ.pop(name)
    os.environ["REASONFLUX_CACHE"] = _cache.name
    os.environ["LANGSMITH_TRACING"] = "false"
    # A script's background command ignores Ctrl+C, and so would every process that a test starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    os.environ.pop("REASONFLUX_CACHE", None)
    os.environ.update(_own)
    _cache.cleanup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need a model file, a server or the network run if their switch is set. Files in slow.txt are marked `slow`."""
    here = Path(__file__).parent
    slow = {here.parent / line for line in (here / "slow.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"}
    assert all(path.is_file() for path in slow), "a file that slow.txt names is not there"
    for item in items:
        if item.path in slow:
            item.add_marker(pytest.mark.slow)
        for marker, switch in SWITCHES.items():
            if item.get_closest_marker(marker) and not os.environ.get(switch):
                item.add_marker(pytest.mark.skip(reason=f"{switch} is not set"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture: the cache that this test may use, and the network that it may reach."""
    real = item.get_closest_marker("local_model") is not None
    cache = _own.get("REASONFLUX_CACHE") if real else _cache.name
    if cache is None:
        os.environ.pop("REASONFLUX_CACHE", None)  # the default place, where the user's model files are
    else:
        os.environ["REASONFLUX_CACHE"] = cache
    if not any(item.get_closest_marker(marker) for marker in SWITCHES):
        socket_allow_hosts(LOOPBACK, allow_unix_socket=True)  # lifted by pytest-socket after each test


@pytest.fixture(scope="session")
def data() -> Path:
    """The shared data (benchmarks, the published library); tests that ask for them are skipped where they are absent."""
    checkout = Path(__file__).parents[1]
    path = Path(os.environ.get("REASONFLUX_DATA") or checkout.parent / "shared" / "data")
    if not path.is_dir():
        pytest.skip(f"the data are not at {path}; set REASONFLUX_DATA to their directory")
    return path
