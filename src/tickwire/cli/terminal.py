"""The standard streams: errors neither fail nor block, what cannot be said is one line.

How standard error is written: `tickwire.log_writer`.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

from tickwire.errors import TickwireError
from tickwire.log_writer import LOG_WRITER, own_descriptor

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputFailed(TickwireError):
    """What a command has to say cannot be written."""


class StandardError(io.TextIOBase):
    """Writes to standard error; what cannot be written is dropped and counted.

    Parameters
    ----------
    is_terminal
        Write to the process's own; otherwise to `sys.stderr`, whatever that is now: a live line
        puts itself in its place, and must not write to itself.
    """

    def __init__(self, *, is_terminal: bool = False) -> None:
        self._is_terminal = is_terminal

    @property
    def encoding(self) -> str:  # type: ignore[override] # a property of the class, as of a file
        """What text is written in."""
        return "utf-8"

    def write(self, text: str) -> int:
        """Queue text for the process's own; hand it to a stream that stands in its place."""
        stream = sys.stderr
        if self._is_terminal or stream in (None, TERMINAL, sys.__stderr__):
            LOG_WRITER.write(text)
            return len(text)
        try:
            stream.write(text)
        except (OSError, ValueError):
            LOG_WRITER.count_dropped(text.count("\n"))
        return len(text)

    def flush(self) -> None:
        """Nothing waits here; `LOG_WRITER.flush` waits for its thread."""

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        try:
            return os.isatty(own_descriptor())
        except (OSError, ValueError):
            return False

    def fileno(self) -> int:
        """Give its descriptor."""
        return own_descriptor()


class _Output(io.FileIO):
    """The descriptor of standard output: that it cannot be written is said once, in one line."""

    has_failed = False

    def write(self, data: ReadableBuffer) -> int:
        if self.has_failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self.has_failed = True
            raise OutputFailed(f"standard output cannot be written: {error.strerror}") from None


STDERR = StandardError()
TERMINAL = StandardError(is_terminal=True)


def take_standard_streams() -> None:
    """Open what is closed of descriptors 0 to 2, and let nothing block on standard error.

    A closed descriptor would be given to the next file or socket, and what writes errors would
    write into it. What Python itself writes, such as a traceback, must not hang on a full pipe.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
    if sys.stderr is sys.__stderr__:
        sys.stderr = TERMINAL
    if sys.stdout is sys.__stdout__ and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(sys.stdout.fileno(), "w", closefd=False)),
            encoding=sys.stdout.encoding,
            errors=sys.stdout.errors,
            line_buffering=sys.stdout.line_buffering or sys.stdout.write_through,
        )


def flush_output() -> str | None:
    """Write what waits for standard output; say why it cannot be, None where it was written."""
    try:
        if sys.stdout is not None:  # None: it was closed at the start
            sys.stdout.flush()
    except OutputFailed as error:
        return str(error)
    except (OSError, ValueError):  # its reader is gone, or it was closed
        with contextlib.suppress(OSError, ValueError):  # Python is not to try it again at its end
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, sys.stdout.fileno())
            os.close(nothing)
    return None
