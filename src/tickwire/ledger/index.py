"""The streams of a source: which there are, what feeds each, and what its ring has had of it.

Rules of this file
------------------
- A stream is a symbol in one table, of one session of the source; where the session has several
  channels of the table whose rows say which they are of, one of them. Those are parts of it.
- A subscription may be to every symbol; then those count that have had rows.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
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
    part
        The number under which its ring has its rows: the session's, or a part's.
    channel
        The part's; empty where the session is not divided.
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
    part: int = 0
    channel: str = ""
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

    def detail(self, text: str | None) -> str | None:
        """Give a gap's detail: with the channel, where table and symbol do not say which it is."""
        if not self.channel:
            return text
        return self.channel if text is None else f"{self.channel}: {text}"


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
        self._all: dict[tuple[int, str, str], StreamState] = {}  # part, table, symbol
        self._of_part: dict[tuple[int, str], list[StreamState]] = {}  # part and table
        self._of_name: dict[tuple[str, str], list[StreamState]] = {}  # table and symbol
        self._by_key: dict[tuple[int, str], list[StreamState]] = defaultdict(list)
        self._wild: dict[tuple[int, str], set[str]] = defaultdict(set)  # keys of every symbol
        # Each part and table of which there are streams: its session, and its channel.
        self._parts: dict[tuple[int, str], tuple[int, str]] = {}
        self._divided: dict[tuple[int, str], Mapping[str, int]] = {}  # by session and table

    def __iter__(self) -> Iterator[StreamState]:
        return iter(self._all.values())

    def divide(self, session: int, table: str, parts: Mapping[str, int]) -> None:
        """Know the rows of a session by channel too; see `StreamGaps.divide`."""
        self._divided[session, table] = dict(parts)
        self._rows[table].divide(
            self._first + session, {name: self._first + part for name, part in parts.items()}
        )

    def add(
        self, session: int, table: str, symbol: str, key: str, channel: str = ""
    ) -> StreamState | None:
        """Note a stream, and the subscription that feeds it.

        Returns
        -------
        StreamState or None
            None where the symbol is `*`.
        """
        divided = self._divided.get((session, table))
        part = session if divided is None else divided[channel]
        self._parts[part, table] = (session, "" if divided is None else channel)
        if symbol == EVERY:
            self._wild[part, table].add(key)
            for stream in self._of_part.setdefault((part, table), []):
                self._feed(stream, key)
            return None
        stream = self._stream(part, table, symbol)
        self._feed(stream, key)
        return stream

    def _stream(self, part: int, table: str, symbol: str) -> StreamState:
        stream = self._all.get((part, table, symbol))
        if stream is None:
            session, channel = self._parts[part, table]
            code = self._symbols.code(symbol)
            stream = StreamState(table, symbol, code, session, part, channel)
            self._all[part, table, symbol] = stream
            self._of_part.setdefault((part, table), []).append(stream)
            self._of_name.setdefault((table, symbol), []).append(stream)
            for key in self._wild.get((part, table), ()):
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
        return [
            stream
            for (part, table), (owner, _) in self._parts.items()
            if owner == session
            for stream in self.of_part(part, table)
        ]

    def of_part(self, part: int, table: str) -> list[StreamState]:
        """Give the streams of a part in a table, as `of_session`."""
        if (part, table) in self._wild:
            states = self._rows[table].states(self._first + part)
            for code in (states["n_rows"] > 0).nonzero()[0].tolist():
                self._stream(part, table, self._symbols.value(code))
        return [*self._of_part.get((part, table), ())]

    def of_name(self, table: str, symbol: str) -> Sequence[StreamState]:
        """Give the streams of a symbol in a table: of several sessions or channels, each."""
        return self._of_name.get((table, symbol), ())

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
        """Give every part and table of which there are streams."""
        return [*self._parts]

    def of_code(self, part: int, table: str, code: int) -> StreamState | None:
        """Give the stream of a symbol's code; None where it is no stream of the source."""
        symbol = self._symbols.value(code)
        if (part, table) in self._wild:
            return self._stream(part, table, symbol)
        return self._all.get((part, table, symbol))

    def states(self, part: int, table: str) -> npt.NDArray[Any]:
        """Give all that a ring has had of a part; see `ring.Streams.states`."""
        return self._rows[table].states(self._first + part)

    def longest(self, part: int, table: str) -> tuple[int, int, int]:
        """Give rows and longest silences of a part in a table; see `ring.Streams.longest`."""
        return self._rows[table].longest(self._first + part)

    def learn(self, part: int, table: str, limits: npt.NDArray[np.int64]) -> None:
        """Set what too long a silence is; see `ring.Streams.learn`."""
        self._rows[table].learn(self._first + part, limits)

    def take_silences(self, part: int, table: str) -> list[Silence]:
        """Give the silences that were too long; see `ring.Streams.take_silences`."""
        return self._rows[table].take_silences(self._first + part)

    def channels(self, stream: StreamState) -> frozenset[str]:
        """Give the channels that feed a stream; none where one of every symbol may feed it too."""
        is_wild = (stream.part, stream.table) in self._wild
        return frozenset() if is_wild else frozenset(stream.channels)

    def rows(self, stream: StreamState) -> Stream | None:
        """Give what its ring has had of a stream; None where that is nothing."""
        return self._rows[stream.table].get(self._first + stream.part, stream.code)

    def mark(self, stream: StreamState, after_conn: int) -> None:
        """Let the next row of a stream be the first one; see `ring.Streams.mark`."""
        self._rows[stream.table].mark(self._first + stream.part, stream.code, after_conn)

    def expect(self, stream: StreamState, event_from_ns: int, mono_to_ns: int) -> None:
        """Let the rows of a hole be counted; see `ring.Streams.expect`."""
        self._rows[stream.table].expect(
            self._first + stream.part, stream.code, event_from_ns, mono_to_ns
        )

    def delivered(self) -> set[tuple[str, str]]:
        """Give table and symbol of every stream that has had a row, on any session."""
        found: set[tuple[str, str]] = set()
        for part in {part for part, _ in self._parts}:
            for table in self._rows:
                codes = (self.states(part, table)["n_rows"] > 0).nonzero()[0].tolist()
                found.update((table, self._symbols.value(code)) for code in codes)
        return found
