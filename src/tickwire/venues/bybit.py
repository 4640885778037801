"""Bybit v5: linear contracts, inverse contracts, spot.

Rules of this file
------------------
- A topic's name is its key: `orderbook.200.BTCUSDT`.
- Books: `u` grows by 1 per topic; 1 is a snapshot after a restart of the service, whatever its
  type. Other depths are other topics with other numbers, and nothing has a checksum.
- A request with one wrong topic fails whole; the answer names the request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from tickwire.venues import _fields
from tickwire.venues._book_rule import BookRule, counted, in_band
from tickwire.venues._bybit_instruments import instruments, spell
from tickwire.venues._bybit_messages import DEPTHS, EXTRAS, INTERVALS, MESSAGES
from tickwire.venues._instrument import spell_contract, spell_spot
from tickwire.venues._oracle import lasting
from tickwire.venues.base import Channel, Heartbeat, Limits, Reply, Subscription, Venue

BEST_DEPTH = "200"


def _subscriptions(channel: str, symbol: str) -> list[Subscription]:
    family, _, argument = channel.partition(":")
    topic = {
        "trades": "publicTrade",
        "quotes": "orderbook.1",
        "book": f"orderbook.{argument or BEST_DEPTH}",
        "candles": f"kline.{INTERVALS.get(argument, '')}",
        "tickers": "tickers",
        "liquidations": "allLiquidation",
    }[family]
    return [Subscription(channel, symbol, family, f"{topic}.{symbol}")]


def _aliases(configured: Sequence[str]) -> Mapping[str, str]:
    return {f"book:{BEST_DEPTH}": "book"} if "book" in configured else {}


def _request(op: str, subscriptions: Sequence[Subscription], request_id: int) -> str:
    topics = [subscription.key for subscription in subscriptions]
    asked = {"op": op, "req_id": str(request_id), "args": topics}
    return json.dumps(asked, separators=(",", ":"))


def _reply(kind: str, payload: bytes) -> Reply:
    if kind == "pong":
        return Reply()
    answer = json.loads(payload)
    number = answer.get("req_id", "")
    request_id = int(number) if number.isdigit() else None
    if answer.get("op") == "unsubscribe":
        return Reply(text="" if kind == "acknowledge" else answer.get("ret_msg", ""))
    if kind == "acknowledge":
        return Reply(request_id=request_id)
    words = answer.get("ret_msg", "")
    retry = "too many" in words.lower() or "limit" in words.lower()
    if "already subscribed" in words:
        return Reply(request_id=request_id)
    return Reply(text=words, request_id=request_id, request_ok=False, retry=retry)


SPOT_CHANNELS = (
    Channel("trades", "trades", _subscriptions),
    Channel("quotes", "quotes", _subscriptions, cadence_s=4.0),  # again after 3 s without a change
    Channel("book", "book", _subscriptions, spliced=True),
    Channel("book:<depth>", "book", _subscriptions, arguments=DEPTHS, spliced=True),
    Channel("candles:<interval>", "candles", _subscriptions, arguments=tuple(INTERVALS)),
    Channel("tickers", "tickers", _subscriptions),
)

LINEAR = Venue(
    name="bybit",
    endpoints={"main": "wss://stream.bybit.com/v5/public/linear"},
    channels=(*SPOT_CHANNELS, Channel("liquidations", "liquidations", _subscriptions)),
    messages=MESSAGES,
    subscribe=partial(_request, "subscribe"),
    unsubscribe=partial(_request, "unsubscribe"),
    reply=_reply,
    heartbeat=Heartbeat("text", every_s=20.0, timeout_s=40.0, payload='{"op":"ping"}'),
    # 500 connections in 5 minutes, 21,000 characters of arguments; spot takes 10 in a request.
    limits=Limits(
        subscriptions_per_connection=200,
        subscriptions_per_request=10,
        requests_per_s=5.0,
        connects_per_min=60,
    ),
    rest_url="https://api.bybit.com",
    instruments=partial(instruments, "linear"),
    spell=partial(spell_contract, spell),
    book=BookRule(chain=counted(step=1, restart=1), begin=in_band(), repair="resubscribe"),
    oracle=lasting(),
    aliases=_aliases,
    extras=EXTRAS,
    verified="2026-08-09",
    unverified=("liquidations",),
    fields=_fields.BYBIT,
)

INVERSE = replace(
    LINEAR, name="bybit-inverse", endpoints={"main": "wss://stream.bybit.com/v5/public/inverse"},
    instruments=partial(instruments, "inverse"), verified=None, unverified=(), fields={},
)  # fmt: skip

SPOT = replace(
    INVERSE, name="bybit-spot", endpoints={"main": "wss://stream.bybit.com/v5/public/spot"},
    instruments=partial(instruments, "spot"), channels=SPOT_CHANNELS,
    spell=partial(spell_spot, spell),
)  # fmt: skip

VENUES = (LINEAR, INVERSE, SPOT)
