"""Deribit: futures, perpetual contracts, options and spot by JSON-RPC, without a key.

Rules of this file
------------------
- A channel's name is its key. An answer lists the channels that it is about; one that does not
  exist is left out of it.
- Books: a change names the one before it (`prev_change_id`), whatever the steps. Channels of single
  events (`.raw`) take a key, so that all come at 100 ms.
- The venue asks for a sign of life (`test_request`) where `public/set_heartbeat` was sent first.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from tickwire.venues._book_rule import BookRule, in_band, linked
from tickwire.venues._deribit_instruments import instruments, spell
from tickwire.venues._deribit_messages import INTERVALS, MESSAGES
from tickwire.venues._oracle import lasting
from tickwire.venues.base import Channel, Heartbeat, Limits, Reply, Subscription, Venue

DEPTHS = ("1", "10", "20")
HELLO = '{"jsonrpc":"2.0","id":0,"method":"public/set_heartbeat","params":{"interval":10}}'
TEST = '{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}'
LATER = (10028, 10041, 13888)  # too many requests, maintenance, timed out


def _subscriptions(channel: str, symbol: str) -> list[Subscription]:
    family, _, argument = channel.partition(":")
    name = {
        "trades": f"trades.{symbol}.100ms",
        "liquidations": f"trades.{symbol}.100ms",
        "quotes": f"quote.{symbol}",
        "book": f"book.{symbol}.none.{argument}.100ms" if argument else f"book.{symbol}.100ms",
        "candles": f"chart.trades.{symbol}.{INTERVALS.get(argument, ('',))[0]}",
        "tickers": f"ticker.{symbol}.100ms",
    }[family]
    return [Subscription(channel, symbol, family, name)]


def _request(method: str, subscriptions: Sequence[Subscription], request_id: int) -> str:
    channels = [subscription.key for subscription in subscriptions]
    # The answer to an unsubscribe looks like another one but for its number.
    number: int | str = request_id if method == "subscribe" else f"end {request_id}"
    asked = {"jsonrpc": "2.0", "id": number, "method": f"public/{method}"}
    return json.dumps(asked | {"params": {"channels": channels}}, separators=(",", ":"))


def _reply(kind: str, payload: bytes) -> Reply:
    if kind == "ping":
        return Reply(answer=TEST)
    answer = json.loads(payload)
    number = answer.get("id")
    if kind == "acknowledge":
        is_list = isinstance(answer["result"], list) and isinstance(number, int)
        return Reply(acknowledged=tuple(answer["result"]) if is_list else ())
    error = answer["error"]
    words = f"{error.get('message', '')} (code {error.get('code', '')})"
    return Reply(
        text=words,
        retry=error.get("code") in LATER,
        request_id=number if isinstance(number, int) else None,
        request_ok=False,
    )


DERIBIT = Venue(
    name="deribit",
    endpoints={"main": "wss://www.deribit.com/ws/api/v2"},
    channels=(
        Channel("trades", "trades", _subscriptions),
        Channel("quotes", "quotes", _subscriptions),
        Channel("book", "book", _subscriptions, spliced=True),
        Channel("book:<levels>", "book", _subscriptions, arguments=DEPTHS),
        Channel("candles:<interval>", "candles", _subscriptions, arguments=tuple(INTERVALS)),
        Channel("tickers", "tickers", _subscriptions),
        Channel("liquidations", "liquidations", _subscriptions),
    ),
    messages=MESSAGES,
    hello=(HELLO,),
    subscribe=partial(_request, "subscribe"),
    unsubscribe=partial(_request, "unsubscribe"),
    reply=_reply,
    # A heartbeat comes every 10 s.
    heartbeat=Heartbeat("text", every_s=20.0, timeout_s=25.0, payload=TEST),
    # 3.3 subscribe requests a second; 32 connections from one address.
    limits=Limits(
        subscriptions_per_connection=500,
        subscriptions_per_request=100,
        requests_per_s=3.0,
        connects_per_min=60,
        connections=32,
    ),
    rest_url="https://www.deribit.com",
    instruments=instruments,
    spell=spell,
    book=BookRule(chain=linked(), begin=in_band(), repair="resubscribe"),
    oracle=lasting(),
    verified="2026-08-12",
    unverified=("quotes", "book:<levels>", "candles:<interval>", "liquidations"),
)

VENUES = (DERIBIT,)
