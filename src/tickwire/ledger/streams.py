"""The gaps of a source's streams: when each opens and ends, and why.

Rules of this file
------------------
- Callers report what happened; this decides which gaps that opens and ends. `open_gaps` says where
  they start and end, `book_gaps` what is different for books that need a snapshot.
- A gap ends at the stream's acknowledgement or its first row after, whichever is first. An end by
  an acknowledgement is provisional: where no row follows, `session.freshness` doubts it, and the
  next gap starts there.
- All calls come from the loop's thread. None is made per message: rows are found in `ring.Streams`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from tickwire.ledger.book_gaps import BookGaps
from tickwire.ledger.gaps import Moment, Place, Position
from tickwire.ledger.holes import Hole, Holes, Numbers
from tickwire.ledger.index import StreamIndex, StreamName, StreamState
from tickwire.ledger.jumps import Jumps
from tickwire.ledger.known_until import Known, KnownUntil
from tickwire.ledger.ledger import Ledger
from tickwire.ledger.leg_holes import LegHole, LegHoles
from tickwire.ledger.open_gaps import OpenGaps, Trades, part_of
from tickwire.ledger.reasons import (
    NEVER_CONNECTED,
    OVERFLOW,
    REFUSED,
    SEQUENCE,
    SHUTDOWN,
)
from tickwire.ledger.silences import Silences
from tickwire.ledger.undecoded import Undecoded
from tickwire.ring import Dictionary, Streams


class StreamGaps:
    """Opens and ends the gaps of one source.

    Parameters
    ----------
    ledger
        Writes them.
    venue
        The source's.
    streams
        Of each ring that the source writes.
    symbols
        The feed's dictionary.
    first_session
        The number of the source's first session in the feed.
    silence_floor_s
        No shorter silence that has ended is a gap; 0: none is.
    trades
        What was delivered of each symbol.
    holes
        What can be had of trades that were missed, where any can.
    numbers
        The ids of delivered trades; needed with `counted`.
    counted
        Channels of trades whose ids count by one, and the memory of the ids of each.

    Attributes
    ----------
    books
        The gaps of books that need a snapshot.
    """

    def __init__(
        self,
        ledger: Ledger,
        venue: str,
        streams: Mapping[str, Streams],
        symbols: Dictionary,
        *,
        first_session: int = 0,
        silence_floor_s: float = 0.0,
        trades: Trades | None = None,
        holes: Holes | None = None,
        numbers: Numbers | None = None,
        counted: Mapping[str, int] | None = None,
    ) -> None:
        self._ledger = ledger
        self.holes = holes
        self._index = StreamIndex(venue, streams, symbols, first_session)
        self._gaps = OpenGaps(ledger, self._index, trades, holes)
        self.books = BookGaps(self._gaps)
        self._silences = Silences(self._index, self._gaps, round(silence_floor_s * 1e9), trades)
        self._jumps = (
            None
            if numbers is None
            else Jumps(self._index, self._gaps, numbers, counted or {}, holes)
        )
        if self._jumps is not None:
            self._silences.on_gap = self._jumps.silent
        self._is_connected: dict[int, bool] = {}
        self._has_ended = False
        self._live: dict[int, set[int]] = defaultdict(set)  # connections of each session
        self._leg_holes = LegHoles()
        self._undecoded = Undecoded(self._index, self._gaps, self._live)
        self._known = KnownUntil(ledger, self._index, self._gaps, holes)

    # What there is.

    def divide(self, session: int, table: str, parts: Mapping[str, int]) -> None:
        """Know the rows of a session by channel too; to be called before `add`.

        Parameters
        ----------
        session
            The session's number within the source.
        table
            One whose rows say which channel they are of.
        parts
            By channel, the number under which its rows are known; see `ring.Streams.divide`.
        """
        self._index.divide(session, table, parts)

    def add(
        self,
        session: int,
        table: str,
        symbol: str,
        key: str,
        *,
        spliced: bool,
        channel: str = "",
        silent: bool = False,
    ) -> None:
        """Note a stream, and the subscription that feeds it.

        Parameters
        ----------
        session
            The session's number within the source.
        table, symbol
            Which stream; `*`: every symbol that comes.
        key
            The subscription's.
        spliced
            It is a book that needs a snapshot.
        channel
            The subscription's, as the configuration names it.
        silent
            No row of it is expected at any time, so that silence is no gap.
        """
        stream = self._index.add(session, table, symbol, key, channel)
        if stream is not None:
            stream.may_be_silent = silent
        if stream is not None:
            stream.channels.add(channel)
        if stream is not None and spliced:
            self.books.add(stream)

    def delivered(self) -> set[tuple[str, str]]:
        """Give table and symbol of every stream that has had a row."""
        return self._index.delivered()

    def names(self) -> list[StreamName]:
        """Give every stream that is known by name; of a subscription to all, those with rows."""
        return [(self._index.venue, stream.table, stream.symbol) for stream in self._index]

    # What happens.

    def start(self, positions: Mapping[StreamName, Position], *, knows_ids: bool = False) -> None:
        """Begin; what the last run has had up to some moment is missing since then.

        Parameters
        ----------
        positions
            The last row of each stream that sinks had committed.
        knows_ids
            The ids of trades are known that every sink has: those that come again, or count on,
            say what is missing.
        """
        self._known.begin(positions, knows_ids=knows_ids)

    def positions(self) -> Iterator[Known]:
        """Give up to where each stream is known: its last row, or where its last gap has ended.

        Some streams at a time; `known_until.merged` gives all of them.
        """
        return self._known.positions()

    def position(self, name: StreamName) -> Position | None:
        """Give up to where one stream is known; None where it is not."""
        return self._known.position(name)

    def joined(self, session: int, conn: int, leg: int) -> None:
        """Note one more connection that brings the same; to be called before that brings rows.

        Parameters
        ----------
        session
            The session's number within the source.
        conn
            The connection's number.
        leg
            Which of those at a time it is; see `ring.Streams.adopt`.
        """
        self._index.adopt(session, conn, leg)
        self._live[session].add(conn)

    def left(self, session: int, conn: int) -> None:
        """Note that a connection has ended; others of its session may go on."""
        self._live[session].discard(conn)
        self._leg_holes.left(session, conn, self._ledger.now().recv_ns)

    def completed(self, session: int, conn: int) -> None:
        """Note that a connection brings all of its session from now on."""
        self._leg_holes.completed(session, conn, self._ledger.now().recv_ns)

    def connected(self, session: int, conn: int, leg: int = 0) -> None:
        """Note that a session has a connection; to be called before that brings rows."""
        self._is_connected[session] = True
        self.joined(session, conn, leg)
        now_ns = self._ledger.monotonic()
        for stream in self._index.of_session(session):
            stream.unanswered = set(stream.keys) - stream.suspended
            self._gaps.expect_repeats(stream, now_ns)

    def connect_failed(self, session: int, text: str) -> None:
        """Note that no connection could be made: what has never had one is missing."""
        for stream in self._index.of_session(session):
            if not self._gaps.is_known(stream):
                self._gaps.open(stream, NEVER_CONNECTED, detail=text)

    def acknowledged(self, session: int, key: str, read_ns: tuple[int, int] | None = None) -> None:
        """Note that the venue has acknowledged a subscription.

        Parameters
        ----------
        session, key
            Which one.
        read_ns
            When that was read, by the wall clock and the monotonic one; None: now. Rows behind it
            may have come with the same read, and are later than it.
        """
        now = self._ledger.now() if read_ns is None else Moment(read_ns[0], None, read_ns[1])
        for stream in self._index.of_key(session, key):
            stream.unanswered.discard(key)
            stream.suspended.discard(key)
            if stream.unanswered:
                continue
            if stream.is_spliced:
                self.books.acknowledged(stream, now)
            elif stream.gap is None:
                stream.since = now
            else:
                self._gaps.end(stream, now)
                if stream.since is now:
                    self._silences.acknowledged(stream)

    def lost(self, session: int, key: str, reason: str, detail: str) -> None:
        """Note that a subscription brings nothing any more: refused, stale, or asked for again.

        A refusal ends a gap of another reason: from then on that is no longer why rows are missing.

        Parameters
        ----------
        session, key
            Which one.
        reason
            Of the gap.
        detail
            For a person.
        """
        self._look_before_gaps(self._index.of_key(session, key))
        for stream in self._index.of_key(session, key):
            stream.unanswered.add(key)
            if reason == REFUSED and stream.gap is not None and stream.gap.reason != REFUSED:
                self._gaps.close(stream, self._ledger.now())
            self._gaps.open(stream, reason, detail=detail)

    def missed(self, conn: int, since_ns: int, until_ns: int, detail: str) -> None:
        """Note that messages of a connection are missing, and not whose.

        Each of its streams may miss rows between the two; books have chains of their own. Where
        another connection brings the same, that is decided later (`leg_holes`).

        Parameters
        ----------
        conn
            The connection.
        since_ns, until_ns
            When the last message before them was received, and the first one after; wall time.
        detail
            For a person.
        """
        session = self._index.session_of(conn)
        if session is None:
            return
        hole = LegHole(session, conn, since_ns, until_ns, detail, self._ledger.monotonic())
        if self._leg_holes.has_others(hole):
            self._leg_holes.wait(hole)
        else:
            self._declare(hole)

    def _declare(self, hole: LegHole) -> None:
        for stream in self._index.of_session(hole.session):
            if stream.is_spliced or not self._gaps.is_known(stream):
                continue
            start, end = map(self._gaps.moment_of, (hole.since_ns, hole.until_ns))
            other = stream.gap or stream.last_gap
            if other is not None and start.mono_ns < other.start_mono_ns:  # noticed too late
                self._ledger.record(
                    stream.table,
                    SEQUENCE,
                    start.recv_ns,
                    min(end.recv_ns, other.start_ns),
                    Place(self._index.venue, stream.symbol, hole.conn),
                    detail=stream.detail(hole.detail),
                )
                continue
            if stream.gap is not None:
                continue
            if stream.since is not None and stream.since.mono_ns > start.mono_ns:
                start = stream.since
            if start.mono_ns >= end.mono_ns and hole.since_ns < hole.until_ns:
                continue  # another gap says so
            self._gaps.open(stream, SEQUENCE, start=start, detail=hole.detail)
            self._gaps.close(stream, max(end, start, key=lambda moment: moment.mono_ns))

    def suspended(self, session: int, key: str, detail: str) -> None:
        """Note that a subscription is left out: its streams miss rows where they have no other."""
        for stream in self._index.of_key(session, key):
            stream.suspended.add(key)
            stream.unanswered.discard(key)
            if stream.suspended.issuperset(stream.keys):
                self._gaps.open(stream, OVERFLOW, detail=detail)

    def disconnected(
        self, session: int, reason: str, detail: str, *, behind_since_ns: int | None = None
    ) -> None:
        """Note that a connection has ended.

        Parameters
        ----------
        session
            Whose.
        reason, detail
            Why: a gap's reason, and for a person.
        behind_since_ns
            Since when rows have been read late, where reading had been paused; wall time.
        """
        self._look_before_gaps(self._index.of_session(session))
        self._is_connected[session] = False
        for stream in self._index.of_session(session):
            self._gaps.end_by_row(stream)  # the connection may have ended an earlier gap
            self._gaps.open(stream, reason, detail=detail, not_after_ns=behind_since_ns)

    def stopped(self, session: int) -> None:
        """Note that a connection was closed because the feed stops."""
        self._look_before_gaps(self._index.of_session(session))
        self._silences.stopped(session)

    def aborted(self, session: int, *, behind_since_ns: int | None = None) -> None:
        """Note that nothing is read any more though the connection is open: the process ends.

        The gaps stay open for the next run, which ends them.

        Parameters
        ----------
        session, behind_since_ns
            As for `disconnected`.
        """
        if self._has_ended:
            return
        self._look_before_gaps(self._index.of_session(session))
        for stream in self._index.of_session(session):
            self._gaps.end_by_row(stream)
            if self._gaps.is_known(stream):
                self._gaps.open(stream, SHUTDOWN, not_after_ns=behind_since_ns)

    def undecoded(self, conn: int, payload: bytes) -> None:
        """Note that a message could not be decoded: rows of the symbols that it names are missing.

        Where it names none, or too many messages come to look at each, that is every symbol of
        its connection. The hole in a book's chain tells of its own.
        """
        self._undecoded.note(conn, payload)

    def filled(
        self, hole: Hole, n_rows: int, left: tuple[int | None, int | None] | None = None
    ) -> None:
        """Write how much of a hole was had after all.

        Parameters
        ----------
        hole
            Which.
        n_rows
            How many rows; they count for its first gap.
        left
            The venue's times between which rows may be missing still, None where it is as before;
            None: nothing is missing.
        """
        hole.is_filled, hole.left = True, left
        for gap in hole.gaps:
            self._ledger.recovered(gap, n_rows, None if left is None else part_of(gap, *left))
            n_rows = 0

    # A few times a second, and at the end.

    @property
    def has_open(self) -> bool:
        """Whether a gap is open, or books wait for what ends one."""
        return self._gaps.has_open or self.books.has_waiting

    def look(self) -> None:
        """End the gaps whose stream has a row again."""
        self._undecoded.look()
        for stream in self._gaps.streams:
            if self._is_connected.get(stream.session):
                self._gaps.end_by_row(stream)
        self._silences.look()
        if self._jumps is not None:
            self._jumps.look()
        for hole in self._leg_holes.take(self._ledger.monotonic()):
            self._declare(hole)
        self._gaps.look_at_repeats()
        self.books.look()

    def _look_before_gaps(self, streams: Iterable[StreamState]) -> None:
        """Write what was missed before gaps of these streams that are about to open."""
        self._silences.look(at_once=True)
        if self._jumps is not None:
            self._jumps.end(streams)

    def hold(self, session: int) -> None:
        """Note that until now nothing of a session could be read, or only late."""
        self._silences.hold(session, self._ledger.monotonic())

    def end(self) -> None:
        """End what is open: the feed stops, and the next run begins where this one has ended."""
        self._has_ended = True
        self._look_before_gaps(self._index)
        for hole in self._leg_holes.take(self._ledger.monotonic(), is_last=True):
            self._declare(hole)
        self.books.look(is_last=True)
        now = self._ledger.now()
        for stream in self._gaps.streams:
            self._gaps.end(stream, now)
        self._gaps.look_at_repeats(is_last=True)
