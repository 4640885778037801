"""What a connection sends: messages, compressed where that was agreed on, pings and pongs.

Rules of this file
------------------
- A peer that pings and does not read must not make our write buffer grow: with much unsent only the
  newest ping is answered, and that once the rest has gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from tickwire.net.carriers.base import Carrier
from tickwire.supervise import ManagedTask, spawn
from tickwire.wire import Deflate, Deflater, build_frame

PING, PONG = 0x9, 0xA

# A message that fits into one TCP segment anyway gains nothing by being smaller.
COMPRESS_FROM_BYTES = 1024
SMALLEST_WINDOW_BITS = 9  # zlib cannot deflate with less
RSV1 = 4  # RFC 7692 section 6: the message is compressed
UNSENT_PONG_BYTES = 65_536  # with more than this unsent, only the newest ping is answered


class Outgoing:
    """The sending side of one connection.

    Parameters
    ----------
    carrier
        Takes the frames.
    is_open
        Tells whether messages can be sent.
    compression
        What was agreed on of permessage-deflate.
    compress_from_bytes
        Shorter messages are sent as they are.
    """

    def __init__(
        self,
        carrier: Carrier,
        is_open: Callable[[], bool],
        compression: Deflate | None,
        *,
        compress_from_bytes: int,
    ) -> None:
        self._carrier = carrier
        self._is_open = is_open
        self._agreed = compression
        self._compress_from_bytes = compress_from_bytes
        self._deflater: Deflater | None = None
        self._owed_pong: bytes | None = None
        self._pong_task: ManagedTask[None] | None = None

    def send(self, opcode: int, payload: bytes | bytearray | memoryview) -> None:
        """Send a message or a ping."""
        rsv = 0
        agreed = self._agreed
        if opcode != PING and agreed is not None and self._compresses(agreed, len(payload)):
            payload = self._deflated(agreed, payload)
            rsv = RSV1
        self._carrier.write(build_frame(opcode, payload, rsv=rsv))

    def _compresses(self, agreed: Deflate, n_bytes: int) -> bool:
        """Whether a message goes out compressed; RFC 7692 section 6 leaves it to the sender."""
        return (
            n_bytes >= self._compress_from_bytes
            and agreed.client_max_window_bits >= SMALLEST_WINDOW_BITS
        )

    def _deflated(self, agreed: Deflate, payload: bytes | bytearray | memoryview) -> bytes:
        if self._deflater is None:  # most feeds never need its memory
            self._deflater = Deflater(
                keep_context=not agreed.client_no_context_takeover,
                window_bits=agreed.client_max_window_bits,
            )
        return self._deflater.compress(payload)

    def may_answer(self) -> bool:
        """Whether so little is unsent that what a peer asks may be answered."""
        return self._is_open() and self._carrier.unsent_bytes() <= UNSENT_PONG_BYTES

    @property
    def owes_pong(self) -> bool:
        """Whether a ping waits for its answer."""
        return self._pong_task is not None

    def answer(self, payload: bytes) -> None:
        """Answer a ping, RFC 6455 section 5.5.3."""
        if not self._is_open():
            return
        if self.may_answer():
            self._carrier.write(build_frame(PONG, payload))
            return
        self._owed_pong = payload
        if self._pong_task is None:
            self._pong_task = spawn("pong", self._answer_later())

    async def _answer_later(self) -> None:
        with contextlib.suppress(OSError):  # reported by the end of the connection
            await self._carrier.drain()
        self._pong_task = None
        if self._owed_pong is not None and self._is_open():
            self._carrier.write(build_frame(PONG, self._owed_pong))
        self._owed_pong = None

    def end(self) -> None:
        """Give up what waits."""
        if self._pong_task is not None:
            self._pong_task.cancel()
