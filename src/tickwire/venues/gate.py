"""Gate by its WebSocket API, version 4: spot, and perpetual contracts in USDT and in bitcoin.

Rules of this file
------------------
- One request asks for one thing; the answer has its number.
- Books (`obu`): a message with `full` begins the book again and may come at any time; each change's
  `U` follows the last `u`. The venue keeps the depth. Quotes have the same numbers.
- Sizes of contracts are numbers of contracts, and their sign is the side of a trade. Without a
  header they are whole numbers: half a contract would be none, which removes a level.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from functools import partial

from tickwire.venues._book_rule import BookRule, in_band, ranges
from tickwire.venues._gate_books import DEPTHS
from tickwire.venues._gate_instruments import instruments, spell
from tickwire.venues._gate_messages import INTERVALS, messages
from tickwire.venues._instrument import spell_contract, spell_spot
from tickwire.venues._oracle import same_id
from tickwire.venues.base import Channel, Heartbeat, Limits, Reply, Subscription, Venue

NAMES = {
    "trades": "trades", "quotes": "book_ticker", "book": "obu", "candles": "candlesticks",
    "tickers": "tickers", "liquidations": "public_liquidates",
}  # fmt: skip


def _subscriptions(market: str, channel: str, symbol: str) -> list[Subscription]:
    family, _, argument = channel.partition(":")
    payload = {
        "book": [f"ob.{symbol}.{argument or DEPTHS[0]}"],
        "candles": [argument, symbol],
    }.get(family, ["!all" if symbol == "*" else symbol])
    key = {"channel": f"{market}.{NAMES[family]}", "payload": payload}
    return [Subscription(channel, symbol, family, json.dumps(key, separators=(",", ":")))]


def _request(event: str, subscriptions: Sequence[Subscription], request_id: int) -> str:
    (subscription,) = subscriptions
    asked = {"time": int(time.time()), "id": request_id, "event": event}
    return json.dumps(asked | json.loads(subscription.key), separators=(",", ":"))


def _reply(kind: str, payload: bytes) -> Reply:
    answer = json.loads(payload)
    if kind == "pong" or answer.get("event") == "unsubscribe":
        return Reply()
    error = answer.get("error")
    words = str(error.get("message", "")) if error else ""
    if not error or words.startswith("Alert sub"):  # it is subscribed to already
        return Reply(request_id=answer.get("id"))
    retry = "rate" in words.lower() or "too many" in words.lower()
    return Reply(text=words, retry=retry, request_id=answer.get("id"), request_ok=False)


def _aliases(configured: Sequence[str]) -> Mapping[str, str]:
    return {f"book:{DEPTHS[0]}": "book"} if "book" in configured else {}


def _venue(name: str, url: str, settle: str, verified: str | None) -> Venue:
    market = "futures" if settle else "spot"
    subscriptions = partial(_subscriptions, market)
    channels = [
        Channel("trades", "trades", subscriptions),
        Channel("quotes", "quotes", subscriptions),
        Channel("book", "book", subscriptions, spliced=True),
        Channel("book:<levels>", "book", subscriptions, arguments=DEPTHS, spliced=True),
        Channel("candles:<interval>", "candles", subscriptions, arguments=tuple(INTERVALS)),
        Channel("tickers", "tickers", subscriptions),
    ]
    if settle:
        channels.append(Channel("liquidations", "liquidations", subscriptions, wildcard=True))
    return Venue(
        name=name,
        endpoints={"main": url},
        channels=tuple(channels),
        messages=messages(market),
        subscribe=partial(_request, "subscribe"),
        unsubscribe=partial(_request, "unsubscribe"),
        reply=_reply,
        heartbeat=Heartbeat(
            "text", every_s=15.0, timeout_s=30.0, payload=f'{{"time":1,"channel":"{market}.ping"}}'
        ),
        # 50 requests a second and 300 connections of an address.
        limits=Limits(
            subscriptions_per_connection=200,
            subscriptions_per_request=1,
            requests_per_s=20.0,
            connects_per_min=60,
            connections=300,
        ),
        headers={"X-Gate-Size-Decimal": "1"} if settle else {},
        rest_url="https://api.gateio.ws",
        instruments=partial(instruments, settle),
        spell=partial(spell_contract if settle else spell_spot, spell),
        book=BookRule(chain=ranges(), begin=in_band(), repair="resubscribe"),
        oracle=same_id(),
        aliases=_aliases,
        verified=verified,
        # Of each market a ticker is the only frame of today.
        unverified=tuple(each.name for each in channels if each.name != "tickers")
        if verified
        else (),
    )


VENUES = (
    _venue("gate", "wss://api.gateio.ws/ws/v4/", "", "2026-08-12"),
    _venue("gate-futures", "wss://fx-ws.gateio.ws/v4/ws/usdt", "usdt", "2026-08-12"),
    _venue("gate-btc", "wss://fx-ws.gateio.ws/v4/ws/btc", "btc", None),
)
