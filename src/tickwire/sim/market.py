"""A seeded synthetic market: books that orders and trades move, the same for the same seed.

Rules of this file
------------------
- `Market.step` makes one event of one symbol: an order that joins or leaves, or a taker that trades
  at the touch. The same (venue, symbols, seed) gives the same events; only their times are the
  clock's.
- A book never crosses and neither side is ever empty. Both sides keep their best level last: a key
  is the price for bids and its negative for asks, so that one code serves both.
- Numbers are ticks and lots, integers. Text is made by `Instrument`, where a message is rendered.
"""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from random import Random

from tickwire.sim.instruments import BINANCE, BINANCE_USDM, Instrument, instrument

LEVELS_START = 200
LEVELS_MIN = 120
LEVELS_MAX = 400
TYPICAL_DISTANCE = (
    6.5  # of an order from the touch, in ticks when it joins, in levels when it leaves
)
TRADES_KEPT = 50
# Where the venue's REST gives them by id: of all symbols together, and at least of each. A trade
# takes about 250 bytes.
TRADES_KEPT_FOR_REST = 100_000
LEAST_TRADES_FOR_REST = 2_000
WARM_UP_EVENTS = 64
# Multiplied with a counter modulo 2**50: every trade id once, in no visible order.
_TRADE_ID_STEP = 0x2545F4914F6CD
_TRADE_ID_MASK = (1 << 50) - 1


def wall_ms() -> int:
    """Wall clock in ms since the epoch."""
    return time.time_ns() // 1_000_000


class Side:
    """One side of a book.

    Parameters
    ----------
    sign
        1 for bids, -1 for asks: key = sign * price.
    """

    __slots__ = ("keys", "lots", "orders", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.lots: dict[int, int] = {}
        self.orders: dict[int, int] = {}

    @property
    def best(self) -> int:
        """The best price, in ticks."""
        return self.sign * self.keys[-1]

    def add(self, key: int, lots: int) -> None:
        """Let an order of `lots` join the level."""
        if key in self.lots:
            self.lots[key] += lots
            self.orders[key] += 1
        else:
            insort(self.keys, key)
            self.lots[key] = lots
            self.orders[key] = 1

    def copy(self) -> Side:
        """Give a side that stays as this one is now."""
        other = Side(self.sign)
        other.keys, other.lots, other.orders = [*self.keys], {**self.lots}, {**self.orders}
        return other

    def take(self, key: int, lots: int) -> None:
        """Take `lots` from the level; a level without lots is gone."""
        left = self.lots[key] - lots
        if left > 0:
            self.lots[key] = left
            self.orders[key] = max(1, self.orders[key] - 1)
        else:
            del self.keys[bisect_left(self.keys, key)]
            del self.lots[key], self.orders[key]

    def top(self, n_levels: int) -> list[tuple[int, int, int]]:
        """Return the best levels, best first: (price in ticks, lots, orders)."""
        sign, lots, orders = self.sign, self.lots, self.orders
        return [(sign * key, lots[key], orders[key]) for key in self.keys[: -n_levels - 1 : -1]]


@dataclass(slots=True)
class Trade:
    """One print.

    Parameters
    ----------
    number
        Counts the trades of its symbol up from 1.
    trade_id
        Unique in the whole market; with `stamp`, ns since the epoch.
    is_buy
        Whether the taker bought.
    ticks, lots
        Price and size.
    time_ms
        When.
    entropy
        256 random bits, for hashes and addresses.
    aggregate
        Counts what takers traded at one price, up from 1, of its symbol.
    """

    number: int
    trade_id: int
    is_buy: bool
    ticks: int
    lots: int
    time_ms: int
    entropy: int
    aggregate: int


class Symbol:
    """The state of one symbol's market."""

    __slots__ = (
        "asks", "bids", "delivered", "instrument", "level_texts", "n_aggregates", "n_events",
        "n_trades", "name", "notional", "recent", "update_id", "volume_lots",
    )  # fmt: skip

    def __init__(
        self, instrument: Instrument, update_id: int, trades_kept: int = TRADES_KEPT
    ) -> None:
        self.instrument = instrument
        self.name = instrument.symbol
        self.bids = Side(1)
        self.asks = Side(-1)
        self.update_id = update_id
        self.n_events = 0
        self.n_trades = 0
        self.n_aggregates = 0
        # Number of the newest trade that was sent to anybody: what comes up to it is repeated.
        self.delivered = 0
        # The exchange's: (ticks, lots, orders) to how it writes them.
        self.level_texts: dict[tuple[int, int, int], str] = {}
        self.volume_lots = 0
        self.notional = 0
        self.recent: deque[Trade] = deque(maxlen=trades_kept)

    def copy(self) -> Symbol:
        """Give a symbol whose book and trades stay as this one's are now."""
        other = Symbol(self.instrument, self.update_id)
        other.bids, other.asks = self.bids.copy(), self.asks.copy()
        other.recent = self.recent.copy()
        return other

    @property
    def mid_half_ticks(self) -> int:
        """Twice the middle price, so that it stays an integer."""
        return self.bids.best + self.asks.best

    @property
    def last_ticks(self) -> int:
        """The last price traded, or the best bid before there was one."""
        return self.recent[-1].ticks if self.recent else self.bids.best


@dataclass(slots=True)
class Event:
    """What one step changed.

    Parameters
    ----------
    symbol
        Whose market moved.
    time_ms
        When.
    trades
        The prints, in order; all of one taker.
    changed_bids, changed_asks
        Prices (ticks) whose level is not what it was.
    touch_moved
        Whether the best price or size of a side changed.
    first_id
        Update id of its first change; the last one's is the symbol's `update_id`.
    """

    symbol: Symbol
    time_ms: int
    trades: list[Trade]
    changed_bids: list[int]
    changed_asks: list[int]
    touch_moved: bool
    first_id: int


class Market:
    """All symbols of one venue.

    Parameters
    ----------
    venue
        One of `tickwire.sim.instruments.VENUES`.
    symbols
        The venue's own; earlier ones are busier.
    seed
        Of everything that is random.
    stamp
        Trade ids are the wall clock in ns at the moment of the trade, one more where equal.
    clock_ms
        Time of the events.
    """

    def __init__(
        self,
        venue: str,
        symbols: Sequence[str],
        seed: int = 0,
        *,
        stamp: bool = False,
        clock_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._rng = Random(f"{venue}/{seed}")  # noqa: S311 - a market, not a secret
        self._random = self._rng.random
        self.clock_ms = clock_ms
        self.stamp = stamp
        kept = TRADES_KEPT
        if venue in BINANCE:
            kept = max(LEAST_TRADES_FOR_REST, TRADES_KEPT_FOR_REST // max(1, len(symbols)))
        self._largest_gap = 40 if venue in (*BINANCE_USDM, "binance-coinm") else 0
        self._n_trades = self._rng.getrandbits(20)
        self._last_stamp = 0
        self.symbols: dict[str, Symbol] = {}
        for name in symbols:
            first_id = 10**9 + self._rng.getrandbits(30)
            symbol = Symbol(instrument(venue, name), first_id, kept)
            self._fill(symbol)
            self.symbols[name] = symbol
        self._order = list(self.symbols.values())
        for _ in range(WARM_UP_EVENTS * len(self._order)):
            self.step()
        if stamp:
            # A stamp must be the time of sending, and these were never sent.
            for symbol in self._order:
                symbol.recent.clear()

    def step(self) -> Event:
        """Make the next event."""
        random = self._random
        # Squared: the first symbols are the busy ones, as on a real venue.
        symbol = self._order[int(len(self._order) * random() ** 2)]
        bids, asks = symbol.bids, symbol.asks
        best_bid, best_ask = bids.keys[-1], asks.keys[-1]
        before = (best_bid, bids.lots[best_bid], best_ask, asks.lots[best_ask])
        # The ids of other books come between, where the venue counts all of them together.
        gap = int(random() * self._largest_gap)
        first_id = symbol.update_id + gap + 1
        event = Event(symbol, self.clock_ms(), [], [], [], False, first_id)
        draw = random()
        if draw < 0.25:
            self._trade(symbol, event)
        elif draw < 0.7:
            self._join(symbol, event)
        else:
            self._leave(symbol, event)
        if not (
            LEVELS_MIN <= len(bids.keys) <= LEVELS_MAX
            and LEVELS_MIN <= len(asks.keys) <= LEVELS_MAX
        ):
            self._keep_depth(symbol, event)
        symbol.n_events += 1
        symbol.update_id += gap + len(event.changed_bids) + len(event.changed_asks)
        best_bid, best_ask = bids.keys[-1], asks.keys[-1]
        event.touch_moved = before != (best_bid, bids.lots[best_bid], best_ask, asks.lots[best_ask])
        return event

    def _fill(self, symbol: Symbol) -> None:
        start = symbol.instrument.start_ticks
        for side, first in ((symbol.bids, start), (symbol.asks, -start - 1)):
            key = first
            for _ in range(LEVELS_START):
                side.add(key, self._lots(symbol))
                side.orders[key] = 1 + int(self._random() * 8)
                key -= 1 + int(self._random() ** 3 * 4)

    def _lots(self, symbol: Symbol) -> int:
        # Exponential: 1 - random() is never 0.
        return 1 - int(log(1.0 - self._random()) * symbol.instrument.typical_lots)

    def _side(self, symbol: Symbol, event: Event, is_bid: bool) -> tuple[Side, list[int]]:
        if is_bid:
            return symbol.bids, event.changed_bids
        return symbol.asks, event.changed_asks

    def _trade(self, symbol: Symbol, event: Event) -> None:
        start = symbol.instrument.start_ticks
        # Pulled back gently towards its start, so that a long run stays near it.
        is_buy = self._random() < 0.5 + 2.0 * (start - symbol.bids.best) / start
        side, changed = self._side(symbol, event, not is_buy)
        wanted = self._lots(symbol)
        for _ in range(3):
            key = side.keys[-1]
            filled = min(wanted, side.lots[key])
            parts = [filled]
            if filled > 1 and side.orders[key] > 1 and self._random() < 0.3:
                first = 1 + int(self._random() * (filled - 1))
                parts = [first, filled - first]
            symbol.n_aggregates += 1
            for lots in parts:
                self._print(symbol, event, is_buy, side.sign * key, lots)
            side.take(key, filled)
            changed.append(side.sign * key)
            wanted -= filled
            if not wanted:
                break

    def _print(self, symbol: Symbol, event: Event, is_buy: bool, ticks: int, lots: int) -> None:
        self._n_trades += 1
        symbol.n_trades += 1
        if self.stamp:
            trade_id = max(time.time_ns(), self._last_stamp + 1)
            self._last_stamp = trade_id
        else:
            trade_id = self._n_trades * _TRADE_ID_STEP & _TRADE_ID_MASK
        entropy = self._rng.getrandbits(256)
        trade = Trade(
            symbol.n_trades, trade_id, is_buy, ticks, lots, event.time_ms, entropy,
            symbol.n_aggregates,
        )  # fmt: skip
        symbol.volume_lots += lots
        symbol.notional += lots * ticks
        symbol.recent.append(trade)
        event.trades.append(trade)

    def _join(self, symbol: Symbol, event: Event) -> None:
        is_bid = self._random() < 0.5
        side, changed = self._side(symbol, event, is_bid)
        spread = symbol.asks.best - symbol.bids.best
        if spread > 1 and self._random() < 0.75:
            key = side.keys[-1] + 1 + int(self._random() * min(spread - 1, 8))
        else:
            key = side.keys[-1] + int(log(1.0 - self._random()) * TYPICAL_DISTANCE)
        side.add(key, self._lots(symbol))
        changed.append(side.sign * key)

    def _leave(self, symbol: Symbol, event: Event) -> None:
        side, changed = self._side(symbol, event, self._random() < 0.5)
        nth = min(len(side.keys), 1 - int(log(1.0 - self._random()) * TYPICAL_DISTANCE))
        key = side.keys[-nth]
        share = 1.0 if side.orders[key] == 1 else self._random()
        side.take(key, max(1, int(side.lots[key] * share)))
        changed.append(side.sign * key)

    def _keep_depth(self, symbol: Symbol, event: Event) -> None:
        for is_bid in (True, False):
            side, changed = self._side(symbol, event, is_bid)
            if len(side.keys) < LEVELS_MIN:
                key = side.keys[0] - 1 - int(self._random() * 4)
                side.add(key, self._lots(symbol))
                changed.append(side.sign * key)
            elif len(side.keys) > LEVELS_MAX:
                key = side.keys[0]
                side.take(key, side.lots[key])
                changed.append(side.sign * key)
