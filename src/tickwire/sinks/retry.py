"""Retries of writes that failed because the disk is full.

A full disk is the one fault of a sink that a person can mend while the feed runs, so the sink
keeps its rows and retries, first soon and then every few seconds; the ring's overflow policy
decides what happens to the rows that come meanwhile. Once the feed is stopping it gives up soon.
A person must know of it to mend it: a wait is a line in the log at once, and another every minute.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

from tickwire.errors import SinkError
from tickwire.logs import get_logger

T = TypeVar("T")

# EFBIG is what a process gets that may not write more (ulimit -f), EDQUOT what a user gets.
FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FULL_TEXTS = tuple(os.strerror(code) for code in sorted(FULL_ERRNOS))

FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 5.0
RETRY_AT_STOP_S = 3.0
LOG_EVERY_S = 60.0
_log = get_logger("tickwire.sinks")


class DiskFullError(SinkError):
    """The disk is full; the same write may succeed later."""


def is_full(error: BaseException) -> bool:
    """Whether `error` says that the disk is full."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL_ERRNOS
    return isinstance(error, DiskFullError) or any(text in str(error) for text in FULL_TEXTS)


class Retry:
    """Repeats writes that failed because the disk is full.

    Parameters
    ----------
    stopping
        Set when the feed stops; from then on it retries for `RETRY_AT_STOP_S`.
    sink
        Whose writes, for the log.
    """

    def __init__(self, stopping: threading.Event, sink: str = "") -> None:
        self.n_retries = 0
        self.waited_s = 0.0
        self._stopping = stopping
        self._sink = sink
        self._logged_s = float("-inf")
        self._gives_up_at: float | None = None

    def attempt(self, action: Callable[[], T]) -> T:
        """Call `action` until it does not fail because of a full disk.

        Parameters
        ----------
        action
            Raises an error for which `is_full` is true, having left nothing half done.

        Returns
        -------
        T
            What `action` returned.

        Raises
        ------
        DiskFullError
            The disk was full when the feed stopped, and for a while after.
        """
        delay_s = FIRST_DELAY_S
        while True:
            try:
                result = action()
                break
            except Exception as error:  # DuckDB, Arrow and Python each have an error of their own
                if not is_full(error):
                    raise
                if not self._may_wait():
                    raise DiskFullError(f"no room on the disk: {error}") from error
                self._log_wait(error)
            began_s = monotonic()
            if self._stopping.is_set():
                sleep(FIRST_DELAY_S)
            else:
                self._stopping.wait(delay_s)
            self.waited_s += monotonic() - began_s
            self.n_retries += 1
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)
        return result

    def _log_wait(self, error: Exception) -> None:
        now_s = monotonic()
        if now_s - self._logged_s >= LOG_EVERY_S:
            self._logged_s = now_s
            text = " ".join(str(error).split())
            _log.warning("the disk is full: rows wait", sink=self._sink, error=text)

    def _may_wait(self) -> bool:
        if not self._stopping.is_set():
            return True
        if self._gives_up_at is None:
            self._gives_up_at = monotonic() + RETRY_AT_STOP_S
        return monotonic() < self._gives_up_at
