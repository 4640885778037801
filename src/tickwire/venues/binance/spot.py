"""Binance spot.

Books: the first delta after a snapshot has `U <= lastUpdateId + 1 <= u`, then each one
`U == previous u + 1`.
"""

from __future__ import annotations

from functools import partial

from tickwire.venues import _fields
from tickwire.venues._book_rule import BookRule, ranges
from tickwire.venues._instrument import spell_spot
from tickwire.venues._oracle import same_id
from tickwire.venues.base import Heartbeat, Limits, Venue
from tickwire.venues.binance.channels import aliases, channels
from tickwire.venues.binance.connection import reply, subscribe, unsubscribe
from tickwire.venues.binance.market import FUTURES_INTERVALS, Market
from tickwire.venues.binance.messages import EXTRAS, messages
from tickwire.venues.binance.rest import BY_ID, backfills, instruments, smaller_too, spell

# The server pings (every 20 s to 3 min); our own pings show within seconds whether it still lives.
HEARTBEAT = Heartbeat("ping", every_s=20.0, timeout_s=60.0)
DAY_S = 86_400.0


SPOT_MARKET = Market(
    speeds={"100ms": ("@depth@100ms",), "1000ms": ("@depth", "@depth@1000ms")},
    best_speed="100ms",
    partial_speeds=("@100ms", "@1000ms"),
    intervals=("1s", *FUTURES_INTERVALS),
    futures=False,
    endpoints={},
)


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
