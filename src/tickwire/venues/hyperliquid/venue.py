"""Hyperliquid, main net and test net: channels, limits, and all that belongs to them."""

from __future__ import annotations

from dataclasses import replace

from tickwire.venues import _fields
from tickwire.venues._book_rule import BookRule, none
from tickwire.venues._oracle import same_time
from tickwire.venues.base import Channel, Heartbeat, Limits, Venue
from tickwire.venues.hyperliquid.accounts import TYPES, spell_user
from tickwire.venues.hyperliquid.connection import (
    reply,
    subscribe,
    subscriptions,
    unsubscribe,
    user_subscriptions,
)  # fmt: skip
from tickwire.venues.hyperliquid.instruments import instruments, spell
from tickwire.venues.hyperliquid.l2 import CHANNEL as L2
from tickwire.venues.hyperliquid.l2 import LEVELS
from tickwire.venues.hyperliquid.messages import EXTRAS, MESSAGES

INTERVALS = (
    "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M",
)  # fmt: skip
# nSigFigs 2 to 5; mantissa only with 5.
PRECISIONS = ("n2", "n3", "n4", "n5", "n5m1", "n5m2", "n5m5")

CHANNELS = (
    Channel("trades", "trades", subscriptions),
    Channel("quotes", "quotes", subscriptions),
    # Pushed every 5 s, the fast one every 0.5 s, whether the book has changed or not.
    Channel("book", "book", subscriptions, cadence_s=6.0),
    Channel("book:fast", "book", subscriptions, cadence_s=1.0, poorer="book"),
    # What changes comes every 0.5 s, and nothing in a quiet market.
    Channel(L2, "book", subscriptions, spliced=True, poorer="book"),
    Channel("book:<precision>", "book", subscriptions, arguments=PRECISIONS, cadence_s=6.0),
    Channel("candles:<interval>", "candles", subscriptions, arguments=INTERVALS),
    Channel("tickers", "tickers", subscriptions),
    Channel("tickers:fast", "tickers", subscriptions, wildcard=True),
    Channel("mids", "mids", subscriptions, wildcard=True),
    Channel("mids:fast", "mids", subscriptions, wildcard=True),  # of all dexes
    *(Channel(name, name, user_subscriptions, of_users=True) for name in TYPES),
)

MAIN = Venue(
    name="hyperliquid",
    endpoints={"main": "wss://api.hyperliquid.xyz/ws"},
    channels=CHANNELS,
    messages=MESSAGES,
    subscribe=subscribe,
    reply=reply,
    # The server closes a connection to which it has sent nothing for 60 s; every ping is answered.
    heartbeat=Heartbeat("text", every_s=25.0, timeout_s=60.0, payload='{"method":"ping"}'),
    # 2000 messages a minute over all connections, and bursts above 33 a second fail. So a hundred
    # streams are asked for again in 3.6 s.
    limits=Limits(
        subscriptions_per_connection=1000,
        subscriptions_per_request=1,
        requests_per_s=28.0,
        total_requests_per_s=28,
        connects_per_min=30,
        connections=100,
        subscriptions=1000,
        users=10,
    ),
    unsubscribe=unsubscribe,
    rest_url="https://api.hyperliquid.xyz",
    book=BookRule(chain=none(), repair="resubscribe"),
    oracle=same_time("book", levels=LEVELS),
    instruments=instruments,
    spell=spell,
    spell_user=spell_user,
    extras=EXTRAS,
    verified="2026-11-22",
    unverified=(*TYPES, "tickers:fast", "mids:fast", L2),
    fields=_fields.HYPERLIQUID,
)

TEST = replace(
    MAIN,
    name="hyperliquid-testnet",
    endpoints={"main": "wss://api.hyperliquid-testnet.xyz/ws"},
    rest_url="https://api.hyperliquid-testnet.xyz",
)

VENUES = (MAIN, TEST)
