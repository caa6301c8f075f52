"""A problem that begins with a minus, or that nobody quoted: the hint is what has to be typed."""

from __future__ import annotations

import pytest

from tests.cli.test_cli import run

UNREAD: list[tuple[list[str], str]] = [
    (["-3 + 5 = ?"], "-- '-3 + 5 = ?'"),
    (["--3 + 5"], "-- '--3 + 5'"),
    (["-5"], "-- -5"),
    (["-x"], "-- -x"),
    (["-x + 5 = 3, find x"], "-- '-x + 5 = 3, find x'"),  # -f is an option
    (["-m + 2 = 3"], "-- '-m + 2 = 3'"),
    (["-f(x) = 3"], "-- '-f(x) = 3'"),
    (["-h + 2 = 3"], "-- '-h + 2 = 3'"),
    (["-3", "+", "5"], "-- '-3 + 5'"),
    (["Add", "2", "and", "3", "--effort", "low"], "--effort low 'Add 2 and 3'"),
    (["-q", "-e", "low", "Add", "2"], "-q -e low 'Add 2'"),
    (["--", "-3", "+", "5"], "-- '-3 + 5'"),
    (["--", "-3 + 5", "-q"], "-q -- '-3 + 5'"),
]


@pytest.mark.parametrize(("args", "typed"), UNREAD, ids=str)
def test_the_hint_is_what_has_to_be_typed(args: list[str], typed: str) -> None:
    done = run("solve", *args)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f" solve {typed}")


@pytest.mark.parametrize("args", [["--efort", "low"], ["--effort"], ["-elow", "--seed", "-1", "-f", "/no/such file"]], ids=str)
def test_a_wrong_option_is_not_taken_for_a_text(args: list[str]) -> None:
    done = run("solve", *args)
    assert done.returncode == 2
    assert "quote it" not in done.stderr
