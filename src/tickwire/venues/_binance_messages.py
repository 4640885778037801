"""How the messages of Binance's three markets become rows.

Rules of this file
------------------
- The stream's name tells what the data does not: the speed of a book, how many levels a partial
  book has, and on spot the symbol of a partial book and that a message is a best bid and ask.
- `ts_event` is the time at which the event happened where a message has one (`T`), else the time
  at which it was sent (`E`), else null.
- Times are milliseconds, or microseconds where a spot URL asks for them (`timeUnit=MICROSECOND`).
- A partial book is a snapshot: it has a last update id (`venue_seq`) and nothing must come just
  before it (`venue_prev_seq` null).
"""

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
    part,
    prefix,
    present,
    rows,
    suffix,
    text,
)
from tickwire.schema import Column, Kind
from tickwire.venues._binance import PARTIAL_LEVELS, SNAPSHOT_CHANNEL, Market

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


def _trade_messages() -> list[Message]:
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


def _backfills() -> list[Message]:
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


def _quotes(market: Market) -> Message:
    times: dict[str, Any] = {"ts_event": _time("T")} if market.futures else {}
    quote = rows(
        at="data",
        into="quotes",
        symbol="s",
        bid_price="b",
        bid_size="B",
        ask_price="a",
        ask_size="A",
        venue_seq="u",
        **times,
    )
    if market.futures:
        return message("bookTicker", when={"data.e": "bookTicker"}, rows=[quote])
    return message(
        "bookTicker", when={"stream": suffix("@bookTicker", "!bookTicker")}, rows=[quote]
    )


def _sides(bids: str, asks: str, *, first_seq: Field | None = None, **fields: Any) -> list[Rows]:
    return [
        rows(
            at=f"{at}[]",
            into="book",
            first_seq=first_seq,
            side=constant(side),
            price="[0]",
            size="[1]",
            **fields,
        )
        for side, at in (("bid", bids), ("ask", asks))
    ]


def _deltas(market: Market, speed: str) -> Message:
    previous = integer("$.data.pu") if market.futures else integer("$.data.U", add=-1)
    return message(
        f"depth@{speed}",
        when={"data.e": "depthUpdate", "stream": suffix(*market.speeds[speed])},
        spliced=True,
        rows=_sides(
            "data.b",
            "data.a",
            first_seq=integer("$.data.U"),
            symbol="$.data.s",
            ts_event=_time("$.data.T" if market.futures else "$.data.E"),
            channel=constant(f"book:{speed}"),
            is_snapshot=constant(False),
            venue_seq="$.data.u",
            venue_prev_seq=previous,
        ),
    )


def _partial(market: Market, levels: str) -> Message:
    stream = suffix(*(f"@depth{levels}{speed}" for speed in (*market.partial_speeds, "")))
    if market.futures:
        return message(
            f"depth{levels}",
            when={"data.e": "depthUpdate", "stream": stream},
            rows=_sides(
                "data.b",
                "data.a",
                symbol="$.data.s",
                ts_event=_time("$.data.T"),
                channel=constant(f"book:{levels}"),
                is_snapshot=constant(True),
                venue_seq="$.data.u",
            ),
        )
    return message(
        f"depth{levels}",
        when={"stream": stream},
        rows=_sides(
            "data.bids",
            "data.asks",
            symbol=part("$.stream", "@", 0, upper=True),
            channel=constant(f"book:{levels}"),
            is_snapshot=constant(True),
            venue_seq="$.data.lastUpdateId",
        ),
    )


def _snapshot(market: Market) -> Message:
    times: dict[str, Any] = {"ts_event": _time("$.T")} if market.futures else {}
    return message(
        "snapshot",
        kind="snapshot",
        rows=_sides(
            "bids",
            "asks",
            symbol=given(),
            channel=constant(SNAPSHOT_CHANNEL),
            is_snapshot=constant(True),
            venue_seq="$.lastUpdateId",
            **times,
        ),
    )


def _candles() -> Message:
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


def _tickers(market: Market) -> list[Message]:
    def ticker(at: str) -> Rows:
        return rows(
            at=at,
            into="tickers",
            symbol="s",
            ts_event=_time("E"),
            last_price="c",
            volume_24h="v",
            notional_24h="q",
            open_24h="o",
            high_24h="h",
            low_24h="l",
        )

    def mark(at: str) -> Rows:
        return rows(
            at=at,
            into="tickers",
            symbol="s",
            ts_event=_time("E"),
            mark_price="p",
            index_price="i",
            funding_rate="r",
            next_funding_ts=_time("T"),
            settle_price="P",
        )

    found = [
        message("24hrTicker", when={"data.e": "24hrTicker"}, rows=[ticker("data")]),
        message("ticker@arr", when={"stream": prefix("!ticker@arr")}, rows=[ticker("data[]")]),
    ]
    if market.futures:
        found += [
            message("markPriceUpdate", when={"data.e": "markPriceUpdate"}, rows=[mark("data")]),
            message(
                "markPrice@arr", when={"stream": prefix("!markPrice@arr")}, rows=[mark("data[]")]
            ),
        ]
    return found


def _liquidations() -> list[Message]:
    def liquidation(price: str, size: str) -> Rows:
        return rows(
            at="data.o",
            into="liquidations",
            symbol="s",
            ts_event=_time("T"),
            side=choice("S", {"BUY": "buy", "SELL": "sell"}),
            price=price,
            size=size,
            order_price="p",
            order_size="q",
        )

    return [
        message(
            "forceOrder",
            when={"data.e": "forceOrder", "data.o.ap": present()},
            rows=[liquidation("ap", "z")],
        ),
        message(
            "forceOrder without its average price",
            when={"data.e": "forceOrder"},
            rows=[liquidation("p", "q")],
        ),
    ]


def messages(market: Market) -> tuple[Message, ...]:
    """Declare the messages of a market, the most frequent first."""
    found = [_quotes(market), *_trade_messages()]
    found += [_deltas(market, speed) for speed in market.speeds]
    found += [_partial(market, levels) for levels in PARTIAL_LEVELS]
    found += [_candles(), *_tickers(market)]
    if market.futures:
        found += _liquidations()
    found += [
        message("serverShutdown", when={"data.e": "serverShutdown"}, kind="error"),
        message("result", when={"result": present(), "id": present()}, kind="acknowledge"),
        message("error", when={"error": present()}, kind="error"),
        message("error code", when={"code": present(), "msg": present()}, kind="error"),
        _snapshot(market),
        *_backfills(),
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
