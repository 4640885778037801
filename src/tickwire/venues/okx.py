"""OKX v5: spot, swaps, futures and options, by one connection to each of two endpoints.

Rules of this file
------------------
- Every frame has `arg`, the subscription as it was asked for: its JSON is the key.
- Books: a snapshot has `prevSeqId` -1, an update the `seqId` before it; steps are arbitrary, so how
  much was lost is unknown. Equal ids without levels only say that the book lives. The channel keeps
  its 400 levels itself. `checksum` is 0 since 2026-06-23.
- Sizes and volumes are as sent: contracts of derivatives, the base currency on spot.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial

from tickwire.errors import ConfigError
from tickwire.venues import _fields
from tickwire.venues._book_rule import BookRule, in_band, linked
from tickwire.venues._okx_instruments import instruments, kind_of, spell
from tickwire.venues._okx_messages import CANDLES, EXTRAS, MESSAGES
from tickwire.venues._oracle import same_id
from tickwire.venues.base import Channel, Heartbeat, Limits, Reply, Subscription, Venue

NAMED = ("instId", "instType")  # what an argument has beside its channel
DERIVATIVES = ("SWAP", "FUTURES", "OPTION")
LATER = ("60014", "60030", "63999")  # too many requests, or the server's own trouble
SUBSCRIPTION = re.compile(r"channel:([\w-]+), ?(\w+):(\S+) doesn't exist")


def _key(channel: str, name: str, value: str) -> str:
    return json.dumps({"channel": channel, name: value}, separators=(",", ":"))


def _subscriptions(channel: str, symbol: str) -> list[Subscription]:
    family, _, argument = channel.partition(":")
    endpoint = "business" if family == "candles" else "public"
    if family == "liquidations":
        kinds = DERIVATIVES if symbol == "*" else (kind_of(symbol),)
        if "SPOT" in kinds:
            raise ConfigError([f"channel {channel!r}: {symbol!r} is no derivative"])
        # One subscription brings all symbols of a kind.
        keys = [_key("liquidation-orders", "instType", kind) for kind in kinds]
        return [Subscription(channel, "*", family, key, endpoint) for key in keys]
    names = {
        "trades": ["trades"], "quotes": ["bbo-tbt"], "book": [f"books{argument}"],
        "tickers": ["index-tickers"] if argument else ["tickers"],
        "candles": [CANDLES.get(argument, ("",))[0]],
    }[family]  # fmt: skip
    if channel == "tickers" and kind_of(symbol) != "SPOT":
        names += ["mark-price", "open-interest"]
        names += ["funding-rate"] if kind_of(symbol) == "SWAP" else []
    keys = [_key(name, "instId", symbol) for name in names]
    return [Subscription(channel, symbol, family, key, endpoint) for key in keys]


def _request(op: str, subscriptions: Sequence[Subscription], request_id: int) -> str:
    args = ",".join(subscription.key for subscription in subscriptions)
    return f'{{"id":"{request_id}","op":"{op}","args":[{args}]}}'


def _reply(kind: str, payload: bytes) -> Reply:
    if kind == "pong":
        return Reply()
    answer = json.loads(payload)
    words = f"{answer.get('msg', '')} (code {answer.get('code', '')})"
    if answer["event"] in ("subscribe", "unsubscribe"):
        arg = answer["arg"]
        keys = tuple(_key(arg["channel"], each, arg[each]) for each in NAMED if each in arg)
        return Reply(acknowledged=keys) if answer["event"] == "subscribe" else Reply(ended=keys)
    if answer["event"] == "notice":
        return Reply(text=words, closing=answer.get("code") == "64008")
    named = SUBSCRIPTION.search(words)  # an error names its subscription in prose alone
    keys = (_key(*named.groups()),) if named else ()
    return Reply(refused=keys, text=words, retry=answer.get("code") in LATER)


CHANNELS = (
    Channel("trades", "trades", _subscriptions),
    Channel("quotes", "quotes", _subscriptions),
    Channel("book", "book", _subscriptions, spliced=True, cadence_s=60.0),
    Channel("book:5", "book", _subscriptions),
    Channel("candles:<interval>", "candles", _subscriptions, arguments=tuple(CANDLES)),
    Channel("tickers", "tickers", _subscriptions),
    Channel("tickers:index", "tickers", _subscriptions),
    Channel("liquidations", "liquidations", _subscriptions, wildcard=True),
)

OKX = Venue(
    name="okx",
    endpoints={
        "public": "wss://ws.okx.com:8443/ws/v5/public",
        "business": "wss://ws.okx.com:8443/ws/v5/business",
    },
    channels=CHANNELS,
    messages=MESSAGES,
    subscribe=partial(_request, "subscribe"),
    unsubscribe=partial(_request, "unsubscribe"),
    reply=_reply,
    # A connection that was silent for 30 s is closed; the text "ping" is answered by "pong".
    heartbeat=Heartbeat("text", every_s=20.0, timeout_s=30.0, payload="ping"),
    # 480 requests an hour and connection, 3 connections a second, 64 KiB of arguments.
    limits=Limits(240, 50, requests_per_s=3.0, connects_per_min=60),
    rest_url="https://www.okx.com",
    instruments=partial(instruments, kind_of),
    spell=spell,
    book=BookRule(chain=linked(), begin=in_band(), repair="resubscribe"),
    oracle=same_id(depth="book:5"),
    extras=EXTRAS,
    verified="2026-08-24",
    unverified=("tickers", "liquidations"),  # mark-price and open-interest of the first
    fields=_fields.OKX,
)

VENUES = (OKX,)
