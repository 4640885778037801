"""Bitget by its WebSocket API, version 3: contracts in USDT, in USDC and in coins, and spot.

Rules of this file
------------------
- An argument names the market, the topic and the symbol; as JSON it is the key.
- Books: `pseq` of an update is the last `seq`; that of a snapshot is 0. `books1` and `books5` have
  the same numbers. The checksum is gone since 2026-06-06, and is not looked at.
- `liquidation` is of a whole market.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from tickwire.venues._bitget_instruments import instruments, spell
from tickwire.venues._bitget_messages import EXTRAS, INTERVALS, MESSAGES
from tickwire.venues._book_rule import BookRule, in_band, linked
from tickwire.venues._instrument import spell_contract, spell_spot
from tickwire.venues._oracle import same_id
from tickwire.venues.base import Channel, Heartbeat, Limits, Reply, Subscription, Venue

LATER = ("30006", "30007")  # too many requests


def _key(market: str, topic: str, symbol: str, interval: str = "") -> str:
    named = {"instType": market, "topic": topic, "symbol": symbol, "interval": interval}
    return json.dumps(
        {each: value for each, value in named.items() if value}, separators=(",", ":")
    )


def _subscriptions(market: str, channel: str, symbol: str) -> list[Subscription]:
    family, _, argument = channel.partition(":")
    if family == "liquidations":
        # One subscription brings all symbols of a market.
        return [Subscription(channel, "*", family, _key(market, "liquidation", ""))]
    topic = {
        "trades": "publicTrade", "quotes": "books1", "book": f"books{argument}",
        "candles": "kline", "tickers": "ticker",
    }[family]  # fmt: skip
    interval = INTERVALS[argument][0] if family == "candles" else ""
    return [Subscription(channel, symbol, family, _key(market, topic, symbol, interval))]


def _request(op: str, subscriptions: Sequence[Subscription], request_id: int) -> str:
    args = ",".join(subscription.key for subscription in subscriptions)
    return f'{{"op":"{op}","args":[{args}]}}'


def _reply(kind: str, payload: bytes) -> Reply:
    if kind == "pong":
        return Reply()
    answer = json.loads(payload)
    arg = answer.get("arg") or {}
    symbol = arg.get("symbol", arg.get("instId", ""))
    keys = (_key(arg.get("instType", ""), arg.get("topic", ""), symbol, arg.get("interval", "")),)
    if kind == "error":
        code = str(answer.get("code", ""))
        words = f"{answer.get('msg', '')} (code {code})"
        return Reply(refused=keys if arg else (), text=words, retry=code in LATER)
    return Reply(acknowledged=keys) if answer["event"] == "subscribe" else Reply(ended=keys)


def _channels(market: str) -> tuple[Channel, ...]:
    subscriptions = partial(_subscriptions, market)
    found = (
        Channel("trades", "trades", subscriptions),
        Channel("quotes", "quotes", subscriptions),
        Channel("book", "book", subscriptions, spliced=True),
        Channel("book:5", "book", subscriptions),
        Channel("candles:<interval>", "candles", subscriptions, arguments=tuple(INTERVALS)),
        Channel("tickers", "tickers", subscriptions),
    )
    of_all = Channel("liquidations", "liquidations", subscriptions, wildcard=True)
    return found if market == "spot" else (*found, of_all)


FUTURES = Venue(
    name="bitget-futures",
    endpoints={"main": "wss://ws.bitget.com/v3/ws/public"},
    channels=_channels("usdt-futures"),
    messages=MESSAGES,
    subscribe=partial(_request, "subscribe"),
    unsubscribe=partial(_request, "unsubscribe"),
    reply=_reply,
    # A connection without a "ping" for two minutes is closed; the text "pong" answers.
    heartbeat=Heartbeat("text", every_s=25.0, timeout_s=40.0, payload="ping"),
    # 10 messages a second, 240 requests an hour, 1000 channels; 100 connections, 60 in a minute.
    limits=Limits(
        1000, 50, requests_per_s=5.0, connects_per_min=60, connections=100, max_age_s=86_400.0
    ),
    rest_url="https://api.bitget.com",
    instruments=partial(instruments, "usdt-futures"),
    spell=partial(spell_contract, spell),
    book=BookRule(chain=linked(), begin=in_band(), repair="resubscribe"),
    oracle=same_id(depth="book:5"),
    extras=EXTRAS,
    verified="2026-04-28",
    unverified=("quotes", "book:5", "candles:<interval>"),
)


def _market(name: str, market: str) -> Venue:
    return replace(
        FUTURES, name=name, channels=_channels(market), instruments=partial(instruments, market),
        spell=partial(spell_spot if market == "spot" else spell_contract, spell),
        verified=None, unverified=(),
    )  # fmt: skip


VENUES = (
    FUTURES,
    _market("bitget", "spot"),
    _market("bitget-usdc", "usdc-futures"),
    _market("bitget-inverse", "coin-futures"),
)
