"""Aster's perpetual contracts: the dialect of Binance's USD-M market, at one entry point.

Rules of this file
------------------
- What differs is a parameter: one endpoint, 200 streams on a connection, no stream of single trades
  (only aggregates), books at 100 ms at best.
- Books: `U <= lastUpdateId <= u` of the first delta after a snapshot, then `pu == previous u`.
"""

from __future__ import annotations

from functools import partial

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
from tickwire.venues._binance_messages import FUTURES_EXTRAS, messages
from tickwire.venues._book_rule import BookRule, linked
from tickwire.venues._oracle import same_id
from tickwire.venues.base import Heartbeat, Limits, Venue
from tickwire.venues.binance import DAY_S, FUTURES_INTERVALS, FUTURES_SMALLER, smaller_too

MARKET = Market(
    speeds={
        "100ms": ("@depth@100ms",),
        "250ms": ("@depth", "@depth@250ms"),
        "500ms": ("@depth@500ms",),
    },
    best_speed="100ms",
    partial_speeds=("@100ms", "@250ms", "@500ms"),
    intervals=FUTURES_INTERVALS,
    futures=True,
    endpoints={},
    single_trades=False,
)

ASTER = Venue(
    name="aster",
    endpoints={"main": "wss://fstream.asterdex.com/stream"},
    channels=channels(MARKET),
    messages=messages(MARKET),
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    reply=reply,
    # The server pings every 5 minutes, and waits 15 for the answer.
    heartbeat=Heartbeat("ping", every_s=20.0, timeout_s=60.0),
    # 10 messages a second; a snapshot of 1000 levels weighs 20 of 2400 a minute, 1000 aggregates
    # as well.
    limits=Limits(
        subscriptions_per_connection=200,
        subscriptions_per_request=100,
        requests_per_s=8.0,
        connects_per_min=60,
        rest_per_min=50,
        backfills_per_min=10,
        max_age_s=DAY_S,
    ),
    rest_url="https://fapi.asterdex.com",
    book=BookRule(
        chain=linked(),
        begin=smaller_too("/fapi/v1/depth?symbol={symbol}&limit=", 1000, FUTURES_SMALLER),
        repair="rest",
    ),
    oracle=same_id(depth="book:<levels>"),  # bookTicker
    backfills=backfills("/fapi/v1/"),
    instruments=partial(instruments, "/fapi/v1/exchangeInfo"),
    spell=partial(spell, ""),
    aliases=partial(aliases, MARKET),
    extras=FUTURES_EXTRAS,
    verified="2025-12-10",
    unverified=("candles:<interval>", "liquidations"),
)

VENUES = (ASTER,)
