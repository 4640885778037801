"""The gaps of books that need a snapshot: they wait for it, break, and end with their splice."""

from __future__ import annotations

from tickwire.ledger.gaps import Moment
from tickwire.ledger.index import StreamState
from tickwire.ledger.open_gaps import OpenGaps
from tickwire.ledger.reasons import SEQUENCE, WAITING_FOR_SNAPSHOT

# A book that has its snapshot sooner after the start than this has no gap: nothing came before.
FIRST_SNAPSHOT_NS = 1_000_000_000


class BookGaps:
    """Opens and ends the gaps of a source's spliced books.

    Parameters
    ----------
    gaps
        The open gaps of the source.
    """

    def __init__(self, gaps: OpenGaps) -> None:
        self._gaps = gaps
        self._books: dict[str, StreamState] = {}
        self._waiting: dict[StreamState, None] = {}

    @property
    def has_waiting(self) -> bool:
        """Whether a book waits for its first snapshot."""
        return bool(self._waiting)

    def add(self, stream: StreamState) -> None:
        """Note a book that needs a snapshot."""
        stream.is_spliced = True
        self._books[stream.symbol] = stream

    def acknowledged(self, stream: StreamState, now: Moment) -> None:
        """Note that a book's changes come: from now on it waits for its snapshot.

        A chain that broke is missing up to its snapshot, though the book is asked for again.
        """
        if stream.gap is None:
            stream.since = now
            if stream.spliced_conn != self._gaps.index.conns.get(stream.session):
                self._wait(stream, now)
        elif stream.gap.reason not in (SEQUENCE, WAITING_FOR_SNAPSHOT):
            self._gaps.close(stream, now)
            self._gaps.open(stream, WAITING_FOR_SNAPSHOT)

    def broken(
        self,
        symbol: str,
        lost: int | None,
        since_ns: int | None = None,
        detail: str | None = None,
    ) -> None:
        """Note that a book's chain has a hole.

        Parameters
        ----------
        symbol
            Whose.
        lost
            Of how many ids or messages, where they tell.
        since_ns
            When the last message before it was received; wall time. Left out: its last row.
        detail
            For a person.
        """
        stream = self._books[symbol]
        stream.spliced_conn = -1
        # Not `last_good`: where what was held has the hole, its last row came before the snapshot.
        last = self._gaps.last_row(stream)
        start = last if since_ns is None else self._gaps.moment_of(since_ns)
        self._gaps.open(stream, SEQUENCE, start=start, lost=lost, detail=detail)

    def waits(self, symbol: str, failure: str | None = None) -> None:
        """Note that a book waits for its snapshot, or that it could not be had."""
        stream = self._books[symbol]
        if stream.gap is not None:
            return
        if stream.waits_since is None:
            self._wait(stream, self._gaps.ledger.now())
        if failure is not None:
            self._gaps.open(stream, WAITING_FOR_SNAPSHOT, start=stream.waits_since, detail=failure)

    def _wait(self, stream: StreamState, since: Moment) -> None:
        stream.waits_since = since
        self._waiting[stream] = None

    def spliced(self, symbol: str, ts_recv_ns: int) -> None:
        """Note that a book has its snapshot, received at that time."""
        stream = self._books[symbol]
        stream.spliced_conn = self._gaps.index.conns.get(stream.session, -1)
        end = self._gaps.moment_of(ts_recv_ns)
        if stream.gap is not None:
            self._gaps.close(stream, end)
        stream.since = end
        stream.waits_since = None
        self._waiting.pop(stream, None)

    def look(self, *, is_last: bool = False) -> None:
        """Open the gaps of books that have waited for longer than a first snapshot takes."""
        now_ns = self._gaps.ledger.monotonic() if self._waiting else 0
        for stream in tuple(self._waiting):
            since = stream.waits_since
            if since is None:
                del self._waiting[stream]  # another gap says so
            elif is_last or now_ns - since.mono_ns >= FIRST_SNAPSHOT_NS:
                del self._waiting[stream]
                self._gaps.open(stream, WAITING_FOR_SNAPSHOT, start=since)
