"""The gaps of a source's streams: when each opens, where it starts and ends, and why.

Rules of this file
------------------
- A stream is a symbol of a source in one table. It has at most one open gap.
- A gap starts at the stream's last good row, never at the moment of noticing; where that was read
  late, when it might have been read; where none has come since the stream was acknowledged, at the
  acknowledgement; before that, at the feed's start.
- It ends at the stream's acknowledgement or its first row after, whichever is first. An end by an
  acknowledgement is provisional: where no row follows, the next gap starts there.
- A spliced book ends its gap with its snapshot: from the acknowledgement on it waits for one.
- All calls come from the loop's thread. None is made per message: rows are found in `ring.Streams`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tickwire.ledger.gaps import Gap, Moment, Place, Position
from tickwire.ledger.ledger import Ledger
from tickwire.ledger.reasons import (
    DECODE_ERROR,
    DISCONNECT,
    DOWN,
    NEVER_CONNECTED,
    OVERFLOW,
    REFUSED,
    SEQUENCE,
    STALE,
    WAITING_FOR_SNAPSHOT,
)
from tickwire.ring import Dictionary, Streams

EVERY = "*"  # a subscription's symbol
# Tables of which a venue repeats the last rows after a subscribe, and how long they are waited for.
REPEATED = ("trades",)
RECOVERY_NS = 1_000_000_000
MAX_UNDECODED = 100  # messages whose symbols are looked for, between two looks
# Tables whose ts_event is when it happened, and by how much a row's delay varies without a reason.
TIMELY = ("trades", "quotes", "book")
LATE_NS = 1_000_000
# After an acknowledgement that no row follows: so many times as long as between two rows, at least.
SILENT_TIMES = 20
SILENT_NS = 1_000_000_000
# A book that has its snapshot sooner after the start than this has no gap: nothing came before.
FIRST_SNAPSHOT_NS = 1_000_000_000

StreamName = tuple[str, str, str]  # venue, table, symbol


@dataclass(slots=True, eq=False)
class _Stream:
    """What is known of one stream.

    Parameters
    ----------
    table, symbol, code
        Which one; the code is the symbol's.
    session
        The number of its session.
    keys
        The subscriptions that feed it.
    unanswered
        Those of them that have not been acknowledged on this connection.
    since
        An acknowledgement, or where a gap has ended: from here on rows are expected.
    gap
        While one is open.
    waits_since
        Since when a spliced book waits for its snapshot, where no gap says so yet.
    spliced_conn
        The connection for which a spliced book has its snapshot.
    """

    table: str
    symbol: str
    code: int
    session: int
    is_spliced: bool = False
    keys: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    since: Moment | None = None
    gap: Gap | None = None
    waits_since: Moment | None = None
    spliced_conn: int = -1


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
    """

    def __init__(
        self,
        ledger: Ledger,
        venue: str,
        streams: Mapping[str, Streams],
        symbols: Dictionary,
        *,
        first_session: int = 0,
    ) -> None:
        self._ledger = ledger
        self._venue = venue
        self._streams = dict(streams)
        self._symbols = symbols
        self._first = first_session
        self._origin = ledger.now()
        self._all: dict[tuple[int, str, str], _Stream] = {}  # session, table, symbol
        self._by_key: dict[tuple[int, str], list[_Stream]] = defaultdict(list)
        self._wild: dict[tuple[int, str], set[str]] = defaultdict(set)  # keys of every symbol
        self._books: dict[str, _Stream] = {}  # spliced
        self._conns: dict[int, int] = {}  # of each session, its connection
        self._is_connected: dict[int, bool] = {}
        self._open: dict[_Stream, None] = {}
        self._waiting: dict[_Stream, None] = {}
        self._provisional: dict[_Stream, None] = {}  # ended by an acknowledgement, no row since
        self._n_undecoded = 0  # messages since the last look
        self._recovering: dict[_Stream, tuple[Gap, int]] = {}  # until when repeats are counted

    # What there is.

    def add(self, session: int, table: str, symbol: str, key: str, *, spliced: bool) -> None:
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
        """
        if symbol == EVERY:
            self._wild[session, table].add(key)
            for stream in self._all.values():
                if (stream.session, stream.table) == (session, table):
                    self._feed(stream, key)
            return
        stream = self._stream(session, table, symbol)
        self._feed(stream, key)
        if spliced:
            stream.is_spliced = True
            self._books[symbol] = stream

    def _stream(self, session: int, table: str, symbol: str) -> _Stream:
        stream = self._all.get((session, table, symbol))
        if stream is None:
            stream = _Stream(table, symbol, self._symbols.code(symbol), session)
            self._all[session, table, symbol] = stream
            for key in self._wild.get((session, table), ()):
                self._feed(stream, key)
        return stream

    def _feed(self, stream: _Stream, key: str) -> None:
        if key not in stream.keys:
            stream.keys.add(key)
            self._by_key[stream.session, key].append(stream)

    def _of_session(self, session: int) -> list[_Stream]:
        """Give a session's streams, with those that only their rows have named."""
        for of_session, table in self._wild:
            if of_session == session:
                states = self._streams[table].states(self._first + session)
                for code in (states["n_rows"] > 0).nonzero()[0].tolist():
                    self._stream(session, table, self._symbols.value(code))
        return [stream for stream in self._all.values() if stream.session == session]

    # What happens.

    def start(self, positions: Mapping[StreamName, Position]) -> None:
        """Begin; what the last run has had up to some moment is missing since then.

        Parameters
        ----------
        positions
            The last row of each stream that sinks had committed.
        """
        self._origin = now = self._ledger.now()
        for stream in self._all.values():
            position = positions.get((self._venue, stream.table, stream.symbol))
            if position is None:
                continue
            recv_ns = min(position.recv_ns, now.recv_ns)
            before = Moment(recv_ns, position.event_ns, now.mono_ns - (now.recv_ns - recv_ns))
            self._open_gap(stream, position.reason or DOWN, start=before, gap_id=position.gap_id)

    def positions(self) -> dict[StreamName, Position]:
        """Give up to where each stream is known: its last row, or where its last gap has ended."""
        found = {}
        for session in sorted({stream.session for stream in self._all.values()}):
            for stream in self._of_session(session):
                gap = stream.gap
                if gap is not None:
                    last = Position(gap.start_ns, gap.event_start_ns, gap.gap_id, gap.reason)
                elif self._is_known(stream):
                    last = Position(*self._last_good(stream)[:2])
                else:
                    continue
                found[self._venue, stream.table, stream.symbol] = last
        return found

    def connected(self, session: int, conn: int) -> None:
        """Note that a session has a connection; to be called before that brings rows."""
        self._conns[session] = conn
        self._is_connected[session] = True
        for streams in self._streams.values():
            streams.adopt(conn, self._first + session)
        now_ns = self._ledger.monotonic()
        for stream in self._of_session(session):
            stream.unanswered = set(stream.keys)
            # What happened before the connection was there, and comes on it, is repeated.
            if stream.table in REPEATED and stream.gap and stream.gap.event_start_ns is not None:
                self._rows_of(stream).expect(
                    self._first + session, stream.code, stream.gap.event_start_ns, now_ns
                )

    def connect_failed(self, session: int, text: str) -> None:
        """Note that no connection could be made: what has never had one is missing."""
        for stream in self._of_session(session):
            if not self._is_known(stream):
                self._open_gap(stream, NEVER_CONNECTED, detail=text)

    def acknowledged(self, session: int, key: str) -> None:
        """Note that the venue has acknowledged a subscription."""
        now = self._ledger.now()
        for stream in self._by_key.get((session, key), ()):
            stream.unanswered.discard(key)
            if stream.unanswered:
                continue
            if stream.gap is None:
                stream.since = now
                if stream.is_spliced and stream.spliced_conn != self._conns.get(session):
                    self._wait(stream, now)
            elif not stream.is_spliced:
                self._end_gap(stream, now)
            elif stream.gap.reason != WAITING_FOR_SNAPSHOT:
                self._close_gap(stream, now)
                self._open_gap(stream, WAITING_FOR_SNAPSHOT)

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
        for stream in self._by_key.get((session, key), ()):
            stream.unanswered.add(key)
            if reason == REFUSED and stream.gap is not None and stream.gap.reason != REFUSED:
                self._close_gap(stream, self._ledger.now())
            self._open_gap(stream, reason, detail=detail)

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
        self._is_connected[session] = False
        for stream in self._of_session(session):
            self._end_by_row(stream)  # the connection may have ended an earlier gap
            self._open_gap(stream, reason, detail=detail, not_after_ns=behind_since_ns)

    def undecoded(self, conn: int, payload: bytes) -> None:
        """Note that a message could not be decoded: rows of the symbols that it names are missing.

        Where it names none, or too many messages come to look at each, that is every symbol of
        its connection. The hole in a book's chain tells of its own.
        """
        session = next((each for each, of in self._conns.items() if of == conn), None)
        if session is None:
            return
        self._n_undecoded += 1
        streams = [each for each in self._of_session(session) if not each.is_spliced]
        named = []
        if self._n_undecoded <= MAX_UNDECODED:
            named = [each for each in streams if f'"{each.symbol}"'.encode() in payload]
        for stream in named or streams:
            self._open_gap(stream, DECODE_ERROR)
            gap = stream.gap
            if named and gap is not None and gap.reason == DECODE_ERROR:
                gap.lost = (gap.lost or 0) + 1

    # Spliced books.

    def broken(self, symbol: str, lost: int | None) -> None:
        """Note that a book's chain of ids has a hole, of so many ids where they tell."""
        stream = self._books[symbol]
        stream.spliced_conn = -1
        self._open_gap(stream, SEQUENCE, lost=lost)

    def waits(self, symbol: str, failure: str | None = None) -> None:
        """Note that a book waits for its snapshot, or that it could not be had."""
        stream = self._books[symbol]
        if stream.gap is not None:
            return
        if stream.waits_since is None:
            self._wait(stream, self._ledger.now())
        if failure is not None:
            self._open_gap(stream, WAITING_FOR_SNAPSHOT, start=stream.waits_since, detail=failure)

    def _wait(self, stream: _Stream, since: Moment) -> None:
        stream.waits_since = since
        self._waiting[stream] = None

    def spliced(self, symbol: str, ts_recv_ns: int) -> None:
        """Note that a book has its snapshot, received at that time."""
        stream = self._books[symbol]
        stream.spliced_conn = self._conns.get(stream.session, -1)
        now = self._ledger.now()
        end = Moment(ts_recv_ns, None, now.mono_ns - max(0, now.recv_ns - ts_recv_ns))
        if stream.gap is not None:
            self._close_gap(stream, end)
        stream.since = end
        stream.waits_since = None
        self._waiting.pop(stream, None)

    # A few times a second, and at the end.

    def look(self) -> None:
        """End the gaps whose stream has a row again, and open those of acknowledgements in vain."""
        self._n_undecoded = 0
        for stream in tuple(self._open):
            if self._is_connected.get(stream.session):
                self._end_by_row(stream)
        for stream in tuple(self._provisional):
            self._look_at_provisional(stream)
        now_ns = self._ledger.monotonic() if self._waiting or self._recovering else 0
        for stream, (gap, until_ns) in tuple(self._recovering.items()):
            if now_ns >= until_ns:
                self._note_recovered(stream, gap)
        for stream in tuple(self._waiting):
            since = stream.waits_since
            if since is not None and now_ns - since.mono_ns >= FIRST_SNAPSHOT_NS:
                self._open_gap(stream, WAITING_FOR_SNAPSHOT, start=since)

    def _look_at_provisional(self, stream: _Stream) -> None:
        found = self._rows_of(stream).get(self._first + stream.session, stream.code)
        since = stream.since
        if found is None or since is None or stream.gap or found.n_since_mark:
            del self._provisional[stream]  # its cadence is not known, or it has ended
            return
        silent_ns = self._ledger.monotonic() - since.mono_ns
        usual_ns = (found.last_mono_ns - self._origin.mono_ns) // found.n_rows
        if silent_ns > max(SILENT_NS, SILENT_TIMES * usual_ns):
            text = f"acknowledged, and no row in {silent_ns / 1e9:.1f} s"
            self._open_gap(stream, STALE, start=since, detail=text)
            del self._provisional[stream]

    def end(self) -> None:
        """End what is open: the feed stops, and the next run begins where this one has ended."""
        for stream in tuple(self._waiting):
            self._open_gap(stream, WAITING_FOR_SNAPSHOT, start=stream.waits_since)
        now = self._ledger.now()
        for stream in tuple(self._open):
            self._end_gap(stream, now)
        for stream, (gap, _) in tuple(self._recovering.items()):
            self._note_recovered(stream, gap)

    def _note_recovered(self, stream: _Stream, gap: Gap) -> None:
        del self._recovering[stream]
        found = self._rows_of(stream).get(self._first + stream.session, stream.code)
        if found is not None and found.n_recovered:
            self._ledger.recovered(gap, found.n_recovered)

    # Where gaps start and end.

    def _rows_of(self, stream: _Stream) -> Streams:
        return self._streams[stream.table]

    def _moment(self, recv_ns: int, event_ns: int | None, mono_ns: int) -> Moment:
        return Moment(recv_ns, event_ns, recv_ns if self._ledger.replays else mono_ns)

    def _is_known(self, stream: _Stream) -> bool:
        """Whether it has ever been acknowledged, or had a row or a gap."""
        return (
            stream.since is not None
            or stream.gap is not None
            or self._rows_of(stream).get(self._first + stream.session, stream.code) is not None
        )

    def _last_good(self, stream: _Stream) -> Moment:
        found = self._rows_of(stream).get(self._first + stream.session, stream.code)
        since = stream.since
        if found is None:
            return since or self._origin
        # A program that stood still reads old rows, and the receive clock does not tell.
        late_ns = 0
        if stream.table in TIMELY and found.late_ns > LATE_NS and not self._ledger.replays:
            late_ns = found.late_ns
        last = self._moment(
            found.last_recv_ns - late_ns, found.last_event_ns, found.last_mono_ns - late_ns
        )
        return last if since is None or last.mono_ns >= since.mono_ns else since

    def _open_gap(
        self,
        stream: _Stream,
        reason: str,
        *,
        start: Moment | None = None,
        not_after_ns: int | None = None,
        lost: int | None = None,
        detail: str | None = None,
        gap_id: int | None = None,
    ) -> None:
        if stream.gap is not None:
            return
        if stream in self._recovering:
            self._note_recovered(stream, self._recovering[stream][0])
        start = start or self._last_good(stream)
        if not_after_ns is not None and not_after_ns < start.recv_ns:
            late_ns = start.recv_ns - not_after_ns
            start = Moment(not_after_ns, start.event_ns, start.mono_ns - late_ns)
        conn = self._conns.get(stream.session)
        stream.gap = self._ledger.open(
            stream.table,
            reason,
            start.recv_ns,
            Place(self._venue, stream.symbol, conn),
            event_start_ns=start.event_ns,
            start_mono_ns=start.mono_ns,
            lost=lost,
            detail=detail,
            gap_id=gap_id,
        )
        stream.waits_since = None
        self._waiting.pop(stream, None)
        self._open[stream] = None
        # What an ended connection has brought may be published late.
        after = conn if reason in (DISCONNECT, OVERFLOW) and conn is not None else -1
        self._rows_of(stream).mark(self._first + stream.session, stream.code, after)

    def _end_by_row(self, stream: _Stream) -> bool:
        """End a gap at the first row since it opened, if one has come; a splice ends a book's."""
        if stream.gap is None or stream.is_spliced:
            return False
        found = self._rows_of(stream).get(self._first + stream.session, stream.code)
        if found is None or found.first_recv_ns is None or found.first_mono_ns is None:
            return False
        self._close_gap(
            stream, self._moment(found.first_recv_ns, found.first_event_ns, found.first_mono_ns)
        )
        return True

    def _end_gap(self, stream: _Stream, end: Moment) -> None:
        """End a gap at its first row, or else at a moment."""
        if not self._end_by_row(stream):
            self._close_gap(stream, end)
            self._provisional[stream] = None

    def _close_gap(self, stream: _Stream, end: Moment) -> None:
        gap = stream.gap
        if gap is None:
            return
        stream.gap = None
        stream.since = end
        if stream.table in REPEATED and gap.reason in (DISCONNECT, OVERFLOW):
            self._recovering[stream] = (gap, self._ledger.monotonic() + RECOVERY_NS)
        self._open.pop(stream, None)
        self._ledger.close(gap, end.recv_ns, event_end_ns=end.event_ns, end_mono_ns=end.mono_ns)


def merged(gaps: Iterable[StreamGaps]) -> dict[StreamName, Position]:
    """Give the positions of several sources; of a stream that two of them have, the later one."""
    found: dict[StreamName, Position] = {}
    for each in gaps:
        for name, position in each.positions().items():
            if name not in found or found[name].recv_ns < position.recv_ns:
                found[name] = position
    return found
