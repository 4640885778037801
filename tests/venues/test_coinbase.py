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


def test_futures_are_dated_or_perpetual() -> None:
    """By the details of a future; the unit of its contract is what it is of."""
    products = {
        "products": [
            {"product_id": "BTC-USD", "product_type": "SPOT", "base_currency_id": "BTC",
             "quote_currency_id": "USD", "price_increment": "0.01", "base_increment": "0.00000001",
             "status": "online"},
            {"product_id": "BIT-26DEC25-CDE", "product_type": "FUTURE", "base_currency_id": "",
             "quote_currency_id": "USD", "price_increment": "5", "base_increment": "1",
             "status": "online", "future_product_details": {
                 "contract_expiry_type": "EXPIRING", "contract_root_unit": "BTC",
                 "contract_size": "0.01", "contract_expiry": "2025-12-26T16:00:00Z"}},
            {"product_id": "BTC-PERP-INTX", "product_type": "FUTURE", "base_currency_id": "BTC",
             "quote_currency_id": "USDC", "price_increment": "0.1", "base_increment": "0.0001",
             "status": "online", "future_product_details": {
                 "contract_expiry_type": "PERPETUAL", "contract_root_unit": "BTC",
                 "contract_size": "1", "contract_expiry": "2099-01-01T00:00:00Z"}},
        ]
    }  # fmt: skip
    assert COINBASE.instruments is not None
    (query,) = COINBASE.instruments([])
    spot, dated, perpetual = query.read(json.dumps(products).encode())
    assert (spot.kind, spot.base, spot.settle, spot.expiry_ns) == ("spot", "BTC", "", None)
    assert (dated.kind, dated.base, dated.settle) == ("future", "BTC", "USD")
    assert dated.expiry_ns == 1_766_764_800 * 10**9  # 2025-12-26 16:00 UTC
    assert dated.contract_size == 0.01
    assert (perpetual.kind, perpetual.settle, perpetual.expiry_ns) == ("perpetual", "USDC", None)
