"""A venue of one's own: Coinbase Exchange, declared. Streams its trades into polars.

python examples/add_a_venue.py BTC-USD ETH-USD
"""

import argparse
import json
from collections.abc import Sequence

import polars as pl

import tickwire
from tickwire.decode.plan import choice, constant, message, rfc3339, rows, text
from tickwire.venues.base import Channel, Heartbeat, Limits, Reply, Subscription, Venue

# Our channels, and what Coinbase calls them.
NAMES = {"trades": "matches", "quotes": "ticker", "book": "level2_batch"}


def key(name: str, symbol: str) -> str:
    """Name a subscription; answers may call level2_batch otherwise, but for its first word."""
    return f"{name.partition('_')[0]} {symbol}"


def subscriptions(channel: str, symbol: str) -> list[Subscription]:
    """Say what to ask for, and the key under which the answer will name it."""
    return [Subscription(channel, symbol, table=channel, key=key(NAMES[channel], symbol))]


def subscribe(asked: Sequence[Subscription], request_id: int) -> str:
    """Write the request for these subscriptions."""
    channels = [{"name": NAMES[one.channel], "product_ids": [one.symbol]} for one in asked]
    return json.dumps({"type": "subscribe", "channels": channels})


def reply(kind: str, payload: bytes) -> Reply:
    """Say what an answer means; every acknowledgement lists all that is subscribed."""
    answer = json.loads(payload)
    if kind == "error":  # "FOO-USD is not a valid product"
        reason = answer.get("reason", "")
        keys = tuple(key(name, reason.partition(" ")[0]) for name in NAMES.values())
        return Reply(refused=keys, text=f"{answer['message']}: {reason}")
    named = [(one["name"], symbol) for one in answer["channels"] for symbol in one["product_ids"]]
    return Reply(acknowledged=tuple(key(name, symbol) for name, symbol in named))


TRADES = rows(
    at="",  # the message itself is the row
    into="trades",
    symbol="product_id",
    ts_event=rfc3339("time"),
    channel=constant("trades"),
    price="price",
    size="size",
    side=choice("side", {"buy": "sell", "sell": "buy"}),  # Coinbase gives the maker's side
    trade_id=text("trade_id"),
)
QUOTES = rows(
    at="",
    into="quotes",
    symbol="product_id",
    ts_event=rfc3339("time"),
    bid_price="best_bid",
    bid_size="best_bid_size",
    ask_price="best_ask",
    ask_size="best_ask_size",
    venue_seq="sequence",
)
SNAPSHOT = [
    rows(
        at=f"{side}s[]",  # an array of [price, size]
        into="book",
        symbol="$.product_id",  # the same for every row
        channel=constant("book"),
        side=constant(side),
        price="[0]",
        size="[1]",
        is_snapshot=constant(True),
    )
    for side in ("bid", "ask")
]
CHANGES = rows(
    at="changes[]",  # an array of [side, price, size]
    into="book",
    symbol="$.product_id",
    ts_event=rfc3339("$.time"),
    channel=constant("book"),
    side=choice("[0]", {"buy": "bid", "sell": "ask"}),
    price="[1]",
    size="[2]",
    is_snapshot=constant(False),
)

COINBASE = Venue(
    name="coinbase",
    endpoints={"main": "wss://ws-feed.exchange.coinbase.com"},
    channels=tuple(Channel(name, name, subscriptions) for name in NAMES),
    messages=(
        message("match", when={"type": "match"}, rows=[TRADES]),
        message("last_match", when={"type": "last_match"}, rows=[TRADES]),
        message("ticker", when={"type": "ticker"}, rows=[QUOTES]),
        message("snapshot", when={"type": "snapshot"}, rows=SNAPSHOT),
        message("l2update", when={"type": "l2update"}, rows=[CHANGES]),
        message("subscriptions", when={"type": "subscriptions"}, kind="acknowledge"),
        message("error", when={"type": "error"}, kind="error"),
    ),
    subscribe=subscribe,
    reply=reply,
    heartbeat=Heartbeat("ping", every_s=20.0, timeout_s=60.0),
    limits=Limits(
        subscriptions_per_connection=100,
        subscriptions_per_request=1,  # so that a refusal tells which one
        requests_per_s=4.0,
        connects_per_min=60,
    ),
)


async def main(symbols: Sequence[str]) -> None:
    """Print trades as they come."""
    source = tickwire.Source(venue=COINBASE, channels=["trades"], symbols=symbols)
    async with tickwire.FeedHandler([source]) as feed:
        async for batch in feed.batches("trades"):
            print(pl.DataFrame(batch).select("symbol", "ts_event", "side", "price", "size"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print Coinbase Exchange's trades as they come.")
    parser.add_argument("symbols", nargs="*", default=["BTC-USD"], help="such as BTC-USD ETH-USD")
    tickwire.run(main(parser.parse_args().symbols))
