"""Kraken Futures by its WebSocket API, version 1, without a key.

Rules of this file
------------------
- One request names one feed and many contracts, and so does its answer.
- Books: `seq` grows by 1 per contract; a change is of one level. A snapshot comes first.
- There are no candles. Liquidations are trades of a type of their own, and stand in both tables.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from tickwire.venues._book_rule import BookRule, counted, in_band
from tickwire.venues._instrument import spell_contract
from tickwire.venues._kraken_futures_instruments import instruments, spell
from tickwire.venues._kraken_futures_messages import MESSAGES
from tickwire.venues._oracle import lasting
from tickwire.venues.base import Channel, Heartbeat, Limits, Reply, Subscription, Venue

FEEDS = {
    "trades": "trade", "liquidations": "trade", "quotes": "ticker", "tickers": "ticker",
    "book": "book",
}  # fmt: skip
HELLO = '{"event":"subscribe","feed":"heartbeat"}'


def _key(feed: str, symbol: str) -> str:
    return f"{feed} {symbol}"


def _subscriptions(channel: str, symbol: str) -> list[Subscription]:
    feed = FEEDS[channel]
    return [Subscription(channel, symbol, channel, _key(feed, symbol), request=feed)]


def _request(event: str, subscriptions: Sequence[Subscription], request_id: int) -> str:
    products = [subscription.symbol for subscription in subscriptions]
    asked = {"event": event, "feed": subscriptions[0].request, "product_ids": products}
    return json.dumps(asked, separators=(",", ":"))


def _reply(kind: str, payload: bytes) -> Reply:
    answer = json.loads(payload)
    if kind == "error":  # it names nothing: "Invalid product id"
        words = str(answer.get("message", ""))
        return Reply(text=words, retry="limit" in words.lower())
    keys = tuple(_key(answer["feed"], each) for each in answer.get("product_ids", ()))
    return Reply(acknowledged=keys) if answer["event"] == "subscribed" else Reply(ended=keys)


KRAKEN_FUTURES = Venue(
    name="kraken-futures",
    endpoints={"main": "wss://futures.kraken.com/ws/v1"},
    channels=tuple(Channel(name, name, _subscriptions, spliced=name == "book") for name in FEEDS),
    messages=MESSAGES,
    hello=(HELLO,),  # one a second, also without trades
    subscribe=partial(_request, "subscribe"),
    unsubscribe=partial(_request, "unsubscribe"),
    reply=_reply,
    heartbeat=Heartbeat("ping", every_s=20.0, timeout_s=30.0),
    # 100 requests a second, 100 connections; a ping within 60 s.
    limits=Limits(
        subscriptions_per_connection=500,
        subscriptions_per_request=50,
        requests_per_s=20.0,
        connects_per_min=60,
        connections=100,
    ),
    rest_url="https://futures.kraken.com",
    instruments=instruments,
    spell=partial(spell_contract, spell),
    book=BookRule(chain=counted(), begin=in_band(), repair="resubscribe"),
    oracle=lasting(),
    verified="2021-07-29",
    unverified=("liquidations",),
)

VENUES = (KRAKEN_FUTURES,)
