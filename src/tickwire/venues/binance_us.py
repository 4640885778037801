"""Binance.US: the dialect of Binance's spot market, at servers of its own.

Rules of this file
------------------
- What differs is a parameter: addresses, limits, and that old trades by id take a key.
"""

from __future__ import annotations

from functools import partial

from tickwire.venues._book_rule import BookRule, ranges
from tickwire.venues._instrument import spell_spot
from tickwire.venues._oracle import same_id
from tickwire.venues.base import Venue
from tickwire.venues.binance.channels import aliases, channels
from tickwire.venues.binance.connection import reply, subscribe, unsubscribe
from tickwire.venues.binance.messages import EXTRAS, messages
from tickwire.venues.binance.rest import NEWEST, backfills, instruments, smaller_too, spell
from tickwire.venues.binance.spot import HEARTBEAT, SPOT_LIMITS, SPOT_MARKET

BINANCE_US = Venue(
    name="binance-us",
    endpoints={"main": "wss://stream.binance.us:9443/stream"},
    channels=channels(SPOT_MARKET),
    messages=messages(SPOT_MARKET),
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    reply=reply,
    heartbeat=HEARTBEAT,
    # The same in sum: a snapshot of 5000 levels weighs 50 of 1200 a minute, one of 1000 levels 10,
    # of 500 levels 5, of 100 levels 1.
    limits=SPOT_LIMITS,
    rest_url="https://api.binance.us",
    book=BookRule(
        chain=ranges(),
        begin=smaller_too(
            "/api/v3/depth?symbol={symbol}&limit=", 5000, {1000: 100, 500: 180, 100: 900}
        ),
        repair="rest",
    ),
    oracle=same_id(depth="book:<levels>"),  # bookTicker
    backfills=backfills("/api/v3/", NEWEST),
    instruments=partial(instruments, "/api/v3/exchangeInfo"),
    spell=partial(spell_spot, partial(spell, "")),
    aliases=partial(aliases, SPOT_MARKET),
    extras=EXTRAS,
    verified=None,
)

VENUES = (BINANCE_US,)
