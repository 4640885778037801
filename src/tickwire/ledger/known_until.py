"""Up to where the streams of a source are known: where a run ends, and where the next one begins.

Rules of this file
------------------
- A position is a stream's last row, or where its last gap has ended; an open gap's is its start.
- What a run finds behind the positions that sinks had committed is missing since then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from tickwire.ledger.gaps import Moment, Position
from tickwire.ledger.holes import Holes
from tickwire.ledger.index import StreamIndex, StreamName
from tickwire.ledger.ledger import Ledger
from tickwire.ledger.open_gaps import OpenGaps
from tickwire.ledger.reasons import DOWN


class HasPositions(Protocol):
    """The gaps of one source."""

    def positions(self) -> dict[StreamName, Position]:
        """Give up to where each stream is known."""


class KnownUntil:
    """Reads and gives the positions of one source's streams.

    Parameters
    ----------
    ledger
        Whose clock counts.
    index
        The streams.
    gaps
        Those that are open, and where the last ones ended.
    holes
        What can be had of trades that were missed, where any can.
    """

    def __init__(
        self, ledger: Ledger, index: StreamIndex, gaps: OpenGaps, holes: Holes | None
    ) -> None:
        self._ledger = ledger
        self._index = index
        self._gaps = gaps
        self._holes = holes

    def begin(self, positions: Mapping[StreamName, Position], *, knows_ids: bool) -> None:
        """Open the gaps of what the last run has had up to some moment; see `StreamGaps.start`."""
        self._gaps.origin = now = self._ledger.now()
        taken: set[int] = set()  # a gap that was open goes on once
        for stream in self._index:
            position = positions.get((self._index.venue, stream.table, stream.symbol))
            if position is None:
                continue
            recv_ns = min(position.recv_ns, now.recv_ns)
            before = Moment(recv_ns, position.event_ns, now.mono_ns - (now.recv_ns - recv_ns))
            gap_id = None if position.gap_id in taken else position.gap_id
            self._gaps.open(stream, position.reason or DOWN, start=before, gap_id=gap_id)
            if gap_id is not None:
                taken.add(gap_id)
            if not knows_ids:
                self._gaps.expect_no_repeats(stream)
            if self._holes is None or not self._holes.has(stream):
                continue
            if not knows_ids or not self._holes.newest(stream):
                self._holes.opened(stream, dict(position.ids))

    def positions(self) -> dict[StreamName, Position]:
        """Give up to where each stream is known."""
        found: dict[StreamName, Position] = {}
        for session in sorted({stream.session for stream in self._index}):
            for stream in self._index.of_session(session):
                gap = stream.gap
                if gap is not None:
                    last = Position(gap.start_ns, gap.event_start_ns, gap.gap_id, gap.reason)
                elif self._gaps.is_known(stream):
                    last = Position(*self._gaps.last_good(stream)[:2])
                else:
                    continue
                name = (self._index.venue, stream.table, stream.symbol)
                if name in found:  # by another channel: of both the earlier one
                    last = min(last, found[name], key=lambda one: one.recv_ns)
                    last = last._replace(ids=found[name].ids)
                if self._holes is not None and self._holes.has(stream):
                    before = found[name].ids if name in found else ()
                    last = last._replace(ids=(*before, *self._holes.newest(stream).items()))
                found[name] = last
        return found


def merged(gaps: Iterable[HasPositions]) -> dict[StreamName, Position]:
    """Give the positions of several sources.

    Of a stream that two of them have, the later one; ids are not known then.
    """
    found: dict[StreamName, Position] = {}
    for each in gaps:
        for name, position in each.positions().items():
            if name not in found:
                found[name] = position
            else:
                later = max(found[name], position, key=lambda one: one.recv_ns)
                found[name] = later._replace(ids=())
    return found
