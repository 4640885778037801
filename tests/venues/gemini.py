"""Gemini's market data of version 2, declared from docs/declaring.md alone."""

import json
from collections.abc import Sequence
from functools import partial

from tickwire import venues
from tickwire.decode.plan import Rows, absent, choice, constant, message, ms, present, rows, text
from tickwire.venues import Channel, Heartbeat, Limits, Reply, Subscription, Venue


def subscriptions(channel: str, symbol: str) -> list[Subscription]:
    return [Subscription(channel, symbol, channel, symbol)]  # one brings book and trades


def ask(word: str, asked: Sequence[Subscription], request_id: int) -> str:
    symbols = [each.symbol for each in asked]
    return json.dumps({"type": word, "subscriptions": [{"name": "l2", "symbols": symbols}]})


def book(*, is_snapshot: bool) -> Rows:
    return rows(
        at="changes[]", into="book", symbol="$.symbol", channel=constant("book"), price="[1]",
        side=choice("[0]", {"buy": "bid", "sell": "ask"}), size="[2]",
        is_snapshot=constant(is_snapshot),
    )  # fmt: skip


def trades(at: str) -> list[Rows]:
    return [  # trades had an `event_id` alone before they had a `tid`
        rows(at=at, into="trades", symbol="symbol", ts_event=ms("timestamp"), price="price",
             size="quantity", side=choice("side", {"buy": "buy", "sell": "sell"}),
             trade_id=text(identity), when={"tid": test}, channel=constant("trades"))
        for identity, test in (("tid", present()), ("event_id", absent()))
    ]  # fmt: skip


# The first message of a symbol has its last trades too, and only that one.
SNAPSHOT = {"type": "l2_updates", "trades": present()}
GEMINI = Venue(
    name="gemini",
    endpoints={"main": "wss://api.gemini.com/v2/marketdata"},
    channels=tuple(Channel(n, n, subscriptions, spliced=n == "book") for n in ("trades", "book")),
    messages=(
        message("snapshot", when=SNAPSHOT, spliced=True,
                rows=[book(is_snapshot=True), *trades("trades[]")]),
        message("l2_updates", when={"type": "l2_updates"}, rows=[book(is_snapshot=False)],
                spliced=True),
        message("trade", when={"type": "trade"}, rows=trades("")),
        message("heartbeat", when={"type": "heartbeat"}, kind="ignore"),
        message("error", when={"result": "error"}, kind="error"),
    ),
    subscribe=partial(ask, "subscribe"), unsubscribe=partial(ask, "unsubscribe"),
    reply=lambda kind, payload: Reply(text=payload.decode()),  # what it takes brings data alone
    heartbeat=Heartbeat("ping", every_s=20.0, timeout_s=30.0),
    limits=Limits(100, 20, requests_per_s=1.0, connects_per_min=30),
    book=venues.BookRule(venues.none(), venues.in_band(), repair="resubscribe"),
)  # fmt: skip
