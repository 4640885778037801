"""Candles that aggregate a symbol's trades."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from tickwire.sim.market import Trade

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
_MONDAY_MS = 4 * _DAY_MS  # 1970-01-05, the first Monday of the epoch
_FIXED_MS = {
    "1s": 1000,
    **{f"{n}m": n * _MINUTE_MS for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * _HOUR_MS for n in (1, 2, 4, 6, 8, 12)},
    "1d": _DAY_MS,
    "3d": 3 * _DAY_MS,
    "1w": 7 * _DAY_MS,
}
INTERVALS = (*_FIXED_MS, "1M")


def bounds_ms(interval: str, time_ms: int) -> tuple[int, int]:
    """First and last ms of the candle that holds `time_ms`."""
    if interval == "1M":
        day = datetime.fromtimestamp(time_ms // 1000, UTC)
        first = datetime(day.year, day.month, 1, tzinfo=UTC)
        after = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
        return int(first.timestamp()) * 1000, int(after.timestamp()) * 1000 - 1
    length = _FIXED_MS[interval]
    offset = _MONDAY_MS if interval == "1w" else 0
    start = (time_ms - offset) // length * length + offset
    return start, start + length - 1


@dataclass(slots=True)
class Candle:
    """One candle, in ticks and lots."""

    interval: str
    open_ms: int
    close_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int = 0
    notional: int = 0
    taker_lots: int = 0
    taker_notional: int = 0
    n_trades: int = 0
    first_number: int = -1
    last_number: int = -1


@dataclass(slots=True)
class Candles:
    """The running candle of one symbol and interval.

    Parameters
    ----------
    interval
        One of `INTERVALS`.
    running
        The candle that trades are added to; None before the first.
    """

    interval: str
    running: Candle | None = field(default=None)

    def add(self, trade: Trade) -> Candle | None:
        """Take a trade; returns the candle that it closed, if it did."""
        closed = None
        candle = self.running
        if candle is None or trade.time_ms > candle.close_ms:
            closed = candle
            first, last = bounds_ms(self.interval, trade.time_ms)
            ticks = trade.ticks
            candle = Candle(self.interval, first, last, ticks, ticks, ticks, ticks)
            candle.first_number = trade.number
            self.running = candle
        candle.high = max(candle.high, trade.ticks)
        candle.low = min(candle.low, trade.ticks)
        candle.close = trade.ticks
        candle.lots += trade.lots
        candle.notional += trade.lots * trade.ticks
        if trade.is_buy:
            candle.taker_lots += trade.lots
            candle.taker_notional += trade.lots * trade.ticks
        candle.n_trades += 1
        candle.last_number = trade.number
        return closed
