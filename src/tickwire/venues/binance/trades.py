"""Trades of Binance, single ones and aggregates, also as REST has them; candles."""

from __future__ import annotations

from functools import partial
from typing import Any

from tickwire.decode.plan import (
    Field,
    Message,
    Rows,
    absent,
    choice,
    constant,
    given,
    integer,
    message,
    ms,
    rows,
    text,
)

_time = partial(ms, or_us=True)


def _trades(
    channel: str,
    *,
    identity: str,
    at: str = "data",
    symbol: str | Field = "s",
    time: str = "T",
    price: str = "p",
    size: str = "q",
    maker: str = "m",
    **extras: Any,
) -> Rows:
    return rows(
        at=at,
        into="trades",
        symbol=symbol,
        ts_event=_time(time),
        channel=constant(channel),
        price=price,
        size=size,
        # Where the buyer was the maker, the taker sold.
        side=choice(maker, {True: "sell", False: "buy"}),
        trade_id=text(identity),
        **extras,
    )


def _aggregates(**fields: Any) -> Rows:
    ends: dict[str, Any] = {"first_trade_id": integer("f"), "last_trade_id": integer("l")}
    return _trades("trades:agg", identity="a", **ends, **fields)


def trade_messages() -> list[Message]:
    """Declare single trades and aggregates."""
    trade = _trades("trades", identity="t")
    return [
        message("trade", when={"data.e": "trade", "data.X": absent()}, rows=[trade]),
        # On futures, X says how a trade came about. Fills of the insurance fund and by
        # auto-deleveraging are no trades of the book; NA is an id spent on nothing, its price and
        # size zero. A new value counts as an unknown message.
        message("market trade", when={"data.e": "trade", "data.X": "MARKET"}, rows=[trade]),
        *(
            message(
                f"trade off the book ({how})",
                when={"data.e": "trade", "data.X": how},
                kind="ignore",
            )
            for how in ("NA", "INSURANCE_FUND", "ADL")
        ),
        message("aggTrade", when={"data.e": "aggTrade"}, rows=[_aggregates()]),
    ]


def missed_trades() -> list[Message]:
    """Declare REST's trades, which lack their symbol, and a plain one its short names."""
    answer: dict[str, Any] = {"at": "[]", "symbol": given()}
    trade = _trades(
        "trades",
        identity="id",
        time="time",
        price="price",
        size="qty",
        maker="isBuyerMaker",
        **answer,
    )
    aggregate = _aggregates(**answer)
    return [
        message("missed trades", kind="backfill", rows=[trade]),
        message("missed aggTrades", kind="backfill", rows=[aggregate]),
    ]


def candles() -> Message:
    """Declare candles."""
    candle = rows(
        at="data.k",
        into="candles",
        symbol="s",
        ts_event=_time("$.data.E"),
        interval="i",
        ts_open=_time("t"),
        ts_close=_time("T"),
        open="o",
        high="h",
        low="l",
        close="c",
        volume="v",
        trade_count="n",
        closed="x",
        notional="q",
        taker_buy_volume="V",
        taker_buy_notional="Q",
    )
    return message("kline", when={"data.e": "kline"}, rows=[candle])
