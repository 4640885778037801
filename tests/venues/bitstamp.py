"""Bitstamp, declared from docs/declaring.md alone. Its books have no numbers and no snapshot."""

import json
from collections.abc import Sequence
from functools import partial

from tickwire import venues
from tickwire.decode.plan import choice, constant, equal, message, part, prefix, rows, text, us
from tickwire.venues import Channel, Heartbeat, Limits, Reply, Subscription, Venue

NAMES = {"trades": "live_trades", "book": "diff_order_book", "book:100": "order_book"}
TABLES = {name: name.partition(":")[0] for name in NAMES}
SYMBOL = part("$.channel", "_", -1)


def subscriptions(channel: str, symbol: str) -> list[Subscription]:
    return [Subscription(channel, symbol, TABLES[channel], f"{NAMES[channel]}_{symbol}")]


def ask(event: str, asked: Sequence[Subscription], request_id: int) -> str:
    return json.dumps({"event": f"bts:{event}", "data": {"channel": asked[0].key}})


def reply(kind: str, payload: bytes) -> Reply:
    answer = json.loads(payload)
    if kind == "acknowledge":
        return Reply(acknowledged=(answer["channel"],))
    if answer["event"] == "bts:request_reconnect":
        return Reply(text=answer["event"], closing=True)
    return Reply(refused=(answer["channel"],), text=str(answer["data"].get("message")))


TRADES = rows(
    at="data", into="trades", symbol=SYMBOL, ts_event=us("microtimestamp"), price="price_str",
    size="amount_str", side=choice("type", {0: "buy", 1: "sell"}), trade_id=text("id"),
    channel=constant("trades"),
)  # fmt: skip
BOOKS = [
    message(name, when={"event": "data", "channel": prefix(f"{name}_")}, spliced=not whole, rows=[
        rows(at=f"data.{side}s[]", into="book", symbol=SYMBOL, ts_event=us("$.data.microtimestamp"),
             side=constant(side), price="[0]", size="[1]", channel=constant(channel),
             is_snapshot=constant(whole)) for side in ("bid", "ask")])
    for channel, name, whole in (("book", NAMES["book"], False), ("book:100", "order_book", True))
]  # fmt: skip
BITSTAMP = Venue(
    name="bitstamp",
    endpoints={"main": "wss://ws.bitstamp.net"},
    channels=tuple(Channel(n, TABLES[n], subscriptions, spliced=n == "book") for n in NAMES),
    messages=(
        *BOOKS,
        message("trade", when={"event": "trade"}, rows=[TRADES]),
        message("subscribed", when={"event": "bts:subscription_succeeded"}, kind="acknowledge"),
        message("error", when={"event": equal("bts:error", "bts:request_reconnect")}, kind="error"),
        message("other", when={"event": prefix("bts:")}, kind="ignore"),
    ),
    subscribe=partial(ask, "subscribe"), unsubscribe=partial(ask, "unsubscribe"), reply=reply,
    heartbeat=Heartbeat("text", every_s=20.0, timeout_s=60.0, payload='{"event":"bts:heartbeat"}'),
    limits=Limits(200, 1, requests_per_s=10.0, connects_per_min=60),
    book=venues.BookRule(venues.none(), venues.empty(), repair="resubscribe"),
)  # fmt: skip
