"""How the messages of Binance's three markets become rows.

Rules of this file
------------------
- `ts_event` is the time at which the event happened where a message has one (`T`), else the time
  at which it was sent (`E`), else null.
- Times are milliseconds, or microseconds where a spot URL asks for them (`timeUnit=MICROSECOND`).
"""

from __future__ import annotations

from tickwire.decode.plan import (
    Message,
    message,
    present,
)
from tickwire.schema import Column, Kind
from tickwire.venues.binance.books import deltas, partial_book, snapshot
from tickwire.venues.binance.market import PARTIAL_LEVELS, Market
from tickwire.venues.binance.tickers import liquidations, quotes, tickers
from tickwire.venues.binance.trades import candles, missed_trades, trade_messages


def messages(market: Market) -> tuple[Message, ...]:
    """Declare the messages of a market, the most frequent first."""
    found = [quotes(market), *trade_messages()]
    found += [deltas(market, speed) for speed in market.speeds]
    found += [partial_book(market, levels) for levels in PARTIAL_LEVELS]
    found += [candles(), *tickers(market)]
    if market.futures:
        found += liquidations()
    found += [
        message("serverShutdown", when={"data.e": "serverShutdown"}, kind="error"),
        message("result", when={"result": present(), "id": present()}, kind="acknowledge"),
        message("error", when={"error": present()}, kind="error"),
        message("error code", when={"code": present(), "msg": present()}, kind="error"),
        snapshot(market),
        *missed_trades(),
    ]
    return tuple(found)


def _floats(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.F64, nullable=True) for name in names)


EXTRAS = {
    "trades": (
        Column("first_trade_id", Kind.I64, nullable=True),
        Column("last_trade_id", Kind.I64, nullable=True),
    ),
    "candles": _floats("notional", "taker_buy_volume", "taker_buy_notional"),
    "tickers": _floats("open_24h", "high_24h", "low_24h"),
}
FUTURES_EXTRAS = EXTRAS | {
    "tickers": EXTRAS["tickers"] + _floats("settle_price"),
    "liquidations": _floats("order_price", "order_size"),
}
