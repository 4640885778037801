"""The loop's side of a recording: what is put down beside messages, and without secrets.

Rules of this file
------------------
- Everything here runs in the loop's thread; messages never come through here.
- What we sent and where we sent it is put down without what `tickwire.redaction` knows to be
  secret, URLs without user, password and what may be a key. What a venue sent is its own text.
- A row has the number of its origin: a source and an endpoint. That of a single answer is forgotten
  once it is written.
"""

from __future__ import annotations

import json
from enum import IntEnum
from typing import NamedTuple

from tickwire.capture._record_buffer import RecordBuffer
from tickwire.clock import mono_ns, wall_ns
from tickwire.redaction import hidden_whole, shown_url


class Kind(IntEnum):
    """What a row is; in the order of `Kind` in ext/tickwire/capture/_record_buffer.pxd."""

    MESSAGE = 0
    SENT = 1
    CONNECT = 2
    DISCONNECT = 3
    ACKNOWLEDGE = 4
    ANSWER = 5
    DROPPED = 6
    BACKFILL = 7


class Origin(NamedTuple):
    """Whose a row is.

    Parameters
    ----------
    source
        Number of its `[[source]]`, from 0; -1: of none.
    venue
        The source's.
    endpoint
        The URL, without secrets.
    is_single
        Whether one row alone has it.
    """

    source: int
    venue: str
    endpoint: str
    is_single: bool = False


NO_ORIGIN = Origin(-1, "", "")


class Recorder:
    """Puts down what happens, in memory that a writer empties.

    Parameters
    ----------
    n_bytes
        See `RecordBuffer`.

    Attributes
    ----------
    buffer
        The memory.
    """

    def __init__(self, n_bytes: int = 67_108_864) -> None:
        self.buffer = RecordBuffer(n_bytes)
        self._origins: dict[int, Origin] = {-1: NO_ORIGIN}
        self._numbers: dict[Origin, int] = {}
        self._next_origin = 0

    def origin(self, source: int, venue: str, url: str, *, is_single: bool = False) -> int:
        """Give the number of a source and an endpoint."""
        origin = Origin(source, venue, shown_url(url), is_single)
        number = self._numbers.get(origin)
        if number is None:
            number = self._next_origin
            self._next_origin = number + 1
            self._origins[number] = origin
            if not is_single:
                self._numbers[origin] = number
        return number

    def origin_of(self, number: int) -> Origin:
        """Give what a number stands for; for the writer."""
        return self._origins[number]

    def forget(self, number: int) -> None:
        """Forget the origin of a single row that is written; for the writer."""
        if self._origins[number].is_single:
            del self._origins[number]

    def event(self, kind: Kind, conn: int, origin: int, **detail: object) -> None:
        """Put down what happened to a connection, as JSON."""
        payload = json.dumps(detail, separators=(",", ":"))
        self._add(kind, hidden_whole(payload).encode(), conn=conn, origin=origin)

    def sent(self, conn: int, origin: int, text: str) -> None:
        """Put down a message that was sent."""
        self._add(Kind.SENT, hidden_whole(text).encode(), opcode=1, conn=conn, origin=origin)

    def answer(
        self, kind: Kind, payload: bytes, ts_recv_ns: int, *, conn: int, origin: int
    ) -> None:
        """Put down an answer of REST, when it is taken."""
        is_put = self.buffer.add(
            kind, payload, conn=conn, origin=origin, recv_ns=ts_recv_ns, mono_ns=mono_ns()
        )
        if not is_put:  # no writer will forget its origin
            self.forget(origin)

    def suspend(self, is_suspended: bool) -> None:
        """Put down no messages, or do so again; events go on."""
        self.buffer.is_suspended = is_suspended

    def _add(
        self, kind: Kind, payload: bytes, *, opcode: int = 0, conn: int = -1, origin: int = -1
    ) -> None:
        self.buffer.add(
            kind,
            payload,
            opcode=opcode,
            conn=conn,
            origin=origin,
            recv_ns=wall_ns(),
            mono_ns=mono_ns(),
        )
