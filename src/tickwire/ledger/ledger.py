"""The feed's own rows: what was lost (gaps) and what happened to connections (sessions).

Rules of this file
------------------
- A gap that opens is a row, and so is its end, with the same id: the last row of an id counts. What
  is only known when it is over is one row, closed.
- A row that finds its ring full waits here, bounded, and is offered again: nothing ever blocks.
- A gap is logged too, so that a person at the terminal sees what the table will say.
- Where the wall clock is set during a gap, its end is its start and how long it was by the
  monotonic clock; else it is the time of the first row after it, or of what else ends it.
- Who follows gaps (`follow`) is called when one opens and when it ends, after its row is written.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from tickwire.clock import mono_ns, wall_ns
from tickwire.ledger.gaps import Gap, Moment, Place
from tickwire.ledger.log import GapLog
from tickwire.ledger.reasons import REASONS
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.redaction import hidden
from tickwire.ring import Ring

MAX_WAITING = 4096
MAX_DETAIL = 4096  # characters
# Between two clocks: more is no noise, one of them was set. A clock that is slewed, not set, goes
# wrong by at most one part in 2,000.
STEP_NS = 1_000_000
SLEW = 1_000
# Both clocks are read within this time; where the machine does other things each time, the closest
# of so many readings counts.
APART_NS = 50_000
MOST_READS = 8

_log = get_logger("tickwire.ledger")


class Ledger:
    """Writes the tables gaps and sessions.

    Parameters
    ----------
    gaps, sessions
        Their rings.
    first_gap_id
        The number of the first gap.
    metrics
        Counts gaps, and rows that could not be written.

    Attributes
    ----------
    clock
        Gives ts_recv of its rows, ns since the epoch; a replay sets it to the capture's time.
    monotonic
        Measures how long gaps are, ns; a replay sets it likewise.
    replays
        Both are the capture's time.
    next_gap_id
        The number that the next gap will have.
    """

    def __init__(
        self,
        gaps: Ring,
        sessions: Ring,
        *,
        first_gap_id: int = 0,
        metrics: Metrics | None = None,
    ) -> None:
        self.clock: Callable[[], int] = wall_ns
        self.monotonic: Callable[[], int] = mono_ns
        self.replays = False
        self.next_gap_id = first_gap_id
        self._gaps = gaps
        self._sessions = sessions
        self._metrics = Metrics() if metrics is None else metrics
        self._waiting: deque[tuple[Ring, dict[str, Any]]] = deque()
        self._awaited: dict[int, Ring] = {}  # whose room is waited for
        self._gap_log = GapLog("gap")
        self._open_log = GapLog("gap open")
        self._followers: list[Callable[[Gap], None]] = []

    def replay_at(self, clock: Callable[[], int]) -> None:
        """Take a capture's time for all clocks."""
        self.clock = self.monotonic = clock
        self.replays = True

    def follow(self, callback: Callable[[Gap], None]) -> Callable[[], None]:
        """Have `callback` called with each gap that opens, and again when it ends.

        Parameters
        ----------
        callback
            Must be short and must not raise: it is called where a connection's end is handled.

        Returns
        -------
        callable
            Ends it.
        """
        self._followers.append(callback)
        return lambda: self._followers.remove(callback) if callback in self._followers else None

    def now(self) -> Moment:
        """Give this moment.

        Where the machine did other things between the two clocks, they are read again: a gap has
        its begin by one and its length by the other, and would end before its first good row.
        """
        best = Moment(0, None, 0)
        least_ns = -1
        for _ in range(MOST_READS):
            before_ns = self.monotonic()
            recv_ns = self.clock()
            mono_ns = self.monotonic()
            if least_ns < 0 or mono_ns - before_ns < least_ns:
                least_ns, best = mono_ns - before_ns, Moment(recv_ns, None, mono_ns)
            if least_ns <= APART_NS:
                break
        return best

    def mono_of(self, recv_ns: int) -> int:
        """Give when something was received, not long ago, by the monotonic clock."""
        now = self.now()
        return now.mono_ns - max(0, now.recv_ns - recv_ns)

    def open(
        self,
        table: str,
        reason: str,
        start_ns: int,
        place: Place,
        *,
        event_start_ns: int | None = None,
        start_mono_ns: int | None = None,
        lost: int | None = None,
        consumer: str | None = None,
        detail: str | None = None,
        gap_id: int | None = None,
        channels: frozenset[str] = frozenset(),
    ) -> Gap:
        """Write that rows of a table are missing from now on.

        Parameters
        ----------
        table, reason, place, lost, consumer, detail, channels
            As in `Gap`.
        start_ns, event_start_ns
            The last row before it, by the receive clock and by the venue's.
        start_mono_ns
            The same by the monotonic clock, where it is known.
        gap_id
            Of the gap of an earlier run that is open still, which goes on.

        Returns
        -------
        Gap
            For `close`.

        Raises
        ------
        ValueError
            There is no such reason.
        """
        gap = self._gap(
            table,
            reason,
            start_ns,
            place,
            event_start_ns=event_start_ns,
            lost=lost,
            consumer=consumer,
            detail=detail,
            channels=channels,
        )
        if start_mono_ns is not None:
            gap.start_mono_ns = start_mono_ns
        if gap_id is not None:
            gap.gap_id = gap_id
            self.next_gap_id -= 1
        self._metrics.gauge("gaps_open", table=table, reason=reason).add()
        self._open_log.add(gap)
        self._write_gap(gap)
        return gap

    def close(
        self,
        gap: Gap,
        end_ns: int,
        *,
        event_end_ns: int | None = None,
        end_mono_ns: int | None = None,
        lost: int | None = None,
        recovered: int | None = None,
    ) -> None:
        """Write that an open gap has ended.

        Parameters
        ----------
        gap
            Given by `open`.
        end_ns, event_end_ns
            The first row after it, by the receive clock and by the venue's.
        end_mono_ns
            The same by the monotonic clock, where it is known.
        lost, recovered
            Where they are known only now.

        Raises
        ------
        ValueError
            It has ended before.
        """
        if gap.end_ns is not None:
            raise ValueError(f"gap {gap.gap_id} has ended before")
        self._metrics.gauge("gaps_open", table=gap.table, reason=gap.reason).add(-1)
        gap.lost = gap.lost if lost is None else lost
        gap.recovered = recovered
        if end_mono_ns is None:
            end_mono_ns = self.mono_of(end_ns)
        lasted_ns = max(0, end_mono_ns - gap.start_mono_ns)
        if abs(end_ns - gap.start_ns - lasted_ns) > max(STEP_NS, lasted_ns // SLEW):
            end_ns = gap.start_ns + lasted_ns
        self._end(gap, end_ns, event_end_ns)

    def recovered(self, gap: Gap, n_rows: int, left_ns: tuple[int, int] | None) -> None:
        """Write that rows of a gap that has ended came after all, as another closed row.

        Parameters
        ----------
        gap
            Which.
        n_rows
            How many; 0 where it has turned out that there were none.
        left_ns
            The part of it in which rows may be missing still, by the receive clock; None: none is.
        """
        gap.recovered = n_rows
        gap.left_start_ns, gap.left_end_ns = left_ns or (None, None)
        self._metrics.counter("recovered_rows", table=gap.table).add(n_rows)
        self._write_gap(gap)

    def record(
        self,
        table: str,
        reason: str,
        start_ns: int,
        end_ns: int,
        place: Place,
        *,
        lasted_ns: int = 0,
        event_start_ns: int | None = None,
        event_end_ns: int | None = None,
        lost: int | None = None,
        consumer: str | None = None,
        detail: str | None = None,
    ) -> Gap:
        """Write a gap that is over when it is noticed.

        Parameters
        ----------
        table, reason, place, lost, consumer, detail
            As in `Gap`.
        start_ns, end_ns
            From the last row before to the first row after, ns since the epoch.
        lasted_ns
            How long it was at least, by the monotonic clock.
        event_start_ns, event_end_ns
            The same rows by the venue's clock.
        """
        gap = self._gap(
            table,
            reason,
            start_ns,
            place,
            event_start_ns=event_start_ns,
            lost=lost,
            consumer=consumer,
            detail=detail,
        )
        self._end(gap, max(end_ns, start_ns + lasted_ns), event_end_ns)
        return gap

    def write_again(self, gap: Gap) -> None:
        """Write a gap of an earlier run that not every sink may have got, under its number."""
        self._write_gap(gap)

    def event(self, event: str, detail: str, place: Place, *, log: bool = False) -> None:
        """Write what happened to a connection.

        Parameters
        ----------
        event
            One word.
        detail
            A sentence, or empty.
        place
            Which connection.
        log
            Log it too; the session logs most of it itself.
        """
        detail = hidden(detail)
        if log:
            _log.warning(event, detail=detail, **place.known())
        self.write(
            self._sessions,
            {
                "venue": place.venue,
                "symbol": place.symbol,
                "conn": place.conn,
                "ts_recv": self.clock(),
                "event": event,
                "detail": detail[:MAX_DETAIL],
            },
        )

    @property
    def n_waiting(self) -> int:
        """Rows that have found their ring full so far."""
        return len(self._waiting)

    @property
    def n_gap_rows(self) -> int:
        """Rows of gaps so far, those that have found their ring full with them."""
        return self._gaps.published + sum(ring is self._gaps for ring, _ in self._waiting)

    def housekeeping(self) -> None:
        """Offer again what found its ring full, and log the sums that are due."""
        self.offer()
        self._open_log.flush()
        self._gap_log.flush()

    def offer(self) -> bool:
        """Offer again what found its ring full; whether none of it waits any more."""
        while self._waiting:
            ring, values = self._waiting[0]
            if not ring.append(**values):
                return False
            self._waiting.popleft()
        return True

    def wait_for_room(self, callback: Callable[[], object]) -> bool:
        """Have `callback` called once where the first row that waits fits; see `Ring`."""
        ring = self._waiting[0][0] if self._waiting else self._gaps
        self._awaited[id(ring)] = ring
        return ring.wait_for_room(callback)

    def forget_room(self, callback: Callable[[], object]) -> None:
        """Take that back."""
        for ring in self._awaited.values():
            ring.forget_room(callback)
        self._awaited.clear()

    def end(self) -> None:
        """Log every sum, count what still waits as dropped: the feed ends."""
        self._open_log.flush(everything=True)
        self._gap_log.flush(everything=True)
        dropped = Counter(ring.table.name for ring, _ in self._waiting)
        self._waiting.clear()
        for table, n_rows in dropped.items():
            self._metrics.counter("system_rows_dropped", table=table).add(n_rows)
            _log.error("rows dropped: their ring stayed full", table=table, rows=n_rows)

    def _gap(self, table: str, reason: str, start_ns: int, place: Place, **known: Any) -> Gap:
        if reason not in REASONS:
            raise ValueError(f"{reason!r} is no reason of a gap: one of {', '.join(REASONS)}")
        if known.get("detail"):
            known["detail"] = hidden(known["detail"])[:MAX_DETAIL]
        gap = Gap(
            self.next_gap_id,
            table,
            reason,
            place,
            start_ns,
            start_mono_ns=self.mono_of(start_ns),
            **known,
        )
        self.next_gap_id += 1
        self._metrics.counter("gaps", table=table, reason=reason).add()
        return gap

    def _end(self, gap: Gap, end_ns: int, event_end_ns: int | None) -> None:
        gap.end_ns = max(gap.start_ns, end_ns)
        gap.event_end_ns = event_end_ns
        self._gap_log.add(gap)
        self._write_gap(gap)

    def _write_gap(self, gap: Gap) -> None:
        self.write(
            self._gaps,
            {
                "venue": gap.place.venue,
                "symbol": gap.place.symbol,
                "conn": gap.place.conn,
                "ts_recv": self.clock(),
                "gap_id": gap.gap_id,
                "table_name": gap.table,
                "reason": gap.reason,
                "state": gap.state,
                "ts_start": gap.start_ns,
                "ts_end": gap.end_ns,
                "ts_event_start": gap.event_start_ns,
                "ts_event_end": gap.event_end_ns,
                "lost": gap.lost,
                "recovered": gap.recovered,
                "consumer": gap.consumer,
                "detail": gap.detail,
                "ts_left_start": gap.left_start_ns,
                "ts_left_end": gap.left_end_ns,
            },
        )
        for follower in tuple(self._followers):
            follower(gap)

    def write(self, ring: Ring, values: dict[str, Any]) -> None:
        """Write a row of the feed's own; it waits here where its ring is full.

        Parameters
        ----------
        ring
            Of its table.
        values
            As for `Ring.append`.
        """
        if self._waiting or not ring.append(**values):
            if len(self._waiting) == MAX_WAITING:
                oldest, _ = self._waiting.popleft()
                self._metrics.counter("system_rows_dropped", table=oldest.table.name).add()
            self._waiting.append((ring, values))
