from __future__ import annotations

import errno
import os
import threading

import pytest

from tickwire.sinks import patience as module
from tickwire.sinks.patience import DiskFullError, Patience, is_full


def full() -> None:
    """What the kernel says of a full device."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        os.write(descriptor, b"x")
    finally:
        os.close(descriptor)


def test_an_error_that_is_not_want_of_room_is_raised_at_once():
    patience = Patience(threading.Event())
    with pytest.raises(ZeroDivisionError):
        patience.attempt(lambda: 1 // 0)
    assert patience.n_retries == 0


def test_it_tries_until_there_is_room():
    n_calls = 0

    def action() -> str:
        nonlocal n_calls
        n_calls += 1
        if n_calls < 3:
            full()
        return "done"

    patience = Patience(threading.Event())
    assert patience.attempt(action) == "done"
    assert patience.n_retries == 2
    assert patience.waited_s > 0


def test_once_stopping_it_gives_up(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_AT_STOP_S", 0.1)
    stopping = threading.Event()
    patience = Patience(stopping)
    threading.Timer(0.2, stopping.set).start()
    with pytest.raises(DiskFullError, match="no room on the disk"):
        patience.attempt(full)
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
