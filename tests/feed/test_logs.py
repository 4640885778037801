"""Logs go where a program has them, at the levels that it set."""

import logging
import os
import sys
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from tickwire import logs
from tickwire.log_writer import LOG_WRITER, LogWriter
from tickwire.logs import get_logger


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    names = ("tickwire", "tickwire.feed")
    before = [logging.getLogger(name).level for name in names]
    was_configured, config = structlog.is_configured(), structlog.get_config()
    structlog.reset_defaults()
    yield
    for name, level in zip(names, before, strict=True):
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()
    if was_configured:
        structlog.configure(**config)


def test_without_structlog_the_standard_library_s_level_is_obeyed(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    log = get_logger("tickwire.feed").bind(venue="binance")
    logging.getLogger("tickwire").setLevel(logging.ERROR)
    log.warning("refused", text="x")
    assert caplog.records == []
    logging.getLogger("tickwire").setLevel(logging.INFO)
    log.debug("details")
    log.info("connected", conn=1)
    [record] = caplog.records
    assert record.name == "tickwire.feed"
    assert record.getMessage() == "connected venue=binance conn=1"
    assert record.filename == "test_logs.py"
    logging.getLogger("tickwire.feed").setLevel(logging.CRITICAL)
    log.error("failed")
    assert len(caplog.records) == 1
    assert capfd.readouterr() == ("", "")


def test_by_default_it_says_what_libraries_say(caplog: pytest.LogCaptureFixture) -> None:
    log = get_logger("tickwire.feed")
    log.info("connected")
    log.warning("refused")
    assert [record.getMessage() for record in caplog.records] == ["refused"]


def test_a_line_has_no_line_ends_of_others(caplog: pytest.LogCaptureFixture) -> None:
    get_logger("tickwire.feed").warning("warned", text="a\nb")
    assert caplog.records[0].getMessage() == "warned text=a\\nb"


def test_with_structlog_events_go_there() -> None:
    log = get_logger("tickwire.feed")
    with capture_logs() as events:
        log.bind(venue="binance").info("connected", conn=1)
        logging.getLogger("tickwire").setLevel(logging.WARNING)
        log.info("connected", conn=2)
        log.error("failed")
    assert events == [
        {"event": "connected", "venue": "binance", "conn": 1, "log_level": "info"},
        {"event": "failed", "log_level": "error"},
    ]


def test_a_logger_says_which_it_is() -> None:
    assert repr(get_logger("tickwire.feed").bind(venue="binance")) == "<Logger tickwire.feed>"


class Unspeakable:
    """A value without a text."""

    def __str__(self) -> str:
        raise ValueError("no words")


def test_a_line_that_cannot_be_made_is_counted_and_nothing_fails() -> None:
    n_dropped = LOG_WRITER.n_dropped
    get_logger("tickwire.feed").warning("warned", value=Unspeakable())
    assert LOG_WRITER.n_dropped == n_dropped + 1


def test_a_program_without_handlers_gets_warnings_on_standard_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    own = LogWriter(lambda: writer)
    monkeypatch.setattr(logs, "LOG_WRITER", own)
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    root = logging.getLogger()
    before, root.handlers[:] = list(root.handlers), []
    try:
        logging.getLogger("tickwire").setLevel(logging.INFO)
        get_logger("tickwire.feed").info("connected")
        get_logger("tickwire.feed").warning("refused", text="x")
    finally:
        root.handlers[:] = before
    assert own.flush(10)
    assert os.read(reader, 1000) == b"refused text=x\n"
    os.close(reader)
    os.close(writer)
