"""The messages of a connection that the other side has not acknowledged to the last byte."""

from __future__ import annotations

import fcntl
import termios
from collections import deque
from typing import Any


class Unconfirmed:
    """Counts what was written against what is still on its way."""

    def __init__(self) -> None:
        self._messages: deque[tuple[int, int]] = deque()
        self._n_bytes = 0
        self._unread: list[int] = []
        self._is_read = True

    @property
    def numbers(self) -> list[int]:
        """The messages, by the numbers that they were added with."""
        return [*(number for number, _ in self._messages), *self._unread]

    def add(self, number: int, n_bytes: int) -> None:
        """Note a message; its frame's header and TLS make it longer, never shorter."""
        if not self._is_read:
            self._unread.append(number)
            return
        self._messages.append((number, n_bytes))
        self._n_bytes += n_bytes

    def cease(self) -> None:
        """Confirm nothing of what is added from now on.

        Behind a frame that breaks the protocol a client may take bytes, and not look at them (RFC
        6455 section 7.1.7).
        """
        self._is_read = False

    def confirm(self, transport: Any, n_delayed: int = 0) -> None:
        """Forget what has arrived; nothing, where the transport closes: it may drop what it gets.

        Parameters
        ----------
        transport
            The one below picows's. Its socket's queue (`SIOCOUTQ`) holds what was not acknowledged.
        n_delayed
            Bytes that it has not got yet.
        """
        sock = transport.get_extra_info("socket")
        if sock is None or sock.fileno() < 0 or transport.is_closing():
            return
        queued = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
        n_waiting = int.from_bytes(queued, "little") + transport.get_write_buffer_size()
        n_waiting += n_delayed
        messages = self._messages
        while messages and self._n_bytes - messages[0][1] >= n_waiting:
            self._n_bytes -= messages.popleft()[1]
