"""What a ring has had of one stream: a symbol of a session; and its silences."""

from __future__ import annotations

from typing import NamedTuple

TIMELY = ("trades", "quotes", "book")  # tables whose ts_event is when it happened


class Stream(NamedTuple):
    """Rows of one stream, as counted at one moment.

    Parameters
    ----------
    n_rows
        All so far.
    n_since_mark
        Those since the mark; all of them where none was set.
    conn
        The connection of the last row.
    last_recv_ns, last_event_ns, last_mono_ns
        The last row's ts_recv, ts_event (None where it has none) and time by the monotonic clock.
    first_recv_ns, first_event_ns, first_mono_ns
        Those of the first row since the mark; None before it has come.
    late_ns
        How much longer after its ts_event the last row was read than the quickest rows of late
        were, by the monotonic clock; 0 where it has none.
    n_recovered
        Rows since `expect` that happened within its hole.
    recovered_from_ns
        The ts_event of the oldest of them; None where there is none.
    """

    n_rows: int
    n_since_mark: int
    conn: int
    last_recv_ns: int
    last_event_ns: int | None
    last_mono_ns: int
    first_recv_ns: int | None
    first_event_ns: int | None
    first_mono_ns: int | None
    late_ns: int = 0
    n_recovered: int = 0
    recovered_from_ns: int | None = None


class Silence(NamedTuple):
    """Two rows of a stream, or of all streams of a session, with too long a silence between them.

    Parameters
    ----------
    code
        The symbol's; None: of all streams of the session.
    limit_ns
        It was longer than this.
    from_recv_ns, from_event_ns, from_mono_ns
        The row before it, as in `Stream`.
    to_recv_ns, to_event_ns, to_mono_ns
        The row after it.
    silent_ns
        How long it was.
    alone_ns
        How long without the pauses that its companions had too: the other streams of its session;
        those of all sessions, for a session.
    is_alone
        Whether the limit is one for that.
    from_due_ns, to_due_ns
        When the two rows could have been read, by the monotonic clock, as far as that was known
        when they came: a venue's clock that is set afterwards does not make them late.
    n_burst
        Rows that came within 20 ms of its end, where they have no ts_event.
    """

    code: int | None
    limit_ns: int
    from_recv_ns: int
    from_event_ns: int | None
    from_mono_ns: int
    to_recv_ns: int
    to_event_ns: int | None
    to_mono_ns: int
    silent_ns: int = 0
    alone_ns: int = 0
    is_alone: bool = False
    from_due_ns: int = 0
    to_due_ns: int = 0
    n_burst: int = 0
