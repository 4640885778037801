"""Standard error that never fails: a terminal that has gone must not keep a feed from its drain."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO


class StandardError:
    """Writes to standard error; what cannot be written is dropped.

    Parameters
    ----------
    is_terminal
        Write to the process's own; otherwise to `sys.stderr`, whatever that is now: a live line
        puts itself in its place, and must not write to itself.
    """

    def __init__(self, *, is_terminal: bool = False) -> None:
        self._is_terminal = is_terminal

    @property
    def _stream(self) -> TextIO:
        own = sys.__stderr__ if self._is_terminal else None
        return sys.stderr if own is None else own

    @property
    def encoding(self) -> str:
        """Of the stream."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Write, or drop the text where its reader has gone."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            _give_up()
            return len(text)

    def flush(self) -> None:
        """Flush what was written."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            _give_up()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.isatty()
        return False

    def fileno(self) -> int:
        """Give its descriptor."""
        return self._stream.fileno()


def _give_up() -> None:
    """Let everything that follows go nowhere, so that Python's own flush at the exit succeeds."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)


STDERR = StandardError()
TERMINAL = StandardError(is_terminal=True)
