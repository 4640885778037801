"""What Binance's three markets share: stream names, requests and replies.

Rules of this file
------------------
- Everything comes through the combined endpoint as `{"stream": ..., "data": ...}`; one request
  asks for many streams.
- The plan calls a spliced book by its speed (`book:100ms`) and the rows of a REST snapshot
  `book:snapshot`; `aliases` gives both the name that the configuration uses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tickwire.errors import ConfigError
from tickwire.venues._instrument import (
    Instrument,
    InstrumentKind,
    Name,
    decimals_of,
    ms_or_none,
    step,
)
from tickwire.venues.base import Backfill, Channel, InstrumentQuery, Reply, Subscription

SNAPSHOT_CHANNEL = "book:snapshot"
PARTIAL_LEVELS = ("5", "10", "20")


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


def _streams(market: Market, channel: str, symbol: str) -> list[str]:
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
        streams = ["!ticker@arr" if everything else f"{name}@ticker"]
        if market.futures:
            streams.append("!markPrice@arr@1s" if everything else f"{name}@markPrice@1s")
        return streams
    if argument in PARTIAL_LEVELS:
        return [f"{name}@depth{argument}{market.partial_speeds[0]}"]
    return [name + market.speeds[argument or market.best_speed][0]]


def _kind(stream: str) -> str:
    """Reduce a stream's name to its kind, such as `depth` or `markPrice`."""
    kind = stream.lstrip("!") if stream.startswith("!") else stream.partition("@")[2]
    return kind.partition("@")[0].partition("_")[0].rstrip("0123456789")


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
                endpoint=market.endpoints.get(_kind(stream), "main"),
            )
            for stream in _streams(market, channel, symbol)
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


def backfills(root: str, trades: str = "") -> tuple[Backfill, ...]:
    """Declare how missed trades are had.

    Parameters
    ----------
    root
        Begins the paths of the market.
    trades
        The rest of the path, and the query, for plain trades, where there are any; aggregates have
        the same everywhere.
    """
    aggregates = "aggTrades?symbol={symbol}&fromId={first_id}&limit={limit}"
    by_id = Backfill("trades:agg", root + aggregates, "missed aggTrades", "a", counts_by_one=True)
    if not trades:
        return (by_id,)
    # Futures number what is no trade of the market too, as of the insurance fund: see BY_ID.
    is_by_one = "fromId" in trades
    plain = Backfill("trades", root + trades, "missed trades", "id", counts_by_one=is_by_one)
    return (plain, by_id)


def instruments(path: str, symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for all symbols."""
    return [InstrumentQuery(path, _symbols)]


def _symbols(payload: bytes) -> Iterator[Instrument]:
    for each in json.loads(payload)["symbols"]:
        contract = each.get("contractType")
        filters = {given["filterType"]: given for given in each.get("filters", ())}
        tick = filters.get("PRICE_FILTER", {}).get("tickSize", "")
        is_perpetual = contract is not None and contract.endswith("PERPETUAL")
        kind: InstrumentKind = "spot" if contract is None else "future"
        yield Instrument(
            each["symbol"],
            "perpetual" if is_perpetual else kind,
            each.get("baseAsset", ""),
            each.get("quoteAsset", ""),
            settle=each.get("marginAsset", ""),
            inverse="contractSize" in each,
            tick_size=step(tick),
            lot_size=step(filters.get("LOT_SIZE", {}).get("stepSize")),
            contract_size=step(each.get("contractSize", "1" if contract else "")),
            decimals=decimals_of(tick),
            expiry_ns=None if is_perpetual else ms_or_none(each.get("deliveryDate")),
            status=each.get("status", each.get("contractStatus", "")),
        )


def spell(end: str, name: Name) -> str:
    """Write a name as Binance does; `end` is what the market's perpetual contracts end in."""
    return f"{name.base}{name.quote}{end if name.is_perpetual else ''}"


def subscribe(subscriptions: Sequence[Subscription], request_id: int) -> str:
    """Write one request for these streams."""
    return _request("SUBSCRIBE", subscriptions, request_id)


def unsubscribe(subscriptions: Sequence[Subscription], request_id: int) -> str:
    """Write one request that ends these streams."""
    return _request("UNSUBSCRIBE", subscriptions, request_id)


def _request(method: str, subscriptions: Sequence[Subscription], request_id: int) -> str:
    request = {
        "method": method,
        "params": [subscription.key for subscription in subscriptions],
        "id": request_id,
    }
    return json.dumps(request, separators=(",", ":"), ensure_ascii=False)


def reply(kind: str, payload: bytes) -> Reply:
    """Read `{"result":null,"id":1}`, and errors with their code and words."""
    answer = json.loads(payload)
    number = answer.get("id")
    request_id = number if isinstance(number, int) else None
    if kind == "acknowledge":
        return Reply(request_id=request_id)
    if "stream" in answer:
        return Reply(text="the venue is about to close its connections", closing=True)
    error = answer.get("error", answer)
    if not isinstance(error, dict):
        error = {"msg": error}
    words = str(error.get("msg", ""))
    code = error.get("code")
    return Reply(
        text=words if code is None else f"{words} (code {code})",
        retry="too many" in words.lower(),
        request_id=request_id,
        request_ok=False,
    )
