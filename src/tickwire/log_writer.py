"""Standard error that neither fails nor blocks: a bounded queue, and a thread that writes.

Rules of this file
------------------
- `write` returns at once, whatever has become of standard error: full, closed, its reader gone, a
  pipe that is never read. A feed must go on, and must be able to stop.
- What is not written is dropped and counted. The next write that succeeds is followed by a line
  that says how many lines were dropped; so a full disk is written again once it has room.
- The thread is a daemon and writes to the descriptor itself, so that one that hangs in `write`
  holds no lock which the interpreter needs to end.
"""

from __future__ import annotations

import atexit
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

MOST_WAITING = 1 << 20  # characters
PIECE_BYTES = 4096  # of one write: what a pipe takes whole (PIPE_BUF on Linux)
FLUSH_S = 0.5  # how long an end waits for a reader


def own_descriptor() -> int:
    """Give the descriptor of the process's own standard error.

    Raises
    ------
    OSError, ValueError
        It is closed.
    """
    if sys.__stderr__ is None:
        raise OSError("no standard error")
    return sys.__stderr__.fileno()


class LogWriter:
    """Writes text to a descriptor from a thread of its own, which starts with the first text.

    Parameters
    ----------
    descriptor
        Gives where to write to; asked before each write.
    most_waiting
        Characters that may wait; what comes then is dropped.

    Attributes
    ----------
    n_dropped
        Lines that were not written, ever.
    notice
        Gives the line for a number of dropped lines.
    """

    def __init__(
        self, descriptor: Callable[[], int] = own_descriptor, most_waiting: int = MOST_WAITING
    ) -> None:
        self.n_dropped = 0
        self.notice: Callable[[int], str] = _plain_notice
        self._descriptor = descriptor
        self._most_waiting = most_waiting
        self._n_reported = 0  # of the dropped
        self._thread: threading.Thread | None = None
        self._reset()

    def write(self, text: str) -> None:
        """Queue text, or drop it where too much waits; from any thread."""
        with self._changed:
            if self._n_waiting + len(text) > self._most_waiting:
                self.n_dropped += text.count("\n")
                return
            self._waiting.append(text)
            self._n_waiting += len(text)
            if self._thread is None:
                # Anew for each thread: a child of multiprocessing begins without its parent's.
                atexit.unregister(self.flush)
                atexit.register(self.flush)
                self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def count_dropped(self, n_lines: int = 1) -> None:
        """Count lines that could not even be made."""
        with self._changed:
            self.n_dropped += n_lines

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Wait for what was queued to be written.

        Parameters
        ----------
        timeout_s
            How long; a write that has been stuck for this long already is not waited for.

        Returns
        -------
        bool
            False where some is left: it is dropped and counted.
        """
        until_s = monotonic() + timeout_s
        with self._changed:
            while self._waiting or self._writing_since_s is not None:
                left_s = until_s - monotonic()
                if self._writing_since_s is not None:
                    left_s = min(left_s, self._writing_since_s + timeout_s - monotonic())
                if left_s <= 0:
                    self.n_dropped += sum(text.count("\n") for text in self._waiting)
                    self._waiting.clear()
                    self._n_waiting = 0
                    return False
                self._changed.wait(left_s)
        return True

    def _reset(self) -> None:
        """Begin; also in the child of a fork, without thread, perhaps with the lock taken."""
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._n_waiting = 0
        self._writing_since_s: float | None = None  # monotonic; while the thread has text
        self._thread = None
        self._is_torn = False  # the last line was written in part

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                text = "".join(self._waiting)
                self._waiting.clear()
                self._n_waiting = 0
                self._writing_since_s = monotonic()
            if self._put(text) and self.n_dropped > self._n_reported:
                n_dropped = self.n_dropped
                if self._put(self.notice(n_dropped - self._n_reported)):
                    self._n_reported = n_dropped
            with self._changed:
                self._writing_since_s = None
                self._changed.notify_all()

    def _put(self, text: str) -> bool:
        """Write all of it; where that fails, count the lines that are not whole."""
        data = text.encode("utf-8", "backslashreplace")
        if self._is_torn:
            data = b"\n" + data
        n_written = 0
        try:
            descriptor = self._descriptor()
            while n_written < len(data):
                n_written += self._put_piece(descriptor, data[n_written : n_written + PIECE_BYTES])
        except (OSError, ValueError):
            left = data[n_written:]
            if n_written:
                self._is_torn = data[n_written - 1 : n_written] != b"\n"
            self.count_dropped(left.count(b"\n"))
            return False
        self._is_torn = False
        return True

    def _put_piece(self, descriptor: int, piece: bytes) -> int:
        try:
            n_written = os.write(descriptor, piece)
        except BlockingIOError:  # somebody who shares it made it non-blocking
            select.select([], [descriptor], [])
            return 0
        with self._changed:
            self._writing_since_s = monotonic()  # it moves: `flush` may go on waiting
        return n_written


def _plain_notice(n_lines: int) -> str:
    return f"log lines dropped lines={n_lines}\n"


LOG_WRITER = LogWriter()
os.register_at_fork(after_in_child=LOG_WRITER._reset)
