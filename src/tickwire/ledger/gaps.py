"""A gap: an interval in which rows of a table may be missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

OPEN = "open"
CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something happened; empty where it concerns all.

    Parameters
    ----------
    venue, symbol
        By name.
    conn
        The connection's number.
    """

    venue: str | None = None
    symbol: str | None = None
    conn: int | None = None

    def known(self) -> dict[str, str | int]:
        """Give what is known, for a log line."""
        every = {"venue": self.venue, "symbol": self.symbol, "conn": self.conn}
        return {key: value for key, value in every.items() if value is not None}


class Moment(NamedTuple):
    """A time by every clock; ns.

    Parameters
    ----------
    recv_ns
        The receive clock: wall time.
    event_ns
        The venue's; None where no row has told it.
    mono_ns
        The monotonic clock.
    """

    recv_ns: int
    event_ns: int | None
    mono_ns: int


class Position(NamedTuple):
    """Up to where a stream is known, for the next run.

    Parameters
    ----------
    recv_ns, event_ns
        The last row, or where the last gap has ended.
    gap_id, reason
        Of the gap that is open; None where none is.
    ids
        Channels of trades and their greatest ids, where trades can be had by id.
    """

    recv_ns: int
    event_ns: int | None
    gap_id: int | None = None
    reason: str | None = None
    ids: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class Gap:
    """One gap. Times are ns since the epoch; None where they are not known.

    Parameters
    ----------
    gap_id
        Unique for the feed, over restarts too.
    table
        Whose rows are missing.
    reason
        One of `tickwire.ledger.reasons`.
    place
        Venue, symbol, connection.
    start_ns, end_ns
        Receive times; no end while it is open.
    event_start_ns, event_end_ns
        The venue's times.
    lost
        How many rows.
    recovered
        How many of them came after all.
    consumer
        The one that lost them, where the others did not.
    detail
        For a person.
    left_start_ns, left_end_ns
        Where `recovered` is known: the part in which rows may be missing still; None: none is.
    start_mono_ns
        Its start by the monotonic clock, which decides how long it is.
    channels
        Those that feed the stream, as the configuration names them; empty: not known.
    """

    gap_id: int
    table: str
    reason: str
    place: Place
    start_ns: int
    end_ns: int | None = None
    event_start_ns: int | None = None
    event_end_ns: int | None = None
    lost: int | None = None
    recovered: int | None = None
    consumer: str | None = None
    detail: str | None = None
    left_start_ns: int | None = None
    left_end_ns: int | None = None
    start_mono_ns: int = 0
    channels: frozenset[str] = frozenset()

    @property
    def state(self) -> str:
        """`open` or `closed`."""
        return OPEN if self.end_ns is None else CLOSED

    @property
    def seconds(self) -> float:
        """From its start to its end; 0 while it is open."""
        return 0.0 if self.end_ns is None else (self.end_ns - self.start_ns) / 1e9
