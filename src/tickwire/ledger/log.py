"""Gaps in the log, without a flood.

Rules of this file
------------------
- The first gap of a table, reason, venue and connection is logged at once. Those that follow within
  a second, of whatever symbols, are summed: one line, when the second is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from tickwire.ledger.gaps import Gap, Place
from tickwire.logs import get_logger

LINE_EVERY_S = 1.0

_log = get_logger("tickwire.ledger")


@dataclass(slots=True)
class _Sum:
    """The gaps since the last line.

    Parameters
    ----------
    line_s
        When that was, monotonic.
    """

    line_s: float
    n_gaps: int = 0
    longest_s: float = 0.0
    lost: int | None = None
    symbols: set[str] = field(default_factory=set)

    def add(self, gap: Gap) -> None:
        self.n_gaps += 1
        self.longest_s = max(self.longest_s, gap.seconds)
        if gap.place.symbol is not None:
            self.symbols.add(gap.place.symbol)
        if gap.lost is not None:
            self.lost = (self.lost or 0) + gap.lost


class GapLog:
    """Logs gaps that have opened, or those that have ended.

    Parameters
    ----------
    event
        What the line says: `gap open`, or `gap`, which has its length and is a warning.
    clock
        Seconds, monotonic.
    """

    def __init__(self, event: str, clock: Callable[[], float] = monotonic) -> None:
        self._event = event
        self._clock = clock
        self._sums: dict[tuple[str, str, Place], _Sum] = {}

    def add(self, gap: Gap) -> None:
        """Log a gap, or add it to the next line."""
        key = (gap.table, gap.reason, Place(gap.place.venue, None, gap.place.conn))
        so_far = self._sums.get(key)
        if so_far is None:
            so_far = self._sums[key] = _Sum(self._clock())
            so_far.add(gap)
            self._write(key, so_far)
        else:
            so_far.add(gap)

    def flush(self, *, everything: bool = False) -> None:
        """Log the sums whose second is over, or all of them."""
        if not self._sums:
            return
        now_s = self._clock()
        for key, so_far in list(self._sums.items()):
            if everything or now_s - so_far.line_s >= LINE_EVERY_S:
                if so_far.n_gaps:
                    self._write(key, so_far)
                else:
                    del self._sums[key]

    def _write(self, key: tuple[str, str, Place], so_far: _Sum) -> None:
        table, reason, place = key
        known = place.known()
        if len(so_far.symbols) == 1:
            [known["symbol"]] = so_far.symbols
        elif so_far.symbols:
            known["symbols"] = len(so_far.symbols)
        if so_far.lost is not None:
            known["lost"] = so_far.lost
        if so_far.n_gaps != 1:
            known["gaps"] = so_far.n_gaps
        if self._event == "gap":
            _log.warning(
                "gap", table=table, reason=reason, seconds=round(so_far.longest_s, 3), **known
            )
        else:
            _log.info(self._event, table=table, reason=reason, **known)
        self._sums[key] = _Sum(self._clock())
