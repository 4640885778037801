"""Aster's perpetual contracts: the dialect of Binance's USD-M market, at one entry point.

Rules of this file
------------------
- What differs is a parameter: one endpoint, 200 streams on a connection, no stream of single trades
  (only aggregates), books at 100 ms at best.
- Books: `U <= lastUpdateId <= u` of the first delta after a snapshot, then `pu == previous u`.
"""

from __future__ import annotations

from functools import partial

from tickwire.venues._book_rule import BookRule, linked
from tickwire.venues._instrument import spell_contract
from tickwire.venues._oracle import same_id
from tickwire.venues.base import Venue
from tickwire.venues.binance.channels import aliases, channels
from tickwire.venues.binance.connection import reply, subscribe, unsubscribe
from tickwire.venues.binance.futures import FUTURES_LIMITS, FUTURES_SMALLER
from tickwire.venues.binance.market import FUTURES_INTERVALS, Market
from tickwire.venues.binance.messages import FUTURES_EXTRAS, messages
from tickwire.venues.binance.rest import backfills, instruments, smaller_too, spell
from tickwire.venues.binance.spot import HEARTBEAT

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
    heartbeat=HEARTBEAT,
    # Those of USD-M, for itself alone.
    limits=FUTURES_LIMITS,
    rest_url="https://fapi.asterdex.com",
    book=BookRule(
        chain=linked(),
        begin=smaller_too("/fapi/v1/depth?symbol={symbol}&limit=", 1000, FUTURES_SMALLER),
        repair="rest",
    ),
    oracle=same_id(depth="book:<levels>"),  # bookTicker
    backfills=backfills("/fapi/v1/"),
    instruments=partial(instruments, "/fapi/v1/exchangeInfo"),
    spell=partial(spell_contract, partial(spell, "")),
    aliases=partial(aliases, MARKET),
    extras=FUTURES_EXTRAS,
    verified="2025-12-10",
    unverified=("candles:<interval>", "liquidations"),
)

VENUES = (ASTER,)
