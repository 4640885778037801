"""Consumers that lag a full ring: who stops the feed, and who loses rows.

Rules of this file
------------------
- Everything here runs in the loop's thread, which writes the rings; it looks a few times a second.
- The consumers that hold a ring's oldest rows are those that it waits for.
- A wait is one line in the log after a second, then one a minute; it is over when the ring has not
  waited for a second. What was dropped is a row of gaps for each consumer that lost it.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic

from tickwire.ledger import Ledger, Place
from tickwire.ledger.reasons import OVERFLOW
from tickwire.logs import get_logger
from tickwire.observe import Counter, Gauge, Metrics
from tickwire.ring import Loss, Ring
from tickwire.ring._attachment import Attachment

WARN_AFTER_S = 1.0
WARN_EVERY_S = 60.0
OVER_AFTER_S = 1.0
# A longer time between two looks says that the loop was late, not that a ring has waited.
LONGEST_LOOK_S = 1.0

_log = get_logger("tickwire.feed")


@dataclass(slots=True)
class _Watched:
    """One consumer of one table."""

    table: str
    name: str
    rows: Attachment
    blocked: Counter | None = None
    dropped: Counter | None = None
    depth: Gauge | None = None
    most: Gauge | None = None
    maxsize: int = 0
    waited_s: float = 0.0  # in this wait
    last_s: float = float("-inf")  # when it was last waited for
    warned_s: float = float("-inf")


class LagWatch:
    """Looks for the consumers that lag.

    Parameters
    ----------
    rings
        By table.
    ledger
        Gets a gap of each consumer that lost rows.
    metrics
        Counts seconds and rows by table and consumer.
    clock
        Monotonic, in seconds.
    """

    def __init__(
        self,
        rings: Mapping[str, Ring],
        ledger: Ledger,
        metrics: Metrics,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._rings = rings
        self._ledger = ledger
        self._metrics = metrics
        self._clock = clock
        self._looked_s = clock()
        self._watched: dict[str, list[_Watched]] = {table: [] for table in rings}
        self._held: dict[str, Callable[[], bool]] = {}
        self._n_dropped: Counts[tuple[str, str]] = Counts()  # by table and consumer

    def free_name(self, table: str) -> str:
        """Give a name that no consumer of the table has; names of closed ones are used again."""
        taken = {each.name for each in self._watched[table] if not each.rows.is_closed}
        return next(
            name
            for name in (f"batches-{number}" for number in range(1, len(taken) + 2))
            if name not in taken
        )

    def watch(self, table: str, name: str, rows: Attachment, maxsize: int = 0) -> None:
        """Look after a consumer until it is closed.

        Parameters
        ----------
        table, name
            Whose rows it takes, and what it is called.
        rows
            What reads the ring.
        maxsize
            A bound of its own; 0: the ring's.
        """
        self._watched[table].append(_Watched(table, name, rows, maxsize=maxsize))

    def watch_writer(self, table: str, is_held: Callable[[], bool]) -> None:
        """Look after a writer that may wait for more room than one row takes.

        Parameters
        ----------
        table
            Whose ring it writes.
        is_held
            Tells whether it waits.
        """
        self._held[table] = is_held

    def watch_depth(self, table: str, name: str) -> None:
        """Show how many rows wait for a consumer, and how many did at most."""
        for each in self._watched[table]:
            if each.name == name and not each.rows.is_closed:
                labels = {"table": table, "consumer": name}
                each.depth = self._metrics.gauge("consumer_waiting_rows", **labels)
                each.most = self._metrics.gauge("consumer_high_water_rows", **labels)

    def lost(self, table: str, name: str, loss: Loss) -> None:
        """Take note of rows that a consumer dropped at its own bound."""
        for each in self._watched[table]:
            if each.name == name and not each.rows.is_closed:
                self._note_loss(each, loss)

    def n_dropped(self, table: str, name: str) -> int:
        """Give how many rows of a table a consumer had lost at the last look; closed ones too."""
        return self._n_dropped[table, name]

    def look(self) -> None:
        """Count waits and losses since the last look; warn where one lasts."""
        now_s = self._clock()
        since_s = min(now_s - self._looked_s, LONGEST_LOOK_S)
        self._looked_s = now_s
        for table, watched in self._watched.items():
            has_closed = False
            for each in watched:
                if each.depth is not None and each.most is not None:
                    n_waiting = 0 if each.rows.is_closed else each.rows.available
                    each.depth.set(n_waiting)
                    n_most = int(each.rows.high_water * self._rings[table].capacity)
                    each.most.raise_to(max(n_waiting, n_most))
                if each.rows.is_closed:
                    has_closed = True
                elif (loss := each.rows.take_loss()) is not None:
                    self._note_loss(each, loss)
            if has_closed:
                watched[:] = [each for each in watched if not each.rows.is_closed]
            is_held = self._held.get(table)
            if self._rings[table].is_waited_for or (is_held is not None and is_held()):
                self._note_wait(watched, now_s, since_s)
            for each in watched:
                if each.waited_s and now_s - each.last_s >= OVER_AFTER_S:
                    self._end_wait(each)

    def _note_wait(self, watched: list[_Watched], now_s: float, since_s: float) -> None:
        held = {each.rows.holds for each in watched if not each.rows.may_drop}
        held.discard(-1)
        at_bound = [
            each for each in watched if each.maxsize and each.rows.available >= each.maxsize
        ]
        for each in watched:
            is_oldest = not each.rows.may_drop and each.rows.holds == min(held, default=-2)
            if each not in at_bound if at_bound else not is_oldest:
                continue
            if each.blocked is None:
                each.blocked = self._metrics.counter(
                    "consumer_blocked_seconds", table=each.table, consumer=each.name
                )
            each.blocked.add(int(since_s * 1e9))
            each.waited_s += since_s
            each.last_s = now_s
            if each.waited_s >= WARN_AFTER_S and now_s - each.warned_s >= WARN_EVERY_S:
                each.warned_s = now_s
                _log.warning(
                    "a consumer stops the feed: the ring is full of rows that it has not taken",
                    table=each.table,
                    consumer=each.name,
                    rows=each.rows.available,
                    blocked_s=round(each.waited_s, 1),
                )

    def _end_wait(self, each: _Watched) -> None:
        if each.warned_s > float("-inf"):
            _log.info(
                "the consumer takes rows again",
                table=each.table,
                consumer=each.name,
                blocked_s=round(each.waited_s, 1),
            )
        each.waited_s, each.warned_s = 0.0, float("-inf")

    def _note_loss(self, each: _Watched, loss: Loss) -> None:
        if each.dropped is None:
            each.dropped = self._metrics.counter(
                "consumer_dropped_rows", table=each.table, consumer=each.name
            )
        each.dropped.add(loss.n_rows)
        self._n_dropped[each.table, each.name] += loss.n_rows
        self._ledger.record(
            each.table,
            OVERFLOW,
            loss.ts_first_ns,
            loss.ts_last_ns,
            Place(),
            lost=loss.n_rows,
            consumer=each.name,
        )
