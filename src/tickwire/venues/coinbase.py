"""Coinbase Advanced Trade, its market data without a key.

Rules of this file
------------------
- One request names one channel and many products; an acknowledgement lists all that the connection
  has of every channel.
- `sequence_num` counts every message of a connection, acknowledgements and heartbeats included, and
  nothing else shows a loss: what is missing may be of any product, so all of them begin again.
- The side of a trade is the maker's. Levels are removed that were never shown, as a rule.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from tickwire.venues import _fields
from tickwire.venues._book_rule import BookRule, in_band, per_connection
from tickwire.venues._coinbase_instruments import instruments, spell
from tickwire.venues._coinbase_messages import MESSAGES
from tickwire.venues._oracle import lasting
from tickwire.venues.base import Channel, Heartbeat, Limits, Reply, Subscription, Venue

# A channel to the venue's; messages of `level2` come as `l2_data`.
NAMES = {
    "trades": "market_trades",
    "quotes": "ticker",
    "tickers": "ticker",
    "book": "level2",
    "candles:5m": "candles",
}
HELLO = '{"type":"subscribe","channel":"heartbeats"}'


def _key(name: str, symbol: str) -> str:
    return f"{name} {symbol}"


def _subscriptions(channel: str, symbol: str) -> list[Subscription]:
    name = NAMES[channel]
    table = channel.partition(":")[0]
    return [Subscription(channel, symbol, table, _key(name, symbol), request=name)]


def _request(kind: str, subscriptions: Sequence[Subscription], request_id: int) -> str:
    products = [subscription.symbol for subscription in subscriptions]
    asked = {"type": kind, "product_ids": products, "channel": subscriptions[0].request}
    return json.dumps(asked, separators=(",", ":"))


def _reply(kind: str, payload: bytes) -> Reply:
    answer = json.loads(payload)
    if kind == "error":  # it names nothing: "Invalid product_ids", "too many requests"
        words = str(answer.get("message", ""))
        return Reply(text=words, retry="rate" in words or "too many" in words)
    listed = [event.get("subscriptions", {}) for event in answer["events"]]
    keys = [_key(name, each) for event in listed for name in event for each in event[name]]
    return Reply(acknowledged=tuple(keys))


COINBASE = Venue(
    name="coinbase",
    endpoints={"main": "wss://advanced-trade-ws.coinbase.com"},
    channels=tuple(
        Channel(name, name.partition(":")[0], _subscriptions, spliced=name == "book")
        for name in NAMES
    ),
    messages=MESSAGES,
    hello=(HELLO,),  # so that a connection lives, and is seen to live, without trades
    subscribe=partial(_request, "subscribe"),
    unsubscribe=partial(_request, "unsubscribe"),
    reply=_reply,
    heartbeat=Heartbeat("ping", every_s=20.0, timeout_s=10.0),  # a heartbeat comes every second
    # 8 connections and 8 messages a second; a connection must subscribe within 5 s. A snapshot of
    # a large product has 5 MB.
    limits=Limits(
        subscriptions_per_connection=100,
        subscriptions_per_request=20,
        requests_per_s=6.0,
        connects_per_min=60,
    ),
    rest_url="https://api.coinbase.com",
    instruments=instruments,
    spell=spell,
    book=BookRule(
        chain=per_connection("sequence_num"),
        begin=in_band(),
        orphan_deletes=True,
        repair="reconnect",
    ),
    oracle=lasting(),
    verified="2026-08-09",
    fields=_fields.COINBASE,
)

VENUES = (COINBASE,)
