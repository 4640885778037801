"""Coinbase Advanced Trade: one channel in a request, and acknowledgements that list everything."""

import json

from tickwire.venues import Reply, load, plan

COINBASE = load("coinbase")


def test_quotes_and_tickers_are_one_subscription_of_two_tables() -> None:
    found = plan(COINBASE, ["quotes", "tickers"], ["BTC-USD"])
    assert [(each.table, each.key) for each in found] == [
        ("quotes", "ticker BTC-USD"),
        ("tickers", "ticker BTC-USD"),
    ]


def test_a_request_names_one_channel_and_many_products() -> None:
    both = plan(COINBASE, ["book"], ["BTC-USD", "ETH-USD"])
    asked = json.loads(COINBASE.subscribe(both, 1))
    products = ["BTC-USD", "ETH-USD"]
    assert asked == {"type": "subscribe", "product_ids": products, "channel": "level2"}


def test_it_asks_for_heartbeats_first() -> None:
    (hello,) = COINBASE.hello
    assert json.loads(hello) == {"type": "subscribe", "channel": "heartbeats"}


def test_answers() -> None:
    listed = {"heartbeats": ["heartbeats"], "level2": ["BTC-USD", "ETH-USD"], "ticker": ["BTC-USD"]}
    answer = {"channel": "subscriptions", "sequence_num": 4, "events": [{"subscriptions": listed}]}
    found = COINBASE.reply("acknowledge", json.dumps(answer).encode())
    assert {"level2 BTC-USD", "level2 ETH-USD", "ticker BTC-USD"} < {*found.acknowledged}
    wrong = b'{"type":"error","message":"Invalid product_ids"}'
    assert COINBASE.reply("error", wrong) == Reply(text="Invalid product_ids")
    many = b'{"type":"error","message":"rate limit exceeded"}'
    assert COINBASE.reply("error", many).retry
