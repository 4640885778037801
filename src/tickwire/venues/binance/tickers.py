"""Best prices, tickers, mark prices and liquidations of Binance."""

from __future__ import annotations

from functools import partial
from typing import Any

from tickwire.decode.plan import (
    Message,
    Rows,
    choice,
    message,
    ms,
    prefix,
    present,
    rows,
    suffix,
)
from tickwire.venues.binance.market import Market

_time = partial(ms, or_us=True)


def quotes(market: Market) -> Message:
    """Declare the best bid and ask."""
    times: dict[str, Any] = {"ts_event": _time("T")} if market.futures else {}
    quote = rows(
        at="data", into="quotes", symbol="s", bid_price="b", bid_size="B", ask_price="a",
        ask_size="A", venue_seq="u", **times,
    )  # fmt: skip
    if market.futures:
        return message("bookTicker", when={"data.e": "bookTicker"}, rows=[quote])
    return message(
        "bookTicker", when={"stream": suffix("@bookTicker", "!bookTicker")}, rows=[quote]
    )


def tickers(market: Market) -> list[Message]:
    """Declare tickers, and mark prices where there are any."""

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


def liquidations() -> list[Message]:
    """Declare liquidations, of one symbol and of all."""

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
