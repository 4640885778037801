"""Messages that could not be decoded: which streams miss rows for that.

Rules of this file
------------------
- A message that names no symbol, and each past `MAX_UNDECODED` of them, is every symbol's.
- Where several connections bring the same, a message counts when none of them has it readable.
"""

from __future__ import annotations

from collections.abc import Mapping

from tickwire.ledger.index import StreamIndex
from tickwire.ledger.open_gaps import OpenGaps
from tickwire.ledger.reasons import DECODE_ERROR

MAX_UNDECODED = 100  # messages whose symbols are looked for, between two looks


class Undecoded:
    """Opens the gaps of messages that could not be decoded.

    Parameters
    ----------
    index
        The streams of one source.
    gaps
        Theirs.
    live
        The connections of each session, as they come and go.
    """

    def __init__(self, index: StreamIndex, gaps: OpenGaps, live: Mapping[int, set[int]]) -> None:
        self._index = index
        self._gaps = gaps
        self._live = live
        self._n_messages = 0  # since the last look
        self._half: dict[int, set[int]] = {}  # by message: the connections that had it

    def note(self, conn: int, payload: bytes) -> None:
        """Open the gaps of a message; see `StreamGaps.undecoded`."""
        session = self._index.session_of(conn)
        if session is None or self._may_come_from_another(session, conn, payload):
            return
        self._n_messages += 1
        streams = [each for each in self._index.of_session(session) if not each.is_spliced]
        named = []
        if self._n_messages <= MAX_UNDECODED:
            named = [each for each in streams if f'"{each.symbol}"'.encode() in payload]
        for stream in named or streams:
            self._gaps.open(stream, DECODE_ERROR)
            gap = stream.gap
            if named and gap is not None and gap.reason == DECODE_ERROR:
                gap.lost = (gap.lost or 0) + 1

    def look(self) -> None:
        """Begin to count anew; a few times a second."""
        self._n_messages = 0

    def _may_come_from_another(self, session: int, conn: int, payload: bytes) -> bool:
        """Whether another connection may bring what could not be decoded, and has not yet."""
        live = self._live[session] | {conn}
        if len(live) == 1:
            return False
        print_ = hash(payload)
        brought = self._half.pop(print_, set()) | {conn}
        if live <= brought:
            return False
        self._half[print_] = brought
        if len(self._half) > MAX_UNDECODED:
            del self._half[next(iter(self._half))]
        return True
