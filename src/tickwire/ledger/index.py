"""The streams of a source: which there are, what feeds each, and what its ring has had of it.

Rules of this file
------------------
- A stream is a symbol in one table, of one session of the source.
- A subscription may be to every symbol; then those count that have had rows.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tickwire.ledger.gaps import Gap, Moment
from tickwire.ring import Dictionary, Silence, Stream, Streams

EVERY = "*"  # a subscription's symbol
MOST_REPLACED = 1024  # connections whose session is remembered though others have their place

StreamName = tuple[str, str, str]  # venue, table, symbol


@dataclass(slots=True, eq=False)
class StreamState:
    """What is known of one stream.

    Parameters
    ----------
    table, symbol, code
        Which one; the code is the symbol's.
    session
        The number of its session.
    keys
        The subscriptions that feed it.
    channels
        Their channels, as the configuration names them.
    unanswered
        Those of them that have not been acknowledged on this connection.
    since
        An acknowledgement, or where a gap has ended: from here on rows are expected.
    gap
        While one is open.
    last_gap
        The last one that has ended.
    waits_since
        Since when a spliced book waits for its snapshot, where no gap says so yet.
    spliced_conn
        The connection for which a spliced book has its snapshot.
    may_be_silent
        Silence of it says nothing.
    """

    table: str
    symbol: str
    code: int
    session: int
    is_spliced: bool = False
    keys: set[str] = field(default_factory=set)
    channels: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    suspended: set[str] = field(default_factory=set)
    since: Moment | None = None
    gap: Gap | None = None
    last_gap: Gap | None = None
    waits_since: Moment | None = None
    spliced_conn: int = -1
    may_be_silent: bool = False


class StreamIndex:
    """Finds the streams of one source, and their rows.

    Parameters
    ----------
    venue
        The source's.
    rows
        Of each ring that the source writes.
    symbols
        The feed's dictionary.
    first_session
        The number of the source's first session in the feed.

    Attributes
    ----------
    conns
        Of each session, its connection: the newest, where it has several at a time.
    """

    def __init__(
        self,
        venue: str,
        rows: Mapping[str, Streams],
        symbols: Dictionary,
        first_session: int = 0,
    ) -> None:
        self.venue = venue
        self.conns: dict[int, int] = {}
        self._legs: dict[tuple[int, int], int] = {}  # session and leg: its connection
        # By connection. What one has brought may be looked at when another has its place.
        self._session_of: dict[int, int] = {}
        self._replaced: deque[int] = deque()  # connections, the newest last
        self._rows = dict(rows)
        self._symbols = symbols
        self._first = first_session
        self._all: dict[tuple[int, str, str], StreamState] = {}  # session, table, symbol
        self._by_key: dict[tuple[int, str], list[StreamState]] = defaultdict(list)
        self._wild: dict[tuple[int, str], set[str]] = defaultdict(set)  # keys of every symbol
        self._parts: dict[tuple[int, str], None] = {}

    def __iter__(self) -> Iterator[StreamState]:
        return iter(self._all.values())

    def add(self, session: int, table: str, symbol: str, key: str) -> StreamState | None:
        """Note a stream, and the subscription that feeds it.

        Returns
        -------
        StreamState or None
            None where the symbol is `*`.
        """
        self._parts[session, table] = None
        if symbol == EVERY:
            self._wild[session, table].add(key)
            for stream in self._all.values():
                if (stream.session, stream.table) == (session, table):
                    self._feed(stream, key)
            return None
        stream = self._stream(session, table, symbol)
        self._feed(stream, key)
        return stream

    def _stream(self, session: int, table: str, symbol: str) -> StreamState:
        stream = self._all.get((session, table, symbol))
        if stream is None:
            stream = StreamState(table, symbol, self._symbols.code(symbol), session)
            self._all[session, table, symbol] = stream
            for key in self._wild.get((session, table), ()):
                self._feed(stream, key)
        return stream

    def _feed(self, stream: StreamState, key: str) -> None:
        if key not in stream.keys:
            stream.keys.add(key)
            self._by_key[stream.session, key].append(stream)

    def of_key(self, session: int, key: str) -> list[StreamState]:
        """Give the streams that a subscription feeds."""
        return self._by_key.get((session, key), [])

    def of_session(self, session: int) -> list[StreamState]:
        """Give a session's streams, with those that only their rows have named."""
        for of_session, table in self._wild:
            if of_session == session:
                states = self._rows[table].states(self._first + session)
                for code in (states["n_rows"] > 0).nonzero()[0].tolist():
                    self._stream(session, table, self._symbols.value(code))
        return [stream for stream in self._all.values() if stream.session == session]

    def session_of(self, conn: int) -> int | None:
        """Give the session that has a connection, or had it not long ago."""
        return self._session_of.get(conn)

    def adopt(self, session: int, conn: int, leg: int = 0) -> None:
        """Let a session have the rows of a connection; to be called before that brings any."""
        self.conns[session] = conn
        before = self._legs.get((session, leg))
        if before is not None and before != conn:
            self._replaced.append(before)
            if len(self._replaced) > MOST_REPLACED:
                self._session_of.pop(self._replaced.popleft(), None)
        self._legs[session, leg], self._session_of[conn] = conn, session
        for rows in self._rows.values():
            rows.adopt(conn, self._first + session, leg, venue=self.venue)

    def parts(self) -> list[tuple[int, str]]:
        """Give every session and table of which there are streams."""
        return [*self._parts]

    def of_code(self, session: int, table: str, code: int) -> StreamState | None:
        """Give the stream of a symbol's code; None where it is no stream of the source."""
        symbol = self._symbols.value(code)
        if (session, table) in self._wild:
            return self._stream(session, table, symbol)
        return self._all.get((session, table, symbol))

    def states(self, session: int, table: str) -> npt.NDArray[Any]:
        """Give all that a ring has had of a session; see `ring.Streams.states`."""
        return self._rows[table].states(self._first + session)

    def longest(self, session: int, table: str) -> tuple[int, int, int]:
        """Give rows and longest silences of a session in a table; see `ring.Streams.longest`."""
        return self._rows[table].longest(self._first + session)

    def learn(self, session: int, table: str, limits: npt.NDArray[np.int64]) -> None:
        """Set what too long a silence is; see `ring.Streams.learn`."""
        self._rows[table].learn(self._first + session, limits)

    def take_silences(self, session: int, table: str) -> list[Silence]:
        """Give the silences that were too long; see `ring.Streams.take_silences`."""
        return self._rows[table].take_silences(self._first + session)

    def channels(self, stream: StreamState) -> frozenset[str]:
        """Give the channels that feed a stream; none where one of every symbol may feed it too."""
        is_wild = (stream.session, stream.table) in self._wild
        return frozenset() if is_wild else frozenset(stream.channels)

    def rows(self, stream: StreamState) -> Stream | None:
        """Give what its ring has had of a stream; None where that is nothing."""
        return self._rows[stream.table].get(self._first + stream.session, stream.code)

    def mark(self, stream: StreamState, after_conn: int) -> None:
        """Let the next row of a stream be the first one; see `ring.Streams.mark`."""
        self._rows[stream.table].mark(self._first + stream.session, stream.code, after_conn)

    def expect(self, stream: StreamState, event_from_ns: int, mono_to_ns: int) -> None:
        """Let the rows of a hole be counted; see `ring.Streams.expect`."""
        self._rows[stream.table].expect(
            self._first + stream.session, stream.code, event_from_ns, mono_to_ns
        )

    def delivered(self) -> set[tuple[str, str]]:
        """Give table and symbol of every stream that has had a row, on any session."""
        found: set[tuple[str, str]] = set()
        for session in {session for session, _ in self._parts}:
            for table in self._rows:
                codes = (self.states(session, table)["n_rows"] > 0).nonzero()[0].tolist()
                found.update((table, self._symbols.value(code)) for code in codes)
        return found
