"""Kraken's spot market by its WebSocket API, version 2.

Rules of this file
------------------
- One request asks for one symbol, so that an answer that names nothing tells which one it is for.
- Books have no numbers. Each message has a checksum of the ten best levels after it; the client
  drops what is past the depth that it asked for. A loss below the tenth level is not seen until it
  rises. A book may be silent for half a minute.
- A depth is not in the messages, so each has connections of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from tickwire.venues import _fields
from tickwire.venues._book_rule import BookRule, checksum, crc32, in_band
from tickwire.venues._instrument import spell_spot
from tickwire.venues._kraken_instruments import instruments, spell
from tickwire.venues._kraken_messages import INTERVALS, MESSAGES
from tickwire.venues._oracle import lasting
from tickwire.venues.base import Channel, Heartbeat, Limits, Reply, Subscription, Venue

DEPTHS = ("10", "25", "100", "500", "1000")
BEST_DEPTH = 1000
NAMES = {"trades": "trade", "quotes": "ticker", "tickers": "ticker", "candles": "ohlc"}


def _params(channel: str, symbol: str) -> dict[str, object]:
    family, _, argument = channel.partition(":")
    if family == "book":
        return {"channel": "book", "symbol": [symbol], "depth": int(argument or BEST_DEPTH)}
    params: dict[str, object] = {"channel": NAMES[family], "symbol": [symbol]}
    if family == "candles":
        params["interval"] = INTERVALS[argument]
    elif NAMES[family] == "ticker":
        params["event_trigger"] = "bbo"
    return params


def _subscriptions(channel: str, symbol: str) -> list[Subscription]:
    family, _, argument = channel.partition(":")
    key = json.dumps(_params(channel, symbol), separators=(",", ":"))
    is_deep = family == "book" and argument != ""
    labels = (("book", channel),) if is_deep else ()
    group = channel if is_deep else ""
    return [Subscription(channel, symbol, family, key, group=group, labels=labels)]


def _request(method: str, subscriptions: Sequence[Subscription], request_id: int) -> str:
    (subscription,) = subscriptions
    return f'{{"method":"{method}","params":{subscription.key},"req_id":{request_id}}}'


def _reply(kind: str, payload: bytes) -> Reply:
    answer = json.loads(payload)
    if kind == "pong" or answer.get("method") == "unsubscribe":
        return Reply()
    number = answer.get("req_id")
    words = str(answer.get("error", answer.get("Error", "")))
    if answer.get("success") or "already subscribed" in words.lower():
        return Reply(request_id=number)
    retry = "rate" in words.lower()  # "Exceeded msg rate"
    return Reply(text=words, retry=retry, request_id=number, request_ok=False)


def _depth(channel: str) -> int:
    return int(channel.partition(":")[2] or BEST_DEPTH)


KRAKEN = Venue(
    name="kraken",
    endpoints={"main": "wss://ws.kraken.com/v2"},
    channels=(
        Channel("trades", "trades", _subscriptions),
        Channel("quotes", "quotes", _subscriptions),
        Channel("book", "book", _subscriptions, spliced=True),
        Channel("book:<depth>", "book", _subscriptions, arguments=DEPTHS, spliced=True),
        Channel("candles:<interval>", "candles", _subscriptions, arguments=tuple(INTERVALS)),
        Channel("tickers", "tickers", _subscriptions),
    ),
    messages=MESSAGES,
    subscribe=partial(_request, "subscribe"),
    unsubscribe=partial(_request, "unsubscribe"),
    reply=_reply,
    # Once it is subscribed, a connection has a heartbeat every second.
    heartbeat=Heartbeat("text", every_s=20.0, timeout_s=10.0, payload='{"method":"ping"}'),
    # The rate of messages is in no document; 150 connections in 10 minutes.
    limits=Limits(
        subscriptions_per_connection=200,
        subscriptions_per_request=1,
        requests_per_s=15.0,
        connects_per_min=15,
    ),
    rest_url="https://api.kraken.com",
    instruments=instruments,
    spell=partial(spell_spot, spell),
    book=BookRule(
        chain=checksum(crc32(levels=10)), begin=in_band(), depth=_depth, repair="resubscribe"
    ),
    oracle=lasting(),
    verified="2026-08-16",
    unverified=("trades", "quotes", "candles:<interval>", "tickers"),
    fields=_fields.KRAKEN,
)

VENUES = (KRAKEN,)
