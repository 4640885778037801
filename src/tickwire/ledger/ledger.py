"""The feed's own rows: what was lost (gaps) and what happened to connections (sessions).

Rules of this file
------------------
- A gap that opens is a row, and so is its end, with the same id: the last row of an id counts. What
  is only known when it is over is one row, closed.
- A row that finds its ring full waits here, bounded, and is offered again: nothing ever blocks.
- A gap is logged too, so that a person at the terminal sees what the table will say.
- Where the wall clock is set back during a gap, its end is its start and how long it was by the
  monotonic clock; else it is the time of the first row after it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from tickwire.clock import mono_ns, wall_ns
from tickwire.ledger.gaps import Gap, Place
from tickwire.ledger.log import GapLog
from tickwire.ledger.reasons import REASONS
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.redaction import hidden
from tickwire.ring import Ring

MAX_WAITING = 4096
MAX_DETAIL = 4096  # characters
STEP_NS = 1_000_000  # between two clocks: more is no noise, one of them was set

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
        self.next_gap_id = first_gap_id
        self._gaps = gaps
        self._sessions = sessions
        self._metrics = Metrics() if metrics is None else metrics
        self._waiting: deque[tuple[Ring, dict[str, Any]]] = deque()
        self._gap_log = GapLog()

    def open(
        self,
        table: str,
        reason: str,
        start_ns: int,
        place: Place,
        *,
        event_start_ns: int | None = None,
        lost: int | None = None,
        consumer: str | None = None,
        detail: str | None = None,
    ) -> Gap:
        """Write that rows of a table are missing from now on.

        Parameters
        ----------
        table, reason, place, lost, consumer, detail
            As in `Gap`.
        start_ns, event_start_ns
            The last row before it, by the receive clock and by the venue's.

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
        )
        self._metrics.gauge("gaps_open", table=table, reason=reason).add()
        _log.info("gap open", gap_id=gap.gap_id, table=table, reason=reason, **place.known())
        self._write_gap(gap)
        return gap

    def close(
        self,
        gap: Gap,
        end_ns: int,
        *,
        event_end_ns: int | None = None,
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
        since_end_ns = max(0, self.clock() - end_ns)
        self._end(gap, end_ns, event_end_ns, self.monotonic() - gap.opened_mono_ns - since_end_ns)

    def record(
        self,
        table: str,
        reason: str,
        start_ns: int,
        end_ns: int,
        place: Place,
        *,
        lasted_ns: int = 0,
        lost: int | None = None,
        consumer: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Write a gap that is over when it is noticed.

        Parameters
        ----------
        table, reason, place, lost, consumer, detail
            As in `Gap`.
        start_ns, end_ns
            From the last row before to the first row after, ns since the epoch.
        lasted_ns
            How long it was at least, by the monotonic clock.
        """
        gap = self._gap(table, reason, start_ns, place, lost=lost, consumer=consumer, detail=detail)
        self._end(gap, end_ns, None, lasted_ns)

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
        self._write(
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

    def housekeeping(self) -> None:
        """Offer again what found its ring full, and log the sums that are due."""
        while self._waiting:
            ring, values = self._waiting[0]
            if not ring.append(**values):
                break
            self._waiting.popleft()
        self._gap_log.flush()

    def end(self) -> None:
        """Log every sum, count what still waits as dropped: the feed ends."""
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
            opened_mono_ns=self.monotonic(),
            **known,
        )
        self.next_gap_id += 1
        self._metrics.counter("gaps", table=table, reason=reason).add()
        return gap

    def _end(self, gap: Gap, end_ns: int, event_end_ns: int | None, lasted_ns: int) -> None:
        was_set_back = gap.start_ns + lasted_ns - end_ns > STEP_NS
        gap.end_ns = max(gap.start_ns, gap.start_ns + lasted_ns if was_set_back else end_ns)
        gap.event_end_ns = event_end_ns
        self._gap_log.add(gap)
        self._write_gap(gap)

    def _write_gap(self, gap: Gap) -> None:
        self._write(
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
            },
        )

    def _write(self, ring: Ring, values: dict[str, Any]) -> None:
        if self._waiting or not ring.append(**values):
            if len(self._waiting) == MAX_WAITING:
                oldest, _ = self._waiting.popleft()
                self._metrics.counter("system_rows_dropped", table=oldest.table.name).add()
            self._waiting.append((ring, values))
