"""The channels of a market of Binance.

The plan calls a spliced book by its speed (`book:100ms`) and the rows of a REST snapshot
`book:snapshot`; `aliases` gives both the name that the configuration uses.
"""

from __future__ import annotations

from collections.abc import Sequence

from tickwire.errors import ConfigError
from tickwire.venues.base import Channel, Subscription
from tickwire.venues.binance.market import (
    PARTIAL_LEVELS,
    SNAPSHOT_CHANNEL,
    Market,
    kind_of,
    streams,
)


def channels(market: Market) -> tuple[Channel, ...]:
    """Declare the channels of a market."""

    def subscriptions(channel: str, symbol: str) -> list[Subscription]:
        if symbol != symbol.upper():
            # Streams are asked for in lower case; rows have the exchange's own spelling.
            wrong = f"symbol {symbol!r} should be as the exchange spells it, {symbol.upper()!r}"
            raise ConfigError([wrong])
        return [
            Subscription(
                channel,
                symbol,
                table=channel.partition(":")[0],
                key=stream,
                endpoint=market.endpoints.get(kind_of(stream), "main"),
            )
            for stream in streams(market, channel, symbol)
        ]

    speeds = tuple(market.speeds)
    single = [Channel("trades", "trades", subscriptions)] if market.single_trades else []
    found = [
        *single,
        Channel("trades:agg", "trades", subscriptions),
        Channel("quotes", "quotes", subscriptions, wildcard=market.futures),
        Channel("book", "book", subscriptions, spliced=True),
        Channel("book:<speed>", "book", subscriptions, arguments=speeds, spliced=True),
        Channel("book:<levels>", "book", subscriptions, arguments=PARTIAL_LEVELS),
        Channel("candles:<interval>", "candles", subscriptions, arguments=market.intervals),
        Channel("tickers", "tickers", subscriptions, wildcard=True),
    ]
    if market.futures:
        found.append(Channel("liquidations", "liquidations", subscriptions, wildcard=True))
    return tuple(found)


def aliases(market: Market, configured: Sequence[str]) -> dict[str, str]:
    """Give the plan's names for spliced books their names in the configuration."""
    best = f"book:{market.best_speed}"
    if "book" in configured:
        return {best: "book", SNAPSHOT_CHANNEL: "book"}
    for speed in market.speeds:
        if f"book:{speed}" in configured:
            return {SNAPSHOT_CHANNEL: f"book:{speed}"}
    return {SNAPSHOT_CHANNEL: best}
