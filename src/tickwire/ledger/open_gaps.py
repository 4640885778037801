"""A stream's gap: where it starts and where it ends.

Rules of this file
------------------
- A stream has at most one open gap.
- It starts at the stream's last good row, never at the moment of noticing; where that was read
  late, when it might have been read; where none has come since the stream was acknowledged, at the
  acknowledgement; before that, at the feed's start.
- Trades that a venue repeats after a reconnect are counted for a while: they fill the gap, from the
  oldest of them on. Where one was repeated that had come before the gap, or where the ids of the
  trades before and after it count up by one, nothing of the gap is left.
"""

from __future__ import annotations

from typing import Protocol

from tickwire.ledger.gaps import Gap, Moment, Place
from tickwire.ledger.holes import Holes
from tickwire.ledger.index import StreamIndex, StreamState
from tickwire.ledger.ledger import Ledger
from tickwire.ledger.reasons import DISCONNECT, DOWN, OVERFLOW
from tickwire.ring import TIMELY, Stream

# Tables of which a venue repeats the last rows after a subscribe, and how long they are waited for.
REPEATED = ("trades",)
RECOVERABLE = (DISCONNECT, DOWN, OVERFLOW)
RECOVERY_NS = 1_000_000_000


class Trades(Protocol):
    """The ids of delivered trades, as `decode.Seen` has them, by a symbol's code."""

    def offsets(self, symbol: int, /) -> tuple[int, ...]:
        """Give what does not change as long as the ids count up by one."""

    def take_again(self, symbol: int, /) -> int:
        """Give the time of the oldest trade that came again since the last call; 0: none did."""


class OpenGaps:
    """Opens and closes the gaps of a source's streams.

    Parameters
    ----------
    ledger
        Writes them.
    index
        The source's streams.
    trades
        What was delivered of each symbol.
    holes
        What can be had of trades that were missed.
    """

    def __init__(
        self,
        ledger: Ledger,
        index: StreamIndex,
        trades: Trades | None = None,
        holes: Holes | None = None,
    ) -> None:
        self.ledger = ledger
        self.holes = holes
        self.index = index
        self.origin = ledger.now()
        self._trades = trades
        self._open: dict[StreamState, None] = {}
        self._offsets: dict[StreamState, tuple[int, ...]] = {}  # where the gap opened
        self._recovering: dict[StreamState, tuple[Gap, int]] = {}  # until when they are counted
        self._without_repeats: set[StreamState] = set()  # until the gap ends

    @property
    def streams(self) -> tuple[StreamState, ...]:
        """Those with an open gap."""
        return tuple(self._open)

    @property
    def has_open(self) -> bool:
        """Whether a gap is open."""
        return bool(self._open)

    def is_known(self, stream: StreamState) -> bool:
        """Whether it has ever been acknowledged, or had a row or a gap."""
        return (
            stream.since is not None
            or stream.gap is not None
            or self.index.rows(stream) is not None
        )

    def last_good(self, stream: StreamState) -> Moment:
        """Give the last moment at which nothing of a stream was missing."""
        last, since = self.last_row(stream), stream.since
        if last is None:
            return since or self.origin
        return last if since is None or last.mono_ns >= since.mono_ns else since

    def last_row(self, stream: StreamState) -> Moment | None:
        """Give when the last row of a stream could have been read; None where it has had none."""
        found = self.index.rows(stream)
        if found is None:
            return None
        return self.when_due(
            stream, Moment(found.last_recv_ns, found.last_event_ns, found.last_mono_ns)
        )

    def when_due(self, stream: StreamState, row: Moment) -> Moment:
        """Give when a row of a stream could have been read, by the quickest of its rows.

        A program that was busy or stood still reads old rows, and the receive clock does not tell.
        What the venue sent between that and the read is not there.
        """
        found = self.index.rows(stream)
        late_ns = 0
        if (
            found is not None
            and found.last_event_ns is not None
            and row.event_ns is not None
            and stream.table in TIMELY
            and not self.ledger.replays
        ):
            least_ns = found.last_mono_ns - found.last_event_ns - found.late_ns
            late_ns = max(0, row.mono_ns - row.event_ns - least_ns)
        return self._moment(row.recv_ns - late_ns, row.event_ns, row.mono_ns - late_ns)

    def open(
        self,
        stream: StreamState,
        reason: str,
        *,
        start: Moment | None = None,
        not_after_ns: int | None = None,
        lost: int | None = None,
        detail: str | None = None,
        gap_id: int | None = None,
    ) -> None:
        """Open the gap of a stream, where none is open.

        Parameters
        ----------
        stream, reason, lost, detail
            Whose, and as in `Gap`.
        start
            Where it starts; by default where the stream was last good.
        not_after_ns
            It starts here at the latest; wall time.
        gap_id
            Of the gap of an earlier run that goes on.
        """
        if stream.gap is not None:
            return
        if stream in self._recovering:
            self._note_recovered(stream, self._recovering[stream][0])
        start = start or self.last_good(stream)
        if not_after_ns is not None and not_after_ns < start.recv_ns:
            late_ns = start.recv_ns - not_after_ns
            start = Moment(not_after_ns, start.event_ns, start.mono_ns - late_ns)
        conn = self.index.conns.get(stream.session)
        stream.gap = self.ledger.open(
            stream.table,
            reason,
            start.recv_ns,
            Place(self.index.venue, stream.symbol, conn),
            event_start_ns=start.event_ns,
            start_mono_ns=start.mono_ns,
            lost=lost,
            detail=stream.detail(detail),
            gap_id=gap_id,
            channels=self.index.channels(stream),
        )
        stream.waits_since = None
        self._open[stream] = None
        if self._trades is not None and stream.table in REPEATED:
            self._offsets[stream] = self._trades.offsets(stream.code)
        if self.holes is not None and self.holes.has(stream):
            self.holes.opened(stream)
        # What an ended connection has brought may be published late.
        after = conn if reason in (DISCONNECT, OVERFLOW) and conn is not None else -1
        self.index.mark(stream, after)

    def end_by_row(self, stream: StreamState) -> bool:
        """End a gap at the first row since it opened, if one has come; a splice ends a book's."""
        if stream.gap is None or stream.is_spliced:
            return False
        found = self.index.rows(stream)
        if found is None or found.first_recv_ns is None or found.first_mono_ns is None:
            return False
        self.close(
            stream, self._moment(found.first_recv_ns, found.first_event_ns, found.first_mono_ns)
        )
        return True

    def end(self, stream: StreamState, end: Moment) -> None:
        """End a gap at its first row, or else at a moment."""
        if not self.end_by_row(stream):
            self.close(stream, end)

    def close(self, stream: StreamState, end: Moment) -> None:
        """End a gap at a moment, where one is open."""
        gap = stream.gap
        if gap is None:
            return
        stream.gap, stream.last_gap = None, gap
        stream.since = end
        if self.holes is not None and self.holes.has(stream):
            self.holes.closed(stream, gap)
        elif (
            stream.table in REPEATED
            and gap.reason in RECOVERABLE
            and stream not in self._without_repeats
        ):
            self._recovering[stream] = (gap, self.ledger.monotonic() + RECOVERY_NS)
        self._open.pop(stream, None)
        self._without_repeats.discard(stream)
        self.ledger.close(gap, end.recv_ns, event_end_ns=end.event_ns, end_mono_ns=end.mono_ns)

    # Trades that come after all.

    def expect_no_repeats(self, stream: StreamState) -> None:
        """Take no row for one of the open gap: which trades came before it is not known."""
        if stream.gap is not None:
            self._without_repeats.add(stream)

    def expect_repeats(self, stream: StreamState, now_ns: int) -> None:
        """What happened before a connection was there, and comes on it, is repeated."""
        if stream.table in REPEATED and stream.gap and stream.gap.event_start_ns is not None:
            self.index.expect(stream, stream.gap.event_start_ns, now_ns)
            if self._trades is not None:
                self._trades.take_again(stream.code)

    def look_at_repeats(self, *, is_last: bool = False) -> None:
        """Write how many rows of a gap came after all, once that is known."""
        now_ns = self.ledger.monotonic() if self._recovering else 0
        for stream, (gap, until_ns) in tuple(self._recovering.items()):
            if is_last or now_ns >= until_ns:
                self._note_recovered(stream, gap)

    def _note_recovered(self, stream: StreamState, gap: Gap) -> None:
        del self._recovering[stream]
        found = self.index.rows(stream)
        if found is None:
            return
        if found.n_recovered:
            place = Place(self.index.venue, stream.symbol, self.index.conns.get(stream.session))
            text = f"{found.n_recovered} {stream.table} repeated by the venue, of gap {gap.gap_id}"
            self.ledger.event("backfill", text, place)
        if self._is_whole(stream, gap, found):
            self.ledger.recovered(gap, found.n_recovered, None)
        elif found.n_recovered:
            self.ledger.recovered(gap, found.n_recovered, _left_of(gap, found))

    def _is_whole(self, stream: StreamState, gap: Gap, found: Stream) -> bool:
        """Whether ids show that nothing of a gap that has ended is missing any more."""
        if self._trades is None or gap.event_start_ns is None:
            return False
        again_ns = self._trades.take_again(stream.code)
        if 0 < again_ns <= gap.event_start_ns:
            return True
        before = self._offsets.get(stream)
        has_rows = found.n_since_mark > 0
        return has_rows and bool(before) and before == self._trades.offsets(stream.code)

    def moment_of(self, recv_ns: int) -> Moment:
        """Give the moment at which something was received; wall time, not long ago."""
        return Moment(recv_ns, None, self.ledger.mono_of(recv_ns))

    def _moment(self, recv_ns: int, event_ns: int | None, mono_ns: int) -> Moment:
        return Moment(recv_ns, event_ns, recv_ns if self.ledger.replays else mono_ns)


def part_of(gap: Gap, event_from_ns: int | None, event_to_ns: int | None) -> tuple[int, int] | None:
    """Give the part of a gap that lies between two of the venue's times, by the receive clock.

    Parameters
    ----------
    gap
        One that has ended.
    event_from_ns, event_to_ns
        None: the gap's own start or end; so where the gap has no venue's time.

    Returns
    -------
    (int, int) or None
        None where nothing of it does.
    """
    start_ns, end_ns = gap.start_ns, gap.start_ns if gap.end_ns is None else gap.end_ns
    if gap.event_start_ns is not None:
        shift_ns = start_ns - gap.event_start_ns
        if event_from_ns is not None:
            start_ns = max(start_ns, event_from_ns + shift_ns)
        if event_to_ns is not None:
            end_ns = min(end_ns, event_to_ns + shift_ns)
    return (start_ns, end_ns) if start_ns <= end_ns else None


def _left_of(gap: Gap, found: Stream) -> tuple[int, int]:
    """Give what the rows that came again leave of a gap: up to the oldest of them."""
    end_ns = gap.start_ns if gap.end_ns is None else gap.end_ns
    if gap.event_start_ns is not None and found.recovered_from_ns is not None:
        filled_ns = gap.start_ns + found.recovered_from_ns - gap.event_start_ns
        end_ns = max(gap.start_ns, min(end_ns, filled_ns))
    return gap.start_ns, end_ns
