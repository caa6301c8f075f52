"""The hint that the embedded server has become slow."""

import logging

import pytest

from reasonflux_agent.models.local.speed import Speed


def test_a_server_far_slower_than_it_was_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    speed = Speed()
    for tokens, seconds, at_once in [(100, 4.0, 1), (100, 12.0, 4), (40, 9.0, 1), (10, 60.0, 1)]:
        speed.note(tokens, seconds, at_once)
    assert caplog.records == []  # four at once are slower each, and ten tokens say nothing
    speed.note(100, 300.0, 1)
    speed.note(100, 300.0, 1)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "writes about 0.33 tokens a second, and it wrote 33 before" in record.getMessage()
    assert "REASONFLUX_THREADS=1" in record.getMessage()
    speed.note(100, 4.0, 1)
    speed.note(100, 300.0, 1)
    assert len(caplog.records) == 2  # it had recovered meanwhile


def test_a_server_that_was_never_fast_is_not_called_slow(caplog: pytest.LogCaptureFixture) -> None:
    speed = Speed()
    for _ in range(3):
        speed.note(100, 400.0, 1)
    assert caplog.records == []
