from __future__ import annotations

import errno
import os
import threading

import pytest

from tickwire.sinks import retry as module
from tickwire.sinks.retry import DiskFullError, Retry, is_full


def full() -> None:
    """What the kernel says of a full device."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        os.write(descriptor, b"x")
    finally:
        os.close(descriptor)


def test_an_error_other_than_a_full_disk_is_raised_at_once():
    retry = Retry(threading.Event())
    with pytest.raises(ZeroDivisionError):
        retry.attempt(lambda: 1 // 0)
    assert retry.n_retries == 0


def test_it_retries_until_the_disk_has_room():
    n_calls = 0

    def action() -> str:
        nonlocal n_calls
        n_calls += 1
        if n_calls < 3:
            full()
        return "done"

    retry = Retry(threading.Event())
    assert retry.attempt(action) == "done"
    assert retry.n_retries == 2
    assert retry.waited_s > 0


def test_a_full_disk_is_a_line_in_the_log_at_once_and_another_a_minute_later(caplog, monkeypatch):
    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr(module, "FIRST_DELAY_S", 0.0)
    monkeypatch.setattr(module, "monotonic", lambda: next(seconds))
    retry = Retry(threading.Event(), "disk")
    left = [full] * 5
    retry.attempt(lambda: left.pop()() if left else None)  # looks at the clock 3 times each
    line = "the disk is full: rows wait sink=disk error=[Errno 28] No space left on device"
    assert [record.getMessage() for record in caplog.records] == [line, line, line]


def test_once_stopping_it_gives_up(monkeypatch):
    monkeypatch.setattr(module, "RETRY_AT_STOP_S", 0.1)
    stopping = threading.Event()
    retry = Retry(stopping)
    threading.Timer(0.2, stopping.set).start()
    with pytest.raises(DiskFullError, match="no room on the disk"):
        retry.attempt(full)
    assert stopping.is_set()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (OSError(errno.EFBIG, "x"), True),
        (OSError(errno.EACCES, "x"), False),
        (RuntimeError(f"Could not write file: {os.strerror(errno.ENOSPC)}"), True),
        (RuntimeError("other"), False),
    ],
)
def test_what_counts_as_full(error, expected):
    assert is_full(error) is expected
