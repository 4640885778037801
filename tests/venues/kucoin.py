"""KuCoin's classic spot market, declared from docs/declaring.md alone. Its books begin by REST."""

import json
from collections.abc import Sequence
from typing import Any

from tickwire import venues
from tickwire.decode import plan
from tickwire.decode.plan import constant, integer, message, ms, rows
from tickwire.venues import Before, Channel, Heartbeat, Limits, Reply, Subscription, Venue

TOPICS = {"trades": "/market/match", "book": "/market/level2"}
DEPTH = "/api/v3/market/orderbook/level2_100?symbol={symbol}"


def where(answer: bytes) -> str:
    said = json.loads(answer)["data"]
    return f"{said['instanceServers'][0]['endpoint']}?token={said['token']}&connectId=1"


def subscriptions(channel: str, symbol: str) -> list[Subscription]:
    return [Subscription(channel, symbol, channel, f"{TOPICS[channel]}:{symbol}")]


def subscribe(asked: Sequence[Subscription], n: int) -> str:
    return json.dumps({"id": n, "type": "subscribe", "topic": asked[0].key, "response": True})


def book(levels: str, **more: Any) -> list[plan.Rows]:
    more |= {"channel": constant("book"), "price": "[0]", "size": "[1]", "into": "book"}
    more |= {"ts_event": ms("$.data.time"), "is_snapshot": constant(levels == "data")}
    return [rows(at=f"{levels}.{s}s[]", side=constant(s), **more) for s in ("bid", "ask")]


TRADE = rows(
    at="data", into="trades", symbol="symbol", ts_event=plan.ns("time"), price="price",
    size="size", side=plan.choice("side", {"buy": "buy", "sell": "sell"}),
    trade_id=plan.text("tradeId"), channel=constant("trades"))  # fmt: skip
START, END = "$.data.sequenceStart", "$.data.sequenceEnd"
CHANGES = book(  # one of price 0 moves the number alone
    "data.changes", symbol="$.data.symbol", when={"[0]": plan.unlike("0")}, venue_seq=END,
    first_seq=integer(START), venue_prev_seq=integer(START, add=-1))  # fmt: skip
KUCOIN = Venue(
    name="kucoin", endpoints={"main": "wss://ws-api-spot.kucoin.com"},
    rest_url="https://api.kucoin.com", before=Before("/api/v1/bullet-public", where, body=""),
    channels=tuple(Channel(n, n, subscriptions, spliced=n == "book") for n in TOPICS),
    messages=(
        message("change", when={"subject": "trade.l2update"}, spliced=True, rows=CHANGES),
        message("match", when={"subject": "trade.l3match"}, rows=[TRADE]),
        message("snapshot", kind="snapshot",
                rows=book("data", symbol=plan.given(), venue_seq="$.data.sequence")),
        message("ack", when={"type": "ack"}, kind="acknowledge"),
        message("error", when={"type": "error"}, kind="error"),
        message("other", when={"type": plan.equal("welcome", "pong")}, kind="ignore"),
        message("unasked", when={"topic": plan.prefix("/market/")}, kind="ignore"),
    ),
    subscribe=subscribe, limits=Limits(300, 1, 10.0, 30, rest_per_min=30),
    reply=lambda kind, payload: Reply(request_id=int(json.loads(payload)["id"])),
    heartbeat=Heartbeat("text", 18.0, 60.0, '{"id":1,"type":"ping"}'),
    book=venues.BookRule(venues.ranges(), venues.rest(DEPTH), repair="rest"))  # fmt: skip
