"""How a market of Binance differs from the others, and what its streams are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SNAPSHOT_CHANNEL = "book:snapshot"
PARTIAL_LEVELS = ("5", "10", "20")
FUTURES_INTERVALS = (
    "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Market:
    """How a market of Binance differs from the others.

    Parameters
    ----------
    speeds
        Book speed to the endings of its stream names, the one that we ask for first.
    best_speed
        The speed of the channel `book`.
    partial_speeds
        What may follow `@depth5`, the one that we ask for first.
    intervals
        Of its candles.
    futures
        Has event times, `pu`, mark prices and liquidations.
    endpoints
        Stream kind to the name of the endpoint that serves it; `main` where it is not named.
    single_trades
        Has a stream of single trades beside that of aggregates.
    """

    speeds: Mapping[str, tuple[str, ...]]
    best_speed: str
    partial_speeds: tuple[str, ...]
    intervals: tuple[str, ...]
    futures: bool
    endpoints: Mapping[str, str]
    single_trades: bool = True


def streams(market: Market, channel: str, symbol: str) -> list[str]:
    """Name the streams that a channel of a symbol, or of all, is made of."""
    family, _, argument = channel.partition(":")
    everything = symbol == "*"
    name = symbol.lower()
    if family == "trades":
        return [f"{name}@aggTrade" if argument == "agg" else f"{name}@trade"]
    if family == "quotes":
        return ["!bookTicker" if everything else f"{name}@bookTicker"]
    if family == "candles":
        return [f"{name}@kline_{argument}"]
    if family == "liquidations":
        return ["!forceOrder@arr" if everything else f"{name}@forceOrder"]
    if family == "tickers":
        found = ["!ticker@arr" if everything else f"{name}@ticker"]
        if market.futures:
            found.append("!markPrice@arr@1s" if everything else f"{name}@markPrice@1s")
        return found
    if argument in PARTIAL_LEVELS:
        return [f"{name}@depth{argument}{market.partial_speeds[0]}"]
    return [name + market.speeds[argument or market.best_speed][0]]


def kind_of(stream: str) -> str:
    """Reduce a stream's name to its kind, such as `depth` or `markPrice`."""
    kind = stream.lstrip("!") if stream.startswith("!") else stream.partition("@")[2]
    return kind.partition("@")[0].partition("_")[0].rstrip("0123456789")
