"""Binance spot, USD-M futures and COIN-M futures.

Rules of this file
------------------
- Spot books: the first delta after a snapshot has `U <= lastUpdateId + 1 <= u`, then each one
  `U == previous u + 1`. Futures: `U <= lastUpdateId <= u`, then `pu == previous u`.
- Missed trades. Aggregates are had by id from each market, trades from spot alone: on futures that
  takes a key, so only those among the newest 1000 are had there.
- USD-M has two entry points since 2026-04-23. A stream asked for at the wrong one is acknowledged
  and then never delivers, so each stream has its endpoint here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tickwire.venues import _fields
from tickwire.venues._binance import (
    Market,
    aliases,
    backfills,
    channels,
    instruments,
    reply,
    spell,
    subscribe,
    unsubscribe,
)
from tickwire.venues._binance_messages import EXTRAS, FUTURES_EXTRAS, messages
from tickwire.venues._book_rule import Begin, BookRule, linked, ranges, rest
from tickwire.venues._instrument import spell_contract, spell_spot
from tickwire.venues._oracle import same_id
from tickwire.venues.base import Heartbeat, Limits, Venue

FUTURES_INTERVALS = (
    "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
)  # fmt: skip
FUTURES_SPEEDS = {
    "0ms": ("@depth@0ms",),
    "100ms": ("@depth@100ms",),
    "250ms": ("@depth", "@depth@250ms"),
    "500ms": ("@depth@500ms",),
}
FUTURES_PARTIAL_SPEEDS = ("@100ms", "@0ms", "@250ms", "@500ms")

SPOT_MARKET = Market(
    speeds={"100ms": ("@depth@100ms",), "1000ms": ("@depth", "@depth@1000ms")},
    best_speed="100ms",
    partial_speeds=("@100ms", "@1000ms"),
    intervals=("1s", *FUTURES_INTERVALS),
    futures=False,
    endpoints={},
)
USDM_MARKET = Market(
    speeds=FUTURES_SPEEDS,
    best_speed="0ms",
    partial_speeds=FUTURES_PARTIAL_SPEEDS,
    intervals=FUTURES_INTERVALS,
    futures=True,
    endpoints={
        "trade": "public",
        "depth": "public",
        "bookTicker": "public",
        "aggTrade": "market",
        "kline": "market",
        "ticker": "market",
        "markPrice": "market",
        "forceOrder": "market",
    },
)
COINM_MARKET = Market(
    speeds=FUTURES_SPEEDS,
    best_speed="0ms",
    partial_speeds=FUTURES_PARTIAL_SPEEDS,
    intervals=FUTURES_INTERVALS,
    futures=True,
    endpoints={},
)

# Missed trades: spot has them by id without a key, futures only the newest ones.
BY_ID = "historicalTrades?symbol={symbol}&fromId={first_id}&limit={limit}"
NEWEST = "trades?symbol={symbol}&limit={limit}"

# The server pings (every 20 s to 3 min); our own pings show within seconds whether it still lives.
HEARTBEAT = Heartbeat("ping", every_s=20.0, timeout_s=60.0)
DAY_S = 86_400.0
# 5 messages a second, pings included; 300 connections in 5 minutes; a snapshot of 5000 levels
# weighs 250 of 6000 a minute, 1000 trades by id 25, as many aggregates 4.
SPOT_LIMITS = Limits(
    subscriptions_per_connection=1024,
    subscriptions_per_request=100,
    requests_per_s=4.0,
    connects_per_min=60,
    rest_per_min=20,
    backfills_per_min=36,
    max_age_s=DAY_S,
)


def smaller_too(path: str, levels: int, per_min: Mapping[int, int]) -> Begin:
    """Begin by snapshots of so many levels, or by smaller ones, of which a minute allows more."""
    return rest(f"{path}{levels}", smaller=tuple((f"{path}{n}", m) for n, m in per_min.items()))


SPOT = Venue(
    name="binance",
    endpoints={"main": "wss://stream.binance.com:9443/stream"},
    channels=channels(SPOT_MARKET),
    messages=messages(SPOT_MARKET),
    subscribe=subscribe,
    reply=reply,
    heartbeat=HEARTBEAT,
    limits=SPOT_LIMITS,
    unsubscribe=unsubscribe,
    rest_url="https://api.binance.com",
    book=BookRule(
        chain=ranges(),
        # 1000 levels weigh 50, 500 weigh 25, 100 weigh 5.
        begin=smaller_too(
            "/api/v3/depth?symbol={symbol}&limit=", 5000, {1000: 100, 500: 200, 100: 1000}
        ),
        repair="rest",
    ),
    oracle=same_id(depth="book:<levels>"),  # bookTicker
    backfills=backfills("/api/v3/", BY_ID),
    instruments=partial(instruments, "/api/v3/exchangeInfo?showPermissionSets=false"),
    spell=partial(spell_spot, partial(spell, "")),
    aliases=partial(aliases, SPOT_MARKET),
    extras=EXTRAS,
    verified="2026-11-22",
    fields=_fields.BINANCE,
)

# 500 levels weigh 10, 100 weigh 5, 50 weigh 2.
FUTURES_SMALLER = {500: 100, 100: 200, 50: 500}
# 10 messages a second; a snapshot of 1000 levels weighs 20 of the 2400 a minute that USD-M and
# COIN-M share, 1000 aggregates as well, the newest 1000 trades 5.
FUTURES_LIMITS = Limits(
    subscriptions_per_connection=200,
    subscriptions_per_request=100,
    requests_per_s=8.0,
    connects_per_min=60,
    rest_per_min=50,
    backfills_per_min=10,
    max_age_s=DAY_S,
)

USDM = Venue(
    name="binance-usdm",
    endpoints={
        "public": "wss://fstream.binance.com/public/stream",
        "market": "wss://fstream.binance.com/market/stream",
    },
    channels=channels(USDM_MARKET),
    messages=messages(USDM_MARKET),
    subscribe=subscribe,
    reply=reply,
    heartbeat=HEARTBEAT,
    limits=FUTURES_LIMITS,
    unsubscribe=unsubscribe,
    rest_url="https://fapi.binance.com",
    book=BookRule(
        chain=linked(),
        begin=smaller_too("/fapi/v1/depth?symbol={symbol}&limit=", 1000, FUTURES_SMALLER),
        repair="rest",
    ),
    oracle=same_id(depth="book:<levels>"),  # bookTicker
    backfills=backfills("/fapi/v1/", NEWEST),
    instruments=partial(instruments, "/fapi/v1/exchangeInfo"),
    spell=partial(spell_contract, partial(spell, "")),
    aliases=partial(aliases, USDM_MARKET),
    extras=FUTURES_EXTRAS,
    verified="2026-11-22",
    fields=_fields.BINANCE_FUTURES,
)

COINM = Venue(
    name="binance-coinm",
    endpoints={"main": "wss://dstream.binance.com/stream"},
    channels=channels(COINM_MARKET),
    messages=messages(COINM_MARKET),
    subscribe=subscribe,
    reply=reply,
    heartbeat=HEARTBEAT,
    limits=FUTURES_LIMITS,
    unsubscribe=unsubscribe,
    rest_url="https://dapi.binance.com",
    book=BookRule(
        chain=linked(),
        begin=smaller_too("/dapi/v1/depth?symbol={symbol}&limit=", 1000, FUTURES_SMALLER),
        repair="rest",
    ),
    oracle=same_id(depth="book:<levels>"),  # bookTicker
    backfills=backfills("/dapi/v1/", NEWEST),
    instruments=partial(instruments, "/dapi/v1/exchangeInfo"),
    spell=partial(spell_contract, partial(spell, "_PERP")),
    aliases=partial(aliases, COINM_MARKET),
    extras=FUTURES_EXTRAS,
    verified="2026-11-22",
    fields=_fields.BINANCE_FUTURES,
)

VENUES = (SPOT, USDM, COINM)
