"""Binance USD-M and COIN-M futures.

- Books: the first delta after a snapshot has `U <= lastUpdateId <= u`, then `pu == previous u`.
- USD-M has two entry points since 2026-04-23. A stream asked for at the wrong one is acknowledged
  and then never delivers, so each stream has its endpoint here.
"""

from __future__ import annotations

from functools import partial

from tickwire.venues import _fields
from tickwire.venues._book_rule import BookRule, linked
from tickwire.venues._instrument import spell_contract
from tickwire.venues._oracle import same_id
from tickwire.venues.base import Limits, Venue
from tickwire.venues.binance.channels import aliases, channels
from tickwire.venues.binance.connection import reply, subscribe, unsubscribe
from tickwire.venues.binance.market import FUTURES_INTERVALS, Market
from tickwire.venues.binance.messages import FUTURES_EXTRAS, messages
from tickwire.venues.binance.rest import NEWEST, backfills, instruments, smaller_too, spell
from tickwire.venues.binance.spot import DAY_S, HEARTBEAT

FUTURES_SPEEDS = {
    "0ms": ("@depth@0ms",),
    "100ms": ("@depth@100ms",),
    "250ms": ("@depth", "@depth@250ms"),
    "500ms": ("@depth@500ms",),
}
FUTURES_PARTIAL_SPEEDS = ("@100ms", "@0ms", "@250ms", "@500ms")


USDM_MARKET = Market(
    speeds=FUTURES_SPEEDS, best_speed="0ms", partial_speeds=FUTURES_PARTIAL_SPEEDS,
    intervals=FUTURES_INTERVALS, futures=True, endpoints={ "trade": "public", "depth": "public",
    "bookTicker": "public", "aggTrade": "market", "kline": "market", "ticker": "market",
    "markPrice": "market", "forceOrder": "market", },
)  # fmt: skip
COINM_MARKET = Market(
    speeds=FUTURES_SPEEDS, best_speed="0ms", partial_speeds=FUTURES_PARTIAL_SPEEDS,
    intervals=FUTURES_INTERVALS, futures=True, endpoints={},
)  # fmt: skip


# 500 levels weigh 10, 100 weigh 5, 50 weigh 2.
FUTURES_SMALLER = {500: 100, 100: 200, 50: 500}
# 10 messages a second; a snapshot of 1000 levels weighs 20 of the 2400 a minute that USD-M and
# COIN-M share, 1000 aggregates as well, the newest 1000 trades 5.
FUTURES_LIMITS = Limits(
    subscriptions_per_connection=200, subscriptions_per_request=100, requests_per_s=8.0,
    connects_per_min=60, rest_per_min=50, backfills_per_min=10, max_age_s=DAY_S,
)  # fmt: skip


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
