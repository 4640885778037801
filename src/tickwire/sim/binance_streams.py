"""Binance's streams: what each is called and what it says of an event.

Rules of this file
------------------
- A stream is named `<symbol>@<kind>`, or `!<kind>@arr` for all symbols. `parse` gives None for what
  the venue does not have; it acknowledges such a name all the same.
- Speeds are counted in events and not in ms, so that a seed gives the same messages at every rate.
- `T` is when it happened, `E` when it was sent, a ms later; key order is that of real messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from tickwire.sim.candles import INTERVALS, Candle, Candles
from tickwire.sim.instruments import BINANCE_SPOT
from tickwire.sim.market import Event, Symbol, Trade

TICKER_EVENTS = 20
MARK_EVENTS = 10
LIQUIDATION_TRADES = 25
FUNDING_MS = 8 * 3_600_000

_SPOT_SPEEDS = {"": 50, "@1000ms": 50, "@100ms": 5}
_FUTURES_SPEEDS = {"": 12, "@0ms": 1, "@100ms": 5, "@250ms": 12, "@500ms": 25}
_DEPTH = re.compile(r"depth(5|10|20)?(@\d+ms)?")
_FUTURES_KINDS = frozenset(("markPrice", "forceOrder"))
MARKET_SIDE = frozenset(("aggTrade", "kline", "ticker", "markPrice", "forceOrder"))


@dataclass(slots=True)
class Window:
    """Changes of a book since the last depth event of a stream.

    Parameters
    ----------
    previous_id
        Last update id of the event before.
    first_id
        Of the first change since; -1 while there is none.
    """

    previous_id: int
    first_id: int = -1
    bids: dict[int, None] = field(default_factory=dict)
    asks: dict[int, None] = field(default_factory=dict)


@dataclass(slots=True)
class Stream:
    """One stream that somebody is subscribed to.

    Parameters
    ----------
    name
        As subscribed.
    kind
        `trade`, `depth`, ...
    symbol
        Whose; None for all of them.
    every
        Events of the symbol from one message to the next, for those that have a speed.
    n_levels
        Of a partial book; 0 for changes.
    window, candles
        State of a depth or kline stream.
    """

    name: str
    kind: str
    symbol: Symbol | None
    every: int = 1
    n_levels: int = 0
    window: Window | None = None
    candles: Candles | None = None


def parse(name: str, symbols: Mapping[str, Symbol], *, is_spot: bool) -> Stream | None:
    """Find the stream of this name, or None where there is none."""
    if name.startswith("!"):
        kind = name[1:].partition("@")[0]
        endings = {"bookTicker": "", "ticker": "@arr", "markPrice": "@arr", "forceOrder": "@arr"}
        plain = name.removesuffix("@1s") if kind == "markPrice" else name
        if plain != f"!{kind}{endings.get(kind)}" or (is_spot and kind in _FUTURES_KINDS):
            return None
        return Stream(name, kind, None)
    symbol_name, _, rest = name.partition("@")
    symbol = symbols.get(symbol_name.upper())
    # The venue wants its stream names in lower case.
    if symbol is None or symbol_name != symbol_name.lower():
        return None
    if rest in ("trade", "aggTrade", "bookTicker", "ticker"):
        return Stream(name, rest, symbol)
    if rest in ("markPrice", "markPrice@1s", "forceOrder") and not is_spot:
        return Stream(name, rest.partition("@")[0], symbol)
    if rest.startswith("kline_") and rest[6:] in INTERVALS:
        return Stream(name, "kline", symbol, candles=Candles(rest[6:]))
    depth = _DEPTH.fullmatch(rest)
    every = (_SPOT_SPEEDS if is_spot else _FUTURES_SPEEDS).get(depth[2] or "") if depth else None
    if depth is None or every is None:
        return None
    window = Window(symbol.update_id)
    return Stream(name, "depth", symbol, every, int(depth[1] or 0), window=window)


class Renderer:
    """Writes the data of streams, in the dialect of one of the three markets.

    Parameters
    ----------
    venue
        One of `BINANCE`.
    stamp
        Trade ids are the market's, which are times; else they count up per symbol.
    """

    def __init__(self, venue: str, *, stamp: bool) -> None:
        self.is_spot = venue in BINANCE_SPOT
        self._has_type = venue != "aster"  # in messages: `st`, `ps`
        self._is_coinm = venue == "binance-coinm"
        self._stamp = stamp
        # 1 USD-M, 2 COIN-M: in futures messages since the two were unified.
        self._market_type = 2 if self._is_coinm else 1
        self._kinds: dict[str, Callable[[Stream, Event], Iterator[tuple[str, int]]]] = {
            "trade": self._trade,
            "aggTrade": self._aggregate,
            "bookTicker": self._touch,
            "depth": self._depth,
            "kline": self._kline,
            "ticker": self._ticker,
            "markPrice": self._mark,
            "forceOrder": self._liquidation,
        }

    def render(self, stream: Stream, event: Event) -> Iterator[tuple[str, int]]:
        """Yield (data, rows) for each message that the stream has for this event."""
        return self._kinds[stream.kind](stream, event)

    def trade_id(self, trade: Trade) -> int:
        """Give the id of a trade."""
        return trade.trade_id if self._stamp else 10**9 + trade.number

    def aggregate_id(self, trade: Trade) -> int:
        """Give the id of the aggregate that a trade begins."""
        return trade.trade_id if self._stamp else 10**8 + trade.aggregate

    def _pair(self, symbol: Symbol) -> str:
        return symbol.name.partition("_")[0]

    def _trade(self, stream: Stream, event: Event) -> Iterator[tuple[str, int]]:
        symbol, sent_ms = event.symbol, event.time_ms + 1
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        for trade in event.trades:
            head = f'{{"e":"trade","E":{sent_ms},'
            maker = "false" if trade.is_buy else "true"
            amounts = f'"p":"{price(trade.ticks)}","q":"{size(trade.lots)}"'
            number = self.trade_id(trade)
            if self.is_spot:
                yield (
                    (
                        f'{head}"s":"{symbol.name}","t":{number},{amounts},'
                        f'"T":{trade.time_ms},"m":{maker},"M":true}}'
                    ),
                    1,
                )
            else:
                yield (
                    (
                        f'{head}"T":{trade.time_ms},"s":"{symbol.name}","t":{number},{amounts},'
                        f'"X":"MARKET","m":{maker}}}'
                    ),
                    1,
                )

    def _aggregate(self, stream: Stream, event: Event) -> Iterator[tuple[str, int]]:
        symbol = event.symbol
        market = f',"st":{self._market_type}' if self._has_type else ""
        end = ',"M":true' if self.is_spot else market
        for _, trades in aggregates(event.trades):
            yield (
                (
                    f'{{"e":"aggTrade","E":{event.time_ms + 1},"s":"{symbol.name}",'
                    f"{self._aggregate_text(symbol, trades)}{end}}}"
                ),
                1,
            )

    def _aggregate_text(self, symbol: Symbol, trades: Sequence[Trade]) -> str:
        instrument, first = symbol.instrument, trades[0]
        lots = sum(trade.lots for trade in trades)
        return (
            f'"a":{self.aggregate_id(first)},"p":"{instrument.price_text(first.ticks)}",'
            f'"q":"{instrument.size_text(lots)}","f":{self.trade_id(first)},'
            f'"l":{self.trade_id(trades[-1])},"T":{first.time_ms},'
            f'"m":{"false" if first.is_buy else "true"}'
        )

    def rest_aggregates(self, symbol: Symbol, trades: Iterable[Trade]) -> Iterator[str]:
        """Write the aggregates of trades as REST gives them."""
        end = ',"M":true' if self.is_spot else ""
        for _, group in aggregates(trades):
            yield f"{{{self._aggregate_text(symbol, group)}{end}}}"

    def rest_trade(self, symbol: Symbol, trade: Trade) -> str:
        """Write a trade as REST gives it."""
        instrument = symbol.instrument
        quote = f'"quoteQty":"{instrument.notional_text(trade.ticks * trade.lots)}"'
        end = ',"isBestMatch":true' if self.is_spot else ""
        return (
            f'{{"id":{self.trade_id(trade)},"price":"{instrument.price_text(trade.ticks)}",'
            f'"qty":"{instrument.size_text(trade.lots)}",{quote},"time":{trade.time_ms},'
            f'"isBuyerMaker":{"false" if trade.is_buy else "true"}{end}}}'
        )

    def _touch(self, stream: Stream, event: Event) -> Iterator[tuple[str, int]]:
        if not event.touch_moved:
            return
        symbol = event.symbol
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        bid, ask = symbol.bids.top(1)[0], symbol.asks.top(1)[0]
        data = (
            f'"s":"{symbol.name}","b":"{price(bid[0])}","B":"{size(bid[1])}",'
            f'"a":"{price(ask[0])}","A":"{size(ask[1])}"'
        )
        end = f',"st":{self._market_type},"ps":"{self._pair(symbol)}"' if self._has_type else ""
        if self.is_spot:
            yield f'{{"u":{symbol.update_id},{data}}}', 1
        else:
            yield (
                (
                    f'{{"e":"bookTicker","u":{symbol.update_id},{data},"T":{event.time_ms},'
                    f'"E":{event.time_ms + 1}{end}}}'
                ),
                1,
            )

    def _depth(self, stream: Stream, event: Event) -> Iterator[tuple[str, int]]:
        symbol, window = event.symbol, stream.window
        if window is None:
            return
        if window.first_id < 0:
            window.first_id = event.first_id
        window.bids.update(dict.fromkeys(event.changed_bids))
        window.asks.update(dict.fromkeys(event.changed_asks))
        if symbol.n_events % stream.every:
            return
        if stream.n_levels:
            bids = levels_text(symbol, symbol.bids.top(stream.n_levels))
            asks = levels_text(symbol, symbol.asks.top(stream.n_levels))
            n_rows = 2 * stream.n_levels
        else:
            bids, asks = changes_text(symbol, window)
            n_rows = len(window.bids) + len(window.asks)
        if stream.n_levels and self.is_spot:
            data = f'{{"lastUpdateId":{symbol.update_id},"bids":{bids},"asks":{asks}}}'
        elif self.is_spot:
            data = (
                f'{{"e":"depthUpdate","E":{event.time_ms + 1},"s":"{symbol.name}",'
                f'"U":{window.previous_id + 1},"u":{symbol.update_id},"b":{bids},"a":{asks}}}'
            )
        else:
            market = f'"ps":"{self._pair(symbol)}","st":{self._market_type},'
            data = (
                f'{{"e":"depthUpdate","E":{event.time_ms + 1},"T":{event.time_ms},'
                f'"s":"{symbol.name}",{market if self._has_type else ""}'
                f'"U":{window.first_id},"u":{symbol.update_id},"pu":{window.previous_id},'
                f'"b":{bids},"a":{asks}}}'
            )
        stream.window = Window(symbol.update_id)
        yield data, n_rows

    def _kline(self, stream: Stream, event: Event) -> Iterator[tuple[str, int]]:
        candles = stream.candles
        if candles is None or not event.trades:
            return
        for trade in event.trades:
            closed = candles.add(trade)
            if closed is not None:
                yield self._kline_text(event, closed, is_closed=True), 1
        if candles.running is not None:
            yield self._kline_text(event, candles.running, is_closed=False), 1

    def _kline_text(self, event: Event, candle: Candle, *, is_closed: bool) -> str:
        symbol = event.symbol
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        first, last = 10**9 + candle.first_number, 10**9 + candle.last_number
        return (
            f'{{"e":"kline","E":{event.time_ms + 1},"s":"{symbol.name}","k":{{'
            f'"t":{candle.open_ms},"T":{candle.close_ms},"s":"{symbol.name}",'
            f'"i":"{candle.interval}","f":{first},"L":{last},"o":"{price(candle.open)}",'
            f'"c":"{price(candle.close)}","h":"{price(candle.high)}","l":"{price(candle.low)}",'
            f'"v":"{size(candle.lots)}","n":{candle.n_trades},"x":{str(is_closed).lower()},'
            f'"q":"{self._value_text(symbol, candle.notional, candle.lots)}",'
            f'"V":"{size(candle.taker_lots)}",'
            f'"Q":"{self._value_text(symbol, candle.taker_notional, candle.taker_lots)}",'
            f'"B":"0"}}}}'
        )

    def _value_text(self, symbol: Symbol, notional: int, lots: int) -> str:
        if not self._is_coinm:
            return symbol.instrument.notional_text(notional)
        # A contract is a sum of dollars; its value is in coins.
        price = float(symbol.instrument.price_text(symbol.last_ticks))
        return f"{lots * 100 / price:.8f}"

    def _ticker(self, stream: Stream, event: Event) -> Iterator[tuple[str, int]]:
        if stream.symbol is not None:
            if event.symbol.n_events % TICKER_EVENTS == 0:
                yield self._ticker_text(event.symbol, event.time_ms), 1
        elif event.symbol.n_events % TICKER_EVENTS == 0:
            # As on the venue, only those that changed are in it.
            yield f"[{self._ticker_text(event.symbol, event.time_ms)}]", 1

    def _ticker_text(self, symbol: Symbol, time_ms: int) -> str:
        instrument = symbol.instrument
        price, size = instrument.price_text, instrument.size_text
        start, last = instrument.start_ticks, symbol.last_ticks
        bid, ask = symbol.bids.top(1)[0], symbol.asks.top(1)[0]
        pair = f'"ps":"{self._pair(symbol)}",' if self._is_coinm else ""
        touch = (
            f'"b":"{price(bid[0])}","B":"{size(bid[1])}","a":"{price(ask[0])}",'
            f'"A":"{size(ask[1])}",'
            if self.is_spot
            else ""
        )
        last_lots = symbol.recent[-1].lots if symbol.recent else 0
        return (
            f'{{"e":"24hrTicker","E":{time_ms + 1},"s":"{symbol.name}",{pair}'
            f'"p":"{price(last - start)}","P":"{(last - start) / start * 100:.3f}",'
            f'"w":"{price((last + start) // 2)}","c":"{price(last)}",'
            f'"Q":"{size(last_lots)}",{touch}'
            f'"o":"{price(start)}","h":"{price(max(start, last))}","l":"{price(min(start, last))}",'
            f'"v":"{size(symbol.volume_lots)}",'
            f'"q":"{self._value_text(symbol, symbol.notional, symbol.volume_lots)}",'
            f'"O":{time_ms - 86_400_000},"C":{time_ms},"F":{10**9 + 1},'
            f'"L":{10**9 + symbol.n_trades},"n":{symbol.n_trades}}}'
        )

    def _mark(self, stream: Stream, event: Event) -> Iterator[tuple[str, int]]:
        if event.symbol.n_events % MARK_EVENTS == 0:
            text = self._mark_text(event.symbol, event.time_ms)
            yield (text if stream.symbol is not None else f"[{text}]"), 1

    def _mark_text(self, symbol: Symbol, time_ms: int) -> str:
        instrument = symbol.instrument
        last, start = symbol.last_ticks, instrument.start_ticks
        price = instrument.price_text
        next_funding_ms = (time_ms // FUNDING_MS + 1) * FUNDING_MS
        return (
            f'{{"e":"markPriceUpdate","E":{time_ms + 1},"s":"{symbol.name}","p":"{price(last)}",'
            f'"P":"{price((last + start) // 2)}","i":"{price(last - 1)}",'
            f'"r":"{0.0001 + (last - start) / start / 100:.8f}","T":{next_funding_ms}'
            + (f',"st":{self._market_type}}}' if self._has_type else "}")
        )

    def _liquidation(self, stream: Stream, event: Event) -> Iterator[tuple[str, int]]:
        if not event.trades or event.trades[-1].number % LIQUIDATION_TRADES:
            return
        symbol, trade = event.symbol, event.trades[-1]
        price = symbol.instrument.price_text(trade.ticks)
        size = symbol.instrument.size_text(trade.lots)
        pair = f'"ps":"{self._pair(symbol)}",' if self._is_coinm else ""
        yield (
            (
                f'{{"e":"forceOrder","E":{event.time_ms + 1},"o":{{"s":"{symbol.name}",{pair}'
                f'"S":"{"BUY" if trade.is_buy else "SELL"}","o":"LIMIT","f":"IOC","q":"{size}",'
                f'"p":"{price}","ap":"{price}","X":"FILLED","l":"{size}","z":"{size}",'
                f'"T":{trade.time_ms}}}}}'
            ),
            1,
        )


def aggregates(trades: Iterable[Trade]) -> Iterator[tuple[int, list[Trade]]]:
    """Give trades by the number of their aggregate; they stand side by side."""
    for number, group in groupby(trades, key=lambda trade: trade.aggregate):
        yield number, list(group)


def levels_text(symbol: Symbol, levels: list[tuple[int, int, int]]) -> str:
    """Write levels as `[["price","size"],...]`."""
    price, size = symbol.instrument.price_text, symbol.instrument.size_text
    return "[" + ",".join([f'["{price(ticks)}","{size(n)}"]' for ticks, n, _ in levels]) + "]"


def changes_text(symbol: Symbol, window: Window) -> tuple[str, str]:
    """Write the present sizes of the levels in a window; 0 where a level is gone."""
    price, size = symbol.instrument.price_text, symbol.instrument.size_text
    bid_lots, ask_lots = symbol.bids.lots, symbol.asks.lots
    bids = [f'["{price(p)}","{size(bid_lots.get(p, 0))}"]' for p in window.bids]
    asks = [f'["{price(p)}","{size(ask_lots.get(-p, 0))}"]' for p in window.asks]
    return f"[{','.join(bids)}]", f"[{','.join(asks)}]"
